"""Is a gradient right?  Ask the loss itself.  Taught in sections 3.2 and 4.2."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from lmbook.backprop.modes import no_grad
from lmbook.backprop.tensor import Tensor


def gradient_check(
    f: Callable[..., Tensor], *arrays: ArrayLike, step: float = 1e-5
) -> float:
    r"""Largest error of ``backward()`` against central differences.

    ``f`` takes one tensor for each array and returns a tensor.  If that has several
    entries, they are weighed with fixed random numbers, so that none can be wrong
    unseen.  For each entry x of each array, in float64, the difference quotient
    :math:`(L(x + h) - L(x - h)) / 2h` with :math:`h` = ``step`` · max(1, |x|) is
    compared with the gradient; the result is the largest difference over the largest
    entry of that array's gradient (or over 1, if that is larger).  A right gradient
    of a smooth function gives about 1e-9; a wrong one rarely less than 1e-3.
    """
    inputs = [
        Tensor(np.asarray(array, dtype=np.float64), requires_grad=True)
        for array in arrays
    ]
    output = f(*inputs)
    if not isinstance(output, Tensor):
        raise TypeError(f"f must return a Tensor, got {type(output).__name__}")
    weights = np.random.default_rng(0).uniform(0.5, 1.5, output.shape)
    output.backward(weights)

    def loss() -> float:
        with no_grad():
            return float((f(*inputs).data * weights).sum())

    worst = 0.0
    for tensor in inputs:
        found = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad
        expected = np.empty(tensor.shape)
        for place, x in np.ndenumerate(tensor.data):
            h = step * max(1.0, abs(x))
            tensor.data[place] = x + h
            above = loss()
            tensor.data[place] = x - h
            below = loss()
            tensor.data[place] = x
            expected[place] = (above - below) / (2 * h)
        scale = max(1.0, np.abs(expected).max(initial=0))
        worst = max(worst, float(np.abs(found - expected).max(initial=0) / scale))
    return worst
