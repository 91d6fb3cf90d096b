"""Fitting a scaling law: found again where it is known, SciPy, the published refit."""

import numpy as np
import pytest
from scipy.optimize import minimize

from lmbook.errors import InputError
from lmbook.industry import facts
from lmbook.industry.scaling import ScalingLaw, law
from lmbook.industry.scaling_fit import DELTA, fit, refits

POINTS = list(facts.load("scaling_points"))
N = np.array([point.params for point in POINTS], float)
D = np.array([point.flops for point in POINTS]) / (6 * N)
L = np.array([point.loss for point in POINTS])
NAMES = ("E", "A", "B", "alpha", "beta")


def cost(law: ScalingLaw) -> float:
    misses = np.array([law.loss(n, d) for n, d in zip(N, D, strict=True)])
    return huber(np.log(misses) - np.log(L))


def huber(miss):
    size = np.abs(miss)
    return np.where(size < DELTA, size**2 / 2, DELTA * size - DELTA**2 / 2).sum()


@pytest.mark.parametrize(
    "truth",
    [
        ScalingLaw(1.8, 480, 2100, 0.35, 0.37),
        ScalingLaw(1.2, 90, 40, 0.25, 0.2),
        ScalingLaw(0.6, 2000, 300, 0.45, 0.3),
    ],
)
def test_a_law_without_noise_is_found_again(truth):
    losses = [truth.loss(n, d) for n, d in zip(N, D, strict=True)]
    found = fit(N, D, losses)
    for name in NAMES:
        assert getattr(found, name) == pytest.approx(getattr(truth, name), rel=1e-3)


def test_no_neighbour_and_not_scipy_is_lower():
    found = fit(N, D, L)
    lowest = cost(found)
    for name in NAMES:
        for factor in (0.99, 1.01):
            moved = ScalingLaw(**{**vars(found), name: getattr(found, name) * factor})
            assert cost(moved) > lowest

    def objective(theta):
        a, b, e, alpha, beta = theta
        parts = [a - alpha * np.log(N), b - beta * np.log(D), np.full(len(N), e)]
        return huber(np.logaddexp.reduce(parts) - np.log(L))

    start = [5, 5, 0.5, 0.3, 0.3]
    options = {"maxiter": 5000, "ftol": 1e-14, "gtol": 1e-10}
    theirs = minimize(objective, start, method="L-BFGS-B", options=options)
    assert lowest <= theirs.fun * (1 + 1e-6)


def test_half_of_the_published_points_give_the_published_refit():
    found, published = fit(N, D, L), facts.load("scaling")
    for name in NAMES:
        row = published[f"besiroglu {name}"]
        assert row.low < getattr(found, name) < row.high
    assert found.beta / (found.alpha + found.beta) == pytest.approx(0.513, abs=0.005)
    assert cost(found) < cost(law("besiroglu")) < cost(law("hoffmann"))


def test_the_points_are_every_second_one():
    numbers = [int(point.name.split()[1]) for point in POINTS]
    assert numbers == list(range(7, 246, 2))


def test_some_wild_points_hardly_matter():
    wild = L.copy()
    wild[::15] *= 1.3
    before, after = fit(N, D, L), fit(N, D, wild)
    assert after.alpha == pytest.approx(before.alpha, abs=0.04)
    assert abs(after.E - before.E) < 0.08


def test_drawn_anew_the_laws_scatter_around_the_fit():
    found = fit(N, D, L)
    laws = list(refits(N, D, L, draws=40, seed=3))
    assert laws == list(refits(N, D, L, draws=40, seed=3))
    alphas = [each.alpha for each in laws]
    assert min(alphas) < found.alpha < max(alphas)
    assert 0.005 < np.std(alphas) < 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: fit(N[:9], D[:9], L[:9]), "10 at least; got 9, 9, 9"),
        (lambda: fit(N, D[1:], L), "of one length"),
        (lambda: fit(N, D, -L), "losses must be a number greater than 0"),
        (lambda: fit(N * 0 + 1e9, D, L), "params must have at least three different"),
        (lambda: fit(N, D * 0 + 1e9, L), "tokens must have at least three different"),
        (lambda: list(refits(N, D, L, draws=0)), "draws must be a whole number"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(InputError, match=message):
        change()
