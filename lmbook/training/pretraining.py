r"""Pre-training: a GPT learns to predict the next token of a corpus.

.. math:: L = -\frac1T \sum_{t=1}^{T} \ln p(x_t \mid x_{<t})

No one has labelled anything: every token is the answer to all that stands before it.
Radford et al., "Improving Language Understanding by Generative Pre-Training" (2018),
equation (1).  The article calls ``PretrainedModel().fit(corpus, epochs=10)`` without
defining it; taught in section 3.5.1.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import torch

from lmbook.errors import InputError
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.text import LanguageData
from lmbook.text.tokenizers import (
    AnyTokenizer,
    CharTokenizer,
    WhitespaceTokenizer,
    load_tokenizer,
)
from lmbook.training.config import TrainConfig
from lmbook.training.devices import seeded
from lmbook.training.progress import History
from lmbook.training.trainer import train

VALID = 0.1  # share of the text that is held out
TOKENIZER = "tokenizer.json"
# Betas and decay of GPT-3 (Brown et al. 2020, appendix B); small models learn faster.
RECIPE = TrainConfig(
    batch_size=16,
    optimizer="adamw",
    learning_rate=3e-3,
    betas=(0.9, 0.95),
    weight_decay=0.1,
    warmup=0.05,
)

Corpus = str | Iterable[str] | Iterable[Iterable[str]] | LanguageData


class PretrainedModel:
    """A GPT, its tokenizer, and what was measured while it learned.

    >>> pretrained = PretrainedModel(GPTConfig(context_length=64, hidden_size=96,
    ...     num_layers=3, num_heads=4)).fit(corpus, epochs=10)

    ``config`` has the sizes; its ``vocab_size`` is the most tokens there may be, and
    the model has as many as its tokenizer.  ``tokenizer`` None: the one that fits the
    corpus (:meth:`fit`).  ``train`` None: :data:`RECIPE` with windows of the whole
    context.  Its ``seed`` draws the first weights too.

    After :meth:`fit`: ``model``, in evaluation mode, ``tokenizer`` and ``history``.
    """

    model: GPT
    tokenizer: AnyTokenizer
    history: History

    def __init__(
        self,
        config: GPTConfig,
        tokenizer: AnyTokenizer | None = None,
        train: TrainConfig | None = None,
    ) -> None:
        self.config, self._given = config, tokenizer
        self.train = train or dataclasses.replace(RECIPE, seq_len=config.context_length)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """A model that :meth:`save` wrote, or a published GPT-2, Llama or Qwen3.

        It lies in the Hugging Face layout with its tokenizer.json; ``InputError``
        names what is missing, damaged, or not implemented.
        """
        tokenizer = load_tokenizer(Path(folder) / TOKENIZER)
        model = GPT.from_pretrained(folder)
        if len(tokenizer) > model.config.vocab_size:
            raise InputError(
                f"{folder} does not fit together: {TOKENIZER} has {len(tokenizer):,} "
                f"tokens, the model {model.config.vocab_size:,}"
            )
        loaded = cls(model.config, tokenizer)
        loaded.model, loaded.tokenizer, loaded.history = model, tokenizer, History()
        return loaded

    def fit(self, corpus: Corpus, epochs: int = 10) -> Self:
        """Read the corpus ``epochs`` times, from new weights.

        It is one text; documents, each a text that ends with its line; token lists,
        each a sentence; or texts that are encoded already
        (:func:`lmbook.text.load_data`).  Without a tokenizer of its own the model
        learns characters of texts and, of token lists, the tokens as they are, the
        commonest ``vocab_size``.  The last tenth, cut between lines if there are any,
        is held out: nothing is learned from it but which weights to keep.

        Raises ``InputError`` for a corpus of another kind or too short.
        """
        data = self._encoded(corpus)
        sizes = dataclasses.replace(self.config, vocab_size=len(data.tokenizer))
        config = dataclasses.replace(self.train, epochs=epochs)
        with seeded(config.seed, torch.device("cpu")):
            model = GPT(sizes)
        self.history = train(model, data, config)
        self.model, self.tokenizer = model.eval(), data.tokenizer
        return self

    def save(self, folder: str | Path) -> None:
        """Write weights and sizes in the Hugging Face layout, and tokenizer.json."""
        require_fitted(self)
        save(folder, self.model, self.tokenizer)

    def _encoded(self, corpus: Corpus) -> LanguageData:
        if isinstance(corpus, LanguageData):
            if self._given is not None:
                raise InputError("the corpus is encoded already: it has a tokenizer")
            return corpus
        text, has_tokens = _joined(corpus)
        if not text.strip():
            raise InputError("the corpus holds no text")
        if has_tokens and not isinstance(self._given, WhitespaceTokenizer | None):
            raise InputError(
                "token lists are cut already: they take a WhitespaceTokenizer, got "
                f"a {type(self._given).__name__}"
            )
        mark = round(len(text) * (1 - VALID))
        cut = text.rfind("\n", 0, mark) + 1 or mark
        parts = {"train": text[:cut], "valid": text[cut:], "test": ""}
        tokenizer = self._given or self._learned(parts["train"], has_tokens)
        ids = {part: tokenizer.encode_array(text) for part, text in parts.items()}
        num_chars = {part: len(text) for part, text in parts.items()}
        return LanguageData(tokenizer, **ids, num_chars=num_chars)

    def _learned(self, text: str, has_tokens: bool) -> AnyTokenizer:
        """The tokens of the training part, the commonest where they are too many."""
        kind = WhitespaceTokenizer if has_tokens else CharTokenizer
        return kind(kind.train(text).tokens[: self.config.vocab_size])


def save(folder: str | Path, model: GPT, tokenizer: AnyTokenizer) -> None:
    """Write a model and its tokenizer as :meth:`PretrainedModel.load` reads them."""
    model.save_pretrained(folder)
    tokenizer.save(Path(folder) / TOKENIZER)


def require_fitted(learned: object) -> None:
    """``InputError`` unless there is a model: one that was fitted or loaded."""
    if not hasattr(learned, "model"):
        name = type(learned).__name__
        raise InputError(f"the {name} has learned nothing yet: call its fit")


def _joined(corpus: Iterable[object]) -> tuple[str, bool]:
    """The corpus as one text, and whether white space separates its tokens."""
    if isinstance(corpus, str):
        return corpus, False
    if not isinstance(corpus, Iterable):
        raise InputError(f"a corpus is one text, texts or token lists; got {corpus!r}")
    documents = list(corpus)
    if all(isinstance(document, str) for document in documents):
        return "".join(f"{document}\n" for document in documents), False
    lines = []
    for number, tokens in enumerate(documents):
        words = tokens if isinstance(tokens, list | tuple) else [None]
        if not all(isinstance(w, str) and w.split() == [w] for w in words):
            raise InputError(
                f"sentence {number} of the corpus is {str(tokens)[:40]!r}; expected "
                "one text, texts, or lists of tokens without white space"
            )
        lines.append(" ".join(map(str, words)) + "\n")
    return "".join(lines), True
