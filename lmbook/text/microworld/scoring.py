r"""Floors and entropy rates: what the best possible model would lose.

A document of n tokens counts n + 1, of c characters c + 1: its end is an event too,
``<eos>`` or the line break that ends it in a file.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lmbook.errors import InputError

Scored = tuple[float, int, int]  # log p, tokens, characters, without the end


@dataclass(frozen=True)
class Floor:
    """The world's own loss on some documents; no model's expected loss is lower.

    As estimates of the entropy rates the two ratios have standard errors; they are
    NaN for a single document.
    """

    nats: float  # -log p of all documents
    tokens: int
    chars: int
    token_error: float
    char_error: float

    @property
    def nats_per_token(self) -> float:
        return self.nats / self.tokens

    @property
    def nats_per_char(self) -> float:
        return self.nats / self.chars


def floor(documents: Iterable[Scored]) -> Floor:
    r"""Add up :math:`h_i = -\log p_i` and lengths :math:`n_i` of m documents.

    The rate is :math:`R = \sum h_i / \sum n_i`, and by the delta method
    :math:`\mathrm{SE} = \sqrt{\sum (h_i - R n_i)^2 / (m (m - 1))} / \bar n`
    (Cochran 1977, Sampling Techniques, ch. 6).
    """
    scored = np.array(list(documents), np.float64).reshape(-1, 3)
    count = len(scored)
    if not count:
        raise InputError("no texts: a floor needs at least one")
    nats, lengths = -scored[:, 0], scored[:, 1:] + 1
    rates = nats.sum() / lengths.sum(0)
    left = nats[:, None] - rates * lengths
    errors = np.sqrt((left**2).sum(0)) / lengths.mean(0)
    errors *= 1 / math.sqrt(count * (count - 1)) if count > 1 else math.nan
    return Floor(
        math.fsum(nats), *(int(total) for total in lengths.sum(0)), *map(float, errors)
    )
