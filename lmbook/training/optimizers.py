"""How the weights move, and the mean of where they have been.  Taught in 5.3."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lmbook.training.config import TrainConfig


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimiser that ``config`` names, over all weights of ``model``.

    "adamw" (Loshchilov & Hutter 2019) lets the matrices decay and leaves the biases
    alone; "adam" and "sgd" add ``weight_decay`` times the weights to the gradient.
    Fused: one pass over the weights instead of one for each operation.
    """
    weights = list(model.parameters())
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(weights, rate, weight_decay=decay, fused=True)
    options: dict[str, Any] = {
        "betas": config.betas,
        "eps": config.eps,
        "fused": True,
    }
    if config.optimizer == "adam":
        return torch.optim.Adam(weights, rate, weight_decay=decay, **options)
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": decay},
        {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, rate, **options)


class Average:
    r"""A running mean of a model's weights.

    .. math:: \bar w \leftarrow \bar w + (w - \bar w) / n

    after every step; n is the number of steps so far, at most ``horizon``: at first
    the plain mean, then an exponential one that forgets at the rate of 1 / horizon.
    A horizon of None is averaged SGD (Polyak & Juditsky 1992): the mean of all steps.
    """

    def __init__(self, model: nn.Module, horizon: int | None) -> None:
        self.model, self.horizon = model, horizon
        self.steps = 0
        self.weights: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the model's weights as they are now."""
        self.steps += 1
        n = self.steps if self.horizon is None else min(self.steps, self.horizon)
        for name, weight in self.model.named_parameters():
            if self.steps == 1:
                self.weights[name] = weight.clone()
            else:
                self.weights[name].lerp_(weight, 1 / n)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model with the mean for its weights, if there is one yet."""
        own = copy_of(self.model)
        put(self.model, self.weights)
        try:
            yield
        finally:
            put(self.model, own)


def copy_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of every weight; one that is used twice (tied) is there once."""
    return {name: w.detach().clone() for name, w in model.named_parameters()}


@torch.no_grad()
def put(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Overwrite the weights that are named."""
    own = dict(model.named_parameters())
    for name, value in weights.items():
        own[name].copy_(value)
