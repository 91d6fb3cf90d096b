import numpy as np
import pytest

from lmbook.errors import InputError
from lmbook.intervals import (
    bootstrap,
    paired_questions_needed,
    questions_needed,
    wilson,
)


def test_wilson_solves_its_quadratic():
    z = 1.959963984540054
    for right, total in ((0, 10), (3, 10), (81, 263), (10, 10)):
        for p in wilson(right, total):
            share = right / total
            assert (share - p) ** 2 == pytest.approx(z * z * p * (1 - p) / total)
    # Newcombe (1998), table I: 81 of 263 and 15 of 148.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)


def test_wilson_covers():
    rng = np.random.default_rng(0)
    right = rng.binomial(60, 0.9, 2000)
    inside = [low <= 0.9 <= high for low, high in (wilson(r, 60) for r in right)]
    assert 0.92 < np.mean(inside) < 0.98


def test_bootstrap_of_a_mean():
    values = np.random.default_rng(1).normal(3, 2, 400)
    low, high = bootstrap(values)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.08)
    assert low < values.mean() < high
    assert bootstrap(values) == (low, high) != bootstrap(values, seed=1)


def test_bootstrap_of_rows():
    pairs = np.array([(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)])
    ratio = bootstrap(pairs, lambda rows: rows[:, 1].sum() / rows[:, 0].sum())
    assert ratio == (2, 2)


def test_questions_needed_find_the_difference_as_often_as_asked():
    assert questions_needed(0.8, 0.82) == 6036
    n = questions_needed(0.6, 0.7)
    rng = np.random.default_rng(2)
    one, other = rng.binomial(n, [[0.6], [0.7]], (2, 4000)) / n
    error = np.sqrt((one * (1 - one) + other * (1 - other)) / n)
    assert np.mean(np.abs(other - one) / error > 1.96) == pytest.approx(0.8, abs=0.03)


def test_paired_questions_needed():
    # Independent answers disagree on p(1-q) + q(1-p): pairing gains nothing then.
    p, q = 0.8, 0.82
    unpaired = questions_needed(p, q)
    paired = paired_questions_needed(q - p, p * (1 - q) + q * (1 - p))
    assert paired == pytest.approx(unpaired, abs=1)
    assert paired_questions_needed(0.02, 0.1) == 1955


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(5, 4), "right must be from 0 to total"),
        (lambda: wilson(1, 4, 1.0), "confidence must be between 0 and 1, got 1.0"),
        (lambda: bootstrap([1.0]), "at least 2 values"),
        (lambda: bootstrap([1.0, 2.0], resamples=0), "resamples must be at least 1"),
        (lambda: questions_needed(0.5, 0.5), "models that are equal"),
        (lambda: questions_needed(0.5, 1.5), "from 0 to 1, got 1.5"),
        (lambda: questions_needed(0.5, 0.6, power=1.0), "power must be from 0.5"),
        (lambda: paired_questions_needed(0.2, 0.1), "disagreement is at least that"),
    ],
)
def test_what_cannot_be_asked(call, message):
    with pytest.raises(InputError, match=message):
        call()
