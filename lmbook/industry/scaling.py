r"""Scaling laws: which model a budget of operations should train.

.. math:: L(N, D) = E + \frac{A}{N^\alpha} + \frac{B}{D^\beta}

in nats per token (Hoffmann et al. 2022, arXiv:2203.15556, Eq. 2, approach 3).  Their
fit was found to be a poor one of their own points; Besiroglu et al. 2024
(arXiv:2404.10102) fitted it again.  Both stand in the table ``scaling``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from lmbook.errors import InputError
from lmbook.industry import facts
from lmbook.industry.arguments import at_least, one_of, positive
from lmbook.industry.training_costs import training_flops

LAWS = {"hoffmann": "hoffmann unrounded", "besiroglu": "besiroglu"}
STEPS = 200  # of a golden section; each leaves 0.618 of the interval


@dataclass(frozen=True)
class Optimum:
    """Parameters and tokens that reach ``loss`` (nats per token) for ``flops``."""

    params: float
    tokens: float
    loss: float
    flops: float


@dataclass(frozen=True)
class ScalingLaw:
    """The five constants of the law above."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def __post_init__(self) -> None:
        positive(**vars(self))

    def loss(self, params: float, tokens: float) -> float:
        """Nats per token after one pass over so many tokens."""
        positive(params=params, tokens=tokens)
        return self.E + self.A / params**self.alpha + self.B / tokens**self.beta

    def optimum(self, flops: float) -> Optimum:
        r"""The lowest loss for :math:`6ND` operations.

        .. math:: N = G (C/6)^{\beta/(\alpha+\beta)}, \quad D = G^{-1}
                  (C/6)^{\alpha/(\alpha+\beta)}, \quad
                  G = \left(\frac{\alpha A}{\beta B}\right)^{1/(\alpha+\beta)}

        Hoffmann et al. 2022, Eq. 4.
        """
        positive(flops=flops)
        both = self.alpha + self.beta
        ratio = (self.alpha * self.A / (self.beta * self.B)) ** (1 / both)
        params = ratio * (flops / 6) ** (self.beta / both)
        tokens = (flops / 6) ** (self.alpha / both) / ratio
        return Optimum(params, tokens, self.loss(params, tokens), flops)

    def tokens_for(self, params: float, loss: float) -> float:
        """Tokens that bring a model of a size to a loss; ``InputError`` if none do."""
        positive(params=params, loss=loss)
        left = loss - self.E - self.A / params**self.alpha
        if left <= 0:
            reached = loss - left
            raise InputError(
                f"{params:.3g} parameters stay above {reached:.4g} nats a token, "
                f"however many tokens there are; asked for {loss}"
            )
        return (self.B / left) ** (1 / self.beta)

    def cheapest(self, loss: float, served_tokens: float = 0) -> Optimum:
        r"""The model that reaches ``loss`` at the lowest cost, serving counted in.

        Minimises :math:`6ND + 2N D_s` over N, where :math:`D_s`, ``served_tokens``, are
        read or written later (Sardana et al. 2023, arXiv:2401.00448, Eq. 1): the more
        is served, the smaller the model and the longer its training.  ``flops`` are
        those of both.
        """
        at_least(0, served_tokens=served_tokens)
        positive(loss=loss)
        if loss <= self.E:
            raise InputError(f"no model is below {self.E} nats a token; got {loss}")
        if loss >= (most := self.E + self.A + self.B):
            raise InputError(
                f"loss must be below {most:.4g}, what one parameter reaches with one "
                f"token; got {loss}"
            )

        def total(log_params: float) -> float:
            params = math.exp(log_params)
            tokens = self.tokens_for(params, loss)
            served = 2 * params * served_tokens
            return math.log(training_flops(params, tokens) + served)

        smallest = math.log(self.A / (loss - self.E)) / self.alpha
        best = _lowest(total, smallest + 1e-6, smallest + 30)
        params = math.exp(best)
        return Optimum(
            params, self.tokens_for(params, loss), loss, math.exp(total(best))
        )


def law(name: str = "besiroglu") -> ScalingLaw:
    """The law "hoffmann" or "besiroglu", from the table ``scaling``."""
    one_of(LAWS, name=name)
    table = facts.load("scaling")
    symbols = ScalingLaw.__dataclass_fields__
    return ScalingLaw(**{s: table[f"{LAWS[name]} {s}"].value for s in symbols})


def _lowest(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one valley is lowest between two points (Kiefer 1953)."""
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(STEPS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if function(left) < function(right):
            high = right
        else:
            low = left
    return (low + high) / 2
