r"""Loss of a large vocabulary without a score for every word at every position.

For one position with hidden vector h, next word t and scores
:math:`z = W h + b`, the loss and its gradients are

.. math::
    L &= -\ln p_t, \qquad p = \mathrm{softmax}(z), \qquad \delta = p - \mathbf{1}_t,\\
    \partial L/\partial h &= W^\top \delta, \quad
    \partial L/\partial W = \delta h^\top, \quad \partial L/\partial b = \delta.

Nothing but :math:`\delta` has V numbers a position, and once h, W and b have their
shares of it, it can go.  Taught in section 5.3.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from lmbook.errors import InputError


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    targets: Tensor,
    reduction: str = "mean",
    chunk: int | None = None,
) -> Tensor:
    """``cross_entropy(linear(hidden, weight, bias), targets)`` in bounded memory.

    ``hidden`` is (N, H), ``weight`` (V, H), ``bias`` (V,), ``targets`` (N,) numbers
    below V.  Scores of at most ``chunk`` positions are held, by default of 256, or more
    on a GPU or where V is small.  Nats; under autocast the products are in its type,
    sums in float32.
    """
    if reduction not in ("mean", "sum"):
        raise InputError(f'reduction must be "mean" or "sum", got {reduction!r}')
    if targets.shape != hidden.shape[:1]:
        raise InputError(
            f"{len(hidden)} positions need a target each, got {tuple(targets.shape)}"
        )
    device, dtype = hidden.device.type, hidden.dtype
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    chunk = chunk or max(256, 2 ** (21 if device == "cpu" else 26) // len(weight))
    how = (chunk, dtype, torch.is_grad_enabled())
    total = _LinearCrossEntropy.apply(hidden, weight, bias, targets, how)
    return total / len(targets) if reduction == "mean" else total


class _LinearCrossEntropy(Function):
    """The sum over positions; its gradients are ready when the loss is."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, *args: Any):
        targets, (chunk, dtype, with_gradients) = args
        h, w = hidden.to(dtype), weight.to(dtype)
        exact = torch.promote_types(dtype, torch.float32)
        dh, dw, db = (torch.zeros_like(x, dtype=exact) for x in (hidden, weight, bias))
        count = max(1, -(-len(h) // chunk))  # of parts, about equal
        memory, total = dw.new_empty(-(-len(h) // count), len(w)), dw.new_zeros(())
        parts = (a.tensor_split(count) for a in (h, targets[:, None], dh))
        for x, t, dx in zip(*parts, strict=True):
            p = memory[: len(x)].copy_(bias)  # (chunk, V)
            _add_product(p, x, w.T)  # z = W h + b
            torch.softmax(p, 1, out=p)
            nats = -p.gather(1, t).log()
            if (lost := nats[:, 0] > 80).any():  # too small for float32: logarithms
                z = x[lost] @ w.T + bias
                nats[lost] = -z.to(exact).log_softmax(1).gather(1, t[lost])
            total += nats.sum()
            if with_gradients:
                p.scatter_add_(1, t, -torch.ones_like(nats))  # δ
                _add_product(dx, delta := p.to(dtype), w)
                _add_product(dw, delta.T, x)
                db += p.sum(0)
        ctx.save_for_backward(dh, dw, db)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor):
        return *(gradient * saved for saved in ctx.saved_tensors), None, None


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """``total += a @ b``, in one step where all are of one type."""
    total.addmm_(a, b) if total.dtype == a.dtype else total.add_(a @ b)


def activation_penalty(
    hidden: Tensor, dropped: Tensor, size: float, change: float
) -> Tensor:
    r"""Activation regularisation of AWD-LSTM, to be added to the loss.

    .. math:: \alpha\,\overline{\tilde h^2} + \beta\,\overline{(h_{t+1} - h_t)^2}

    with the mean over batch, time and features; :math:`\alpha` is ``size`` (AR), on
    the output of the last layer after dropout, ``dropped``, and :math:`\beta` is
    ``change`` (TAR), on the same before dropout, ``hidden``; both are (batch,
    seq_len, features).  Merity, Keskar & Socher (2018), in the squares of their code
    (main.py of github.com/salesforce/awd-lstm-lm).
    """
    penalty = size * dropped.square().mean()
    if hidden.shape[1] > 1:
        penalty = penalty + change * hidden.diff(dim=1).square().mean()
    return penalty
