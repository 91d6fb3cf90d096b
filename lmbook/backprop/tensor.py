r"""Automatic differentiation on NumPy arrays: the engine and its arithmetic.

A :class:`Tensor` is an array that remembers how it was computed.  ``backward()``
walks that history from the loss back to the parameters and multiplies what it finds
by the chain rule.  Taught in section 3.2; everything up to the end of chapter 3 that
is not PyTorch runs on it.

- An operation makes one new tensor and one closure.  The closure is given the
  gradient of the loss with respect to the result and returns it with respect to each
  parent; it knows nothing of the rest of the graph.
- Closures speak of plain arrays and may forget about broadcasting: the engine sums a
  gradient back to its parent's shape, in one place for all of them.
- A tensor is younger than its parents.  The order of birth, reversed, is therefore an
  order in which every gradient is complete before it is handed on.
- Data is float64 or float32 and stays what it is; integers (word numbers) are allowed
  and have no gradient.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from lmbook.backprop.broadcasting import Array, fitting, sum_to
from lmbook.backprop.modes import is_checking, is_recording, require_finite

Gradients = tuple[Array | None, ...]
Method = Callable[..., "Tensor"]
Function = TypeVar("Function", bound=Callable[..., Any])

_births = itertools.count()


def _reflected(operation: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda self, other: operation(self._operands(other)[0], self)


class Tensor:
    r"""An array of real numbers that can be differentiated.

    ``array`` is copied.  float32 stays float32, integers stay integers, every other
    real type becomes float64; anything else is a ``TypeError``.  With
    ``requires_grad`` the tensor is a leaf of the graph, a parameter, and
    :meth:`backward` adds :math:`\partial L / \partial x` to ``grad``, an array of the
    shape and type of ``data``.  ``name`` is what a drawing of the graph calls it.

    >>> w = Tensor([2.0, 3.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> w.grad
    array([4., 6.])
    """

    __slots__ = (
        *("data", "grad", "requires_grad", "name", "op", "parents"),
        *("birth", "_backward", "__weakref__"),
    )
    # ``array * tensor`` is then left to Tensor.__rmul__, and np.exp(tensor), which
    # would lose the graph, is a TypeError.
    __array_ufunc__ = None

    # Methods that shapes.py and functions.py add, each under its own name.
    sum: Method
    mean: Method
    max: Method
    reshape: Method
    transpose: Method
    swapaxes: Method
    __getitem__: Method
    exp: Method
    log: Method
    tanh: Method
    sigmoid: Method
    relu: Method
    gelu: Method
    softmax: Method
    log_softmax: Method

    def __init__(
        self, array: ArrayLike, requires_grad: bool = False, *, name: str = ""
    ) -> None:
        data = np.array(array.data if isinstance(array, Tensor) else array)
        if data.dtype.kind not in "biuf":
            raise TypeError(
                f"a Tensor holds real numbers, got an array of dtype {data.dtype}; "
                "to join tensors, use stack or concatenate"
            )
        if data.dtype.kind == "f" and data.dtype != np.float32:
            data = data.astype(np.float64, copy=False)
        if requires_grad and data.dtype.kind != "f":
            raise TypeError(
                "only floating-point tensors have gradients, and this one holds "
                f"{data.dtype}; write 1.0 for 1, or pass array.astype(float)"
            )
        self.data: Array = data
        self.grad: Array | None = None
        self.requires_grad = requires_grad
        self.name = name
        self.op = ""
        self.parents: tuple[Tensor, ...] = ()
        self._backward: Callable[[Array], Gradients] | None = None
        self.birth = next(_births)

    # ---- the engine ----------------------------------------------------------------

    def backward(
        self, gradient: ArrayLike | None = None, retain_graph: bool = False
    ) -> None:
        r"""Add the gradient of this tensor to ``grad`` of every leaf behind it.

        It starts from one number, the loss, with :math:`\partial L/\partial L = 1`;
        from a tensor of another shape, ``gradient`` must say what to start with.

        Gradients *add up* over calls, so that a batch can be taken in pieces: set
        ``grad`` to None (an optimiser's ``zero_grad``) between steps.  The graph is
        used up: its arrays are let go, and a second ``backward()`` through any part
        of it is a ``RuntimeError``.  With ``retain_graph`` it is kept, the gradients
        of the tensors in between are left in their ``grad`` too, and a second call
        adds exactly the same amounts once more.  After an error, no gradient has
        changed.
        """
        order = self._history()
        waiting = {self: self._seed(gradient)}
        complete: list[tuple[Tensor, Array]] = []
        for node in order:
            arrived = waiting.pop(node)
            if node._backward is None or retain_graph:
                complete.append((node, arrived))
            if node._backward is None:
                continue
            passed_on = node._backward(arrived)
            for parent, part in zip(node.parents, passed_on, strict=True):
                if not parent.requires_grad or part is None:
                    continue
                part = sum_to(part, parent.data)
                if is_checking():
                    where = f"{node.op!r} of shape {node.shape}"
                    require_finite(part, f"the gradient that {where} returns")
                known = waiting.get(parent)
                waiting[parent] = part if known is None else known + part
        for node, gradient in complete:
            node.grad = (
                np.array(gradient) if node.grad is None else node.grad + gradient
            )
        if not retain_graph:
            for node in order:
                if node._backward is not None:
                    node.parents, node._backward = (), _used_up

    def _history(self) -> list[Tensor]:
        """This tensor and all it was computed from, the youngest first."""
        if not self.requires_grad:
            raise RuntimeError(
                "backward() finds nothing to differentiate: no tensor behind this one "
                "has requires_grad=True, or it was computed under no_grad()"
            )
        found, unread = {self}, [self]
        while unread:
            node = unread.pop()
            if node._backward is _used_up:
                _used_up(node.data)
            new = {p for p in node.parents if p.requires_grad} - found
            found |= new
            unread.extend(new)
        return sorted(found, key=lambda node: node.birth, reverse=True)

    def _seed(self, gradient: ArrayLike | None) -> Array:
        if gradient is None and self.data.size != 1:
            raise ValueError(
                "backward() starts from a single number, such as a loss, and this "
                f"tensor has shape {self.shape}; reduce it with sum() or mean(), or "
                "pass gradient= of that shape"
            )
        if gradient is None:
            return np.ones_like(self.data)
        start = np.asarray(gradient, dtype=self.data.dtype)
        if start.shape != self.shape:
            raise ValueError(
                f"gradient has shape {start.shape}; the tensor has {self.shape}"
            )
        return start

    # ---- arithmetic ----------------------------------------------------------------

    def __add__(self, other: Operand) -> Tensor:
        other, a, b = self._operands(other)
        total = fitting("+", np.add, a, b)
        return record("+", total, (self, other), lambda g: (g, g))

    def __sub__(self, other: Operand) -> Tensor:
        other, a, b = self._operands(other)
        difference = fitting("−", np.subtract, a, b)
        return record("−", difference, (self, other), lambda g: (g, -g))

    def __mul__(self, other: Operand) -> Tensor:
        other, a, b = self._operands(other)
        product = fitting("×", np.multiply, a, b)
        return record("×", product, (self, other), lambda g: (g * b, g * a))

    def __truediv__(self, other: Operand) -> Tensor:
        other, a, b = self._operands(other)
        quotient = fitting("÷", np.divide, a, b)
        return record(
            "÷", quotient, (self, other), lambda g: (g / b, -g * quotient / b)
        )

    def __pow__(self, other: Operand) -> Tensor:
        other, a, b = self._operands(other)
        power = fitting("**", np.power, a, b)

        def backward(g: Array) -> Gradients:
            to_base = to_exponent = None
            if self.requires_grad:  # where the exponent is 0 the slope is 0, also at 0
                to_base = g * b * a ** np.where(b == 0, 1, b - 1)
            if other.requires_grad:
                to_exponent = g * power * np.log(np.where(a == 0, 1, a))
            return to_base, to_exponent

        return record("**", power, (self, other), backward)

    def __matmul__(self, other: Operand) -> Tensor:
        other, a, b = self._operands(other)
        if a.ndim > 2 and b.ndim == 2 and a.shape[-1] == b.shape[0]:
            # Many matrices times one: a single tall product is faster, both ways.
            rows = self.reshape(math.prod(a.shape[:-1]), a.shape[-1])
            return (rows @ other).reshape(*a.shape[:-1], b.shape[-1])
        product = fitting("@", np.matmul, a, b)

        def backward(g: Array) -> Gradients:
            # A vector is a row on the left and a column on the right.
            left, right = np.atleast_2d(a), b[:, None] if b.ndim == 1 else b
            g = g[..., None] if b.ndim == 1 else g
            g = np.expand_dims(g, -2) if a.ndim == 1 else g
            to_left = to_right = None
            if self.requires_grad:
                to_left = g @ right.swapaxes(-1, -2)
                to_left = to_left[..., 0, :] if a.ndim == 1 else to_left
            if other.requires_grad:
                to_right = left.swapaxes(-1, -2) @ g
                to_right = to_right[..., 0] if b.ndim == 1 else to_right
            return to_left, to_right

        return record("@", product, (self, other), backward)

    def __neg__(self) -> Tensor:
        return record("neg", -self.data, (self,), lambda g: (-g,))

    # For ``2 - x``, where Python first asks the number, in vain.
    __radd__ = _reflected(__add__)
    __rsub__ = _reflected(__sub__)
    __rmul__ = _reflected(__mul__)
    __rtruediv__ = _reflected(__truediv__)
    __rpow__ = _reflected(__pow__)
    __rmatmul__ = _reflected(__matmul__)

    # ---- as an array ----------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype:
        """NumPy type of the entries."""
        return self.data.dtype

    @property
    def T(self) -> Tensor:
        """The tensor with its axes in reverse order."""
        return self.transpose()

    def item(self) -> float:
        """The only entry, as a Python number."""
        return self.data.item()

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        return bool(self.data)

    def __repr__(self) -> str:
        array = np.array2string(self.data, separator=", ", prefix="Tensor(")
        return f"Tensor({array}{', requires_grad=True' * self.requires_grad})"

    def _operands(self, other: Operand) -> tuple[Tensor, Array, Array]:
        """``other`` as a tensor, and both arrays; a bare number takes our type."""
        if not isinstance(other, Tensor):
            if isinstance(other, (int, float)):
                other = np.asarray(other, dtype=np.result_type(self.data, other))
            other = Tensor(other)
        return other, self.data, other.data


Operand = Tensor | ArrayLike


def method(function: Function) -> Function:
    """Make ``function(x, ...)`` a method of Tensor as well: ``x.function(...)``."""
    setattr(Tensor, function.__name__, function)
    return function


def record(
    op: str,
    data: ArrayLike,
    parents: tuple[Tensor, ...],
    backward: Callable[[Array], Gradients],
) -> Tensor:
    """The result ``data`` of an operation on ``parents``, as a tensor.

    ``backward(g)`` is given the gradient of the result, of its shape, and returns one
    array for each parent, or None where there is nothing to return.  An array may
    still have the shape that broadcasting gave its parent.  It must not change ``g``.
    """
    result = Tensor.__new__(Tensor)
    result.data = np.asarray(data)
    result.grad = None
    result.name, result.op = "", op
    tracked = is_recording() and any(parent.requires_grad for parent in parents)
    result.requires_grad = tracked
    result.parents = parents if tracked else ()
    result._backward = backward if tracked else None
    result.birth = next(_births)
    if is_checking():
        shapes = " and ".join(str(parent.shape) for parent in parents)
        require_finite(result.data, f"the result of {op!r} on shape {shapes}")
    return result


def _used_up(_: Array) -> Gradients:
    raise RuntimeError(
        "backward() a second time through the same graph: it was used up by the first. "
        "Compute the loss again, or call backward(retain_graph=True) the first time"
    )
