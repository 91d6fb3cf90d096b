r"""What every sequence-to-sequence model is made of: an encoder and a decoder.

The encoder reads a source x, the decoder writes a target y token by token,

.. math:: p(y \mid x) = \prod_t p(y_t \mid y_1 \dots y_{t-1}, x)

(Sutskever, Vinyals & Le 2014, equation 1).  A decoder that has been handed what the
encoder found is a language model: it takes ids and a state and gives logits and a
state.  So all of :mod:`lmbook.generation` works with it (:class:`Conditioned`).
Taught in section 3.4; the Transformer in section 3.6.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lmbook.errors import InputError
from lmbook.models.padding import Padded

END = 0  # stands before the first token of a target and after its last one


@dataclass(frozen=True)
class Encoded:
    """What an encoder found in a batch of sources.

    ``memory`` has a vector for every place, (batch, seq_len, size); ``mask``, bool
    (batch, seq_len), says which are no padding; ``state``, h and c of an LSTM, each
    (num_layers, batch, size), is the one vector into which the whole source went: ()
    in a Transformer, which has none.
    """

    memory: Tensor
    mask: Tensor
    state: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.memory)


class ScaledEmbedding(nn.Embedding):
    """Vectors that begin with variance 1 / size, and are read times √size.

    So what is read has variance 1, and yet the same matrix can serve as the output
    layer (Vaswani et al. 2017, section 3.4).
    """

    def __init__(self, vocab_size: int, size: int) -> None:
        if vocab_size < 1 or size < 1:
            raise InputError(
                f"vocab_size and size must be at least 1, got {vocab_size} and {size}"
            )
        super().__init__(vocab_size, size)
        nn.init.normal_(self.weight, std=size**-0.5)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors (batch, seq_len, size) of ids (batch, seq_len)."""
        return super().forward(ids) * self.embedding_dim**0.5


class SequenceEncoder(nn.Module, ABC):
    """Reads sources: ``encoder(source)`` gives what a decoder needs."""

    def __init__(self, vocab_size: int, size: int) -> None:
        super().__init__()
        self.vocab_size, self.size = vocab_size, size
        self.embedding = ScaledEmbedding(vocab_size, size)

    @abstractmethod
    def forward(self, source: Padded) -> Encoded:
        """What stands in a batch of sources."""

    @torch.no_grad()
    def encode(self, input_sequence: Sequence[int]) -> Encoded:
        """What stands in one source, for :meth:`SequenceDecoder.decode`.

        ``InputError`` for no token or an id that is unknown.
        """
        require_known(input_sequence, self.vocab_size)
        device = self.embedding.weight.device
        was_training = self.training
        self.eval()
        encoded = self(Padded.of([input_sequence], device))
        self.train(was_training)
        return encoded


class SequenceDecoder(nn.Module, ABC):
    """Writes targets: ``decoder(ids, decoder.start(encoded))``.

    ``decoder(ids, state)`` takes token numbers (batch, seq_len) and gives logits
    (batch, seq_len, vocab_size), of the token that follows each, and the state after
    the last one.  A state is a value: several targets may go on from one.
    """

    output: nn.Linear

    def __init__(self, vocab_size: int, size: int) -> None:
        super().__init__()
        self.vocab_size, self.size = vocab_size, size
        self.embedding = ScaledEmbedding(vocab_size, size)

    @abstractmethod
    def start(self, encoded: Encoded) -> Any:
        """The state in which nothing is written yet."""

    @abstractmethod
    def hidden(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """What the output layer sees: (batch, seq_len, size), and the state."""

    @abstractmethod
    def select_state(self, state: Any, rows: Tensor) -> Any:
        """The state of these rows of the batch, in this order, repetitions allowed."""

    @abstractmethod
    def attention_weights(self, ids: Tensor, encoded: Encoded) -> Tensor:
        """How much each token that follows ``ids`` takes from each place of a source.

        (batch, num_layers, num_heads, seq_len, source's seq_len): rows that are at
        least 0 and sum to 1.  ``InputError`` where there is no attention.
        """

    def forward(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        hidden, state = self.hidden(ids, state)
        return self.output(hidden), state

    def decode(
        self,
        encoded_sequence: Encoded,
        length: int = 50,
        begin: int = END,
        end: int = END,
    ) -> list[int]:
        """The target of one source, of at most ``length`` tokens, found greedily.

        At every step the most probable token is taken.  ``begin``, which is read
        first, and ``end``, at which a target is over, are not in it.
        """
        if not isinstance(encoded_sequence, Encoded):
            raise InputError(
                "decode takes what an encoder's encode gave, got a "
                f"{type(encoded_sequence).__name__}"
            )
        if len(encoded_sequence) != 1:
            raise InputError(
                f"decode takes one encoded sequence, got {len(encoded_sequence)}; "
                "decode_batch takes several"
            )
        return self.decode_batch(encoded_sequence, length, begin, end)[0]

    @torch.no_grad()
    def decode_batch(
        self, encoded: Encoded, length: int = 50, begin: int = END, end: int = END
    ) -> list[list[int]]:
        """The same for every source of a batch."""
        if length < 0:
            raise InputError(f"length must be at least 0, got {length}")
        require_known([begin, end], self.vocab_size)
        was_training = self.training
        self.eval()
        state = self.start(encoded)
        last = torch.full((len(encoded), 1), begin, device=encoded.memory.device)
        is_over = torch.zeros_like(last[:, 0], dtype=torch.bool)
        columns = []
        for _ in range(length):
            logits, state = self(last, state)
            last = logits[:, -1:].argmax(-1)  # (batch, 1)
            is_over |= last[:, 0] == end
            if is_over.all():
                break
            columns.append(last[:, 0].masked_fill(is_over, -1))
        self.train(was_training)
        rows = torch.stack(columns, dim=1).tolist() if columns else [[]] * len(encoded)
        return [[i for i in row if i >= 0] for row in rows]


class Conditioned(nn.Module):
    """A decoder and one source: a language model of its targets.

    It is called as any other, ``model(ids, state)`` with a state of None at the
    beginning, so beam search and sampling take it:

    >>> found = beam_search(Conditioned(decoder, encoded), [END], 50, end=END)
    """

    def __init__(self, decoder: SequenceDecoder, encoded: Encoded) -> None:
        super().__init__()
        self.decoder, self.encoded = decoder, encoded
        self.train(decoder.training)

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        if state is None:
            state = self.decoder.start(self.encoded)
        return self.decoder(ids, state)

    def select_state(self, state: Any, rows: Tensor) -> Any:
        """The state of these rows of the batch, in this order, repetitions allowed."""
        return self.decoder.select_state(state, rows)


def require_known(ids: Sequence[int], vocab_size: int) -> None:
    """``InputError`` names the first id that is none of ``vocab_size``."""
    for i in ids:
        if not isinstance(i, int | np.integer | Tensor) or not 0 <= i < vocab_size:
            raise InputError(f"id {i!r} is unknown: accepted are 0 to {vocab_size - 1}")
