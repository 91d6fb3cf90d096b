"""Keys and values kept, so that no token is read twice.  Taught in section 3.6.

What a token gives to attend to depends on the tokens before it alone.  With theirs
kept, the n-th token costs one token and n products, not n tokens over again.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass
class _Memory:
    """Room for keys and values, of which the first ``used`` places are written."""

    keys: Tensor  # (batch, num_kv_heads, capacity, head_dim)
    values: Tensor
    used: int


@dataclass(frozen=True)
class KVCache:
    """Keys and values of the tokens that one layer has read.

    A cache is a value: :meth:`append` gives another and leaves it as it was.  What
    both hold they share, and there is room for as much again before anything is
    copied: n tokens, one by one, copy fewer than 2n.
    """

    _memory: _Memory
    length: int

    @classmethod
    def of(cls, keys: Tensor, values: Tensor) -> Self:
        """A cache of these, each (batch, num_kv_heads, seq_len, head_dim)."""
        length = keys.shape[2]
        return cls(_Memory(keys, values, length), length)

    @property
    def keys(self) -> Tensor:
        """Keys of all tokens so far, (batch, num_kv_heads, length, head_dim)."""
        return self._memory.keys[:, :, : self.length]

    @property
    def values(self) -> Tensor:
        """Values of all tokens so far, in the same shape."""
        return self._memory.values[:, :, : self.length]

    def append(self, keys: Tensor, values: Tensor) -> Self:
        """The cache that holds these as well, (batch, num_kv_heads, new, head_dim)."""
        if torch.is_grad_enabled():  # what has a gradient must not be overwritten
            return self.of(
                torch.cat([self.keys, keys], dim=2),
                torch.cat([self.values, values], dim=2),
            )
        memory, end = self._memory, self.length + keys.shape[2]
        # No room, or another cache has gone on from here and written there.
        if end > memory.keys.shape[2] or memory.used > self.length:
            memory = self._copied(2 * end)
        memory.keys[:, :, self.length : end] = keys
        memory.values[:, :, self.length : end] = values
        memory.used = end
        return type(self)(memory, end)

    def select(self, rows: Tensor) -> Self:
        """The cache of these rows of the batch, in this order, repetitions allowed."""
        return self.of(
            self.keys.index_select(0, rows), self.values.index_select(0, rows)
        )

    def _copied(self, capacity: int) -> _Memory:
        batch, heads, length, head_dim = self.keys.shape
        room = self.keys.new_empty(2, batch, heads, capacity, head_dim)
        room[0, :, :, :length] = self.keys
        room[1, :, :, :length] = self.values
        return _Memory(room[0], room[1], length)
