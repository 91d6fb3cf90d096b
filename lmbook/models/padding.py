"""Sequences of unequal lengths side by side in one tensor.  Taught in section 3.4.

A tensor has no holes: shorter rows are filled up.  What fills them must never change a
result, so a batch carries the lengths, and everything that reads it asks for the mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from lmbook.errors import InputError


@dataclass(frozen=True)
class Padded:
    """Token numbers ``ids`` (batch, seq_len), of which row b has ``lengths[b]``.

    What stands behind them is padding: any ids, never read.
    """

    ids: Tensor
    lengths: Tensor  # (batch,), each from 1 to seq_len

    @classmethod
    def of(
        cls, sequences: Sequence[Sequence[int]], device: torch.device | None = None
    ) -> Self:
        """These sequences as the rows of a batch.

        ``InputError`` where there are none, or one is empty.
        """
        if not sequences or not all(map(len, sequences)):
            raise InputError(
                "a batch is at least one sequence of at least one token, got lengths "
                f"{[*map(len, sequences)][:20]}"
            )
        lengths = torch.tensor([len(row) for row in sequences])
        ids = torch.zeros(len(sequences), int(lengths.max()), dtype=torch.int64)
        for row, sequence in zip(ids, sequences, strict=True):
            row[: len(sequence)] = torch.tensor(sequence)
        return cls(ids.to(device), lengths.to(device))

    @property
    def mask(self) -> Tensor:
        """Where a token stands: bool (batch, seq_len)."""
        places = torch.arange(self.ids.shape[1], device=self.ids.device)
        return places < self.lengths[:, None]

    @property
    def backwards(self) -> Tensor:
        """Which place comes next when every row is read from its end, (batch, seq_len);
        padding stays where it is."""
        places = torch.arange(self.ids.shape[1], device=self.ids.device)
        return torch.where(self.mask, self.lengths[:, None] - 1 - places, places)

    def reversed(self) -> Self:
        """Every row backwards, its padding still behind it.

        >>> Padded.of([[1, 2, 3], [4, 5]]).reversed().ids.tolist()
        [[3, 2, 1], [5, 4, 0]]
        """
        return type(self)(self.ids.gather(1, self.backwards), self.lengths)
