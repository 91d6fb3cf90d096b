"""Operands of different shapes: stretched on the way there, summed on the way back.

Taught in section 3.2.  NumPy stretches an axis of length 1, and adds axes on the left,
until two arrays fit.  A number that was used several times over has an influence on
the loss through each use: its gradient is the sum over the copies.
"""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


def fitting(symbol: str, function: Callable[..., Array], a: Array, b: Array) -> Array:
    """function(a, b), or a ``ValueError`` that names both shapes."""
    try:
        return function(a, b)
    except ValueError:
        raise ValueError(
            f"shapes {a.shape} and {b.shape} do not fit: a {symbol} b"
        ) from None


def sum_to(gradient: Array, like: Array) -> Array:
    """Sum over the axes that broadcasting added or stretched; the type of ``like``."""
    if gradient.shape != like.shape:
        added = gradient.ndim - like.ndim
        stretched = tuple(
            axis + added
            for axis, length in enumerate(like.shape)
            if length == 1 and gradient.shape[axis + added] != 1
        )
        gradient = gradient.sum(axis=(*range(added), *stretched), keepdims=True)
        gradient = gradient.reshape(like.shape)
    return gradient.astype(like.dtype, copy=False)
