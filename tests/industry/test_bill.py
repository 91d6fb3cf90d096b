"""A company's bill: by hand, its extremes, and what matters most."""

from dataclasses import replace

import pytest

from lmbook.errors import InputError
from lmbook.industry import costs
from lmbook.industry.bill import Plan, Range, bill, extremes, tornado

PLAN = Plan(
    params=7e9,
    train_tokens=2e11,
    trials=0.5,
    mfu=0.4,
    usd_per_hour=2,
    requests_per_day=50_000,
    prompt_tokens=900,
    output_tokens=300,
    months=12,
    busy=0.3,
)
RANGES = {
    "mfu": Range(0.25, 0.5),
    "usd_per_hour": Range(1, 3),
    "trials": Range(0.2, 2),
    "months": Range(11, 13),
}


def test_by_hand():
    found = bill(PLAN)
    hours = 6 * 7e9 * 2e11 / (312e12 * 0.4 * 3600)
    assert found["training"] == pytest.approx(hours * 2)
    assert found["trials"] == pytest.approx(hours)
    machine = costs.Machine("A100 SXM 80GB")
    service = costs.serve(costs.Load(7e9, 131_072), machine, 32, 900, 300)
    each = costs.usd_per_million_tokens(service.tokens_per_second, 2, busy=0.3)
    assert found["serving"] == pytest.approx(50_000 * 300 * 365 * each / 1e6)


def test_a_chip_without_bfloat16():
    plan = replace(PLAN, device_name="V100 SXM2")
    hours = 6 * 7e9 * 2e11 / (125e12 * 0.4 * 3600)
    assert bill(plan)["training"] == pytest.approx(hours * 2)


def test_extremes_hold_everything_between():
    low, mid, high = (sum(found.values()) for found in extremes(PLAN, RANGES))
    assert low < mid < high
    for name, (cheap, dear) in tornado(PLAN, RANGES).items():
        assert low <= cheap <= mid <= dear <= high, name
    best = replace(PLAN, mfu=0.5, usd_per_hour=1, trials=0.2, months=11)
    assert low == pytest.approx(sum(bill(best).values()))


def test_what_matters_most_comes_first():
    found = tornado(PLAN, RANGES)
    assert set(found) == set(RANGES)
    widths = [dear - cheap for cheap, dear in found.values()]
    assert widths == sorted(widths, reverse=True)
    assert list(found)[-1] == "months"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: replace(PLAN, busy=0), "busy must be above 0"),
        (lambda: replace(PLAN, trials=-1), "trials must be a number of at least 0"),
        (lambda: replace(PLAN, months=float("nan")), "months must be a number greater"),
        (lambda: bill(replace(PLAN, batch_size=10_000)), "do not fit 80 GB"),
        (lambda: bill(replace(PLAN, params=0)), "params must be a number greater"),
        (lambda: Range(2, 1), "low must not be above high, got 2, 1"),
        (lambda: Range(float("nan"), 1), "low must be a finite number"),
        (lambda: Range(1, float("inf")), "high must be a finite number"),
        (lambda: Range(True, 2), "low must be a finite number"),
        (lambda: extremes(PLAN, {"staff": Range(1, 2)}), "a plan has no staff"),
        (lambda: tornado(PLAN, {"staff": Range(1, 2)}), "a plan has no staff"),
    ],
)
def test_bad_plans_are_said(call, message):
    with pytest.raises(InputError, match=message):
        call()
