"""Draws of a bill lie between its extremes, where the triangle says."""

import math
from dataclasses import replace

import pytest

from lmbook.errors import InputError
from lmbook.industry.bill import Range, bill, extremes
from lmbook.industry.company import PLAN, RANGES
from lmbook.industry.uncertainty import Draw, draws, explained, quantile

FOUND = draws(PLAN, RANGES, count=400)


def test_each_draw_is_a_bill_of_its_inputs():
    for draw in FOUND[:5]:
        assert set(draw.inputs) == set(RANGES)
        assert draw.bill == bill(replace(PLAN, **draw.inputs))
        assert draw.total == sum(draw.bill.values())
        assert isinstance(draw.inputs["output_tokens"], int)


def test_draws_lie_between_the_extremes():
    low, _, high = (sum(found.values()) for found in extremes(PLAN, RANGES))
    totals = [draw.total for draw in FOUND]
    assert low < min(totals)
    assert max(totals) < high
    for name, ends in RANGES.items():
        values = [draw.inputs[name] for draw in FOUND]
        assert ends.low <= min(values) < max(values) <= ends.high


def test_a_triangle_in_the_logarithm():
    only = {"train_tokens": Range(1e12, 8e12)}
    plan = replace(PLAN, train_tokens=2e12)
    values = [draw.inputs["train_tokens"] for draw in draws(plan, only, count=4000)]
    below = sum(value < 2e12 for value in values) / len(values)
    assert below == pytest.approx(1 / 3, abs=0.03)  # ln 2 of ln 8
    mean = sum(map(math.log, values)) / len(values)
    assert mean == pytest.approx((math.log(1e12 * 8e12 * 2e12)) / 3, abs=0.03)


def test_the_same_seed_the_same_draws():
    again = draws(PLAN, RANGES, count=3)
    assert again == FOUND[:3]
    assert draws(PLAN, RANGES, count=3, seed=1) != again


def test_shares_add_up_and_what_does_nothing_explains_nothing():
    shares = explained(FOUND)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert sum(shares.values()) == pytest.approx(1, abs=0.15)
    assert next(iter(shares)) in ("trials", "train_tokens")
    assert shares["requests_per_day"] < 0.05
    fixed = [Draw({"a": 2.0, "b": float(i + 1)}, {"x": i + 1.0}) for i in range(5)]
    assert explained(fixed) == pytest.approx({"b": 1.0, "a": 0.0})


def test_quantiles_by_hand():
    values = [4.0, 1.0, 3.0, 2.0]
    assert [quantile(values, s) for s in (0, 0.5, 1)] == [1, 2.5, 4]
    assert quantile(values, 0.25) == pytest.approx(1.75)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draws(PLAN, {"staff": Range(1, 2)}), "a plan has no staff"),
        (lambda: draws(PLAN, {"mfu": Range(0.5, 0.6)}), "hold the plan's 0.4, got 0.5"),
        (lambda: draws(PLAN, {"trials": Range(0, 1)}), "trials must be above 0"),
        (lambda: draws(PLAN, RANGES, count=0), "count must be"),
        (lambda: quantile([], 0.5), "got 0 and 0.5"),
        (lambda: quantile([1.0], 1.5), "got 1 and 1.5"),
        (lambda: explained(FOUND[:2]), "at least 3 draws"),
    ],
)
def test_bad_input_is_said(call, message):
    with pytest.raises(InputError, match=message):
        call()
