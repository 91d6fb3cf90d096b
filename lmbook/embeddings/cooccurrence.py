r"""How often words stand near each other, counted in bounded memory.  Section 3.3.

Every pair of words becomes one integer, (row, column, distance); sorting brings equal
ones together, and their number is the count.  Sorted parts that no longer fit wait on
disk and are merged at the end, a block of each at a time.  Counts are whole numbers of
a common unit, so they are exact, in whatever order they are added.
"""

import math
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO

import numpy as np
from numpy.typing import NDArray

from lmbook.embeddings.arguments import integer
from lmbook.embeddings.corpus import EncodedCorpus
from lmbook.errors import InputError

WEIGHTINGS = ("harmonic", "flat")
MEMORY_LIMIT = 2**31  # bytes
LEAST_MEMORY = 2**20
BYTES_A_CELL = 96  # at the peak of merging sorted parts in memory
FAN_IN = 64  # sorted runs merged at a time, so that blocks of each stay long
MOST_PAIRS = 2**20  # sorted at a time; more leave the cache and are no faster

Ints = NDArray[np.int64]
PAIR = np.dtype([("key", np.int64), ("amount", np.int64)])  # a cell on its way
CELL = np.dtype([("row", np.int32), ("column", np.int32), ("value", np.float64)])


@dataclass(frozen=True)
class Cooccurrences:
    """The non-zero cells of a table of words by words, sorted by row, then column.

    ``cells`` has the fields ``row``, ``column`` and ``value``.  A table that did not
    fit in memory lies in a file without a name, which the system removes with the
    object, and ``cells`` is mapped from it.
    """

    words: list[str]  # of the rows and of the columns
    size: int  # number of cells
    _store: "NDArray | IO[bytes]" = field(repr=False)
    block: int  # cells that fit in the memory allowed

    def __len__(self) -> int:
        return self.size

    @property
    def in_memory(self) -> bool:
        """Whether the table never left memory."""
        return isinstance(self._store, np.ndarray)

    @property
    def cells(self) -> NDArray:
        """All cells, shape (number of cells,), of dtype ``CELL``; not writable."""
        if isinstance(self._store, np.ndarray):
            return self._store
        return np.memmap(self._store, CELL, "r", shape=(self.size,))

    def read(self, start: int, stop: int) -> NDArray:
        """Some of the cells, in memory."""
        if isinstance(self._store, np.ndarray):
            return self._store[start:stop]
        self._store.seek(start * CELL.itemsize)
        return np.fromfile(self._store, CELL, min(stop, self.size) - start)

    def scattered(self, rng: np.random.Generator) -> "list[Cooccurrences]":
        """The cells dealt out at random onto tables that each fit in memory.

        A table that lies in memory stays one.
        """
        if self.in_memory:
            return [self]
        number = -(-self.size // self.block)
        with ExitStack() as stack:
            files = [stack.enter_context(_disk()) for _ in range(number)]
            sizes = [0] * number
            for start in range(0, self.size, self.block):
                block = self.read(start, start + self.block)
                drawn = rng.integers(number, size=len(block))
                for p, file in enumerate(files):
                    part = block[drawn == p]
                    part.tofile(file)
                    sizes[p] += len(part)
        return [
            Cooccurrences(self.words, size, file, self.block)
            for size, file in zip(sizes, files, strict=True)
        ]


def cooccurrence(
    corpus: EncodedCorpus,
    window: int,
    *,
    weighting: str = "harmonic",
    symmetric: bool = True,
    memory_limit: int = MEMORY_LIMIT,
) -> Cooccurrences:
    r"""Count which words stand within ``window`` words of each other in a sentence.

    .. math:: X_{ij} = \sum_{\text{occurrences of } j \text{ around } i} w(d)

    with d the distance and w(d) = 1/d (``weighting="harmonic"``; Pennington, Socher &
    Manning 2014, section 4.2) or 1 (``"flat"``).  Around a word are the words before it
    and, if ``symmetric``, also those after it.

    At most about ``memory_limit`` bytes are taken besides the corpus; beyond, sorted
    parts go to the folder for temporary files.  The result does not depend on the
    limit.  Up to a window of 20 and 400 million tokens it is exact but for the last
    rounding to float64; beyond, 1/d is rounded so that no sum overflows.
    """
    if weighting not in WEIGHTINGS:
        raise InputError(f"weighting must be one of {WEIGHTINGS}, got {weighting!r}")
    window = integer("window", window)
    memory_limit = integer("memory_limit", memory_limit, least=LEAST_MEMORY)
    window = min(window, int(np.diff(corpus.offsets).max(initial=1)))
    return _Counting(corpus, window, weighting, symmetric, memory_limit).table()


class _Counting:
    """Sorted parts in memory, and those on disk."""

    def __init__(
        self,
        corpus: EncodedCorpus,
        window: int,
        weighting: str,
        symmetric: bool,
        memory_limit: int,
    ) -> None:
        self.corpus, self.window, self.symmetric = corpus, window, symmetric
        self.vocab_size = len(corpus.words)
        if self.vocab_size**2 * window >= 2**63:
            raise InputError(
                f"{self.vocab_size:,} words with a window of {window} are too many"
            )
        self.unit, self.shares = _shares(window, weighting, len(corpus.ids))
        self.most = memory_limit // BYTES_A_CELL
        self.parts: list[tuple[Ints, Ints]] = []
        self.disk: IO[bytes] | None = None
        self.runs: list[tuple[int, int]] = []  # first pair on disk, and the one after
        self.end = 0  # pairs on disk

    def table(self) -> Cooccurrences:
        """Count everything."""
        from tqdm import tqdm

        tokens = len(self.corpus.ids)
        pairs = min(self.most // 4, MOST_PAIRS)
        step = max(1, pairs // (self.window * (1 + self.symmetric)))
        with tqdm(
            total=tokens, desc="counting", unit=" words", unit_scale=True, leave=False
        ) as bar:
            for start in range(0, tokens, step):
                stop = min(start + step, tokens)
                self.add(*self.count(start, stop))
                bar.update(stop - start)
        if self.disk is None:
            cells = self.cells(*_merge(self.parts))
            cells.flags.writeable = False
            return Cooccurrences(self.corpus.words, len(cells), cells, self.most)
        self.spill()
        while len(self.runs) > FAN_IN:
            group, self.runs = self.runs[:FAN_IN], self.runs[FAN_IN:]
            self.write(self.merged(group))
        size = 0
        with _disk() as file:
            for keys, amounts in self.merged(self.runs):
                self.cells(keys, amounts).tofile(file)
                size += len(keys)
            file.flush()
        return Cooccurrences(self.corpus.words, size, file, self.most)

    def count(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """Cells of the pairs whose first word is one of these tokens."""
        ids, offsets = self.corpus.ids, self.corpus.offsets
        places = np.arange(start, stop)
        ends = offsets[np.searchsorted(offsets, places, side="right")]
        found = []
        for distance in range(1, self.window + 1):
            keep = places + distance < ends
            places, ends = places[keep], ends[keep]
            before = ids[places].astype(np.int64)
            after = ids[places + distance].astype(np.int64)
            cells = [after * self.vocab_size + before]
            if self.symmetric:
                cells.append(before * self.vocab_size + after)
            found += [cell * self.window + (distance - 1) for cell in cells]
        keys = np.concatenate(found)
        del found
        keys.sort()
        amounts = self.shares[keys % self.window]
        keys //= self.window
        return _sum_equal(keys, amounts)

    def add(self, keys: Ints, amounts: Ints) -> None:
        """Keep a sorted part; merge what is held, or move it to disk, in time."""
        if sum(len(part[0]) for part in self.parts) + len(keys) > self.most:
            self.parts = [_merge(self.parts)]
            if len(self.parts[0][0]) > self.most // 2:
                self.spill()
        self.parts.append((keys, amounts))

    def spill(self) -> None:
        """Move what is held to disk, as one sorted run."""
        held = _merge(self.parts)
        self.parts = []
        self.write(iter([held]))

    def write(self, blocks: Iterator[tuple[Ints, Ints]]) -> None:
        """Write sorted blocks to the end of the file, as one run."""
        if self.disk is None:
            with _disk() as self.disk:
                pass
        start = self.end
        for keys, amounts in blocks:
            pairs = np.empty(len(keys), PAIR)
            pairs["key"], pairs["amount"] = keys, amounts
            with _disk(self.disk):
                self.disk.seek(self.end * PAIR.itemsize)
                pairs.tofile(self.disk)
            self.end += len(pairs)
        self.runs.append((start, self.end))

    def merged(self, runs: list[tuple[int, int]]) -> Iterator[tuple[Ints, Ints]]:
        """Several runs as one, in sorted blocks.

        A block of each run is read.  Up to the least of their last keys nothing is
        missing: so far they are merged.
        """
        assert self.disk is not None
        block = max(1, self.most // len(runs) // 2)
        while runs:
            heads = []
            bound = self.vocab_size**2
            for start, stop in runs:
                self.disk.seek(start * PAIR.itemsize)
                head = np.fromfile(self.disk, PAIR, min(block, stop - start))
                if start + block < stop:
                    bound = min(bound, int(head["key"][-1]))
                heads.append(head)
            left = []
            for r, (start, stop) in enumerate(runs):
                taken = int(np.searchsorted(heads[r]["key"], bound, side="right"))
                heads[r] = heads[r][:taken]
                if start + taken < stop:
                    left.append((start + taken, stop))
            runs = left
            yield _merge([(head["key"], head["amount"]) for head in heads])

    def cells(self, keys: Ints, amounts: Ints) -> NDArray:
        """Row, column and value in place of one number and a count of units."""
        cells = np.empty(len(keys), CELL)
        cells["row"] = keys // self.vocab_size
        cells["column"] = keys % self.vocab_size
        cells["value"] = amounts / self.unit
        return cells


def _shares(window: int, weighting: str, tokens: int) -> tuple[int, Ints]:
    """A unit, and how many of it a pair at distance 1, 2, ... adds to its cell.

    For 1/d the unit is the least common multiple of the distances; where sums of it
    could overflow, the largest that cannot, and 1/d is rounded to it.
    """
    if weighting == "flat":
        return 1, np.ones(window, np.int64)
    # A cell gets at most two shares of 1/d, d = 1 ... window, from every token.
    unit = min(math.lcm(*range(1, window + 1)), 2**61 // (tokens * window + 1))
    return unit, np.array([round(unit / d) for d in range(1, window + 1)], np.int64)


def _merge(parts: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Sorted parts as one, equal keys added up."""
    if len(parts) == 1:
        return parts[0]
    keys = np.concatenate([part[0] for part in parts])
    order = np.argsort(keys, kind="stable")  # finds the sorted parts, and merges
    keys = keys[order]
    amounts = np.concatenate([part[1] for part in parts])[order]
    del order
    return _sum_equal(keys, amounts)


def _sum_equal(keys: Ints, amounts: Ints) -> tuple[Ints, Ints]:
    """The different keys of a sorted array, and for each the sum of its amounts."""
    if not len(keys):
        return keys, amounts
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[first], np.add.reduceat(amounts, first)


@contextmanager
def _disk(file: IO[bytes] | None = None) -> Iterator[IO[bytes]]:
    """A temporary file, new or given; says what to do where the disk is full.

    The file has no name and goes with the process, however that ends.
    """
    try:
        yield file or tempfile.TemporaryFile()  # noqa: SIM115 - outlives the block
    except OSError as error:
        raise InputError(
            f"co-occurrences do not fit in memory_limit, nor in the folder for "
            f"temporary files: {error}; raise memory_limit, or let TMPDIR name a "
            "folder with more room"
        ) from error
