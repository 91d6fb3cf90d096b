r"""Long short-term memory: the cell written out, and a language model on top of it.

The cell follows Hochreiter & Schmidhuber (1997) with the forget gate of Gers,
Schmidhuber & Cummins (2000).  Its parameters are laid out as PyTorch's, so that
weights copy across and ``torch.nn.LSTM``, the fast path of the model, can be held
to it.  Taught in section 5.2.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from lmbook.errors import InputError
from lmbook.models.dropout import (
    WeightDropLSTM,
    embedding_dropout,
    locked_dropout,
)
from lmbook.models.linear import Linear
from lmbook.models.losses import linear_cross_entropy

# The memory (h, c) of every layer, each (1, batch_size, size of the layer).
State = tuple[tuple[Tensor, Tensor], ...]


def detach(state: State) -> State:
    """The same memory with no gradient to where it came from."""
    return tuple((h.detach(), c.detach()) for h, c in state)


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

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
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
    """Sizes of an LSTM language model and what is dropped while it is trained.

    The defaults are the article's sizes.  ``tied`` makes the output layer share the
    embedding's matrix (Press & Wolf 2017; Inan et al. 2017), for which the last
    layer has ``embedding_size`` units.

    Shares dropped, all from 0 up to but not 1: ``dropout_embedding`` of the
    vocabulary's words, ``dropout_input`` of their vectors, ``dropout_hidden`` between
    layers, ``dropout_output`` of what the last layer gives; ``weight_drop`` of the
    entries of every recurrent matrix.  ``locked`` drops the same features at all time
    steps; without it each step has a mask of its own (Zaremba et al. 2014).

    ``init_range`` r draws every parameter from [-r, r]; None is described at
    :class:`LSTMLanguageModel`.  ``forget_bias`` is added to the bias of the forget
    gates at the start (Gers et al. 2000; Jozefowicz et al. 2015).
    """

    vocab_size: int = 10_000
    embedding_size: int = 256
    hidden_size: int = 128
    num_layers: int = 2
    tied: bool = False
    dropout_embedding: float = 0.0
    dropout_input: float = 0.0
    dropout_hidden: float = 0.0
    dropout_output: float = 0.0
    weight_drop: float = 0.0
    locked: bool = False
    init_range: float | None = None
    forget_bias: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name.endswith(("_size", "layers")) and not value >= 1:
                raise InputError(f"{name} must be at least 1, got {value}")
            if "drop" in name and not 0 <= value < 1:
                raise InputError(f"{name} must be at least 0 and below 1, got {value}")
        if self.init_range is not None and not self.init_range > 0:
            raise InputError(
                f"init_range must be greater than 0 or None, got {self.init_range}"
            )

    @property
    def layer_sizes(self) -> list[tuple[int, int]]:
        """(input size, units) of every layer."""
        units = [self.hidden_size] * self.num_layers
        if self.tied:
            units[-1] = self.embedding_size
        return list(zip([self.embedding_size, *units], units, strict=False))

    @property
    def num_parameters(self) -> int:
        r"""Trainable parameters, by formula.

        :math:`V e + \sum_l 4 h_l (n_l + h_l + 2) + (h_L + 1) V`, where layer l has
        :math:`n_l` inputs and :math:`h_l` units; a tied output layer adds only its
        V biases.  Keras keeps one bias where PyTorch keeps two, and so counts
        :math:`4h_l` fewer a layer.
        """
        v, sizes = self.vocab_size, self.layer_sizes
        layers = sum(4 * h * (n + h + 2) for n, h in sizes)
        scores = v if self.tied else (sizes[-1][1] + 1) * v
        return v * self.embedding_size + layers + scores


class LSTMLanguageModel(nn.Module):
    """Word vectors, a stack of LSTM layers, a score for every word.

    ``model(ids, state)`` takes token numbers (batch, seq_len) and gives logits
    (batch, seq_len, vocab_size) and the state after the last token, to be handed to
    the next call.  A state of None is all zeros.

    Without ``init_range`` the layers begin as PyTorch's do, the output layer in
    [-0.1, 0.1] with biases of 0, the vectors from a standard normal distribution,
    or, where they are tied to the output layer, as it does.
    """

    def __init__(self, config: LSTMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size)
        self.layers = nn.ModuleList(
            WeightDropLSTM(inputs, units, config.weight_drop)
            for inputs, units in config.layer_sizes
        )
        self.output = Linear(config.layer_sizes[-1][1], config.vocab_size)
        if config.tied:
            self.output.weight = self.embedding.weight
        self._initialize()

    def _initialize(self) -> None:
        nn.init.uniform_(self.output.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)
        if (r := self.config.init_range) is not None:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -r, r)
        for number, (_, units) in enumerate(self.config.layer_sizes):
            bias = self.get_parameter(f"layers.{number}.bias_ih_l0")
            with torch.no_grad():  # the second quarter is the forget gate's
                bias[units : 2 * units] += self.config.forget_bias

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        hidden, state = self.hidden(ids, state)  # (batch, seq_len, units)
        return self.output(self.dropped(hidden)), state

    def hidden(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """What the last layer gives: (batch, seq_len, units), and the state."""
        config = self.config
        if self.training and config.dropout_embedding:
            x = embedding_dropout(self.embedding.weight, ids, config.dropout_embedding)
        else:
            x = self.embedding(ids)  # (batch, seq_len, embedding_size)
        x = self._drop(x, config.dropout_input)
        state = state or self.initial_state(len(ids))
        after = []
        for number, (layer, before) in enumerate(zip(self.layers, state, strict=True)):
            if number:
                x = self._drop(x, config.dropout_hidden)
            x, last = layer(x, before)
            after.append(last)
        return x, tuple(after)

    def initial_state(self, batch_size: int) -> State:
        """All zeros, for ``batch_size`` texts that begin."""
        zeros = self.embedding.weight.new_zeros
        sizes = [units for _, units in self.config.layer_sizes]
        return tuple((zeros(1, batch_size, h), zeros(1, batch_size, h)) for h in sizes)

    def dropped(self, hidden: Tensor) -> Tensor:
        """``hidden`` as the output layer sees it; the same unless in training."""
        return self._drop(hidden, self.config.dropout_output)

    def loss(
        self,
        ids: Tensor,
        targets: Tensor,
        state: State | None = None,
        reduction: str = "mean",
    ) -> tuple[Tensor, State]:
        """Cross-entropy in nats, "mean" or "sum" over all positions, and the state.

        ``ids`` and ``targets`` are (batch, seq_len).  The logits of only some
        positions are held at a time.
        """
        hidden, state = self.hidden(ids, state)
        return self.score(self.dropped(hidden), targets, reduction), state

    def score(
        self, dropped: Tensor, targets: Tensor, reduction: str = "mean"
    ) -> Tensor:
        """Cross-entropy of (batch, seq_len) targets, given what the output layer sees.

        ``loss`` in a second step, for those who need :meth:`hidden` in between.
        """
        return linear_cross_entropy(
            dropped.flatten(0, 1),
            self.output.weight,
            self.output.bias,
            targets.flatten(),
            reduction=reduction,
        )

    def _drop(self, x: Tensor, p: float) -> Tensor:
        if not self.training or p == 0:
            return x
        return locked_dropout(x, p) if self.config.locked else dropout(x, p)
