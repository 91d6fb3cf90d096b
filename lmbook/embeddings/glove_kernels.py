r"""The inner loop of GloVe, compiled by Numba.  Taught in section 3.3.

- Generic over float32 and float64; no sum is reordered.  The dot product has sixteen
  partial sums and a tree over them, so that one thread gives the same bits whatever
  the width of the machine's vectors.
- Rows of random words are rarely in the cache: memory is asked for them a few cells
  ahead.
- Kernels let go of the interpreter's lock, and threads write to the same matrices
  without waiting for each other (Hogwild; Niu et al. 2011, arXiv:1106.5730), as in
  the paper.

This module imports Numba: import it inside a function.
"""

import math

import numpy as np
from numba import njit

from lmbook.embeddings.word2vec_kernels import prefetch

WIDTH = 16  # rows are padded with zeros to a multiple
AHEAD = 3  # cells between asking memory for rows and using them
CACHE_LINE = 64  # bytes


@njit(nogil=True, cache=True)
def goals(counts, x_max, alpha, logs, weights):
    """log X and f(X) = min(1, (X / x_max)^alpha) for every cell."""
    for n in range(len(counts)):
        logs[n] = math.log(counts[n])
        weights[n] = min(1.0, (counts[n] / x_max) ** alpha)


@njit
def dot(x, y, lanes):
    for k in range(WIDTH):
        lanes[k] = x[k] * y[k]
    for d in range(WIDTH, len(x), WIDTH):
        for k in range(WIDTH):
            lanes[k] += x[d + k] * y[d + k]
    width = WIDTH // 2
    while width:
        for k in range(width):
            lanes[k] += lanes[width + k]
        width //= 2
    return lanes[0]


@njit(nogil=True, cache=True, error_model="numpy")
def train_cells(rows, columns, logs, weights, vectors, squares, biases, rate):
    r"""One step of AdaGrad for each cell in turn; the loss before it, summed.

    Word i has row i of ``vectors`` and ``squares`` (2 vocab_size, padded size), and
    of ``biases`` (2 vocab_size, 2: the bias and its square sum); context word j has
    row j, counted from vocab_size.  With :math:`e = w_i \cdot \tilde w_j + b_i +
    \tilde b_j - \log X_{ij}`, the loss of a cell is :math:`f(X_{ij})\, e^2`.  As in
    the authors' code, the 2 of its gradient is left to the learning rate:

    .. math:: g = f(X_{ij})\, e\, \tilde w_j, \qquad
        w_i \mathrel{-}= \eta\, g / \sqrt{G_i}, \qquad G_i \mathrel{+}= g^2

    and likewise for the context vector with the old :math:`w_i`, and for the biases.
    """
    lanes = np.empty(WIDTH, vectors.dtype)
    line = CACHE_LINE // vectors.itemsize
    size = vectors.shape[1]
    last = len(rows) - 1
    loss = 0.0
    for n in range(len(rows)):
        later = min(n + AHEAD, last)
        for row in (rows[later], columns[later]):
            vector, square = vectors[row], squares[row]
            for d in range(0, size, line):
                prefetch(vector, d)  # type: ignore[call-arg]
                prefetch(square, d)
        i, j = rows[n], columns[n]
        w, c = vectors[i], vectors[j]
        w_squares, c_squares = squares[i], squares[j]
        error = dot(w, c, lanes) + biases[i, 0] + biases[j, 0] - logs[n]
        slope = weights[n] * error
        loss += slope * error
        for d in range(size):
            w_slope = slope * c[d]
            c_slope = slope * w[d]
            w[d] -= rate * w_slope / np.sqrt(w_squares[d])
            c[d] -= rate * c_slope / np.sqrt(c_squares[d])
            w_squares[d] += w_slope * w_slope
            c_squares[d] += c_slope * c_slope
        for row in (i, j):
            biases[row, 0] -= rate * slope / np.sqrt(biases[row, 1])
            biases[row, 1] += slope * slope
    return loss
