"""A long text cut into batches that a recurrent model can read on and on."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lmbook.errors import InputError

Ids = NDArray[np.int64]


class ContiguousBatches:
    r"""Batches whose row b goes on, from one to the next, where it left off.

    The text of T tokens is laid out as ``batch_size`` rows of equal length,
    ``steps``; a batch is a window of ``seq_len`` columns.  The targets are the inputs
    one step ahead: ``targets[:, t] == inputs[:, t + 1]``, and the last target of a
    batch is the first input of the next.  So the state that a model ends a batch with
    is the state to begin the next with.  At most ``batch_size`` tokens at the end are
    left out; the last window may be shorter.  Section 5.2.
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
        for start, stop in pairwise(self.cuts()):
            yield self.window(start, stop)

    def window(
        self, start: int, stop: int, rows: slice = slice(None)
    ) -> tuple[Ids, Ids]:
        """(inputs, targets) of the columns from start to stop, of some rows."""
        return self._inputs[rows, start:stop], self._targets[rows, start:stop]

    def cuts(self) -> list[int]:
        """Where windows begin, and the end: 0, seq_len, 2 seq_len, …, steps."""
        return [*range(0, self.steps, self.seq_len), self.steps]

    def jittered_cuts(self, rng: np.random.Generator) -> list[int]:
        """The same for windows of random lengths (Merity et al. 2018, section 4.1).

        A length is drawn from a normal distribution around ``seq_len`` (once in 20
        times around half of it) with a deviation of 5, and is at least 5.  So words
        meet the edge of a window, where the gradient stops, now here, now there.
        """
        cuts = [0]
        while cuts[-1] < self.steps:
            mean = self.seq_len if rng.random() < 0.95 else self.seq_len / 2
            length = max(5, int(rng.normal(mean, 5)))
            cuts.append(min(cuts[-1] + length, self.steps))
        return cuts
