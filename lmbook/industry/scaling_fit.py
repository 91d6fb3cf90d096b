r"""A scaling law fitted to training runs: parameters, tokens and the loss at the end.

.. math:: \min_{E, A, B, \alpha, \beta} \sum_i \operatorname{Huber}_\delta\bigl(
          \ln(E + A N_i^{-\alpha} + B D_i^{-\beta}) - \ln L_i\bigr),
          \qquad \delta = 10^{-3}

(Hoffmann et al. 2022, arXiv:2203.15556, Eq. 3; the sum and not the mean, whose small
gradients stopped their optimiser too early: Besiroglu et al. 2024, arXiv:2404.10102).
Least squares with weights :math:`\min(1, \delta/|r_i|)`, renewed at each step, does it
(Levenberg-Marquardt); E, A and B stay above 0 as their logarithms are fitted.
Section 2.1.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

from lmbook.errors import InputError
from lmbook.industry.arguments import plain, positive, whole
from lmbook.industry.scaling import ScalingLaw

if TYPE_CHECKING:
    from numpy import ndarray as Floats

    Column = Sequence[float] | Floats

DELTA = 1e-3
FEWEST = 10
STARTS = (0.2, 0.35, 0.5)  # of both exponents
MOST_STEPS = 500


def fit(
    params: "Column",
    tokens: "Column",
    losses: "Column",
    start: ScalingLaw | None = None,
) -> ScalingLaw:
    """The law nearest to the runs, from ``start`` or the best of nine starts.

    Losses in nats per token.  ``InputError`` for fewer than ten runs, for a number
    that isn't above 0, and where every run has the same size or as many tokens.
    """
    import numpy as np

    N, D, L = _checked(params, tokens, losses)
    lines = np.log(np.stack([N, D])), np.log(L)
    begins = [_numbers(start)] if start else list(_starts(N, D, L))
    tried = [_descend(theta, *lines) for theta in begins]
    best = min(tried, key=lambda theta: _huber(_misses(theta, *lines)[0]))
    return _law(best)


def refits(
    params: "Column",
    tokens: "Column",
    losses: "Column",
    draws: int = 100,
    seed: int = 0,
) -> Iterator[ScalingLaw]:
    """Laws fitted to the runs drawn anew with repetition: the spread is the doubt."""
    import numpy as np

    whole(draws=draws)
    N, D, L = _checked(params, tokens, losses)
    start = fit(N, D, L)
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        chosen = rng.integers(0, len(L), len(L))
        yield fit(N[chosen], D[chosen], L[chosen], start)


def _checked(*columns: "Column") -> "tuple[Floats, Floats, Floats]":
    import numpy as np

    names = ("params", "tokens", "losses")
    if len({len(column) for column in columns}) > 1 or len(columns[0]) < FEWEST:
        raise InputError(
            f"params, tokens and losses must be of one length, {FEWEST} at least; "
            f"got {', '.join(str(len(column)) for column in columns)}"
        )
    for name, column in zip(names, columns, strict=True):
        for value in plain(column):
            positive(**{name: value})
    N, D, L = (np.asarray(column, float) for column in columns)
    for name, array in (("params", N), ("tokens", D)):
        if len(set(array.tolist())) < 3:
            raise InputError(f"{name} must have at least three different values")
    return N, D, L


def _starts(N: "Floats", D: "Floats", L: "Floats") -> "Iterator[Floats]":
    """For given exponents the law is linear in E, A, B: least squares, kept above 0."""
    import numpy as np

    for alpha, beta in product(STARTS, STARTS):
        columns = np.stack([np.ones_like(N), N**-alpha, D**-beta], axis=1)
        found = np.linalg.lstsq(columns, L, rcond=None)[0]
        smallest = 1e-3 * L.min() / columns.max(axis=0)
        E, A, B = np.maximum(found, smallest)
        yield np.array([np.log(E), np.log(A), np.log(B), alpha, beta])


def _misses(
    theta: "Floats", lines: "Floats", log_losses: "Floats"
) -> "tuple[Floats, Floats]":
    """ln of the law less ln of the loss (runs,), and its derivatives (runs, 5)."""
    import numpy as np

    log_E, log_A, log_B, alpha, beta = theta
    log_N, log_D = lines
    parts = np.exp(
        np.stack(
            [np.full_like(log_N, log_E), log_A - alpha * log_N, log_B - beta * log_D]
        )
    )
    total = parts.sum(axis=0)
    shares = parts / total
    slopes = np.stack([*shares, -shares[1] * log_N, -shares[2] * log_D], axis=1)
    return np.log(total) - log_losses, slopes


def _descend(theta: "Floats", lines: "Floats", log_losses: "Floats") -> "Floats":
    import numpy as np

    damping = 1e-3
    miss, slopes = _misses(theta, lines, log_losses)
    cost = _huber(miss)
    for _ in range(MOST_STEPS):
        weights = DELTA / np.maximum(np.abs(miss), DELTA)
        matrix = slopes.T @ (weights[:, None] * slopes)
        damped = matrix + damping * np.diag(np.diag(matrix) + 1e-12)
        step = np.linalg.solve(damped, slopes.T @ (weights * miss))
        trial = theta - step
        new_miss, new_slopes = _misses(trial, lines, log_losses)
        new_cost = _huber(new_miss)
        if not new_cost < cost:
            damping *= 4
            if damping > 1e12:
                break
            continue
        gain = cost - new_cost
        theta, miss, slopes, cost = trial, new_miss, new_slopes, new_cost
        damping = max(damping / 3, 1e-12)
        if gain < 1e-12 * cost:
            break
    return theta


def _huber(miss: "Floats") -> float:
    import numpy as np

    size = np.abs(miss)
    small = size <= DELTA
    return float(np.where(small, size**2 / 2, DELTA * (size - DELTA / 2)).sum())


def _numbers(law: ScalingLaw) -> "Floats":
    import numpy as np

    return np.array([*np.log([law.E, law.A, law.B]), law.alpha, law.beta])


def _law(theta: "Floats") -> ScalingLaw:
    import numpy as np

    E, A, B = np.exp(theta[:3]).tolist()
    return ScalingLaw(E, A, B, float(theta[3]), float(theta[4]))
