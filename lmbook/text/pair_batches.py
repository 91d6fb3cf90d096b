"""Pairs of sequences in batches of about equal lengths.  Taught in section 3.4."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lmbook.errors import InputError

POOL = 50  # batches that are sorted by length together

# A source and a target as token numbers.
IdPair = tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True)
class PairData:
    """Encoded pairs: what is trained on and what is held out."""

    train: Sequence[IdPair]
    valid: Sequence[IdPair]


def bucketed(
    pairs: Sequence[IdPair], batch_size: int, rng: np.random.Generator
) -> Iterator[list[IdPair]]:
    """All pairs once, in batches of pairs whose lengths are near each other.

    Padding is work for nothing.  So the pairs are shuffled, some batches' worth of
    them sorted by the source's length and then the target's and cut into batches,
    and these shuffled again: what stands together, and when, is drawn anew each time.
    The last batch drawn from the pairs may be smaller.
    """
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}")
    order = rng.permutation(len(pairs))
    batches = []
    for start in range(0, len(order), POOL * batch_size):
        pool = sorted(
            order[start : start + POOL * batch_size].tolist(),
            key=lambda i: (len(pairs[i][0]), len(pairs[i][1])),
        )
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    for number in rng.permutation(len(batches)):
        yield [pairs[i] for i in batches[number]]


def num_batches(num_pairs: int, batch_size: int) -> int:
    """How many batches :func:`bucketed` gives."""
    return -(-num_pairs // batch_size)
