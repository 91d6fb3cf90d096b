"""Sums, shapes and parts of tensors: where the gradient of each entry goes.

Taught in section 3.2; tensor.py has the engine they are recorded by.  Those marked
``@method`` are methods of Tensor; all have NumPy's names and signatures.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lmbook.backprop.tensor import Array, Gradients, Tensor, method, record

Axis = int | tuple[int, ...] | None


@method
def sum(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """As ``numpy.sum``; every entry gets the gradient of the sum it went into."""
    kept = x.data.sum(axis=axis, keepdims=True)
    total = kept if keepdims else np.squeeze(kept, axis)
    shape = x.shape
    return record(
        *("sum", total, (x,)),
        lambda g: (np.broadcast_to(g.reshape(kept.shape), shape),),
    )


@method
def mean(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """As ``numpy.mean``.  An empty tensor has none: ``ValueError``."""
    total = x.sum(axis, keepdims)
    if x.size == 0:
        raise ValueError(f"the mean of an empty tensor, of shape {x.shape}")
    return total / (x.size // total.size)


@method
def max(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """As ``numpy.max``; entries that tie for the largest share its gradient."""
    kept = x.data.max(axis=axis, keepdims=True)
    largest = kept if keepdims else np.squeeze(kept, axis)

    def backward(g: Array) -> Gradients:
        winners = x.data == kept
        shares = winners / winners.sum(axis=axis, keepdims=True)
        return (g.reshape(kept.shape) * shares,)

    return record("max", largest, (x,), backward)


@method
def reshape(x: Tensor, *shape: Any) -> Tensor:
    """As ``numpy.ndarray.reshape``."""
    reshaped = x.data.reshape(*shape)
    before = x.shape
    return record("reshape", reshaped, (x,), lambda g: (g.reshape(before),))


@method
def transpose(x: Tensor, *axes: Any) -> Tensor:
    """As ``numpy.ndarray.transpose``: without axes, their order is reversed."""
    given = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    moved = np.transpose(x.data, given or None)
    back = np.argsort(np.arange(x.ndim)[list(given)]) if given else None
    return record("transpose", moved, (x,), lambda g: (np.transpose(g, back),))


@method
def swapaxes(x: Tensor, axis1: int, axis2: int) -> Tensor:
    """As ``numpy.ndarray.swapaxes``."""
    swapped = x.data.swapaxes(axis1, axis2)
    return record("transpose", swapped, (x,), lambda g: (g.swapaxes(axis1, axis2),))


@method
def __getitem__(x: Tensor, index: Any) -> Tensor:
    """As NumPy's, basic and advanced; what is picked twice gets both gradients."""
    index = _plain(index)

    def backward(g: Array) -> Gradients:
        scattered = np.zeros_like(x.data)
        if _picks_once(index):
            scattered[index] = g
        else:
            np.add.at(scattered, index, g)
        return (scattered,)

    return record("index", x.data[index], (x,), backward)


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """As ``numpy.concatenate``: joined along an axis that they have."""
    joined = _joined(np.concatenate, tensors, axis)
    ends = np.cumsum([tensor.shape[axis] for tensor in tensors])[:-1]
    return record(
        *("concatenate", joined, tuple(tensors)),
        lambda g: tuple(np.split(g, ends, axis)),
    )


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """As ``numpy.stack``: laid side by side along a new axis."""
    joined = _joined(np.stack, tensors, axis)
    return record(
        *("stack", joined, tuple(tensors)),
        lambda g: tuple(np.moveaxis(g, axis, 0)),
    )


def _plain(index: Any) -> tuple[Any, ...]:
    parts = index if isinstance(index, tuple) else (index,)
    return tuple(part.data if isinstance(part, Tensor) else part for part in parts)


def _picks_once(index: tuple[Any, ...]) -> bool:
    """Whether no entry can come twice: no part of the index is a list of numbers."""
    return all(
        part is None
        or isinstance(part, (int, np.integer, slice, type(...)))
        or np.asarray(part).dtype == bool
        for part in index
    )


def _joined(join: Callable[..., Array], tensors: Sequence[Tensor], axis: int) -> Array:
    try:
        return join([tensor.data for tensor in tensors], axis=axis)
    except ValueError:
        shapes = ", ".join(str(tensor.shape) for tensor in tensors) or "nothing"
        raise ValueError(f"cannot {join.__name__} {shapes} along axis {axis}") from None
