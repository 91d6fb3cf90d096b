r"""GloVe: word vectors whose dot products are logarithms of co-occurrence counts.

The counts of the whole corpus are gathered first (cooccurrence.py); only their
non-zero cells are trained on.  Pennington, Socher & Manning 2014, GloVe: Global Vectors
for Word Representation, doi:10.3115/v1/D14-1162.  Taught in section 3.3;
glove_kernels.py holds the inner loop.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lmbook.embeddings.arguments import integer, number
from lmbook.embeddings.cooccurrence import (
    LEAST_MEMORY,
    MEMORY_LIMIT,
    Cooccurrences,
    cooccurrence,
)
from lmbook.embeddings.corpus import encode_corpus
from lmbook.embeddings.vectors import VectorTrainer, WordVectors
from lmbook.errors import InputError

DTYPES = ("float32", "float64")
SLICE = 100_000  # cells given to a thread at a time

Slice = tuple[NDArray, NDArray, NDArray, NDArray]


class GloVeTrainer(VectorTrainer):
    r"""Word vectors from a corpus by weighted least squares on its log counts.

    .. math:: J = \sum_{i,j:\, X_{ij} > 0} f(X_{ij})\,
        (w_i \cdot \tilde w_j + b_i + \tilde b_j - \log X_{ij})^2, \qquad
        f(x) = \min\bigl(1, (x / x_{\max})^\alpha\bigr)

    (equations (8) and (9)), with X counted within ``window`` words, each pair with one
    over its distance; to both sides if ``symmetric``, else to the left.  Trained by
    AdaGrad (Duchi et al. 2011) on the cells in a new random order each epoch.

    - ``min_count``: words that occur less often are dropped.
    - ``x_max``, ``alpha``: of the weight f.  100 suits a large corpus; the smaller the
      corpus, the smaller.
    - ``threads``: with one, the same ``seed`` gives the same bits on every machine;
      with more, they change the same vectors unsynchronised.
    - ``memory_limit``: bytes that counting and shuffling take, about, besides the
      corpus (4 bytes a token) and the vectors; what is beyond goes to disk.
    - ``dtype``: "float32", or "float64" as in the authors' code.

    After :meth:`fit`: ``wv`` holds :math:`w + \tilde w` (section 4.2 of the paper);
    ``word_vectors``, ``context_vectors``, (vocab_size, size), and ``word_biases``,
    ``context_biases`` its parts, in the order of ``wv.words``; ``losses``, by epoch,
    J over the number of cells, each cell's term taken just before it is trained on.
    """

    word_vectors: NDArray[Any]
    context_vectors: NDArray[Any]
    word_biases: NDArray[Any]
    context_biases: NDArray[Any]
    losses: list[float]

    def __init__(
        self,
        window: int = 10,
        min_count: int = 5,
        *,
        x_max: float = 100,
        alpha: float = 0.75,
        learning_rate: float = 0.05,
        epochs: int = 25,
        symmetric: bool = True,
        threads: int = 1,
        seed: int = 0,
        memory_limit: int = MEMORY_LIMIT,
        dtype: str = "float32",
    ) -> None:
        if dtype not in DTYPES:
            raise InputError(f"dtype must be one of {DTYPES}, got {dtype!r}")
        self.window = integer("window", window)
        self.min_count = integer("min_count", min_count)
        self.x_max = number("x_max", x_max, positive=True)
        self.alpha = number("alpha", alpha)
        self.learning_rate = number("learning_rate", learning_rate, positive=True)
        self.epochs = integer("epochs", epochs)
        self.symmetric = symmetric
        self.threads = integer("threads", threads)
        self.seed = integer("seed", seed, least=0)
        self.memory_limit = integer("memory_limit", memory_limit, least=LEAST_MEMORY)
        self.dtype = dtype

    def fit(self, corpus: Iterable[Iterable[str]], size: int = 100) -> Self:
        """Learn vectors of ``size`` numbers from an iterable of token lists.

        The corpus is read once.  Raises ``InputError`` where it holds nothing to learn
        from, and where the vectors overflowed.  Nothing on the trainer changes before
        training has ended.
        """
        size = integer("size", size)
        table = cooccurrence(
            encode_corpus(corpus, self.min_count),
            self.window,
            symmetric=self.symmetric,
            memory_limit=self.memory_limit,
        )
        if not len(table):
            raise InputError(
                "there is nothing to count: no sentence of the corpus has two words "
                f"that occur min_count={self.min_count} times"
            )
        run = _Run(self, table, size)
        losses = run.train()
        both = run.vectors[:, :size].copy()
        words, contexts = np.split(both, 2)
        self._wv = WordVectors(table.words, words + contexts)
        self.word_vectors, self.context_vectors = words, contexts
        self.word_biases, self.context_biases = np.split(run.biases[:, 0].copy(), 2)
        self.losses = losses
        return self


class _Run:
    """One training: the parameters, and the cells in parts that fit in memory."""

    def __init__(self, config: GloVeTrainer, table: Cooccurrences, size: int) -> None:
        from lmbook.embeddings import glove_kernels as kernels

        self.config, self.table, self.size = config, table, size
        self.kernels = kernels
        self.rng = np.random.default_rng(config.seed)
        rows = 2 * len(table.words)
        padded = -(-size // kernels.WIDTH) * kernels.WIDTH
        self.vectors = np.zeros((rows, padded), config.dtype)
        # What the paper leaves open is as in the authors' code: parameters start
        # evenly between -0.5 and 0.5 over size + 1, sums of squares at 1, so that the
        # first steps have the learning rate given.
        self.squares = np.ones_like(self.vectors)
        self.biases = np.ones((rows, 2), config.dtype)
        self.vectors[:, :size] = (self.rng.random((rows, size)) - 0.5) / (size + 1)
        self.biases[:, 0] = (self.rng.random(rows) - 0.5) / (size + 1)

    def train(self) -> list[float]:
        """All epochs; the mean loss of each."""
        from tqdm import tqdm

        config, cells = self.config, len(self.table)
        parts = self.table.scattered(self.rng)
        losses: list[float] = []
        bar = tqdm(
            total=cells * config.epochs,
            desc="GloVe",
            unit=" cells",
            unit_scale=True,
            leave=False,
        )
        with bar, ThreadPoolExecutor(config.threads) as pool:
            try:
                for _ in range(config.epochs):
                    loss = 0.0
                    for p in self.rng.permutation(len(parts)):
                        slices = self.slices(parts[p])
                        waiting = [pool.submit(self.train_slice, *s) for s in slices]
                        for (*_, order), future in zip(slices, waiting, strict=True):
                            loss += future.result()
                            bar.update(len(order))
                    losses.append(loss / cells)
                    bar.set_postfix(loss=f"{losses[-1]:.4f}")
                    if not np.isfinite(losses[-1]):
                        raise InputError(
                            "the vectors overflowed: a learning rate below "
                            f"learning_rate={config.learning_rate} may help"
                        )
            finally:  # an interrupt does not wait for the rest of the epoch
                pool.shutdown(cancel_futures=True)
        return losses

    def slices(self, part: Cooccurrences) -> list[Slice]:
        """A part's cells in random order, in slices of ``SLICE``, with their goals."""
        cells = part.read(0, len(part))
        logs = np.empty(len(cells), self.config.dtype)
        weights = np.empty_like(logs)
        x_max, alpha = self.config.x_max, self.config.alpha
        self.kernels.goals(cells["value"], x_max, alpha, logs, weights)
        order = self.rng.permutation(len(cells))
        return [
            (cells, logs, weights, order[start : start + SLICE])
            for start in range(0, len(cells), SLICE)
        ]

    def train_slice(
        self, cells: NDArray, logs: NDArray, weights: NDArray, order: NDArray
    ) -> float:
        """Train on the cells of these numbers; their loss."""
        return self.kernels.train_cells(
            cells["row"][order].astype(np.int64),
            cells["column"][order].astype(np.int64) + len(self.table.words),
            logs[order],
            weights[order],
            *(self.vectors, self.squares, self.biases),
            self.vectors.dtype.type(self.config.learning_rate),
        )
