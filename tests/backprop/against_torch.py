"""One computation on our tensors and on PyTorch's, from the same numbers."""

import numpy as np
import torch

from lmbook.backprop import Tensor

TOLERANCE = 1e-9  # of the largest entry, in float64


def compare(ours, theirs, *arrays, floor=0.0):
    """Values and gradients of both, from float64 ``arrays``, agree.

    ``ours`` and ``theirs`` take one tensor an array and return a tensor; the gradient
    starts from a random array of its shape.  ``floor``: see :func:`close`.
    """
    mine = [Tensor(array, requires_grad=True) for array in arrays]
    peer = [torch.tensor(array, requires_grad=True) for array in arrays]
    result, expected = ours(*mine), theirs(*peer)
    assert result.shape == tuple(expected.shape)
    close(result.data, expected.detach().numpy(), floor)
    start = np.random.default_rng(1).normal(size=result.shape)
    result.backward(start)
    expected.backward(torch.tensor(start))
    for a, b in zip(mine, peer, strict=True):
        gradient = torch.zeros_like(b) if b.grad is None else b.grad
        found = np.zeros(a.shape) if a.grad is None else a.grad
        assert found.shape == a.shape
        assert found.dtype == a.dtype
        close(found, gradient.numpy(), floor)


def close(found, expected, floor=0.0):
    """``found`` is ``expected`` to 1e-9 of its largest entry, or of ``floor``.

    A floor is for sums that cancel to nothing but rounding, such as the gradient of
    the sum of a softmax.
    """
    assert found.shape == expected.shape
    finite = np.isfinite(expected)
    assert np.array_equal(finite, np.isfinite(found))
    difference = np.abs(found[finite] - expected[finite]).max(initial=0)
    largest = np.abs(expected[finite]).max(initial=floor)
    assert difference <= TOLERANCE * largest, (difference, largest)
