r"""A linear layer that is quick where a text is written token by token.

One row times a matrix of n inputs and m outputs is 2mn operations on mn numbers: the
time is that of reading the matrix.  The matrix-vector product that
:func:`torch.nn.functional.linear` calls for a single row may stay on one core and far
below the memory's speed (seen on an AMD EPYC).  The same product with the matrix on
the left, cut into blocks of rows,

.. math:: y_k = W_k x, \qquad W = (W_1; \dots; W_{16}),

goes to a routine for small matrices that uses every core; for two to eight rows the
matrix on the left is enough.  ``benchmarks/generation.py`` measures what both are
worth.
"""

import math

import torch
from torch import Tensor, nn

BLOCKS = 16
MOST_ROWS = 8  # of the input; with more of them the usual product is as fast
LEAST_WEIGHTS = 1 << 16  # with fewer, it costs more than it saves


class Linear(nn.Linear):
    """``torch.nn.Linear``, faster on a CPU for few rows without gradients."""

    def forward(self, input: Tensor) -> Tensor:
        rows = math.prod(input.shape[:-1])
        if not 0 < rows <= MOST_ROWS or not self._gains(input):
            return super().forward(input)
        columns = input.reshape(rows, self.in_features).t()
        found = _product(self.weight, columns).t()
        if self.bias is not None:
            found = found + self.bias
        return found.reshape(*input.shape[:-1], self.out_features)

    def _gains(self, input: Tensor) -> bool:
        """Whether the other way can compute this product, and is worth it."""
        weight = self.weight
        return (
            weight.numel() >= LEAST_WEIGHTS
            and self.out_features >= BLOCKS
            and input.shape[-1] == self.in_features
            and weight.is_cpu
            and weight.dtype == input.dtype == torch.float32
            and weight.is_contiguous()
            and not torch.is_grad_enabled()
        )


def _product(weight: Tensor, columns: Tensor) -> Tensor:
    """``weight @ columns``, (out_features, rows); one column in blocks of weights."""
    size, rows = columns.shape
    if rows > 1:
        return weight @ columns
    cut = len(weight) // BLOCKS * BLOCKS
    blocks = weight[:cut].view(BLOCKS, -1, size)
    found = torch.bmm(blocks, columns.expand(BLOCKS, size, 1)).view(cut, 1)
    return found if cut == len(weight) else torch.cat([found, weight[cut:] @ columns])
