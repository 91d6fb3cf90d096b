r"""How fast something grows: a straight line through logarithms, and how sure it is.

.. math:: \ln y_i = a + b\,t_i + \varepsilon_i, \qquad \text{growth} = e^b
          \text{ a year}, \qquad \text{doubling time} = \ln 2 / b

with t in years.  The interval of b is that of least squares with normal errors,
:math:`\hat b \pm t_{n-2}\, s_b`, which trusts that points scatter alike and owe
nothing to each other; :func:`bootstrap` draws the points anew and trusts less.
Section 2.1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lmbook.errors import InputError
from lmbook.industry.arguments import finite, plain, positive, share, whole

FEWEST = 3


@dataclass(frozen=True)
class Growth:
    """Growth a year as a factor (1.5: half as much again), with its interval.

    ``value`` in the year ``start``, the mean of the points' years; ``scatter`` is the
    factor within which about two thirds of the points lie around the line.
    """

    factor: float
    low: float
    high: float
    start: float
    value: float
    scatter: float
    num_points: int

    def at(self, year: float) -> float:
        """The line in a year, such as 2024.5."""
        return self.value * self.factor ** (year - self.start)

    @property
    def doubling_years(self) -> float:
        """Years in which it doubles; negative: halves.  Infinite if it stands still."""
        rate = math.log(self.factor)
        return math.log(2) / rate if rate else math.inf


def fit_growth(
    years: Sequence[float], values: Sequence[float], confidence: float = 0.95
) -> Growth:
    """The line through ``values``, all above 0, of at least three different years."""
    _check(years, values)
    share(confidence=confidence)
    n = len(years)
    logs = [math.log(value) for value in values]
    start, level = sum(years) / n, sum(logs) / n
    spread = sum((t - start) ** 2 for t in years)
    rate = sum((t - start) * y for t, y in zip(years, logs, strict=True)) / spread
    misses = [y - level - rate * (t - start) for t, y in zip(years, logs, strict=True)]
    deviation = math.sqrt(sum(miss**2 for miss in misses) / (n - 2))
    half = t_quantile(0.5 + confidence / 2, n - 2) * deviation / math.sqrt(spread)
    return Growth(
        factor=_exp(rate),
        low=_exp(rate - half),
        high=_exp(rate + half),
        start=start,
        value=math.exp(level),
        scatter=math.exp(deviation),
        num_points=n,
    )


def bootstrap(
    years: Sequence[float],
    values: Sequence[float],
    confidence: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of the factor: the points drawn anew, with repetition, many times.

    Percentiles of the factors (Efron 1979); a draw of one year alone is skipped.
    """
    import numpy as np

    _check(years, values)
    share(confidence=confidence)
    whole(draws=draws)
    t, y = np.array(years, float), np.log(np.array(values, float))
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(t), (draws, len(t)))
    t, y = t[chosen], y[chosen]
    t = t - t.mean(axis=1, keepdims=True)
    spread = (t**2).sum(axis=1)
    some = spread > 0
    rates = (t * y).sum(axis=1)[some] / spread[some]
    tail = (1 - confidence) / 2
    low, high = np.quantile(rates, [tail, 1 - tail])
    return _exp(low), _exp(high)


def records(years: Sequence[float], values: Sequence[float]) -> list[int]:
    """Places of the points above all earlier ones, in the order of time."""
    if len(years) != len(values):
        raise InputError(f"{len(years)} years and {len(values)} values")
    order = sorted(range(len(years)), key=lambda i: (years[i], -values[i]))
    found: list[int] = []
    for i in order:
        if not found or values[i] > values[found[-1]]:
            found.append(i)
    return found


def t_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t: bisection on its distribution function.

    The function is summed in closed form (Abramowitz & Stegun 26.7.3, 26.7.4).
    """
    if not 0.5 <= probability < 1:
        raise InputError(f"probability must be from 0.5 to below 1, got {probability}")
    whole(degrees=degrees)
    low, high = 0.0, 2.0
    while _t_within(high, degrees) < 2 * probability - 1:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if _t_within(middle, degrees) < 2 * probability - 1:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _t_within(t: float, degrees: int) -> float:
    """Probability that Student's t lies between -t and t."""
    angle = math.atan(t / math.sqrt(degrees))
    square = math.cos(angle) ** 2
    term = math.cos(angle) if degrees % 2 else 1.0
    total = 0.0
    for k in range(3 if degrees % 2 else 2, degrees + 1, 2):
        total += term
        term *= square * (k - 1) / k
    if degrees % 2:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


def _check(years: Sequence[float], values: Sequence[float]) -> None:
    if len(years) != len(values):
        raise InputError(f"{len(years)} years and {len(values)} values")
    for year, value in zip(plain(years), plain(values), strict=True):
        finite(year=year)
        positive(value=value)
    if len(set(years)) < FEWEST:
        raise InputError(
            f"a line with an interval needs {FEWEST} different years, "
            f"got {len(set(years))}"
        )


def _exp(rate: float) -> float:
    return math.exp(min(rate, 700.0))
