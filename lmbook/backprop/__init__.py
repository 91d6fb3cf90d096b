"""Automatic differentiation, layers and optimisers on NumPy (sections 3.1, 3.2)."""

from lmbook.backprop.check import gradient_check
from lmbook.backprop.functions import (
    cross_entropy,
    dropout,
    embedding,
    exp,
    gelu,
    layer_norm,
    log,
    log_softmax,
    mean_squared_error,
    relu,
    sigmoid,
    softmax,
    tanh,
)
from lmbook.backprop.layers import (
    MLP,
    Layer,
    Module,
    compute_error,
    forward_propagation,
)
from lmbook.backprop.modes import detect_anomaly, no_grad
from lmbook.backprop.optim import (
    SGD,
    Adam,
    compute_gradient,
    update_model_parameters,
)
from lmbook.backprop.shapes import concatenate, stack
from lmbook.backprop.tensor import Tensor

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "Layer",
    "Module",
    "Tensor",
    "compute_error",
    "compute_gradient",
    "concatenate",
    "cross_entropy",
    "detect_anomaly",
    "dropout",
    "embedding",
    "exp",
    "forward_propagation",
    "gelu",
    "gradient_check",
    "layer_norm",
    "log",
    "log_softmax",
    "mean_squared_error",
    "no_grad",
    "relu",
    "sigmoid",
    "softmax",
    "stack",
    "tanh",
    "update_model_parameters",
]
