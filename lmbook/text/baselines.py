"""What a language model's loss is read against: counting below, the floor above.

Taught in sections 3.2 and 5.3.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmbook import metrics
from lmbook.errors import InputError
from lmbook.text.data import LanguageData
from lmbook.text.microworld import MicroWorld
from lmbook.text.microworld.scoring import Floor, floor
from lmbook.text.ngram import NGramModel
from lmbook.text.tokenizers import AnyTokenizer

NAMES = {1: "unigram", 2: "bigram", 3: "trigram"}


@dataclass(frozen=True)
class Row:
    """The loss of a model on a text in every unit, and how long it took."""

    name: str
    nats_per_token: float
    nats_per_char: float
    seconds: float

    @property
    def perplexity(self) -> float:
        return metrics.perplexity(self.nats_per_token)

    @property
    def bits_per_char(self) -> float:
        return metrics.bits(self.nats_per_char)


def baselines(
    data: LanguageData, part: str = "valid", orders: Sequence[int] = (5, 2, 1)
) -> list[Row]:
    """Interpolated modified Kneser-Ney models of these orders, as counted by training.

    Each counts ``data.train`` and is measured on every token of ``part`` ("valid" or
    "test"), as :class:`~lmbook.text.ngram.NGramModel` describes.  Order 1 is the
    unigram model.  For characters, order 7 is about the best.
    """
    ids = getattr(data, part)
    rows = []
    for order in orders:
        start = time.perf_counter()
        model = NGramModel(order).fit(data.train, len(data.tokenizer))
        nats = float(-model.log_probs(ids).mean())
        seconds = time.perf_counter() - start
        per_char = metrics.nats_per_char(nats, len(ids), data.num_chars[part])
        rows.append(Row(NAMES.get(order, f"{order}-gram"), nats, per_char, seconds))
    return rows


def floor_of(
    text: str,
    tokenizer: AnyTokenizer,
    language: str = "zh",
    stream: str = "mixed",
    split: str = "train",
) -> Floor:
    r"""The artificial world's own loss on a text of its, in a tokenizer's tokens.

    With m documents :math:`d_i`, a line each,

    .. math:: L = -\frac1T \sum_{i=1}^{m} \ln p(d_i),

    where T counts all tokens that ``tokenizer.encode_array`` gives for the text, the
    line ends (``<eos>``) with them: the end of a document is predicted like any
    other token, and :math:`p(d_i)` includes it.  ``nats_per_token`` is then the mean
    loss of a model that knows the world, when it predicts each of the T tokens from
    those before; the first from knowing that a document begins.  Documents are
    independent, so nothing before a document's first token helps it.

    The tokens must tell the text: ``InputError`` where one is ``<unk>``, a line has
    no end, or the world (of this language, stream and split) can't say it.
    """
    if not text.endswith("\n"):
        raise InputError("every document must be a line, the last one too")
    world = MicroWorld(language, split)
    scored = []
    for line in text.split("\n")[:-1]:
        ids = np.array(tokenizer.encode(line + "\n"), np.int64)
        if tokenizer.unknown_share(ids):
            raise InputError(f"the tokenizer does not know all of {line[:60]!r}")
        one = world.floor(stream, [line])
        scored.append((-one.nats, len(ids) - 1, len(line)))
    return floor(scored)
