"""GloVe against its equations in plain NumPy: non-zero cells a second.

The peer goes through the same cells in the same order, one at a time, as the equations
stand.  The sides take turns.  ``ratio`` is our time a cell over NumPy's; what both have
learnt from the first cells is compared number by number.
"""

import math
import subprocess
import sys
import time
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.word2vec import docstrings
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


COUNT = """
import sys, time, tracemalloc
import numpy as np
import tqdm
from lmbook.embeddings.cooccurrence import cooccurrence
from lmbook.embeddings.corpus import EncodedCorpus

tokens, vocab_size, window, limit, trace = map(int, sys.argv[1:])
ids = (vocab_size * np.random.default_rng(0).random(tokens) ** 2).astype(np.int32)
counts = np.bincount(ids, minlength=vocab_size)
offsets = np.append(np.arange(0, tokens, 50), tokens)
corpus = EncodedCorpus([str(i) for i in range(vocab_size)], counts, ids, offsets)


def largest():  # getrusage would count what the parent had before it was forked
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file)
    return 1024 * int(status["VmHWM"].split()[0])


before = largest()
if trace:
    tracemalloc.start()
start = time.perf_counter()
table = cooccurrence(corpus, window, memory_limit=limit)
seconds = time.perf_counter() - start
grown = largest() - before
traced = tracemalloc.get_traced_memory()[1] if trace else 0
print(16 * len(table), grown, traced, seconds)
"""


def counting(
    tokens: int, vocab_size: int, window: int, limit: int, trace: bool = False
) -> list[float]:
    """Count in a process of its own, with a limit of memory in bytes.

    Returns the bytes of the table, those by which the process grew (Linux), those
    that NumPy held at most (if ``trace``), and the seconds.
    """
    arguments = [str(int(n)) for n in (tokens, vocab_size, window, limit, trace)]
    return [float(word) for word in _fresh(COUNT, *arguments).split()]


def _fresh(code: str, *arguments: str) -> str:
    """What a new interpreter prints."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


FRESH = """
import os, tempfile, time
os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp()
from lmbook.embeddings.glove import GloVeTrainer
start = time.perf_counter()
GloVeTrainer(min_count=1, epochs=1).fit([["a", "b"] * 9])
print(time.perf_counter() - start)
"""


def run(rounds: int = 5) -> dict[str, Any]:
    """Real text, two sizes, both precisions; the headline is the default's worst."""
    table_bytes, grown, _, spent = counting(TOKENS, VOCAB, WINDOW, LIMIT * 2**20)
    first_fit = float(_fresh(FRESH))
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
        "seconds_of_the_first_fit": round(first_fit, 1),
        "speed": found,
        "counting_beyond_memory": {
            "tokens": TOKENS,
            "words": VOCAB,
            "window": WINDOW,
            "memory_limit_MiB": LIMIT,
            "table_MiB": round(table_bytes / 2**20),
            "process_grew_by_MiB": round(grown / 2**20),
            "tokens_per_second": round(TOKENS / spent),
        },
        "ratio": max(
            round(1 / row["times_faster"], 4)
            for row in found
            if row["dtype"] == DTYPES[0]
        ),
    }


def table(results: dict[str, Any]) -> str:
    """The record of the speeds as the Markdown table that section 3.3 shows."""
    lines = [
        "| 维数 | 精度 | 我们（千格每秒） | 逐格的 NumPy | 快几倍 |",
        "|---:|---|---:|---:|---:|",
    ]
    for row in results["speed"]:
        ours, peer = row["our_cells_per_second"], row["peer_cells_per_second"]
        lines.append(
            f"| {row['size']} | {row['dtype']} | {ours / 1e3:,.0f} "
            f"| {peer / 1e3:,.0f} | {row['times_faster']:.0f} |"
        )
    return "\n".join(lines)
