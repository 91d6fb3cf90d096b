r"""Long short-term memory: the cell written out, and a language model on top of it.

The cell follows Hochreiter & Schmidhuber (1997) with the forget gate of Gers,
Schmidhuber & Cummins (2000).  Its parameters are laid out as PyTorch's, so that
weights copy across and ``torch.nn.LSTM``, the fast path of the model, can be held
to it.  Taught in section 5.2.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]


class LSTMCell(nn.Module):
    r"""One step of an LSTM, gate by gate.

    With input :math:`x` (batch, input_size), output :math:`h` and memory :math:`c`
    (both batch, hidden_size), each gate looks at x and the previous h,

    .. math::
        i &= \sigma(W_{xi} x + b_{xi} + W_{hi} h + b_{hi}) \quad\text{input gate}\\
        f &= \sigma(W_{xf} x + b_{xf} + W_{hf} h + b_{hf}) \quad\text{forget gate}\\
        g &= \tanh (W_{xg} x + b_{xg} + W_{hg} h + b_{hg}) \quad\text{candidate}\\
        o &= \sigma(W_{xo} x + b_{xo} + W_{ho} h + b_{ho}) \quad\text{output gate}\\
        c' &= f \odot c + i \odot g, \qquad h' = o \odot \tanh(c').

    The four matrices are stacked in the order i, f, g, o; there are two biases
    because PyTorch keeps two (their sum is what counts).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(4 * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def forward(self, x: Tensor, state: State) -> State:
        """Return (h', c') from x (batch, input_size) and the state (h, c)."""
        h, c = state
        gates = (
            x @ self.weight_ih.T + self.bias_ih + h @ self.weight_hh.T + self.bias_hh
        )
        i, f, g, o = gates.chunk(4, dim=1)  # each (batch, hidden_size)

        # i = σ(...)   how much of the candidate is written
        i = torch.sigmoid(i)
        # f = σ(...)   how much of the memory is kept
        f = torch.sigmoid(f)
        # g = tanh(...)   what would be written
        g = torch.tanh(g)
        # o = σ(...)   how much of the memory is shown
        o = torch.sigmoid(o)

        # c' = f ⊙ c + i ⊙ g
        c = f * c + i * g
        # h' = o ⊙ tanh(c')
        h = o * torch.tanh(c)
        return h, c


@dataclass(frozen=True)
class LSTMConfig:
    """Sizes of an LSTM language model; the defaults are the article's."""

    vocab_size: int = 10_000
    embedding_size: int = 256
    hidden_size: int = 128
    num_layers: int = 2

    @property
    def num_parameters(self) -> int:
        r"""Trainable parameters, by formula.

        :math:`V e + \sum_l 4 h (n_l + h + 2) + (h + 1) V` with :math:`n_1 = e` and
        :math:`n_l = h` above it.  Keras keeps one bias where PyTorch keeps two, and
        so counts :math:`4h` fewer a layer.
        """
        v, e, h = self.vocab_size, self.embedding_size, self.hidden_size
        inputs = [e] + [h] * (self.num_layers - 1)
        return v * e + sum(4 * h * (n + h + 2) for n in inputs) + (h + 1) * v


class LSTMLanguageModel(nn.Module):
    """Word vectors, a stack of LSTM layers, a score for every word.

    ``model(ids, state)`` takes token numbers (batch, seq_len) and gives logits
    (batch, seq_len, vocab_size) and the state after the last token, to be handed to
    the next call.  A state of None is all zeros.
    """

    def __init__(self, config: LSTMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size)
        self.lstm = nn.LSTM(
            config.embedding_size,
            config.hidden_size,
            config.num_layers,
            batch_first=True,
        )
        self.output = nn.Linear(config.hidden_size, config.vocab_size)
        nn.init.uniform_(self.output.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        hidden, state = self.hidden(ids, state)  # (batch, seq_len, hidden_size)
        return self.output(hidden), state

    def hidden(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """What the output layer sees: (batch, seq_len, hidden_size), and the state."""
        return self.lstm(self.embedding(ids), state)
