"""Growth rates: SciPy's regression and quantiles, coverage, points drawn anew."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from lmbook.errors import InputError
from lmbook.industry.growth import bootstrap, fit_growth, records, t_quantile


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 8, 13, 74, 301])
@pytest.mark.parametrize("probability", [0.5, 0.6, 0.9, 0.975, 0.9995])
def test_quantiles_are_scipys(degrees, probability):
    expected = scipy.stats.t.ppf(probability, degrees)
    assert t_quantile(probability, degrees) == pytest.approx(
        expected, rel=1e-9, abs=1e-9
    )


@settings(max_examples=60)
@given(
    st.lists(st.floats(1990, 2030), min_size=3, max_size=40, unique=True),
    st.integers(0, 10**6),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_the_line_is_scipys(years, seed, confidence):
    if max(years) - min(years) < 0.1:
        return
    values = np.exp(np.random.default_rng(seed).normal(20, 3, len(years)))
    found = fit_growth(years, values.tolist(), confidence)
    line = scipy.stats.linregress(years, np.log(values))
    half = scipy.stats.t.ppf(0.5 + confidence / 2, len(years) - 2) * line.stderr
    assert math.log(found.factor) == pytest.approx(line.slope, rel=1e-6, abs=1e-7)
    if half < 300:
        assert math.log(found.high / found.low) == pytest.approx(
            2 * half, rel=1e-5, abs=1e-7
        )
        expected = line.intercept + line.slope * 2015.5
        assert math.log(found.at(2015.5)) == pytest.approx(expected, rel=1e-6, abs=1e-5)


def test_an_exact_doubling():
    found = fit_growth([2020, 2021, 2022, 2024], [3, 6, 12, 48])
    assert (found.factor, found.low, found.high) == pytest.approx((2, 2, 2))
    assert found.doubling_years == pytest.approx(1)
    assert found.at(2023) == pytest.approx(24)
    assert found.scatter == pytest.approx(1)
    assert found.num_points == 4
    falling = fit_growth([2020, 2021, 2022], [8, 4, 2])
    assert falling.doubling_years == pytest.approx(-1)
    assert fit_growth([1, 2, 3], [5, 5, 5]).doubling_years == math.inf


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(4)
    years = np.sort(rng.uniform(2010, 2020, 12))
    inside = {"t": 0, "bootstrap": 0}
    for trial in range(300):
        values = np.exp(0.5 * years - 900 + rng.normal(0, 1.5, 12))
        found = fit_growth(years.tolist(), values.tolist(), 0.9)
        inside["t"] += found.low < math.exp(0.5) < found.high
        low, high = bootstrap(years.tolist(), values.tolist(), 0.9, 200, seed=trial)
        inside["bootstrap"] += low < math.exp(0.5) < high
    assert 255 <= inside["t"] <= 285  # 270, within three standard deviations
    assert 225 <= inside["bootstrap"] <= 285  # narrower with few points


def test_drawn_anew_many_points_give_the_same_interval():
    rng = np.random.default_rng(1)
    years = rng.uniform(2000, 2020, 500).tolist()
    values = [math.exp(0.3 * y - 600 + rng.normal()) for y in years]
    found = fit_growth(years, values)
    low, high = bootstrap(years, values)
    assert (low, high) == pytest.approx((found.low, found.high), rel=0.01)
    assert bootstrap(years, values, seed=3) == bootstrap(years, values, seed=3)
    assert bootstrap(years, values, 0.5)[1] < high


def test_records():
    assert records([3, 1, 2, 5, 4], [10, 5, 4, 30, 10]) == [1, 0, 3]
    assert records([1, 1, 2], [5, 9, 9]) == [1]
    assert records([], []) == []


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: fit_growth([1, 2], [1, 2, 3]), "2 years and 3 values"),
        (lambda: records([1, 2], [1]), "2 years and 1 values"),
        (lambda: fit_growth([1, 2, 3], [1, 0, 2]), "value must be a number greater"),
        (lambda: fit_growth([1, 1, 2], [1, 2, 3]), "needs 3 different years, got 2"),
        (lambda: fit_growth([1, 2, 3], [1, 2, 3], 1.5), "confidence must be above 0"),
        (lambda: bootstrap([1, 2, 3], [1, 2, 3], draws=0), "draws must be a whole"),
        (lambda: t_quantile(0.4, 3), "probability must be from 0.5"),
        (lambda: t_quantile(0.9, 0), "degrees must be a whole number"),
    ],
)
def test_bad_input(ask, message):
    with pytest.raises(InputError, match=message):
        ask()
