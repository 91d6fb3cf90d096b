r"""word2vec: skip-gram and CBOW with negative sampling (Mikolov et al. 2013).

Two words are used alike if they stand next to the same words.  word2vec gives each
word an input vector v and an output vector u, and learns to tell the words that stood
near each other from words drawn at random.  Taught in section 3.3;
word2vec_steps.py derives the gradient, word2vec_kernels.py computes it fast.
"""

import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lmbook.embeddings.arguments import integer, number
from lmbook.embeddings.corpus import EncodedCorpus, encode_corpus
from lmbook.embeddings.vectors import Floats, VectorTrainer, WordVectors
from lmbook.errors import InputError

METHODS = ("skipgram", "cbow")
PART = 10_000  # tokens trained at one learning rate by one thread
LONGEST = 1_000  # tokens in a sentence; a longer one is cut, as in word2vec.c


class Word2VecTrainer(VectorTrainer):
    r"""Word vectors from a corpus by negative sampling.

    For a word w with the words c around it and K = ``negative`` words n drawn with
    probability proportional to their count to the power 3/4 (Mikolov et al. 2013,
    arXiv:1310.4546, equation (4)), the loss is

    .. math:: -\log \sigma(u_w \cdot h) - \sum_{n} \log \sigma(-u_n \cdot h)

    with :math:`h = v_c` for each c in turn (``method="skipgram"``), or the mean of all
    :math:`v_c` (``"cbow"``).  As in word2vec.c, the word is predicted from its
    neighbours in both methods; over a text, the pairs of skip-gram are the same.  Also
    as there, CBOW moves each :math:`v_c` by the whole gradient of the mean, not by its
    share.

    - ``window``: words on either side; with ``dynamic_window`` a number drawn from
      1 to ``window`` at each word, so that near words weigh more.
    - ``min_count``: words that occur less often are dropped.
    - ``sample`` t: an occurrence of a word of relative frequency f stays with
      probability :math:`\sqrt{t/f} + t/f`; 0 keeps all.
    - ``learning_rate`` falls linearly over ``epochs`` to ``min_learning_rate``.
    - ``threads``: with one, the same ``seed`` gives the same bits on every machine;
      with more, they change the same vectors unsynchronised.

    After :meth:`fit`: ``wv``; ``output_vectors``, the u in the order of ``wv.words``;
    ``losses``, the mean loss of an example (pair; in CBOW, window) by epoch, in nats.
    """

    output_vectors: Floats
    losses: list[float]

    def __init__(
        self,
        window: int = 5,
        negative: int = 5,
        *,
        method: str = "skipgram",
        min_count: int = 5,
        sample: float = 1e-3,
        dynamic_window: bool = True,
        learning_rate: float = 0.025,
        min_learning_rate: float = 1e-4,
        epochs: int = 5,
        threads: int = 1,
        seed: int = 0,
    ) -> None:
        if method not in METHODS:
            raise InputError(f"method must be one of {METHODS}, got {method!r}")
        self.window = integer("window", window)
        self.negative = integer("negative", negative)
        self.method = method
        self.min_count = integer("min_count", min_count)
        self.sample = number("sample", sample)
        self.dynamic_window = bool(dynamic_window)
        self.learning_rate = number("learning_rate", learning_rate)
        self.min_learning_rate = number("min_learning_rate", min_learning_rate)
        if self.min_learning_rate > self.learning_rate:
            raise InputError(
                f"min_learning_rate={min_learning_rate} is above "
                f"learning_rate={learning_rate}"
            )
        self.epochs = integer("epochs", epochs)
        self.threads = integer("threads", threads)
        self.seed = integer("seed", seed, least=0)

    def fit(self, corpus: Iterable[Iterable[str]], size: int = 100) -> Self:
        """Learn vectors of ``size`` numbers from an iterable of token lists.

        The corpus is read once.  Raises ``InputError`` where it holds nothing to learn
        from, and where the vectors overflowed.  Nothing on the trainer changes before
        training has ended.
        """
        size = integer("size", size)
        text = encode_corpus(corpus, self.min_count)
        offsets = _cut(text.offsets)
        if not (np.diff(offsets) > 1).any():
            raise InputError(
                "there is nothing to predict: no sentence of the corpus has two words "
                f"that occur min_count={self.min_count} times"
            )
        run = _Run(self, text, offsets, size)
        losses = run.train()
        wv = WordVectors(text.words, run.matrix(run.inputs))
        output_vectors = run.matrix(run.outputs)
        self._wv, self.output_vectors, self.losses = wv, output_vectors, losses
        return self


class _Run:
    """One training: the two matrices, the tables, and who works on what."""

    def __init__(
        self,
        config: Word2VecTrainer,
        text: EncodedCorpus,
        offsets: NDArray[np.int64],
        size: int,
    ) -> None:
        from lmbook.embeddings import word2vec_kernels as kernels

        self.config, self.text, self.offsets, self.size = config, text, offsets, size
        self.padded = -(-size // kernels.WIDTH) * kernels.WIDTH
        vocab_size = len(text.words)
        rng = np.random.default_rng(config.seed)
        self.inputs, self.outputs = _aligned_zeros(2, vocab_size * self.padded)
        # As in gensim, twice as far from 0 as in word2vec.c: learns a little faster.
        start = 2 * rng.random((vocab_size, size), np.float32) - np.float32(1)
        self.inputs.reshape(vocab_size, -1)[:, :size] = start / np.float32(size)
        self.keep = keep_thresholds(text.counts, config.sample)
        self.alias = alias_table(text.counts)
        self.kernel = kernels.train_sentences

    def matrix(self, rows: Floats) -> Floats:
        """A matrix without its padding."""
        return rows.reshape(-1, self.padded)[:, : self.size].copy()

    def train(self) -> list[float]:
        """All epochs; the mean loss of each."""
        from tqdm import tqdm

        tokens = len(self.text.ids)
        borders = np.append(np.arange(0, tokens, PART), tokens)
        sentences = np.unique(np.searchsorted(self.offsets, borders))
        parts = list(pairwise(sentences.tolist()))
        losses = []
        bar = tqdm(
            total=tokens * self.config.epochs,
            desc="word2vec",
            unit=" words",
            unit_scale=True,
            leave=False,
        )
        with bar, ThreadPoolExecutor(self.config.threads) as pool:
            try:
                for epoch in range(self.config.epochs):
                    waiting = [pool.submit(self.part, epoch, *part) for part in parts]
                    loss, examples = 0.0, 0
                    for (first, last), future in zip(parts, waiting, strict=True):
                        found = future.result()
                        loss, examples = loss + found[0], examples + found[1]
                        bar.update(int(self.offsets[last] - self.offsets[first]))
                    if not examples:
                        raise InputError(
                            "subsampling left no two neighbours in the corpus; "
                            f"so small a one needs sample=0, not {self.config.sample}"
                        )
                    losses.append(loss / examples)
            finally:  # an interrupt does not wait for the rest of the epoch
                pool.shutdown(cancel_futures=True)
        if not (np.isfinite(self.inputs).all() and np.isfinite(self.outputs).all()):
            raise InputError(
                "the vectors overflowed: a learning rate below "
                f"learning_rate={self.config.learning_rate} may help"
            )
        return losses

    def part(self, epoch: int, first: int, last: int) -> tuple[float, int]:
        """Train on the sentences from ``first`` to before ``last``."""
        config, tokens = self.config, len(self.text.ids)
        progress = (epoch + self.offsets[first] / tokens) / config.epochs
        highest, lowest = config.learning_rate, config.min_learning_rate
        seed = np.random.SeedSequence((config.seed, epoch, first))
        return self.kernel(
            *(self.text.ids, self.offsets, first, last),
            *(self.inputs, self.outputs, self.padded, self.keep, self.alias),
            *(config.method == "cbow", config.window, config.dynamic_window),
            config.negative,
            np.float32(highest - (highest - lowest) * progress),
            seed.generate_state(1, np.uint64),
        )


def keep_thresholds(counts: NDArray[np.int64], sample: float) -> NDArray[np.uint32]:
    r"""Of 2³² random numbers, the last one for which an occurrence stays.

    The probability is :math:`\sqrt{t/f} + t/f`, at most 1, for relative frequency f and
    t = ``sample``: what word2vec.c computes.  The paper's equation (5) has
    :math:`\sqrt{t/f}`.
    """
    if sample == 0:
        return np.full(len(counts), 2**32 - 1, np.uint32)
    ratio = sample * counts.sum() / counts
    return (np.minimum(np.sqrt(ratio) + ratio, 1) * (2**32 - 1)).astype(np.uint32)


def alias_table(counts: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Two columns to draw words from, in proportion to their counts to the power 3/4.

    Draw a row evenly and 32 random bits: up to the first column, the word is the row;
    above, it is the second column (Walker 1977; filled as by Vose 1991).  Computed in
    whole numbers, so that it is the same on every machine.
    """
    root = np.sqrt(counts)
    weights = (root * np.sqrt(root) * 2**20).astype(np.int64).tolist()
    total, height = sum(weights), len(weights)
    scaled = [weight * height for weight in weights]  # a full row holds ``total``
    table = np.empty((height, 2), np.uint32)
    table[:, 0] = 2**32 - 1
    table[:, 1] = np.arange(height)
    small = [row for row in range(height) if scaled[row] < total]
    large = [row for row in range(height) if scaled[row] > total]
    while small:
        row, giver = small.pop(), large[-1]
        table[row] = scaled[row] * 2**32 // total, giver
        scaled[giver] -= total - scaled[row]
        if scaled[giver] <= total:
            large.pop()
        if scaled[giver] < total:
            small.append(giver)
    return table


def _aligned_zeros(*shape: int) -> Floats:
    """Zeros from a cache line on, so that sixteen lanes touch one and not two."""
    count, line = math.prod(shape), 64
    zeros = np.zeros(count + line // 4, np.float32)
    start = -zeros.ctypes.data % line // 4
    return zeros[start : start + count].reshape(shape)


def _cut(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The offsets without empty sentences, the long ones cut into several."""
    cuts = [
        np.arange(offsets[s], offsets[s + 1], LONGEST)
        for s in np.flatnonzero(np.diff(offsets) > LONGEST)
    ]
    return np.unique(np.concatenate([offsets, *cuts]))
