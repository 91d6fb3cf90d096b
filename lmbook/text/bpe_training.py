r"""Learning the merges of byte pair encoding (Sennrich et al. 2016, Algorithm 1).

Again and again the commonest pair of neighbouring tokens becomes a token.  Counting
all pairs anew for each merge would cost the whole text each time; here a merge costs
only the places where its pair stands.  Taught in section 3.7.
"""

import heapq
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

Pair = tuple[int, int]
NONE = -1  # no neighbour on this side; the id of a symbol merged into the one before


class Merge(NamedTuple):
    """``left`` and ``right``, ``frequency`` times neighbours, become ``result``."""

    left: int
    right: int
    result: int
    frequency: int


def learn_merges(
    word_counts: Mapping[bytes, int],
    byte_ids: list[int],
    names: list[str],
    vocab_size: int,
) -> list[Merge]:
    """Merges in order, until there are ``vocab_size`` tokens or no pair is left.

    ``byte_ids[b]`` is the id of byte b, ``names[id]`` a token's name; those of new
    tokens are appended.  Of pairs with the same count the one with the smaller ids
    comes first, and "aaa" is merged from the left: as Hugging Face's BpeTrainer does.
    """
    symbols = _Symbols(word_counts, byte_ids)
    id_of = {name: i for i, name in enumerate(names)}
    counts: dict[Pair, int] = defaultdict(int)
    places = symbols.pairs(counts)
    queue = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(queue)
    merges: list[Merge] = []
    while queue and len(names) < vocab_size:
        negative, pair = heapq.heappop(queue)
        count = counts[pair]
        if -negative != count:  # it has fallen since it was put in the queue
            heapq.heappush(queue, (-count, pair))
            continue
        if count == 0:
            break
        name = names[pair[0]] + names[pair[1]]
        result = id_of.setdefault(name, len(names))
        if result == len(names):  # else it is the name of a special token
            names.append(name)
        merges.append(Merge(*pair, result, count))
        # Pairs with the new token arise here and never again.
        grown = symbols.merge(merges[-1], sorted(places.pop(pair)), counts)
        places |= grown
        for pair in grown:
            heapq.heappush(queue, (-counts[pair], pair))
    return merges


class _Symbols:
    """The words' bytes as ids in a linked list, so that a merge is a local change."""

    def __init__(self, word_counts: Mapping[bytes, int], byte_ids: list[int]) -> None:
        lengths = np.array([len(word) for word in word_counts], np.int64)
        word = np.repeat(np.arange(len(lengths)), lengths)
        last = np.diff(word, append=len(lengths)) > 0  # of its word
        place = np.arange(len(word))
        text = np.frombuffer(b"".join(word_counts), np.uint8)
        counts = np.array(list(word_counts.values()), np.int64)
        self.ids = np.array(byte_ids)[text].tolist()
        self.next = np.where(last, NONE, place + 1).tolist()
        self.previous = np.where(np.roll(last, 1), NONE, place - 1).tolist()
        self.counts = counts[word].tolist()  # how often the word stands in the text

    def pairs(self, counts: dict[Pair, int]) -> dict[Pair, list[int]]:
        """Where each pair stands; how often it does in the text goes to ``counts``."""
        places = defaultdict(list)
        for place, after in enumerate(self.next):
            if after != NONE:
                pair = self.ids[place], self.ids[after]
                counts[pair] += self.counts[place]
                places[pair].append(place)
        return dict(places)

    def merge(
        self, merge: Merge, places: list[int], counts: dict[Pair, int]
    ) -> dict[Pair, list[int]]:
        """Merge a pair at these places, left to right; bring ``counts`` up to date.

        Returns where pairs with the new token stand.  A place where the pair no
        longer stands (in "aaa" the second "aa") is passed over.
        """
        ids, left, right, result = self.ids, merge.left, merge.right, merge.result
        grown = defaultdict(list)
        for place in places:
            second = self.next[place]
            if ids[place] != left or second == NONE or ids[second] != right:
                continue
            count = self.counts[place]
            before, after = self.previous[place], self.next[second]
            ids[place], ids[second] = result, NONE
            self.next[place] = after
            if before != NONE:
                counts[ids[before], left] -= count
                counts[ids[before], result] += count
                grown[ids[before], result].append(before)
            if after != NONE:
                self.previous[after] = place
                counts[right, ids[after]] -= count
                counts[result, ids[after]] += count
                grown[result, ids[after]].append(place)
        return dict(grown)
