r"""Word vectors by counting: positive pointwise mutual information, and its SVD.

Which words stand together more often than by chance?  That alone, made shorter by a
singular value decomposition, gives good word vectors, and it is what skip-gram with
negative sampling factorises without saying so (Levy & Goldberg 2014).  Section 3.3.
"""

from typing import TYPE_CHECKING

import numpy as np

from lmbook.embeddings.arguments import integer, number
from lmbook.embeddings.cooccurrence import Cooccurrences
from lmbook.embeddings.vectors import WordVectors
from lmbook.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def ppmi(
    table: Cooccurrences, *, shift: float = 1.0, context_smoothing: float = 0.75
) -> "csr_array":
    r"""Positive pointwise mutual information in nats, (vocab_size, vocab_size).

    .. math:: \max\Bigl(0,\; \log \frac{P(i, j)}{P(i)\, P_\alpha(j)} - \log k\Bigr),
        \qquad P_\alpha(j) = \frac{X_{\cdot j}^\alpha}{\sum_{j'} X_{\cdot j'}^\alpha}

    with k = ``shift``, the negative samples of the skip-gram that it corresponds to
    (Levy & Goldberg 2014, Neural Word Embedding as Implicit Matrix Factorization), and
    alpha = ``context_smoothing``, 1 for none: it keeps rare contexts from looking
    telling (Levy, Goldberg & Dagan 2015, doi:10.1162/tacl_a_00134, section 3.1).
    """
    from scipy.sparse import csr_array

    shift = number("shift", shift, positive=True)
    context_smoothing = number("context_smoothing", context_smoothing)
    if not len(table):
        raise InputError("the table has no co-occurrences")
    vocab_size = len(table.words)
    cells = table.cells
    rows, columns, values = cells["row"], cells["column"], cells["value"]
    row_sums = np.bincount(rows, values, vocab_size)
    column_sums = np.bincount(columns, values, vocab_size)
    smoothed = np.where(column_sums > 0, column_sums**context_smoothing, 0)
    smoothed /= smoothed.sum()
    # P(i, j) / (P(i) P(j)) = X_ij / (X_i. P(j)): the total cancels
    pmi = np.log(values / (row_sums[rows] * smoothed[columns])) - np.log(shift)
    kept = pmi > 0
    return csr_array(
        (pmi[kept], (rows[kept], columns[kept])), shape=(vocab_size, vocab_size)
    )


def ppmi_vectors(
    table: Cooccurrences,
    size: int = 100,
    *,
    shift: float = 1.0,
    context_smoothing: float = 0.75,
    eigen_weight: float = 0.5,
) -> WordVectors:
    r"""The rows of :math:`U_d \Sigma_d^p`, from the truncated SVD of the PPMI matrix.

    d = ``size`` and p = ``eigen_weight``: 1 for the best approximation of the matrix,
    0.5 or 0 for better word vectors (Levy, Goldberg & Dagan 2015, section 3.3).  The
    largest singular value comes first; of each column, the largest entry is positive.
    """
    from scipy.sparse.linalg import svds

    vocab_size = len(table.words)
    if integer("size", size) >= vocab_size:
        raise InputError(f"size must be less than the {vocab_size} words, got {size}")
    eigen_weight = number("eigen_weight", eigen_weight)
    matrix = ppmi(table, shift=shift, context_smoothing=context_smoothing)
    if not matrix.nnz:
        raise InputError(
            f"no two words occur together more often than by chance (shift={shift})"
        )
    # A fixed start, so that the same table gives the same vectors.
    start = np.random.default_rng(0).random(vocab_size)
    left, singular, _ = svds(matrix, k=size, v0=start, return_singular_vectors="u")
    order = np.argsort(-singular)
    left, singular = left[:, order], np.maximum(singular[order], 0)
    largest = np.abs(left).argmax(axis=0)
    left *= np.sign(left[largest, np.arange(size)])
    return WordVectors(table.words, left * singular**eigen_weight)
