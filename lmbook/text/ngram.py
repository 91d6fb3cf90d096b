r"""Count-based language models: interpolated modified Kneser-Ney smoothing.

The strongest of the models that only count (Chen & Goodman 1999), and the one that
neural models had to beat.  Taught in section 3.2.

An n-gram gets its number level by level: that of its first n - 1 words and its last
word, as one pair.  Counting and looking up are then sorting and searching in flat
arrays, for any order, without a dictionary.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmbook.errors import InputError

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
UNSEEN = -1


@dataclass(frozen=True)
class _Level:
    """The n-grams of one length: sorted keys, and what was counted for each."""

    keys: Ids  # number of the first n - 1 words, times vocab_size, plus the last word
    counts: Floats  # of the n-gram; below the highest order, of the words before it
    totals: Floats  # for each context (an (n-1)-gram): the sum of its n-grams' counts
    backoff: Floats  # for each context: the weight of the next shorter context
    discounts: Floats  # D1, D2, D3+


class NGramModel:
    r"""Interpolated modified Kneser-Ney model of a given order (3: a trigram).

    With h the n - 1 words before w and h' all of h but its first word,

    .. math:: p(w|h) = \frac{c(hw) - D(c(hw))}{c(h\cdot)} + \gamma(h)\, p(w|h'),
        \qquad \gamma(h) = \frac{D_1 N_1(h) + D_2 N_2(h) + D_{3+} N_{3+}(h)}{c(h\cdot)}

    where :math:`N_i(h)` is how many words followed h exactly i times (3+: at least
    three).  At the highest order c counts occurrences; below, it counts the different
    words that stood before: "Francisco" is frequent and follows one word only.  With
    :math:`n_i` the number of n-grams of count i, :math:`Y = n_1/(n_1 + 2n_2)` and
    :math:`D_i = i - (i+1)\, Y n_{i+1}/n_i` (Chen & Goodman 1999).  The shortest
    order is interpolated with 1/vocab_size, so that every word has a probability.
    """

    def __init__(self, order: int = 3) -> None:
        if order < 1:
            raise InputError(f"order must be at least 1, got {order}")
        self.order = order

    def fit(self, ids: ArrayLike, vocab_size: int) -> "NGramModel":
        """Count the n-grams of a text of word numbers; returns the model."""
        ids = _checked(ids, vocab_size)
        if len(ids) < self.order:
            raise InputError(f"{len(ids)} words are too few for order {self.order}")
        self.vocab_size = vocab_size
        grams = []
        numbers = np.zeros(len(ids) + 1, np.int64)  # the one 0-gram, at every place
        for length in range(1, self.order + 1):
            # numbers[j] is that of the (length - 1)-gram before word j + length - 1.
            keys, first, found, counts = np.unique(
                numbers[:-1] * vocab_size + ids[length - 1 :],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            without_first_word = numbers[first + 1]
            grams.append((keys, counts, without_first_word))
            numbers = found
        self._levels: list[_Level] = []
        contexts = 1
        for (keys, counts, _), longer in zip(grams, [*grams[1:], None], strict=True):
            if longer is not None:
                counts = np.bincount(longer[2], minlength=len(keys))
            self._levels.append(_smoothed(keys, counts, contexts, vocab_size))
            contexts = len(keys)
        return self

    def log_probs(self, ids: ArrayLike) -> Floats:
        r"""Natural logarithm of the probability of each word, given those before it.

        Shape (len(ids),).  The first words have shorter contexts.
        """
        ids = _checked(ids, self.vocab_size)
        contexts = [numbers[:-1] for numbers in self._contexts(ids)]
        return np.log(self._probabilities(contexts, ids))

    def distribution(self, context: ArrayLike) -> Floats:
        """Probability of every word after these words, shape (vocab_size,)."""
        last = [n[-1] for n in self._contexts(_checked(context, self.vocab_size))]
        contexts = [np.full(self.vocab_size, number) for number in last]
        return self._probabilities(contexts, np.arange(self.vocab_size))

    def _contexts(self, ids: Ids) -> list[Ids]:
        """For each length from 0, the number of the words before each place."""
        contexts = [np.zeros(len(ids) + 1, np.int64)]
        for level in self._levels[:-1]:
            numbers = _find(level.keys, contexts[-1][:-1] * self.vocab_size + ids)
            contexts.append(np.concatenate([[UNSEEN], numbers]))
        return contexts

    def _probabilities(self, contexts: list[Ids], words: Ids) -> Floats:
        """Interpolate from the shortest context, which is always known, upwards."""
        probability = np.full(len(words), 1 / self.vocab_size)
        for level, context in zip(self._levels, contexts, strict=True):
            place = _find(level.keys, context * self.vocab_size + words)
            counts = np.where(place == UNSEEN, 0, level.counts[place])
            known = context != UNSEEN
            known &= level.totals[context] > 0
            kept = counts - _discount(counts, level.discounts)
            longer = kept / np.where(known, level.totals[context], 1)
            longer += level.backoff[context] * probability
            probability = np.where(known, longer, probability)
        return probability


def _smoothed(keys: Ids, counts: Ids, contexts: int, vocab_size: int) -> _Level:
    discounts = _discounts(counts)
    context = keys // vocab_size
    totals = _sums(context, counts, contexts)
    taken = _sums(context, _discount(counts, discounts), contexts)
    backoff = taken / np.where(totals > 0, totals, 1)
    return _Level(keys, counts.astype(np.float64), totals, backoff, discounts)


def _sums(groups: Ids, values: NDArray, number: int) -> Floats:
    return np.bincount(groups, values, number).astype(np.float64)


def _discounts(counts: Ids) -> Floats:
    """D1, D2 and D3+; where too few n-grams are rare to tell, 0.5, 1, 1.5."""
    n1, n2, n3, n4 = (np.count_nonzero(counts == i) for i in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return np.array([0.5, 1.0, 1.5])
    y = n1 / (n1 + 2 * n2)
    found = np.array([1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return np.clip(found, 0, [1, 2, 3])


def _discount(counts: NDArray, discounts: Floats) -> Floats:
    return np.concatenate([[0], discounts])[np.minimum(counts, 3).astype(int)]


def _find(keys: Ids, wanted: Ids) -> Ids:
    """Place of each wanted key, or UNSEEN."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, UNSEEN)


def _checked(ids: ArrayLike, vocab_size: int) -> Ids:
    array = np.asarray(ids)
    if array.size == 0:
        return array.astype(np.int64).reshape(0)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(
            "ids must be a one-dimensional array of integers, got shape "
            f"{array.shape} and dtype {array.dtype}"
        )
    if array.min() < 0 or array.max() >= vocab_size:
        raise InputError(f"ids must be between 0 and {vocab_size - 1}")
    return array.astype(np.int64)
