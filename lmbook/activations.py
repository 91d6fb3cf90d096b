r"""Activation functions and their derivatives, stable for every finite float64.

Taught in section 4.1.  Each takes an array-like and returns a NumPy array of the
same shape (a NumPy scalar for a scalar): float32 stays float32, everything else
becomes float64.  No finite input, up to ±1.8e308, overflows or warns; NaN passes
through.  Text or complex numbers raise ``TypeError``.

The trick is the same everywhere: take the exponential of a number that is never
positive, so the worst that can happen is a harmless underflow to zero.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]

SQRT_HALF = np.sqrt(0.5)
SQRT_2_OVER_PI = np.sqrt(2 / np.pi)
GELU_CUBIC = 0.044715
# Beyond this |x| the Gaussian tail is zero (or one) in float64.
GELU_RANGE = 40.0


# What is too small for a float becomes 0, which is right here and never worth a word.
_underflow_is_zero = np.errstate(under="ignore")


def _as_float(x: ArrayLike) -> Array:
    array = np.asarray(x)
    if array.dtype == np.float32:
        return array
    if array.dtype.kind not in "biuf":
        raise TypeError(f"expected real numbers, got an array of dtype {array.dtype}")
    return array.astype(np.float64)


def _exp_minus_abs(x: Array) -> Array:
    """exp(-|x|), between 0 and 1."""
    return np.exp(-np.abs(x))


@_underflow_is_zero
def sigmoid(x: ArrayLike) -> Array:
    r"""Logistic function, :math:`\sigma(x) = 1 / (1 + e^{-x})`.

    For negative x the same number is written :math:`e^{x} / (1 + e^{x})`, so that
    the exponent is never positive.  Section 4.1.1.
    """
    x = _as_float(x)
    decay = _exp_minus_abs(x)
    return np.where(x >= 0, 1, decay) / (1 + decay)


@_underflow_is_zero
def relu(x: ArrayLike) -> Array:
    r"""Rectified linear unit, :math:`\max(0, x)`.

    Glorot et al. 2011.  Section 4.1.2.
    """
    return np.maximum(_as_float(x), 0)


@_underflow_is_zero
def leaky_relu(x: ArrayLike, negative_slope: float = 0.01) -> Array:
    r""":math:`x` for :math:`x > 0`, else ``negative_slope`` times x (Maas et al. 2013).

    Section 4.1.2.
    """
    x = _as_float(x)
    return np.where(x > 0, x, x * x.dtype.type(negative_slope))[()]


@_underflow_is_zero
def tanh(x: ArrayLike) -> Array:
    r"""Hyperbolic tangent, :math:`(e^x - e^{-x}) / (e^x + e^{-x})`.  Section 4.1.3."""
    return np.tanh(_as_float(x))


@_underflow_is_zero
def gelu(x: ArrayLike, approximate: str = "none") -> Array:
    r"""Gaussian error linear unit, :math:`x \, \Phi(x)` (Hendrycks & Gimpel 2016).

    :math:`\Phi` is the standard normal distribution function.  With
    ``approximate="tanh"``, the form that GPT-2 uses:
    :math:`\tfrac{x}{2} (1 + \tanh[\sqrt{2/\pi} (x + 0.044715 x^3)])`, written here as
    :math:`x \, \sigma(2 \sqrt{2/\pi} (x + 0.044715 x^3))`, which is the same number
    and keeps its digits for very negative x.  Section 4.1.4.
    """
    x = _as_float(x)
    gate = _gaussian_gate(x) if _is_exact(approximate) else sigmoid(_gelu_inner(x))
    return x * gate


@_underflow_is_zero
def silu(x: ArrayLike) -> Array:
    r"""Sigmoid linear unit, :math:`x \, \sigma(x)`, also called Swish.

    Elfwing et al. 2018.  Section 4.1.4.
    """
    x = _as_float(x)
    return x * sigmoid(x)


@_underflow_is_zero
def softmax(x: ArrayLike, axis: int = -1) -> Array:
    r"""Scores to probabilities along ``axis``: :math:`e^{x_i} / \sum_j e^{x_j}`.

    The largest score is subtracted first, which changes nothing in the result and
    keeps every exponent at or below zero.  Raises ``ValueError`` for a scalar, an
    empty axis, or an axis that does not exist.  Section 4.1.5.
    """
    weights, total = _shifted_exponentials(x, axis)[1:]
    return weights / total


@_underflow_is_zero
def log_softmax(x: ArrayLike, axis: int = -1) -> Array:
    r"""Logarithm of :func:`softmax`: :math:`(x_i - m) - \log \sum_j e^{x_j - m}`.

    With :math:`m = \max_j x_j` it stays finite where the probability itself has
    become zero.  Section 4.1.5.
    """
    shifted, _, total = _shifted_exponentials(x, axis)
    return shifted - np.log(total)


@_underflow_is_zero
def softmax_jacobian(x: ArrayLike) -> Array:
    r"""Jacobian of :func:`softmax` along the last axis, shape (..., n, n).

    :math:`\partial p_i / \partial x_j = p_i (\delta_{ij} - p_j)`.  Section 4.1.5.
    """
    p = softmax(x)
    return p[..., :, None] * (np.eye(p.shape[-1], dtype=p.dtype) - p[..., None, :])


@_underflow_is_zero
def log_softmax_jacobian(x: ArrayLike) -> Array:
    r"""Jacobian of :func:`log_softmax` along the last axis, shape (..., n, n).

    :math:`\partial \log p_i / \partial x_j = \delta_{ij} - p_j`.  Section 4.1.6.
    """
    p = softmax(x)
    return np.eye(p.shape[-1], dtype=p.dtype) - p[..., None, :]


def derivative(name: str, **options: float | str) -> Callable[[ArrayLike], Array]:
    r"""The derivative of an activation, as a function of x.

    ``name`` is one of sigmoid, relu, leaky_relu, tanh, gelu, silu, softmax,
    log_softmax; ``options`` are that function's own keywords (``negative_slope``,
    ``approximate``).  At the kink of relu and leaky_relu, x = 0, it is the slope on
    the left, as in PyTorch.  The last two mix the scores along the last axis, so
    theirs is the Jacobian, with one axis more than x.

    >>> derivative("relu")([-1, 0, 2])
    array([0., 0., 1.])
    """
    if name not in _DERIVATIVES:
        accepted = ", ".join(_DERIVATIVES)
        raise ValueError(f"no derivative named {name!r}; accepted: {accepted}")
    slope = _DERIVATIVES[name]

    @_underflow_is_zero
    def of_x(x: ArrayLike) -> Array:
        return slope(_as_float(x), **options)

    return of_x


def _is_exact(approximate: str) -> bool:
    if approximate not in ("none", "tanh"):
        raise ValueError(f'approximate must be "none" or "tanh", got {approximate!r}')
    return approximate == "none"


def _gaussian_gate(x: Array) -> Array:
    r""":math:`\Phi(x)` without cancellation: erfc keeps the digits of the tail."""
    from scipy.special import erfc

    return 0.5 * erfc(-x * x.dtype.type(SQRT_HALF))


def _gelu_inner(x: Array) -> Array:
    """The argument of the sigmoid in the tanh form; |x| is cut where it saturates."""
    x = np.clip(x, -GELU_RANGE, GELU_RANGE)
    return x.dtype.type(2 * SQRT_2_OVER_PI) * (x + x.dtype.type(GELU_CUBIC) * x**3)


def _shifted_exponentials(x: ArrayLike, axis: int) -> tuple[Array, Array, Array]:
    x = _as_float(x)
    if x.ndim == 0 or not -x.ndim <= axis < x.ndim:
        raise ValueError(f"softmax over axis {axis} needs it; the shape is {x.shape}")
    if x.shape[axis] == 0:
        raise ValueError(f"softmax over an empty axis: the shape is {x.shape}")
    # Halved, two scores of opposite sign at ±1.8e308 have a difference that fits.
    half = x / 2
    half = half - half.max(axis=axis, keepdims=True)
    shifted = 2 * np.maximum(half, np.finfo(x.dtype).min / 2)
    weights = np.exp(shifted)
    return shifted, weights, weights.sum(axis=axis, keepdims=True)


def _sigmoid_slope(x: Array) -> Array:
    r""":math:`\sigma(x) \sigma(-x)`: no digits are lost in 1 - σ(x)."""
    return sigmoid(x) * sigmoid(-x)


def _leaky_slope(x: Array, negative_slope: float = 0.01) -> Array:
    slope = np.where(x > 0, x.dtype.type(1), x.dtype.type(negative_slope))
    return np.where(np.isnan(x), x, slope)[()]


def _tanh_slope(x: Array) -> Array:
    r""":math:`1 - \tanh^2 x = 4 \sigma(2x) \sigma(-2x)`."""
    return 4 * _sigmoid_slope(2 * np.clip(x, -1e3, 1e3))


def _gelu_slope(x: Array, approximate: str = "none") -> Array:
    near = np.clip(x, -GELU_RANGE, GELU_RANGE)
    if _is_exact(approximate):
        density = np.exp(-0.5 * near**2) * x.dtype.type(SQRT_2_OVER_PI / 2)
        return _gaussian_gate(x) + near * density
    inner = _gelu_inner(x)
    widening = x.dtype.type(2 * SQRT_2_OVER_PI) * (1 + 3 * GELU_CUBIC * near**2)
    return sigmoid(inner) + near * _sigmoid_slope(inner) * widening


def _silu_slope(x: Array) -> Array:
    return sigmoid(x) + np.clip(x, -1e3, 1e3) * _sigmoid_slope(x)


_DERIVATIVES: dict[str, Callable[..., Array]] = {
    "sigmoid": _sigmoid_slope,
    "relu": lambda x: _leaky_slope(x, 0.0),
    "leaky_relu": _leaky_slope,
    "tanh": _tanh_slope,
    "gelu": _gelu_slope,
    "silu": _silu_slope,
    "softmax": softmax_jacobian,
    "log_softmax": log_softmax_jacobian,
}
