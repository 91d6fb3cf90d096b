"""How the weights move, and the mean of where they have been.  Taught in 5.3."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lmbook.errors import InputError
from lmbook.training.config import TrainConfig


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimiser that ``config`` names, over all weights of ``model``.

    "adamw" (Loshchilov & Hutter 2019) lets the matrices decay and leaves the biases
    alone; "adam" and "sgd" add ``weight_decay`` times the weights to the gradient.
    Fused: one pass over the weights instead of one for each operation.  "muon" is
    :class:`Muon` for the matrices between the words and the last layer, and AdamW for
    all else.
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
    inner = _inner_matrices(model) if config.optimizer == "muon" else {}
    if config.optimizer == "muon" and not inner:
        raise InputError(
            'optimizer "muon" moves matrices between the words and the last layer, '
            'and this model has none: use "adamw"'
        )
    weights = [w for w in weights if w not in inner]
    groups: list[dict[str, Any]] = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": decay},
        {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
    ]
    if config.optimizer == "muon":
        return Muon(list(inner), groups, rate, decay, **options)
    return torch.optim.AdamW(groups, rate, **options)


class Muon(torch.optim.Optimizer):
    r"""Momentum whose direction is made orthogonal, beside AdamW.

    .. math:: M \leftarrow \mu M + G, \qquad
        W \leftarrow W - \eta\,\bigl(0.2 \sqrt{\max(m, n)}\; U V^\top + \lambda W\bigr)

    for matrices W of m rows and n columns, where :math:`U \Sigma V^\top` is the
    singular value decomposition of what follows from M: every direction moves as far
    as the strongest.  :math:`UV^\top` comes from five Newton-Schulz steps, about.  The
    root brings its entries to the size of AdamW's, so that both go at one rate (Jordan
    2024, kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv:2502.16982).
    ``others`` are AdamW's groups of weights, ``options`` what else it takes.
    """

    def __init__(
        self,
        matrices: list[Tensor],
        others: list[dict[str, Any]],
        rate: float,
        decay: float,
        **options: Any,
    ) -> None:
        self.muon = torch.optim.Muon(
            matrices, rate, decay, adjust_lr_fn="match_rms_adamw"
        )
        self.adamw = torch.optim.AdamW(others, rate, **options)
        super().__init__([*self.muon.param_groups, *self.adamw.param_groups], {})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step of both, which have one memory; the loss if a closure gives it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.muon.param_groups = self.param_groups[:1]
        self.adamw.param_groups = self.param_groups[1:]
        for part in (self.muon, self.adamw):
            part.state = self.state
            part.step()
        return loss


def _inner_matrices(model: nn.Module) -> dict[Tensor, None]:
    """The matrices that have no row for each token or position, in their order."""
    outer = {getattr(getattr(model, "output", None), "weight", None)}
    outer |= {m.weight for m in model.modules() if isinstance(m, nn.Embedding)}
    return dict.fromkeys(
        w for w in model.parameters() if w.ndim == 2 and w not in outer
    )


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
