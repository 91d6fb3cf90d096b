r"""How far a measured share can be trusted, and how many questions settle a matter.

Taught in section 6.4.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmbook.errors import InputError

Floats = NDArray[np.float64]


def wilson(right: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    r"""Wilson's (1927) interval for a share of which ``right`` in ``total`` were seen,

    .. math:: \frac{\hat p + z^2/2n \pm z\sqrt{\hat p(1-\hat p)/n + z^2/4n^2}}{1+z^2/n},

    with z the normal quantile (1.96 for 95 %).  It stays within 0 and 1, also where
    all or none were right.
    """
    if not 0 <= right <= total or total < 1:
        raise InputError(
            f"right must be from 0 to total, and total at least 1: got {right}, {total}"
        )
    z = _quantile(confidence)
    share = right / total
    middle = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    scale = 1 + z * z / total
    low, high = (middle - half) / scale, (middle + half) / scale
    return max(0.0, low), min(1.0, high)


def bootstrap(
    values: ArrayLike,
    statistic: Callable[[Floats], float] | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a statistic (the mean) of ``values``, (n, ...).

    The n are drawn anew with replacement ``resamples`` times.  For the difference of
    two models on the same questions, ``values`` are the differences, question by
    question.  The n must be independent draws: sentences, not their letters.
    """
    sample = np.asarray(values, np.float64)
    if sample.ndim == 0 or len(sample) < 2:
        raise InputError("an interval needs at least 2 values")
    if resamples < 1:
        raise InputError(f"resamples must be at least 1, got {resamples}")
    _quantile(confidence)
    rng = np.random.default_rng(seed)
    drawn = [
        float(
            (statistic or np.mean)(sample[rng.integers(len(sample), size=len(sample))])
        )
        for _ in range(resamples)
    ]
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def questions_needed(
    first: float, second: float, power: float = 0.8, confidence: float = 0.95
) -> int:
    r"""Questions that each of two models must answer to be told apart, each its own,

    .. math:: n = (z_{\text{conf}} + z_{\text{power}})^2\,
        \frac{p_1(1-p_1) + p_2(1-p_2)}{(p_1-p_2)^2},

    so that a two-sided test at this confidence finds the difference with probability
    ``power``.
    """
    spread = sum(_share(p, "a share right") * (1 - p) for p in (first, second))
    return _enough(spread, first - second, power, confidence)


def paired_questions_needed(
    difference: float, disagreement: float, power: float = 0.8, confidence: float = 0.95
) -> int:
    r"""The same where both models answer the same questions,

    .. math:: n = (z_{\text{conf}} + z_{\text{power}})^2\,
        \frac{d - \delta^2}{\delta^2},

    with d the share of questions of which just one model has the right answer, and
    :math:`\delta` the difference of the shares right, at most d.
    """
    _share(disagreement, "disagreement")
    if abs(difference) > disagreement:
        raise InputError(
            f"the shares right differ by {difference}, so disagreement is at least "
            f"that; got {disagreement}"
        )
    return _enough(disagreement - difference**2, difference, power, confidence)


def _enough(spread: float, gap: float, power: float, confidence: float) -> int:
    if gap == 0:
        raise InputError("no number of questions tells apart models that are equal")
    if not 0.5 <= power < 1:
        raise InputError(f"power must be from 0.5 to below 1, got {power}")
    z = _quantile(confidence) + NormalDist().inv_cdf(power)
    return math.ceil(z * z * spread / gap**2)


def _quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be between 0 and 1, got {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _share(value: float, name: str) -> float:
    if not 0 <= value <= 1:
        raise InputError(f"{name} must be from 0 to 1, got {value}")
    return value
