r"""A bill whose numbers nobody knows: drawn a thousand times, and what it hangs on.

The ends of :func:`lmbook.industry.bill.extremes` are both nearly impossible, as every
number would have to lie at its end at once.  Draws say how likely the bills between
them are.  Section 8.3.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lmbook.errors import InputError
from lmbook.industry.arguments import whole
from lmbook.industry.bill import Plan, Range, bill, require_names


@dataclass(frozen=True)
class Draw:
    """The numbers of one draw, and the bill that they make."""

    inputs: dict[str, float]
    bill: dict[str, float]

    @property
    def total(self) -> float:
        """US$, all lines."""
        return sum(self.bill.values())


def draws(
    plan: Plan, ranges: Mapping[str, Range], count: int = 1000, seed: int = 0
) -> list[Draw]:
    r"""Bills with every number of ``ranges`` drawn, independently of the others.

    The logarithm of each has the triangular distribution from ``low`` to ``high`` with
    its peak at the plan's value: half as much and twice as much are equally far.
    A number that the plan has as a whole one is rounded.  ``InputError`` where the
    plan's value is not within its range, or the range begins at 0 or below.
    """
    whole(count=count)
    require_names(ranges)
    for name, ends in ranges.items():
        if not 0 < ends.low <= getattr(plan, name) <= ends.high:
            raise InputError(
                f"the range of {name} must be above 0 and hold the plan's "
                f"{getattr(plan, name)}, got {ends.low} to {ends.high}"
            )
    source = random.Random(seed)
    found = []
    for _ in range(count):
        inputs: dict[str, Any] = {}
        for name, ends in ranges.items():
            middle = getattr(plan, name)
            logs = math.log(ends.low), math.log(ends.high), math.log(middle)
            value = math.exp(source.triangular(*logs))
            inputs[name] = round(value) if isinstance(middle, int) else value
        found.append(Draw(inputs, bill(replace(plan, **inputs))))
    return found


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of them are below, linear between neighbours."""
    if not values or not 0 <= share <= 1:
        raise InputError(
            f"values and a share from 0 to 1 are needed, got {len(values)} and {share}"
        )
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def explained(found: Sequence[Draw]) -> dict[str, float]:
    r"""The share of the total's spread that each number explains, largest first.

    :math:`r^2` of ln total and ln number: for independent numbers in a product these
    shares add up to 1, and nearly so here.
    """
    if len(found) < 3:
        raise InputError(f"at least 3 draws are needed, got {len(found)}")
    totals = [math.log(draw.total) for draw in found]
    shares = {
        name: _r_squared([math.log(draw.inputs[name]) for draw in found], totals)
        for name in found[0].inputs
    }
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _r_squared(x: Sequence[float], y: Sequence[float]) -> float:
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    xy = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    xx = sum((a - mean_x) ** 2 for a in x)
    yy = sum((b - mean_y) ** 2 for b in y)
    return xy * xy / (xx * yy) if xx and yy else 0.0
