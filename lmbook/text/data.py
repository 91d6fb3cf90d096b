"""From a text to numbers that a model can be trained on.  Taught in section 5.2."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmbook.errors import InputError
from lmbook.text.corpora import is_tokenized, read_corpus, read_splits
from lmbook.text.tokenizers import (
    AnyTokenizer,
    BPETokenizer,
    CharTokenizer,
    WhitespaceTokenizer,
    WordTokenizer,
)

Ids = NDArray[np.int64]
LEVELS = ("word", "char", "bpe", "tokens")
# Tokens at most, where no number is asked for; the other levels take all there are.
DEFAULT_SIZES = {"word": 10_000, "bpe": 2_000}


@dataclass(frozen=True)
class LanguageData:
    """Encoded text in three parts, in the order in which they stand in the text."""

    tokenizer: AnyTokenizer
    train: Ids
    valid: Ids
    test: Ids
    num_chars: dict[str, int]  # of the text behind each part

    def unknown_share(self, part: str) -> float:
        """Share of the tokens of "train", "valid" or "test" that are ``<unk>``."""
        return self.tokenizer.unknown_share(getattr(self, part))


def load_text(
    name_or_path: str | Path,
    valid: float = 0.1,
    test: float = 0.1,
    valid_path: str | Path | None = None,
) -> dict[str, str]:
    """A text in its parts "train", "valid" and "test".

    The first part is for training, then come shares ``valid`` and ``test`` of the
    characters.  A corpus that is published in three parts (``wikitext-2``, ``ptb``)
    keeps them, and the shares are not used.  With ``valid_path`` that whole file is
    the validation part.
    """
    if not (0 <= valid < 1 and 0 <= test < 1 and valid + test < 1):
        raise InputError(
            "valid and test are shares that leave some for training, "
            f"got {valid} and {test}"
        )
    parts = read_splits(name_or_path)
    if parts is None:
        text = read_corpus(name_or_path)
        parts = _cut(text, valid if valid_path is None else 0.0, test)
    if valid_path is not None:
        parts["valid"] = read_corpus(valid_path)
    if not parts["train"].strip():
        raise InputError(f"{name_or_path} leaves no words for training")
    return parts


def load_data(
    name_or_path: str | Path,
    vocab_size: int | None = None,
    level: str = "word",
    valid: float = 0.1,
    test: float = 0.1,
    valid_path: str | Path | None = None,
    at_most: bool = False,
) -> LanguageData:
    """Read a text, split it in order (:func:`load_text`), number its tokens.

    Tokens are of a ``level``: "word", "char", "bpe", or "tokens", for a text that is
    published as tokens between spaces.  ``ptb`` and ``wikitext-2`` are, and "word"
    means these tokens there: 10,000 and 33,278 with ``<unk>`` and ``<eos>``, as in
    published perplexities.  The tokenizer learns from the training part alone, so
    that the others meet unknown words as a real reader does.

    ``vocab_size`` None: the commonest 10,000 words or 2,000 pieces of BPE at most;
    all characters, all published tokens.  A number above what the text has is an
    error, unless ``at_most`` says to take them all.
    The article calls this function without defining it (section 5.2).
    """
    if level not in LEVELS:
        raise InputError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
    if level == "word" and is_tokenized(name_or_path):
        level = "tokens"
    parts = load_text(name_or_path, valid, test, valid_path)
    tokenizer = _trained(parts["train"], vocab_size, level, at_most)
    ids = {part: tokenizer.encode_array(text) for part, text in parts.items()}
    num_chars = {part: len(text) for part, text in parts.items()}
    return LanguageData(tokenizer, **ids, num_chars=num_chars)


def _trained(
    text: str, vocab_size: int | None, level: str, at_most: bool
) -> AnyTokenizer:
    """The tokenizer of a level, of so many tokens, or of those the text has."""
    if vocab_size is None:
        vocab_size, at_most = DEFAULT_SIZES.get(level, sys.maxsize), True
    learned: AnyTokenizer
    match level:
        case "bpe":
            learned = BPETokenizer.train(text, vocab_size)
        case "char":
            learned = CharTokenizer.train(text)
        case "word":
            learned = WordTokenizer.train(text)
        case _:
            learned = WhitespaceTokenizer.train(text)
    most = len(learned)
    size = min(vocab_size, most) if at_most else vocab_size
    if not 2 <= size <= most:
        raise InputError(
            f"vocab_size must be between 2 and {most:,}, the number of distinct "
            f"tokens that the text has at level {level!r}; got {vocab_size:,}"
        )
    if isinstance(learned, BPETokenizer):
        return learned
    return type(learned)(learned.tokens[:size])  # the commonest stand first


def _cut(text: str, valid: float, test: float) -> dict[str, str]:
    """Cut where each share of the characters is reached, between lines if it can."""
    first = _boundary(text, round(len(text) * (1 - valid - test)))
    second = max(first, _boundary(text, round(len(text) * (1 - test))))
    return {"train": text[:first], "valid": text[first:second], "test": text[second:]}


def _boundary(text: str, mark: int) -> int:
    """Just past the first line end, else space, within 1 % of the text; else mark."""
    slack = max(20, len(text) // 100)
    for separator in "\n ":
        found = text.find(separator, mark, mark + slack)
        if 0 <= found < len(text) - 1:
            return found + 1
    return mark
