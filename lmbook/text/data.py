"""From a text to numbers that a model can be trained on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmbook.errors import InputError
from lmbook.text.corpora import read_corpus, read_splits
from lmbook.text.vocabulary import UNKNOWN, Vocabulary, split_words

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class LanguageData:
    """Encoded text in three parts, in the order in which they stand in the text."""

    vocabulary: Vocabulary
    train: Ids
    valid: Ids
    test: Ids
    num_chars: dict[str, int]  # of the text behind each part

    def unknown_share(self, part: str) -> float:
        """Share of the tokens of "train", "valid" or "test" that are ``<unk>``."""
        ids = getattr(self, part)
        return float(np.mean(ids == self.vocabulary.unknown_id)) if len(ids) else 0.0


def load_data(
    name_or_path: str | Path,
    vocab_size: int = 10_000,
    valid: float = 0.1,
    test: float = 0.1,
    valid_path: str | Path | None = None,
    at_most: bool = False,
) -> LanguageData:
    """Read a text, split it in order, number its words.

    The first part is for training, then come shares ``valid`` and ``test`` of the
    characters.  A corpus that is published in three parts (``wikitext-2``, ``ptb``)
    keeps them, and the shares are not used.  The vocabulary is built from the
    training part alone, so that the others meet unknown words as a real reader does.
    With ``valid_path`` that whole file is the validation part.  A ``vocab_size``
    above the number of distinct words is an error, unless ``at_most`` says to take
    them all.
    The article calls this function without defining it (section 5.2).
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
    words = split_words(parts["train"])
    if not words:
        raise InputError(f"{name_or_path} leaves no words for training")
    if at_most:
        vocab_size = min(vocab_size, len({*words, UNKNOWN}))
    vocabulary = Vocabulary.build(words, vocab_size)
    ids = {"train": vocabulary.encode(words)}
    del words  # of a large text, gigabytes
    for part in ("valid", "test"):
        ids[part] = vocabulary.encode(split_words(parts[part]))
    num_chars = {part: len(text) for part, text in parts.items()}
    return LanguageData(vocabulary, **ids, num_chars=num_chars)


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
