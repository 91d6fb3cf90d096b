"""Functions of tensors: each is its formula, its derivative, and nothing else.

Taught in section 3.2; tensor.py has the engine they are recorded by.  Those marked
``@method`` can also be written after their first argument: ``x.tanh()``.  Values and
slopes of the activations are those of :mod:`lmbook.activations` (section 4.1).
"""

import numpy as np
from numpy.typing import ArrayLike

from lmbook import activations
from lmbook.backprop.tensor import Array, Gradients, Tensor, method, record

# ---- one number at a time ------------------------------------------------------------


@method
def exp(x: Tensor) -> Tensor:
    r""":math:`e^x`, whose slope is itself."""
    y = np.exp(x.data)
    return record("exp", y, (x,), lambda g: (g * y,))


@method
def log(x: Tensor) -> Tensor:
    r"""Natural logarithm, of slope :math:`1/x`."""
    return record("log", np.log(x.data), (x,), lambda g: (g / x.data,))


@method
def tanh(x: Tensor) -> Tensor:
    r"""Hyperbolic tangent, of slope :math:`1 - \tanh^2 x`."""
    y = np.tanh(x.data)
    return record("tanh", y, (x,), lambda g: (g * (1 - y * y),))


@method
def sigmoid(x: Tensor) -> Tensor:
    r"""Logistic function, of slope :math:`\sigma(x)(1 - \sigma(x))`."""
    y = activations.sigmoid(x.data)
    return record("sigmoid", y, (x,), lambda g: (g * y * (1 - y),))


@method
def relu(x: Tensor) -> Tensor:
    r""":math:`\max(0, x)`; slope 1 where x > 0, else 0, also at the kink."""
    y = np.maximum(x.data, 0)
    return record("relu", y, (x,), lambda g: (g * (y > 0),))


@method
def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    r""":math:`x \, \Phi(x)`; "tanh" for the approximation that GPT-2 uses."""
    y = activations.gelu(x.data, approximate)
    slope = activations.derivative("gelu", approximate=approximate)
    return record("gelu", y, (x,), lambda g: (g * slope(x.data),))


# ---- along an axis -------------------------------------------------------------------


@method
def softmax(x: Tensor, axis: int = -1) -> Tensor:
    r""":math:`p_i = e^{x_i} / \sum_j e^{x_j}` along ``axis``.

    Its Jacobian :math:`p_i(\delta_{ij} - p_j)` takes a gradient g back to
    :math:`p_i (g_i - \sum_j g_j p_j)`.  A score of minus infinity has probability 0:
    that is how attention hides a position.
    """
    p = activations.softmax(x.data, axis)

    def backward(g: Array) -> Gradients:
        return (p * (g - (g * p).sum(axis=axis, keepdims=True)),)

    return record("softmax", p, (x,), backward)


@method
def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    r""":math:`\log p_i`; the gradient is :math:`g_i - p_i \sum_j g_j`."""
    y = activations.log_softmax(x.data, axis)

    def backward(g: Array) -> Gradients:
        return (g - np.exp(y) * g.sum(axis=axis, keepdims=True),)

    return record("log_softmax", y, (x,), backward)


def layer_norm(
    x: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    r"""Layer normalisation over the last axis (Ba et al. 2016).

    :math:`\hat x = (x - \mu) / \sqrt{\sigma^2 + \epsilon}`, then ``weight``
    :math:`\hat x` + ``bias``; the variance is the mean square, as in the paper.  With
    d the root below the line, g goes back to
    :math:`(g - \overline{g} - \hat x\, \overline{g \hat x}) / d`: a gradient that
    would only move or stretch the row is taken out of it.
    """
    centred = x.data - x.data.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps)
    normal = centred / spread

    def backward(g: Array) -> Gradients:
        along = normal * (g * normal).mean(axis=-1, keepdims=True)
        return ((g - g.mean(axis=-1, keepdims=True) - along) / spread,)

    y = record("layer_norm", normal, (x,), backward)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


# ---- picking and dropping ------------------------------------------------------------


def embedding(weight: Tensor, ids: ArrayLike | Tensor) -> Tensor:
    """Rows of ``weight`` (num_rows, size) for integer ``ids`` of any shape.

    The result has shape (*ids.shape, size).  A row that was picked several times gets
    the sum of the gradients.  Raises ``TypeError`` for ids that are not integers,
    ``IndexError`` for one that is not between 0 and num_rows - 1.
    """
    rows = _class_numbers(ids, len(weight), "embedding")
    picked = weight.data[rows]

    def backward(g: Array) -> Gradients:
        # Sorted by row, equal ones lie together and are summed in one sweep.
        flat = rows.ravel()
        order = np.argsort(flat, kind="stable")
        ordered = flat[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        total = np.zeros_like(weight.data)
        if len(flat):
            pieces = g.reshape(len(flat), -1)[order]
            total[ordered[starts]] = np.add.reduceat(pieces, starts)
        return (total,)

    return record("embedding", picked, (weight,), backward)


def dropout(
    x: Tensor,
    p: float = 0.5,
    seed: int | np.random.Generator | None = None,
    training: bool = True,
) -> Tensor:
    r"""Set each entry to zero with probability p, multiply the rest by 1/(1 - p).

    So the expected value stays what it was (Srivastava et al. 2014).  When not
    ``training`` it returns x.  ``seed``: a number gives the same mask every time, a
    ``Generator`` goes on from where it is.
    """
    if not 0 <= p < 1:
        raise ValueError(f"dropout needs 0 <= p < 1, got p = {p}")
    if not training or p == 0:
        return x
    kept = np.random.default_rng(seed).random(x.shape) >= p
    mask = kept * x.dtype.type(1 / (1 - p))
    return record("dropout", x.data * mask, (x,), lambda g: (g * mask,))


# ---- losses --------------------------------------------------------------------------


def mean_squared_error(output: Tensor, target: ArrayLike | Tensor) -> Tensor:
    r"""Mean of :math:`(\hat y - y)^2` over all entries.

    The shapes must be equal: (5, 1) against (5,) would broadcast to 25 differences.
    """
    goal = target if isinstance(target, Tensor) else Tensor(target)
    if output.shape != goal.shape:
        raise ValueError(
            f"output has shape {output.shape} and the expected output {goal.shape}; "
            "they must be the same"
        )
    difference = output - goal
    return (difference * difference).mean()


def cross_entropy(logits: Tensor, ids: ArrayLike | Tensor) -> Tensor:
    r"""Mean negative log-probability of the right classes, in nats (section 4.1.6).

    :math:`L = -\frac1N \sum_n \log \operatorname{softmax}(z_n)_{k_n}` for logits z of
    shape (..., num_classes) and integer ``ids`` k of shape (...).  The gradient is the
    prediction minus the answer, over N.
    """
    num_classes = logits.shape[-1]
    right = _class_numbers(ids, num_classes, "cross_entropy")
    if right.shape != logits.shape[:-1] or not right.size:
        raise ValueError(
            f"logits of shape {logits.shape} need ids of shape {logits.shape[:-1]}, "
            f"at least one; got {right.shape}"
        )
    scores, right = logits.data.reshape(-1, num_classes), right.ravel()
    rows = np.arange(len(right))
    shifted = scores - scores.max(axis=1, keepdims=True)
    weights = np.exp(shifted)
    totals = weights.sum(axis=1)
    loss = (np.log(totals) - shifted[rows, right]).mean()

    def backward(g: Array) -> Gradients:
        share = g / scores.dtype.type(len(right))
        gradient = weights * (share / totals)[:, None]
        gradient[rows, right] -= share
        return (gradient.reshape(logits.shape),)

    return record("cross_entropy", loss, (logits,), backward)


def _class_numbers(ids: ArrayLike | Tensor, count: int, function: str) -> Array:
    numbers = ids.data if isinstance(ids, Tensor) else np.asarray(ids)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"{function} needs integer ids, got dtype {numbers.dtype}")
    if numbers.size and (numbers.min() < 0 or numbers.max() >= count):
        wrong = numbers[(numbers < 0) | (numbers >= count)].flat[0]
        raise IndexError(f"{function}: id {wrong} is not between 0 and {count - 1}")
    return numbers
