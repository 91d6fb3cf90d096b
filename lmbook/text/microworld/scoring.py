r"""Floors and entropy rates: what the best possible model would lose.

A document of n tokens counts n + 1, of c characters c + 1: its end is an event too,
``<eos>`` or the line break that ends it in a file.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lmbook.errors import InputError


@dataclass(frozen=True)
class Floor:
    """The world's own loss on some documents; no model's expected loss is lower."""

    nats: float  # -log p of all documents
    tokens: int
    chars: int

    @property
    def nats_per_token(self) -> float:
        return self.nats / self.tokens

    @property
    def nats_per_char(self) -> float:
        return self.nats / self.chars


@dataclass(frozen=True)
class EntropyRate:
    """Estimated nats per token and per character, each with its standard error."""

    per_token: float
    per_token_error: float
    per_char: float
    per_char_error: float


Scored = tuple[float, int, int]  # log p, tokens, characters, without the end


def floor(documents: Iterable[Scored]) -> Floor:
    r"""Add up: :math:`-\sum_i \log p_i`, :math:`\sum_i (n_i + 1)`, and characters."""
    scored = list(documents)
    if not scored:
        raise InputError("no texts: a floor needs at least one")
    return Floor(
        -math.fsum(log_prob for log_prob, _, _ in scored),
        sum(tokens + 1 for _, tokens, _ in scored),
        sum(chars + 1 for _, _, chars in scored),
    )


def entropy_rate(documents: Iterable[Scored]) -> EntropyRate:
    r"""Ratio estimates from independently drawn documents.

    With :math:`h_i = -\log p_i` and :math:`n_i` the length, :math:`R = \sum h_i / \sum
    n_i` and, by the delta method, :math:`\mathrm{SE} = \sqrt{\sum (h_i - R n_i)^2 /
    (m (m - 1))} / \bar n` for m documents (Cochran 1977, Sampling Techniques, ch. 6).
    """
    scored = list(documents)
    if len(scored) < 2:
        raise InputError(f"an error needs at least 2 samples, got {len(scored)}")
    nats = -np.array([log_prob for log_prob, _, _ in scored])
    return EntropyRate(
        *_ratio(nats, np.array([tokens + 1 for _, tokens, _ in scored])),
        *_ratio(nats, np.array([chars + 1 for _, _, chars in scored])),
    )


def _ratio(nats: np.ndarray, lengths: np.ndarray) -> tuple[float, float]:
    rate = nats.sum() / lengths.sum()
    left = nats - rate * lengths
    count = len(nats)
    error = np.sqrt((left**2).sum() / (count * (count - 1))) / lengths.mean()
    return float(rate), float(error)
