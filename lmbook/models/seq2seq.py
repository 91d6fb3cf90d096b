r"""Sequence to sequence with LSTMs: through one vector, or with attention.

Sutskever, Vinyals & Le, "Sequence to Sequence Learning with Neural Networks" (2014):
one LSTM reads the source, and another begins to write the target where the first one
ended.  All that it knows of the source is that one state, however long the source is.
Bahdanau, Cho & Bengio (2014) let the decoder look back at every place instead
(:mod:`lmbook.models.additive_attention`); Luong, Pham & Manning, "Effective Approaches
to Attention-based Neural Machine Translation" (2015), made that simpler.  Taught in
section 3.4.

>>> encoded = Encoder(vocab_size=1000, size=100).encode([5, 7, 3])
>>> Decoder(vocab_size=1000, size=100).decode(encoded)  # untrained: any ids
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lmbook.errors import InputError
from lmbook.models.additive_attention import AdditiveAttention
from lmbook.models.encoder_decoder import (
    END,
    Encoded,
    SequenceDecoder,
    SequenceEncoder,
)
from lmbook.models.padding import Padded

__all__ = ["END", "Decoder", "Encoded", "Encoder", "LSTMState", "Padded"]


@dataclass(frozen=True)
class LSTMState:
    """Where a decoder stands: its memory, and the source that it may look at."""

    h: Tensor  # (num_layers, batch, size)
    c: Tensor
    memory: Tensor  # (batch, S, size): the places of the source
    keys: Tensor  # (batch, S, size): the same as attention compares them
    mask: Tensor  # (batch, S)


class Encoder(SequenceEncoder):
    """An LSTM that reads a source; the state that it ends in is the source's vector.

    With ``bidirectional`` a second one reads it from the end, each of size / 2, and
    every place knows what stands on both sides of it (Bahdanau et al. 2014, section
    3.2; with GRUs).  ``reverse`` reads the source backwards, so that its first words
    are near the target's first (Sutskever et al. 2014, section 3.3).  ``residual``
    adds each word's vector to what the LSTM gives at its place (as between the layers
    of Wu et al. 2016, section 3.1): what attention finds there says at once which word
    it is, and a dictionary is learned sooner.
    """

    def __init__(
        self,
        vocab_size: int,
        size: int = 100,
        num_layers: int = 1,
        bidirectional: bool = False,
        reverse: bool = False,
        residual: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(vocab_size, size)
        if bidirectional and size % 2:
            raise InputError(f"two directions need an even size, got {size}")
        self.reverse, self.residual, self.dropout = reverse, residual, dropout
        self.lstm = nn.LSTM(
            size,
            size // 2 if bidirectional else size,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=bidirectional,
        )

    def forward(self, source: Padded) -> Encoded:
        if self.reverse:
            source = source.reversed()
        x = self.embedding(source.ids)  # (batch, seq_len, size)
        x = dropout(x, self.dropout, self.training)
        memory, state = self._read(x, source.lengths.cpu())
        if self.residual:
            memory = memory + x
        if self.reverse:  # each place is where its token stands again
            memory = memory.gather(1, source.backwards[..., None].expand_as(memory))
        if self.lstm.bidirectional:  # (2 · num_layers, batch, size / 2) side by side
            h, c = (torch.cat([s[0::2], s[1::2]], dim=-1) for s in state)
            state = h, c
        return Encoded(memory, source.mask, state)

    def _read(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What the LSTM gives at every place of x (batch, seq_len, size), and h and c
        after each row's last token."""
        if int(lengths.min()) == x.shape[1]:  # no padding: one quick operation
            return self.lstm(x)
        packed = pack_padded_sequence(
            x, lengths, batch_first=True, enforce_sorted=False
        )
        found, state = self.lstm(packed)
        memory, _ = pad_packed_sequence(found, True, total_length=x.shape[1])
        return memory, state


class Decoder(SequenceDecoder):
    r"""An LSTM that writes a target, beginning in the state that the encoder ended in.

    Without attention the tokens' scores are :math:`W_o s_t`, with :math:`s_t` the
    state after the tokens so far, :math:`s_t = \mathrm{LSTM}(y_{t-1}, s_{t-1})`.  With
    it, :math:`s_t` asks for a context :math:`c_t` of the source, and

    .. math:: \text{scores} = W_o \tanh(W_r [s_t; c_t])

    The score of attention is that of Bahdanau et al. (2014); the order, first read a
    token, then ask, is that of Luong et al. (2015, section 3.1).  In Bahdanau's,
    :math:`c_t` is asked for by :math:`s_{t-1}` and goes into the LSTM, so a target
    must be read token by token in training too.  Here all its states are found in one
    go, and then all contexts, and who asks knows the last token.
    """

    def __init__(
        self,
        vocab_size: int,
        size: int = 100,
        num_layers: int = 1,
        attention: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(vocab_size, size)
        self.dropout = dropout
        self.attention = AdditiveAttention(size) if attention else None
        self.readout = nn.Linear(2 * size, size) if attention else None
        self.lstm = nn.LSTM(
            size,
            size,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.output = nn.Linear(size, vocab_size)

    def start(self, encoded: Encoded) -> LSTMState:
        accepted = (self.lstm.num_layers, len(encoded), self.size)
        shapes = [tuple(s.shape) for s in encoded.state]
        if shapes != [accepted, accepted]:
            raise InputError(
                "the encoder must leave two states (num_layers, batch, size) = "
                f"{accepted}, as the decoder has; got {shapes}"
            )
        (h, c), memory = encoded.state, encoded.memory
        keys = memory if self.attention is None else self.attention.keys(memory)
        return LSTMState(h, c, memory, keys, encoded.mask)

    def hidden(self, ids: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        hidden, state, _ = self._read(ids, state)
        return dropout(hidden, self.dropout, self.training), state

    def attention_weights(self, ids: Tensor, encoded: Encoded) -> Tensor:
        _, _, weights = self._read(ids, self.start(encoded))
        if weights is None:
            raise InputError("this decoder has no attention: Decoder(attention=True)")
        return weights[:, None, None]  # one layer, one head

    def select_state(self, state: LSTMState, rows: Tensor) -> LSTMState:
        return LSTMState(
            state.h.index_select(1, rows),
            state.c.index_select(1, rows),
            state.memory.index_select(0, rows),
            state.keys.index_select(0, rows),
            state.mask.index_select(0, rows),
        )

    def _read(
        self, ids: Tensor, state: LSTMState
    ) -> tuple[Tensor, LSTMState, Tensor | None]:
        """Hidden vectors, the state, and attention's weights (batch, seq_len, S)."""
        x = self.embedding(ids)  # (batch, seq_len, size)
        x = dropout(x, self.dropout, self.training)
        hidden, (h, c) = self.lstm(x, (state.h, state.c))
        weights = None
        if self.attention is not None and self.readout is not None:
            context, weights = self.attention(
                hidden, state.keys, state.memory, state.mask
            )
            hidden = torch.tanh(self.readout(torch.cat([hidden, context], dim=-1)))
        after = LSTMState(h, c, state.memory, state.keys, state.mask)
        return hidden, after, weights
