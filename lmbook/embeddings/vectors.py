"""Words with their vectors: look up, compare, solve analogies.  Section 3.3."""

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmbook.embeddings import word2vec_format
from lmbook.errors import InputError
from lmbook.similarity import cosine_similarity

Floats = NDArray[np.float32]
Similar = list[tuple[str, float]]

BLOCK = 16_384  # rows converted to float64 at a time
SPARE = 16  # candidates beyond topn that are compared again in float64


class UnknownWord(KeyError):
    """A word that has no vector; the message names the nearest spellings."""

    __str__ = Exception.__str__  # KeyError's own puts the message in quotes


class WordVectors:
    """Words and their vectors, float32, the commonest word first.

    ``vectors`` has shape (number of words, size) and cannot be written to.  Raises
    ``InputError`` for a word that stands twice, and for an entry that is not finite.
    """

    def __init__(self, words: Iterable[str], vectors: ArrayLike) -> None:
        self.words = list(words)
        self.vectors = np.ascontiguousarray(vectors, np.float32).view()
        self.vectors.flags.writeable = False
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.words):
            raise InputError(
                f"{len(self.words)} words need vectors of shape "
                f"({len(self.words)}, size), got {self.vectors.shape}"
            )
        if not self.vectors.size:
            raise InputError("there must be at least one word and one dimension")
        self.index_of = {word: index for index, word in enumerate(self.words)}
        if len(self.index_of) != len(self.words):
            word, times = Counter(self.words).most_common(1)[0]
            raise InputError(f"the word {word!r} stands {times} times")
        finite = np.isfinite(self.vectors).all(axis=1)
        if not finite.all():
            word = self.words[int(finite.argmin())]
            raise InputError(f"the vector of {word!r} is not finite")

    @property
    def size(self) -> int:
        """Dimension of the vectors."""
        return self.vectors.shape[1]

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self.index_of

    def get_word_vector(self, word: str) -> Floats:
        """The word's vector, shape (size,); ``UnknownWord``, a KeyError, without."""
        return self.vectors[self._index(word)]

    def similarity(self, a: str, b: str) -> float:
        """Cosine of the angle between the vectors of two words."""
        return cosine_similarity(self.get_word_vector(a), self.get_word_vector(b))

    def most_similar(self, word: str | ArrayLike, topn: int = 10) -> Similar:
        """The ``topn`` words of the largest cosine, with it, the largest first.

        Every word is compared.  Takes a word, which is left out of the answer, or a
        vector of shape (size,).  A word whose own vector is zero counts as 0.
        """
        if isinstance(word, str):
            return self._nearest(self.get_word_vector(word), topn, [word])
        return self._nearest(np.asarray(word), topn, [])

    def analogy(self, a: str, b: str, c: str, topn: int = 10) -> Similar:
        r"""The words that are to c as b is to a, the three words left out.

        .. math:: \arg\max_d \cos(d,\; \hat b - \hat a + \hat c)

        with unit vectors :math:`\hat a` (3CosAdd; Mikolov et al. 2013, Linguistic
        Regularities in Continuous Space Word Representations).
        """
        unit = [self._unit(self.get_word_vector(word)) for word in (a, b, c)]
        return self._nearest(unit[1] - unit[0] + unit[2], topn, [a, b, c])

    def save(self, path: str | Path, binary: bool = False) -> None:
        """Write the word2vec format, as text or binary; both keep every bit."""
        word2vec_format.write(path, self.words, self.vectors, binary)

    @classmethod
    def load(cls, path: str | Path, limit: int | None = None) -> Self:
        """Read word2vec text or binary, or GloVe text, which has no first line.

        With ``limit`` only the first so many words; a name in .gz is unpacked.
        """
        return cls(*word2vec_format.read(path, limit))

    @cached_property
    def _inverse_norms(self) -> NDArray[np.float64]:
        """1 / |v| of every word; 0 for a vector of zeros."""
        norms = np.empty(len(self))
        for start in range(0, len(self), BLOCK):
            block = self.vectors[start : start + BLOCK].astype(np.float64)
            norms[start : start + BLOCK] = np.sqrt(np.einsum("ij,ij->i", block, block))
        return np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)

    def _nearest(self, query: NDArray, topn: int, left_out: Sequence[str]) -> Similar:
        if topn < 1:
            raise InputError(f"topn must be at least 1, got {topn}")
        if query.shape != (self.size,):
            raise InputError(
                f"expected a word or a vector of shape ({self.size},), "
                f"got shape {query.shape}"
            )
        query = self._unit(query)
        # One pass over all words in float32, limited by the speed of memory; then
        # the best again in float64, so that their order is the same everywhere.
        scores = (self.vectors @ query.astype(np.float32)) * self._inverse_norms
        for word in left_out:
            scores[self.index_of[word]] = -np.inf
        topn = min(topn, len(self) - len(set(left_out)))
        kept = min(topn + SPARE, len(self))
        best = np.argpartition(-scores, kept - 1)[:kept]
        best = best[scores[best] > -np.inf]
        cosines = self.vectors[best].astype(np.float64) @ query
        cosines = np.clip(cosines * self._inverse_norms[best], -1, 1)
        order = np.lexsort((best, -cosines))[:topn]
        return [(self.words[best[i]], float(cosines[i])) for i in order]

    @staticmethod
    def _unit(vector: NDArray) -> NDArray[np.float64]:
        vector = vector.astype(np.float64)
        norm = np.linalg.norm(vector)
        if not 0 < norm < np.inf:
            raise InputError("a vector that is zero or not finite has no direction")
        return vector / norm

    def _index(self, word: str) -> int:
        try:
            return self.index_of[word]
        except KeyError:
            raise UnknownWord(f"no vector for {word!r}{self._hint(word)}") from None

    def _hint(self, word: object) -> str:
        if not isinstance(word, str):
            return ": a word is a string"
        # Comparing spellings is slow: only words of about this length that begin or
        # end alike, and of those the commonest.
        alike = (
            known
            for known in self.words
            if abs(len(known) - len(word)) <= 2
            and (known[:1].lower() == word[:1].lower() or known[-2:] == word[-2:])
        )
        close = difflib.get_close_matches(word, islice(alike, 50_000), cutoff=0.5)
        if not close:
            return f" among {len(self):,} words, nor for one spelt alike"
        return f"; nearest spellings: {', '.join(map(repr, close))}"


class VectorTrainer:
    """What every trainer of word vectors can do once ``fit`` has set ``wv``."""

    _wv: WordVectors | None = None

    @property
    def wv(self) -> WordVectors:
        """The trained vectors."""
        if self._wv is None:
            raise InputError("there are no vectors yet: call fit(corpus) first")
        return self._wv

    def get_word_vector(self, word: str) -> Floats:
        """See :meth:`WordVectors.get_word_vector`."""
        return self.wv.get_word_vector(word)

    def similarity(self, a: str, b: str) -> float:
        """See :meth:`WordVectors.similarity`."""
        return self.wv.similarity(a, b)

    def most_similar(self, word: str | ArrayLike, topn: int = 10) -> Similar:
        """See :meth:`WordVectors.most_similar`."""
        return self.wv.most_similar(word, topn)

    def analogy(self, a: str, b: str, c: str, topn: int = 10) -> Similar:
        """See :meth:`WordVectors.analogy`."""
        return self.wv.analogy(a, b, c, topn)

    def save(self, path: str | Path, binary: bool = False) -> None:
        """See :meth:`WordVectors.save`."""
        self.wv.save(path, binary)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A trainer with the vectors of a file; training again starts afresh."""
        trainer = cls()
        trainer._wv = WordVectors.load(path)
        return trainer


def analogy_accuracy(wv: WordVectors, pairs: Sequence[tuple[str, str]]) -> float:
    """Share of the analogies a : b = c : d among all two pairs that 3CosAdd solves.

    Each pair in turn is a : b for every other pair c : d.  All words must be known.
    """
    found = [
        wv.analogy(a, b, c, topn=1)[0][0] == d
        for a, b in pairs
        for c, d in pairs
        if d not in (a, b, c)
    ]
    if not found:
        raise InputError(f"two pairs of different words are needed, got {pairs}")
    return float(np.mean(found))
