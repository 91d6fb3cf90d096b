"""A long text cut into batches that a recurrent model can read on and on."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lmbook.errors import InputError

Ids = NDArray[np.int64]


class ContiguousBatches:
    r"""Batches whose row b goes on, from one to the next, where it left off.

    The text of T tokens is laid out as ``batch_size`` rows of equal length; batch k
    is a window of ``seq_len`` columns.  The targets are the inputs one step ahead:
    ``targets[:, t] == inputs[:, t + 1]``, and the last target of a batch is the
    first input of the next.  So the state that a model ends a batch with is the
    state to begin the next with.  At most ``batch_size`` tokens at the end are left
    out; the last window may be shorter.  Section 5.2.
    """

    def __init__(self, ids: Ids, batch_size: int, seq_len: int) -> None:
        if batch_size < 1 or seq_len < 1:
            raise InputError(
                "batch_size and seq_len must be at least 1, "
                f"got {batch_size} and {seq_len}"
            )
        self.steps = (len(ids) - 1) // batch_size  # targets in each row
        if self.steps < 1:
            raise InputError(
                f"a batch of {batch_size:,} rows needs at least {batch_size + 1:,} "
                f"tokens; the text has {len(ids):,}"
            )
        self.seq_len = seq_len
        used = batch_size * self.steps
        self._inputs = ids[:used].reshape(batch_size, self.steps)
        self._targets = ids[1 : used + 1].reshape(batch_size, self.steps)

    def __len__(self) -> int:
        return -(-self.steps // self.seq_len)

    def __iter__(self) -> Iterator[tuple[Ids, Ids]]:
        """Yield (inputs, targets), each (batch_size, at most seq_len)."""
        for start in range(0, self.steps, self.seq_len):
            window = slice(start, start + self.seq_len)
            yield self._inputs[:, window], self._targets[:, window]
