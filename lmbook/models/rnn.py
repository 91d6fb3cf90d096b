r"""The simple recurrent cell, from which the LSTM departs.

Elman (1990), "Finding structure in time": the hidden units see the input and a copy
of themselves one step ago.  Taught in section 5.2.
"""

import torch
from torch import Tensor, nn


class RNNCell(nn.Module):
    r"""One step of a simple recurrent network.

    With input :math:`x` (batch, input_size) and state :math:`h` (batch, hidden_size),

    .. math:: h' = \tanh(W_x x + b_x + W_h h + b_h).

    The parameters have the names, the layout and the initial range of PyTorch's
    ``nn.RNN``; there are two biases because PyTorch keeps two.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """Return h' from x (batch, input_size) and h (batch, hidden_size)."""
        # h' = tanh(W_x x + b_x + W_h h + b_h)
        return torch.tanh(
            x @ self.weight_ih.T + self.bias_ih + h @ self.weight_hh.T + self.bias_hh
        )

    def jacobian(self, h: Tensor) -> Tensor:
        r""":math:`\partial h'_i / \partial h_j = (1 - h_i'^2)\, W_{h,ij}`.

        From the new state h' (batch, hidden_size); shape (batch, hidden, hidden).
        """
        return (1 - h**2)[:, :, None] * self.weight_hh
