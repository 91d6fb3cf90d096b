"""The computation graph as data: for drawing it and for stepping through it."""

from dataclasses import dataclass

from numpy.typing import NDArray

from lmbook.backprop.tensor import Tensor


@dataclass(frozen=True)
class Node:
    """One tensor of a graph; ``parents`` are positions in the list that holds it."""

    name: str
    op: str  # "" for a leaf
    parents: tuple[int, ...]
    data: NDArray
    grad: NDArray | None
    requires_grad: bool


def trace(result: Tensor) -> list[Node]:
    """Every tensor that ``result`` was computed from, parents before children.

    Call it before ``backward()``, or after ``backward(retain_graph=True)``, which
    also leaves the gradients of the tensors in between.
    """
    tensors, unread = {result}, [result]
    while unread:
        new = set(unread.pop().parents) - tensors
        tensors |= new
        unread.extend(new)
    ordered = sorted(tensors, key=lambda tensor: tensor.birth)
    place = {tensor: index for index, tensor in enumerate(ordered)}
    return [
        Node(
            tensor.name,
            tensor.op,
            tuple(place[parent] for parent in tensor.parents),
            tensor.data,
            tensor.grad,
            tensor.requires_grad,
        )
        for tensor in ordered
    ]
