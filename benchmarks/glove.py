"""GloVe against its equations in plain NumPy: non-zero cells a second.

The peer goes through the same cells in the same order, one at a time, as the equations
stand.  The sides take turns.  ``ratio`` is our time a cell over NumPy's; what both have
learnt from the first cells is compared number by number.
"""

import math
import resource
import subprocess
import sys
import time
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.word2vec import docstrings, zipf
from lmbook.embeddings.cooccurrence import Cooccurrences, cooccurrence
from lmbook.embeddings.corpus import encode_corpus
from lmbook.embeddings.glove import DTYPES, GloVeTrainer, _Run

SEED = 0
WINDOW, MIN_COUNT = 10, 5
PEER_CELLS = 10_000  # a round
LIMIT = 64  # MiB, for counting the large corpus
TOKENS, VOCAB = 2_000_000, 40_000  # of the large corpus

Parameters = list[NDArray[Any]]


class PlainGloVe:
    """Equations (8) and (9) of the paper, and AdaGrad, one cell at a time."""

    def __init__(self, *parameters: NDArray[Any]) -> None:
        # word vectors, context vectors, word biases, context biases
        self.parameters = [np.array(p, np.float64) for p in parameters]
        self.squares = [np.ones_like(p) for p in self.parameters]

    def step(self, i, j, x, *, x_max=100, alpha=0.75, learning_rate=0.05) -> float:
        """Train on one cell; returns its loss before that."""
        w, c, b, d = self.parameters
        w2, c2, b2, d2 = self.squares
        f = min(1.0, (x / x_max) ** alpha)
        error = w[i] @ c[j] + b[i] + d[j] - math.log(x)
        slope = f * error
        to_w, to_c = slope * c[j], slope * w[i]
        w[i] -= learning_rate * to_w / np.sqrt(w2[i])
        c[j] -= learning_rate * to_c / np.sqrt(c2[j])
        b[i] -= learning_rate * slope / math.sqrt(b2[i])
        d[j] -= learning_rate * slope / math.sqrt(d2[j])
        w2[i] += to_w**2
        c2[j] += to_c**2
        b2[i] += slope**2
        d2[j] += slope**2
        return slope * error


def plain_twin(run: _Run) -> PlainGloVe:
    """The peer with the parameters of a training."""
    words, contexts = np.split(run.vectors[:, : run.size], 2)
    return PlainGloVe(words, contexts, *np.split(run.biases[:, 0], 2))


def speed(table: Cooccurrences, size: int, dtype: str, rounds: int) -> dict[str, Any]:
    """Cells a second of both, in turns; how far apart the first cells leave them."""
    run = _Run(GloVeTrainer(dtype=dtype, seed=SEED), table, size)
    plain = plain_twin(run)
    slices = run.slices(table)
    cells, logs, weights, order = slices[0]
    first = order[:PEER_CELLS]
    run.train_slice(cells, logs, weights, first)
    for i, j, x in cells[first].tolist():
        plain.step(i, j, x)
    twin = plain_twin(run)
    apart = max(
        float(np.abs(p - q).max())
        for p, q in zip(plain.parameters, twin.parameters, strict=True)
    )
    times: tuple[list[float], list[float]] = ([], [])
    for r in range(rounds):
        start = time.perf_counter()
        for part in slices:
            run.train_slice(*part)
        times[0].append((time.perf_counter() - start) / len(table))
        chosen = cells[np.roll(order, r * PEER_CELLS)[:PEER_CELLS]].tolist()
        start = time.perf_counter()
        for i, j, x in chosen:
            plain.step(i, j, x)
        times[1].append((time.perf_counter() - start) / len(chosen))
    ours, peer = times
    return {
        "size": size,
        "dtype": dtype,
        "our_cells_per_second": round(1 / median(ours)),
        "peer_cells_per_second": round(1 / median(peer)),
        "times_faster": round(median(b / a for a, b in zip(*times, strict=True)), 1),
        f"largest_difference_after_{PEER_CELLS}_cells": float(f"{apart:.1e}"),
    }


def counting() -> dict[str, Any]:
    """A table several times the limit: time, and how far the process's memory grew."""
    encoded = encode_corpus(zipf(TOKENS, VOCAB), 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    table = cooccurrence(encoded, WINDOW, memory_limit=LIMIT * 2**20)
    seconds = time.perf_counter() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "tokens": TOKENS,
        "words": len(table.words),
        "window": WINDOW,
        "memory_limit_MiB": LIMIT,
        "table_MiB": round(table.cells.nbytes / 2**20),
        "process_grew_by_MiB": round(grown / 1024),
        "tokens_per_second": round(TOKENS / seconds),
    }


FRESH = """
import os, tempfile, time
os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp()
from lmbook.embeddings.glove import GloVeTrainer
start = time.perf_counter()
GloVeTrainer(min_count=1, epochs=1).fit([["a", "b"] * 9])
print(time.perf_counter() - start)
"""


def run(rounds: int = 5) -> dict[str, Any]:
    """Real text, two sizes, both precisions; the headline is the worst of them."""
    counted = counting()  # first, as a process's largest memory never falls
    first_fit = subprocess.run(
        [sys.executable, "-c", FRESH], capture_output=True, text=True, check=True
    )
    encoded = encode_corpus(docstrings(), MIN_COUNT)
    start = time.perf_counter()
    table = cooccurrence(encoded, WINDOW)
    seconds = time.perf_counter() - start
    found = [
        speed(table, size, dtype, rounds) for size in (100, 300) for dtype in DTYPES
    ]
    return {
        "what": "time of a step on one non-zero cell, ours over NumPy's, CPU",
        "peer": "the published equations in plain NumPy, one cell at a time",
        "seed": SEED,
        "corpus": {
            "name": "docstrings",
            "tokens": len(encoded.ids),
            "words": len(encoded.words),
            "window": WINDOW,
            "cells": len(table),
            "tokens_counted_per_second": round(len(encoded.ids) / seconds),
        },
        "seconds_of_the_first_fit": round(float(first_fit.stdout), 1),
        "speed": found,
        "counting_beyond_memory": counted,
        "ratio": round(1 / min(row["times_faster"] for row in found), 4),
    }
