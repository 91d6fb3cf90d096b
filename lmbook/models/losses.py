r"""The loss of a large vocabulary without holding a score for every word.

Taught in section 5.3.
"""

from torch import Tensor
from torch.nn.functional import cross_entropy, linear


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    targets: Tensor,
    reduction: str = "mean",
) -> Tensor:
    """Output layer and cross-entropy in one; ``hidden`` (N, H), ``targets`` (N,)."""
    return cross_entropy(linear(hidden, weight, bias), targets, reduction=reduction)


def activation_penalty(
    hidden: Tensor, dropped: Tensor, size: float, change: float
) -> Tensor:
    r"""Activation regularisation of AWD-LSTM, to be added to the loss.

    .. math:: \alpha\,\overline{\tilde h^2} + \beta\,\overline{(h_{t+1} - h_t)^2}

    with the mean over batch, time and features; :math:`\alpha` is ``size`` (AR), on
    the output of the last layer after dropout, ``dropped``, and :math:`\beta` is
    ``change`` (TAR), on the same before dropout, ``hidden``; both are (batch,
    seq_len, features).  Merity, Keskar & Socher (2018), section 4.6.
    """
    penalty = size * dropped.square().mean()
    if hidden.shape[1] > 1:
        penalty = penalty + change * hidden.diff(dim=1).square().mean()
    return penalty
