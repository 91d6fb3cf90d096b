"""A corpus of token lists as one flat array of word numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmbook.errors import InputError

PART = 1_000_000  # numbers packed into an array at a time


@dataclass(frozen=True)
class EncodedCorpus:
    """Sentence s is ``ids[offsets[s] : offsets[s + 1]]``; rare words are left out."""

    words: list[str]  # the commonest first; ties in order of first appearance
    counts: NDArray[np.int64]  # of each word
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]  # (sentences + 1,)


def encode_corpus(corpus: Iterable[Iterable[str]], min_count: int) -> EncodedCorpus:
    """Number the words of a corpus, an iterable of token lists that is read once.

    Words that occur less than ``min_count`` times are dropped, and their neighbours
    move together, as in word2vec and GloVe.  Four bytes a token are kept in memory.
    """
    if isinstance(corpus, str):
        raise InputError(
            "the corpus is one string; expected an iterable of token lists"
        )
    if min_count < 1:
        raise InputError(f"min_count must be at least 1, got {min_count}")
    number_of: dict[str, int] = {}
    flat = _Growing()
    lengths: list[int] = []
    for sentence in corpus:
        if isinstance(sentence, str):
            raise InputError(
                f"sentence {len(lengths)} of the corpus is the string "
                f"{sentence[:20]!r}; expected a list of tokens, as of str.split()"
            )
        numbers = [number_of.setdefault(token, len(number_of)) for token in sentence]
        flat.extend(numbers)
        lengths.append(len(numbers))
    for token in number_of:
        if not isinstance(token, str):
            raise InputError(f"the corpus has the token {token!r}, which is no string")
    ids = flat.array()
    if not len(ids):
        raise InputError("the corpus holds no tokens")
    counts = np.bincount(ids)
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] >= min_count]
    if not len(order):
        raise InputError(
            f"no word occurs min_count={min_count} times; "
            f"the commonest occurs {counts.max()} times"
        )
    new_number = np.full(len(counts), -1, np.int32)
    new_number[order] = np.arange(len(order), dtype=np.int32)
    ids = new_number[ids]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    kept_before = np.concatenate([[0], np.cumsum(ids >= 0)])
    known = list(number_of)
    words = [known[i] for i in order]
    return EncodedCorpus(words, counts[order], ids[ids >= 0], kept_before[ends])


class _Growing:
    """An int32 array that grows at its end, in parts of bounded size."""

    def __init__(self) -> None:
        self.parts: list[NDArray[np.int32]] = []
        self.waiting: list[int] = []

    def extend(self, numbers: list[int]) -> None:
        self.waiting += numbers
        if len(self.waiting) > PART:
            self._pack()

    def array(self) -> NDArray[np.int32]:
        self._pack()
        return np.concatenate(self.parts)

    def _pack(self) -> None:
        self.parts.append(np.array(self.waiting, np.int32))
        self.waiting = []
