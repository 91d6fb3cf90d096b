r"""Finding the passage that answers a question: BM25, and how well it is found.

With a question q, a passage d of dl terms, tf of which are the term t, N passages of
avdl terms on the average, n of which hold t,

.. math::
    s(q, d) &= \sum_{t \in q} \mathrm{idf}(t)\,
        \frac{\mathit{tf}}{k_1\,(1 - b + b\,\mathit{dl} / \mathit{avdl}) + \mathit{tf}},
    \\
    \mathrm{idf}(t) &= \ln\Bigl(1 + \frac{N - n + 0.5}{n + 0.5}\Bigr).

Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009),
section 3.4, which says why: a term counts the more the rarer it is, repeating it adds
ever less (k1), and a long passage repeats more anyway (b).  The 1 in the logarithm is
Lucene's: without it a term of more than half of the passages would count against
them.  Taught in section 6.3.
"""

import logging
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmbook.errors import InputError
from lmbook.text.vocabulary import END, split_words

LEVELS = ("char", "word")
# What of a question only asks.  (Characters that are part of many other words, such as
# 几 and 的, are left alone, and 吗 and 呢 within a sentence: 吗啡, 呢绒.)
ASKING = re.compile(
    r"为什么|什么|怎么样|怎么|怎样|如何|多少|哪(?!吒)[些个里]?|谁|何时|何地|请问"
    r"|是|[吗呢](?=\W|$)"
    r"|\b(?:what|who|whom|whose|where|when|why|how|which|is|are|was|were|do|does|did"
    r"|the|an?|of)\b",
    re.IGNORECASE,
)


def terms(text: str, level: str = "char") -> list[str]:
    """What of a text is looked for: lower-case words and numbers, no punctuation.

    Chinese falls into single characters ("char") or into jieba's words ("word").
    Full-width letters are the same as others (Unicode's form NFKC).

    >>> terms("什么是 LSTM？")
    ['什', '么', '是', 'lstm']
    """
    if level not in LEVELS:
        raise InputError(f'level must be "char" or "word", got {level!r}')
    text = unicodedata.normalize("NFKC", text)
    found = split_words(text) if level == "char" else _jieba_words(text.lower())
    return [term for term in found if term != END and any(map(str.isalnum, term))]


def topic(question: str) -> str:
    """A question without the words that only ask: no passage has to hold them.

    A word in capitals is a name: of "Who is WHO?" the last is left.

    >>> topic("什么是人工智能？")
    '  人工智能？'
    """
    return ASKING.sub(
        lambda found: found[0] if found[0].isupper() and len(found[0]) > 1 else " ",
        question,
    )


class Found(NamedTuple):
    """A passage, by its number, and how well it fits.

    ``share`` is its score's share of the most that any passage could have, were it
    nothing but the question's terms, without end: the sum of their idf.  From 0 to 1,
    unlike scores it can be compared between questions.  It falls with the passage's
    length against the mean: passages of very unequal lengths need a lower threshold,
    or to be cut.
    """

    passage: int
    score: float
    share: float


class BM25:
    """An index of passages; formula and source stand above.

    ``k1`` at least 0, where 0 asks only whether a term is there; ``b`` from 0 to 1,
    where 0 asks for no length.  Between 1.2 and 2, and 0.5 and 0.8, they are
    "reasonably good in many circumstances" (section 3.4).  ``level``: of
    :func:`terms`.
    """

    def __init__(self, k1: float = 1.5, b: float = 0.75, level: str = "char") -> None:
        if not (0 <= k1 < math.inf and 0 <= b <= 1):
            raise InputError(
                f"k1 must be at least 0 and b from 0 to 1, got {k1} and {b}"
            )
        terms("", level)  # is there such a level?
        self.k1, self.b, self.level = k1, b, level

    def fit(self, passages: Iterable[str]) -> Self:
        """Count the terms of every passage.

        ``InputError`` if there are no passages, or no terms in them.
        """
        counts = [Counter(terms(passage, self.level)) for passage in passages]
        lengths = np.array([count.total() for count in counts], np.float64)
        if not lengths.any():
            raise InputError("no passage holds a word to be looked for")
        self.num_passages = len(counts)
        slowness = self.k1 * (1 - self.b + self.b * lengths / lengths.mean())
        places: dict[str, list[int]] = {}
        for place, count in enumerate(counts):
            for term in count:
                places.setdefault(term, []).append(place)
        # Of each term the passages that hold it, and what it adds to their scores.
        self._postings: dict[str, tuple[NDArray, NDArray]] = {}
        for term, found in places.items():
            tf = np.array([counts[place][term] for place in found], np.float64)
            weights = self._idf(len(found)) * tf / (slowness[found] + tf)
            self._postings[term] = np.array(found), weights
        return self

    def scores(self, question: str) -> NDArray[np.float64]:
        """The score of every passage, (num_passages,); a term that the question
        repeats counts as often."""
        total = np.zeros(self.num_passages)
        for term in terms(question, self.level):
            if term in self._postings:
                places, weights = self._postings[term]
                total[places] += weights
        return total

    def search(self, question: str, topn: int = 5) -> list[Found]:
        """The passages that fit best, the best first, ties in their order.

        At most ``topn``; those that share no term with the question are left out.
        """
        if topn < 0:
            raise InputError(f"topn must be at least 0, got {topn}")
        scores = self.scores(question)
        most = sum(map(self.idf, terms(question, self.level)))
        best = np.argsort(-scores, kind="stable")[:topn]
        return [
            Found(int(place), float(scores[place]), float(scores[place]) / most)
            for place in best
            if scores[place] > 0
        ]

    def rank(self, question: str, passage: int) -> int:
        """The place of a passage, from 1, in the order of :meth:`search`."""
        scores = self.scores(question)
        ahead = scores > scores[passage]
        ahead[:passage] |= scores[:passage] == scores[passage]
        return int(ahead.sum()) + 1

    def idf(self, term: str) -> float:
        """How much a term tells; one that no passage holds tells the most."""
        found = self._postings.get(term)
        return self._idf(0 if found is None else len(found[0]))

    def _idf(self, holders: int) -> float:
        return math.log1p((self.num_passages - holders + 0.5) / (holders + 0.5))


def recall_at(ranks: Sequence[int], k: int = 1) -> float:
    """Share of the questions whose passage is among the first ``k``: recall@k."""
    return float(np.mean(_checked(ranks) <= k))


def mean_reciprocal_rank(ranks: Sequence[int]) -> float:
    r"""MRR, :math:`\frac1Q \sum_q 1 / r_q`, of the ranks of Q questions' passages.

    Voorhees, "The TREC-8 Question Answering Track Report" (1999).
    """
    return float(np.mean(1 / _checked(ranks)))


def best_threshold(known: ArrayLike, unknown: ArrayLike) -> float:
    """The share from which an answer is to be believed.

    ``known``: the shares of the best passages of questions that the passages answer;
    ``unknown``: of others.  It is the threshold with the fewest mistakes, those of
    either kind as a share of its questions, half-way between two shares that were seen.
    """
    yes, no = np.asarray(known, np.float64), np.asarray(unknown, np.float64)
    if not (yes.size and no.size):
        raise InputError("a threshold needs questions of both kinds")
    seen = np.unique([0.0, *yes, *no, 1.0])
    middles = (seen[1:] + seen[:-1]) / 2
    mistakes = [np.mean(yes < m) + np.mean(no >= m) for m in middles]
    return float(middles[np.argmin(mistakes)])


def _checked(ranks: Sequence[int]) -> NDArray:
    array = np.asarray(ranks)
    if not array.size or array.min() < 1:
        raise InputError(f"ranks are at least 1, and one at least; got {ranks}")
    return array


def _jieba_words(text: str) -> list[str]:
    import jieba

    jieba.setLogLevel(logging.WARNING)
    return jieba.lcut(text)
