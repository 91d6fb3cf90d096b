"""Translators that are trained once and kept, beside the models of the store.

What :mod:`lmbook.training.store` does for language models, for pairs of the artificial
world: a name ends in a hash of all that the model depends on.  Training takes two
minutes and is not resumed: interrupted, it begins again.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from lmbook.errors import InputError
from lmbook.models.translation_model import Seq2Seq, Seq2SeqConfig
from lmbook.text.microworld import MicroWorld
from lmbook.text.microworld.texts import Pair
from lmbook.text.pair_batches import PairData
from lmbook.text.pair_tokens import SPECIAL, PairTokenizer, encode_pairs
from lmbook.text.pair_words import PairWords
from lmbook.text.pairs import Pairs
from lmbook.training import checkpoint, store
from lmbook.training.config import TrainConfig
from lmbook.training.pair_files import load_pair_model, save_pair_model
from lmbook.training.pairs import train_pairs
from lmbook.training.progress import History


@dataclass(frozen=True)
class PairSetup:
    """Which sentences of the artificial world a translator reads, and how.

    The world's split "train" says ``num_sentences`` from the seed of ``train``.  The
    first ``valid_pairs`` are held out; of the others only those are kept that have a
    word which was kept less than ``coverage`` times (:func:`covering`).  The sizes of
    the model's vocabularies follow from the words.
    """

    num_sentences: int
    valid_pairs: int
    coverage: int
    model: Seq2SeqConfig
    train: TrainConfig


TRANSLATOR = PairSetup(
    num_sentences=150_000,
    valid_pairs=400,
    coverage=100,
    model=Seq2SeqConfig(
        1,
        1,
        architecture="attention",
        size=128,
        bidirectional=True,
        residual=True,
        tied=True,
    ),
    train=TrainConfig(
        batch_size=64,
        optimizer="muon",
        learning_rate=5e-3,
        betas=(0.9, 0.98),
        weight_decay=0.3,
        schedule="linear",
        warmup=0.05,
        final=0.0,
        epochs=1,
        evaluations=4,
        device="cpu",
    ),
)


class TrainedPairs(NamedTuple):
    """A model in evaluation mode on the CPU, its tokenizer, how it was trained."""

    model: Seq2Seq
    tokenizer: PairTokenizer
    history: History


def microworld_pairs(number: int, seed: int, split: str = "train") -> list[Pair]:
    """So many sentences of the artificial world, said in English and in Chinese.

    As often as the world says them: what it says again teaches again.
    """
    return list(islice(MicroWorld("en", split).pairs("sentences", seed), number))


def covering(pairs: Iterable[Pair], times: int) -> list[Pair]:
    """Of these pairs only those that have a word which was kept too rarely.

    A pair is kept if one of its words stands in fewer than ``times`` of those kept
    before it.  So common words no longer crowd out the rare ones, and a model learns
    more from as many pairs.
    """
    counts: Counter[str] = Counter()
    kept = []
    for pair in pairs:
        words = {*pair.source.tokens, *pair.target.tokens}
        if min(counts[word] for word in words) < times:
            counts.update(words)
            kept.append(pair)
    return kept


def texts(pairs: Iterable[Pair]) -> Pairs:
    """The sentences (English, Chinese) as people write them."""
    return [(pair.source.text, pair.target.text) for pair in pairs]


def trained_pairs(setup: PairSetup = TRANSLATOR) -> TrainedPairs:
    """The model of a set-up: stored, or trained now, which shows its progress.

    As for all kept models (:func:`lmbook.training.store.kept`), another process that
    is just training the same one is waited for.  A damaged model is made again.
    """

    def make(folder: Path) -> None:
        model, tokenizer, history = train_setup(setup)
        about = dataclasses.asdict(setup)
        save_pair_model(folder, model, tokenizer, history.records, setup=about)

    return store.kept("translator", dataclasses.asdict(setup), _stored, make)


def train_setup(setup: PairSetup) -> TrainedPairs:
    """The same, trained now and not kept."""
    seed = setup.train.seed
    pairs = microworld_pairs(setup.num_sentences, seed)
    valid_pairs = texts(pairs[: setup.valid_pairs])
    kept = covering(pairs[setup.valid_pairs :], setup.coverage)
    kept_texts = texts(kept)
    english = (one for one, _ in kept_texts)
    tokenizer = PairWords.train(english, (p.target.tokens for p in kept), SPECIAL)
    valid = encode_pairs(tokenizer, valid_pairs)
    train = encode_pairs(tokenizer, kept_texts)
    size = len(tokenizer)
    sizes = dataclasses.replace(
        setup.model, source_vocab_size=size, target_vocab_size=size
    )
    model = Seq2Seq.seeded(sizes, seed)
    history = train_pairs(model, PairData(train, valid), setup.train)
    return TrainedPairs(model.cpu(), tokenizer, history)


def _stored(folder: Path) -> TrainedPairs | None:
    """The finished model of a folder; None if it is absent or damaged."""
    try:
        model, tokenizer = load_pair_model(folder)
        history = History(checkpoint.read_records(folder))
    except (InputError, OSError):
        return None
    return TrainedPairs(model, tokenizer, history)
