r"""Layers of neurons on our own tensors.  Taught in sections 3.1 and 3.2.

A neuron weighs its inputs, adds a bias and bends the sum.  A layer is many neurons
that read the same inputs, one row of the weight matrix each; a multi-layer perceptron
(MLP) is layers in a chain.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from lmbook.backprop import functions
from lmbook.backprop.tensor import Tensor

Seed = int | np.random.Generator | None

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "sigmoid": functions.sigmoid,
    "tanh": functions.tanh,
    "relu": functions.relu,
    "gelu": functions.gelu,
}
# Half of what enters a ReLU is cut off; twice the variance makes up for it.
HALVING = {"relu", "gelu"}


class Module:
    """A part of a model: its parameters are the tensors it and its parts hold."""

    def parameters(self) -> list[Tensor]:
        """Every tensor that requires a gradient, in the order it was assigned."""
        found = dict.fromkeys(_tensors(vars(self)))
        return [tensor for tensor in found if tensor.requires_grad]

    def num_parameters(self) -> int:
        """How many numbers training sets."""
        return sum(tensor.size for tensor in self.parameters())


class Layer(Module):
    r"""A fully connected layer, :math:`a = \varphi(Wx + b)`.

    ``weight`` is W, of shape (out_features, in_features): row i holds the weights of
    neuron i; ``bias`` is b, (out_features,).  An input of shape (..., in_features)
    gives an output (..., out_features), so a batch is computed as :math:`XW^\top + b`.

    ``activation``: identity, sigmoid, tanh, relu or gelu.  The weights are drawn from
    a normal distribution with standard deviation ``scale``; by default it is
    :math:`\sqrt{2 / (n_{in} + n_{out})}` (Glorot & Bengio 2010), and for relu and gelu
    :math:`\sqrt{2 / n_{in}}` (He et al. 2015).  The biases begin at zero.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activation: str = "tanh",
        *,
        scale: float | None = None,
        seed: Seed = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        if in_features < 1 or out_features < 1:
            raise ValueError(
                "a layer has at least one input and one output, "
                f"got {in_features} and {out_features}"
            )
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"no activation named {activation!r}; "
                f"accepted: {', '.join(ACTIVATIONS)}"
            )
        if scale is None:
            shared_by = in_features + (activation not in HALVING) * out_features
            scale = (2 / shared_by) ** 0.5
        self.activation = activation
        self.weight = normal((out_features, in_features), scale, seed, dtype)
        self.weight.name = "W"
        self.bias = Tensor(np.zeros(out_features, dtype), requires_grad=True, name="b")

    def __call__(self, x: ArrayLike | Tensor) -> Tensor:
        x = as_input(x, self.weight)
        in_features = self.weight.shape[1]
        if x.ndim == 0 or x.shape[-1] != in_features:
            raise ValueError(
                f"this layer reads {in_features} numbers an example; "
                f"the input has shape {x.shape}"
            )
        return ACTIVATIONS[self.activation](x @ self.weight.T + self.bias)


class MLP(Module):
    """Layers in a chain: ``MLP([3, 4, 1])`` has 3 inputs, 4 hidden units, 1 output.

    ``activation`` bends the hidden layers, ``output`` the last one: "identity" leaves
    it free, as a regression or the logits of a classifier want it.  ``scale``,
    ``seed`` and ``dtype`` are those of :class:`Layer`; one seed serves all layers.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "tanh",
        *,
        output: str = "identity",
        scale: float | None = None,
        seed: Seed = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        if len(sizes) < 2:
            raise ValueError(
                f"sizes are those of the input, the hidden layers and the output: "
                f"at least two numbers; got {list(sizes)}"
            )
        rng = np.random.default_rng(seed)
        bends = [activation] * (len(sizes) - 2) + [output]
        self.layers = [
            Layer(*ends, bend, scale=scale, seed=rng, dtype=dtype)
            for ends, bend in zip(pairwise(sizes), bends, strict=True)
        ]

    def __call__(self, x: ArrayLike | Tensor) -> Tensor:
        x = as_input(x, self.layers[0].weight)
        for layer in self.layers:
            x = layer(x)
        return x


LOSSES: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "mean_squared_error": functions.mean_squared_error,
    "cross_entropy": functions.cross_entropy,
}


def forward_propagation(model: Callable[[Any], Tensor], x: ArrayLike) -> Tensor:
    """Step 1 of training: the model's output for the input x.  Section 3.2.1."""
    return model(x)


def compute_error(
    output: Tensor, expected_output: ArrayLike, loss: str = "mean_squared_error"
) -> Tensor:
    """Step 2 of training: how far the output is from the expected, as one number.

    ``loss``: "mean_squared_error" against an array of the output's shape, or
    "cross_entropy" of logits (..., num_classes) against class numbers (...).
    Section 3.2.1.
    """
    if loss not in LOSSES:
        raise ValueError(f"no loss named {loss!r}; accepted: {', '.join(LOSSES)}")
    return LOSSES[loss](output, expected_output)


def normal(
    shape: tuple[int, ...], scale: float, seed: Seed, dtype: DTypeLike
) -> Tensor:
    """A parameter with normally distributed entries of standard deviation ``scale``."""
    entries = scale * np.random.default_rng(seed).standard_normal(shape)
    return Tensor(entries.astype(dtype), requires_grad=True)


def as_input(x: ArrayLike | Tensor, weight: Tensor) -> Tensor:
    """Numbers as a tensor of the same type as the weights that will meet them."""
    if isinstance(x, Tensor):
        return x
    return Tensor(np.asarray(x).astype(weight.dtype, copy=False))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Module):
        yield from _tensors(vars(value))
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
