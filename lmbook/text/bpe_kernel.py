"""Applying merges to many words at once, in machine code.  Taught in section 3.7.

The rule is that of :func:`lmbook.text.bpe.apply_merges`.  There each merge looks at
the whole word again; here a word is a linked list, and a heap knows where the next
merge is, so that a word of a million bytes takes n log n steps instead of n^2.
"""

from collections.abc import Callable, Mapping
from functools import cache
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


class MergeTable:
    """The merges (left, right) -> (rank, result) as arrays that a kernel can read.

    ``rights[starts[a]:starts[a + 1]]`` are the tokens that a merges with, ascending.
    """

    def __init__(self, merges: Mapping[tuple[int, int], tuple[int, int]]) -> None:
        rows = np.array([(*pair, *merges[pair]) for pair in merges], np.int64)
        rows = rows.reshape(-1, 4)
        size = rows.max(initial=255) + 2
        rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
        self.starts = np.searchsorted(rows[:, 0], np.arange(size))
        self.rights, self.ranks = rows[:, 1].copy(), rows[:, 2].copy()
        self.results = np.zeros(self.ranks.max(initial=0) + 1, np.int64)
        self.results[self.ranks] = rows[:, 3]

    def apply(self, ids: Ids, lengths: list[int]) -> list[list[int]]:
        """Merge within each word; ``ids`` holds the words one after another."""
        ends = np.cumsum(lengths)
        left = compiled()(ids, ends, self.starts, self.rights, self.ranks, self.results)
        kept, stops = ids[ids >= 0].tolist(), np.cumsum(left).tolist()
        return [kept[a:b] for a, b in zip([0, *stops], stops, strict=False)]


@cache
def compiled() -> Callable[..., Ids]:
    """The kernel, compiled when first used; the machine code is kept on disk."""
    from numba import njit

    return njit(cache=True, nogil=True)(merge_words)


def merge_words(
    ids: Ids, ends: Ids, starts: Ids, rights: Ids, ranks: Ids, results: Ids
) -> Ids:
    """Merge each word of ``ids`` in place; returns how many tokens each has left.

    Word w is ``ids[ends[w - 1]:ends[w]]``; a symbol that was merged into the one
    before becomes -1.  The heap's entries are rank and place in one number; an entry
    whose symbols have changed since is skipped.
    """

    def rank_of(left, right):
        low, high = starts[left], starts[left + 1]
        while low < high:
            middle = (low + high) // 2
            if rights[middle] < right:
                low = middle + 1
            else:
                high = middle
        if low < starts[left + 1] and rights[low] == right:
            return ranks[low]
        return -1

    left_over = np.empty_like(ends)
    following = np.arange(1, len(ids) + 1)
    previous = np.arange(-1, len(ids) - 1)
    begin = 0
    for word in range(len(ends)):
        end = ends[word]
        heap = [0 for _ in range(0)]  # empty, of integers
        for place in range(begin, end - 1):
            rank = rank_of(ids[place], ids[place + 1])
            if rank >= 0:
                heap.append((rank << 32) + place)
        heapify(heap)
        length = end - begin
        while heap:
            top = heappop(heap)
            rank, place = top >> 32, top & 0xFFFFFFFF
            after = following[place]
            if ids[place] < 0 or after >= end:
                continue
            if rank_of(ids[place], ids[after]) != rank:
                continue
            ids[place], ids[after] = results[rank], -1
            length -= 1
            after = following[after]
            following[place] = after
            if after < end:
                previous[after] = place
                rank = rank_of(ids[place], ids[after])
                if rank >= 0:
                    heappush(heap, (rank << 32) + place)
            before = previous[place]
            if before >= begin:
                rank = rank_of(ids[before], ids[place])
                if rank >= 0:
                    heappush(heap, (rank << 32) + before)
        left_over[word] = length
        begin = end
    return left_over
