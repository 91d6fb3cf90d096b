r"""How much of a text was in the training text: word for word, and exactly.

A test part whose sentences stand in the training text measures memory; a generated
text that stands there was not invented.  Both questions have one answer,
:func:`match_lengths`.  Sections 5.3 and 6.1.

Test examples of GPT-3 were called contaminated if they shared an n-gram with its
training text, generally of 13 words (Brown et al. 2020); PaLM took 8-grams (Chowdhery
et al. 2022), Llama 2 the share of tokens that lie in one (Touvron et al. 2023, A.6).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmbook.errors import InputError
from lmbook.text.data import LanguageData
from lmbook.text.tokenizers import AnyTokenizer, WordTokenizer

Ids = NDArray[np.int64]
PAD, BREAK, FIRST = 0, 1, 2  # after the end; between the texts; the smallest token


@dataclass(frozen=True)
class Match:
    """A run of tokens of one text that stands in the training text too."""

    start: int  # in the text
    length: int
    text: str


@dataclass(frozen=True)
class Overlap:
    r"""What a text of T tokens has in common with the training text.

    With :math:`M_i` the longest run from token i on that occurs in training, the
    n-gram at i is seen if :math:`M_i \ge n`.  ``ngram_share`` is the share of the
    T - n + 1 n-grams that are; ``token_share`` that of the T tokens which lie in one.
    """

    n: int
    ngram_share: float
    token_share: float
    longest: list[Match]


def overlap(
    data: LanguageData, part: str = "test", n: int = 13, longest: int = 3
) -> Overlap:
    """What a part, "valid" or "test", has in common with the training part.

    ``<unk>`` matches nothing: two unknown words need not be the same.  The
    ``longest`` matches do not overlap in the text.
    """
    ids = getattr(data, part)
    if n < 1:
        raise InputError(f"n must be at least 1, got {n}")
    if len(ids) < n:
        raise InputError(f"the text has {len(ids)} tokens: a run of {n} is asked for")
    lengths = match_lengths(data.train, _known(ids, data.tokenizer))
    seen = lengths[: len(ids) - n + 1] >= n
    inside = np.zeros(len(ids) + 1, np.int64)  # changes of the number of n-grams here
    inside[:-n][seen] += 1
    inside[n:][seen] -= 1
    return Overlap(
        n,
        float(seen.mean()),
        float((inside.cumsum()[:-1] > 0).mean()),
        _longest(lengths, ids, longest, data.tokenizer),
    )


def overlap_of_texts(train: str, test: str, n: int = 13, longest: int = 3) -> Overlap:
    """The same of two texts, in words (:func:`lmbook.text.split_words`)."""
    tokenizer = WordTokenizer.train([train, test])
    ids = [tokenizer.encode_array(text) for text in (train, test)]
    num_chars = {"train": len(train), "valid": 0, "test": len(test)}
    data = LanguageData(tokenizer, ids[0], ids[1][:0], ids[1], num_chars)
    return overlap(data, "test", n, longest)


def memorised(
    data: LanguageData, text: str, shortest: int = 8, longest: int = 10
) -> list[Match]:
    """The longest runs of a generated text that stand in the training part.

    At most ``longest`` of them, of ``shortest`` tokens or more, the longest first.
    """
    ids = data.tokenizer.encode_array(text)
    lengths = match_lengths(data.train, _known(ids, data.tokenizer))
    found = _longest(lengths, ids, longest, data.tokenizer)
    return [match for match in found if match.length >= shortest]


def match_lengths(train: ArrayLike, ids: ArrayLike) -> Ids:
    r"""For each token i the length of the longest run from it on that ``train`` has.

    .. math:: M_i = \max \{ l : x_i \ldots x_{i+l-1} \text{ stands in train} \}

    Shape (len(ids),); exact, in :math:`O(N \log N \log M)` for N tokens in all.
    Runs of 1, 2, 4 ... tokens of both texts are numbered in alphabetical order
    (prefix doubling, Manber & Myers 1993) until the texts have none in common.  In
    that order, the best match of a place is the nearest one of the training text
    before or after it.
    """
    train, ids = np.asarray(train), np.asarray(ids)
    if len(train) == 0 or len(ids) == 0:
        return np.zeros(len(ids), np.int64)
    smallest = min(train.min(), ids.min())
    runs = np.concatenate([train - smallest + FIRST, [BREAK], ids - smallest + FIRST])
    size, first = len(runs), len(train) + 1  # the place of ids[0]
    levels: list[NDArray[np.int32]] = []  # numbers of the runs of 1, 2, 4 ... tokens
    while True:
        numbers = 1 + np.unique(runs, return_inverse=True)[1]
        levels.append(np.append(numbers, PAD).astype(np.int32))
        in_train = np.zeros(size + 1, bool)
        in_train[numbers[: len(train)]] = True
        if not in_train[numbers[first:]].any():
            break
        later = np.full(size, PAD)
        step = 2 ** (len(levels) - 1)
        later[: size - step] = numbers[step:]
        runs = numbers * (size + 1) + later
    del runs

    order = np.argsort(levels.pop()[:-1], kind="stable")
    asked = np.flatnonzero(order >= first)
    lengths = np.zeros(len(ids), np.int64)
    for way in (1, -1):
        # Along the order, the last place of training that was passed; at first BREAK.
        nearest = _last_passed(order[::way], len(train))[::way]
        common = _common_prefix(levels, order[asked], nearest[asked])
        here = order[asked] - first
        lengths[here] = np.maximum(lengths[here], common)
    return lengths


def _last_passed(order: Ids, num_train: int) -> Ids:
    """For each place in the order the nearest before it that is in training."""
    passed = np.where(order < num_train, np.arange(len(order)), -1)
    passed = np.maximum.accumulate(passed)
    return np.where(passed < 0, num_train, order[passed])


def _common_prefix(levels: list[NDArray[np.int32]], a: Ids, b: Ids) -> Ids:
    """How many tokens from places a and b on agree: less than 2 ** len(levels)."""
    length = np.zeros(len(a), np.int64)
    for k in reversed(range(len(levels))):
        length += (levels[k][a + length] == levels[k][b + length]) * 2**k
    return length


def _known(ids: Ids, tokenizer: AnyTokenizer) -> Ids:
    """The ids, ``<unk>`` as a number that training doesn't have."""
    return np.where(ids == tokenizer.unknown_id, len(tokenizer), ids)


def _longest(
    lengths: Ids, ids: Ids, number: int, tokenizer: AnyTokenizer
) -> list[Match]:
    """The longest runs, the longest first, none overlapping another."""
    taken = np.zeros(len(ids), bool)
    found: list[Match] = []
    for start in np.argsort(-lengths, kind="stable"):
        length = int(lengths[start])
        if len(found) == number or length == 0:
            break
        run = slice(start, start + length)
        if not taken[run].any():
            taken[run] = True
            text = tokenizer.decode(ids[run])
            found.append(Match(int(start), length, text))
    return found
