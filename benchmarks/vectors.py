"""How long one query of the nearest words takes, every word compared: against gensim.

400,000 words with 300 dimensions, the size of GloVe's published tables; random
numbers, as the time does not depend on them.  The sides take turns, query by query.
``ratio`` is our time over gensim's.
"""

import time
from statistics import median
from typing import Any

import numpy as np
from gensim.models import KeyedVectors

from lmbook.embeddings.vectors import WordVectors

SEED = 0
WORDS, SIZE = 400_000, 300
QUERIES = 40
TOPN = 10
LIMIT_MS = 50


def run() -> dict[str, Any]:
    """Time both; the answers must be the same words."""
    rng = np.random.default_rng(SEED)
    table = rng.standard_normal((WORDS, SIZE), dtype=np.float32)
    names = [f"w{i}" for i in range(WORDS)]
    ours = WordVectors(names, table)
    theirs = KeyedVectors(SIZE)
    theirs.add_vectors(names, table)
    sides = {"lmbook": ours, "gensim": theirs}
    for side in sides.values():  # both compute the norms once, at the first query
        side.most_similar("w0", topn=TOPN)
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for query in rng.integers(WORDS, size=QUERIES):
        found = []
        for name, side in sides.items():
            start = time.perf_counter()
            found.append(side.most_similar(f"w{query}", topn=TOPN))
            seconds[name].append(time.perf_counter() - start)
        answers = [[word for word, _ in one] for one in found]
        assert answers[0] == answers[1]
    ms = {name: round(1000 * median(times), 2) for name, times in seconds.items()}
    return {
        "seed": SEED,
        "words": WORDS,
        "size": SIZE,
        "topn": TOPN,
        "queries": QUERIES,
        "limit_ms_a_query": LIMIT_MS,
        "ms_a_query": ms,
        "worst_ms_a_query": {n: round(1000 * max(t), 2) for n, t in seconds.items()},
        "ratio": round(ms["lmbook"] / ms["gensim"], 3),
    }


def table(results: dict[str, Any]) -> str:
    """The record as the Markdown table that section 4.3 shows."""
    lines = [
        "| 程序 | 每次查询（毫秒，中位数） | 最慢的一次 | 每秒读出 |",
        "|---|---:|---:|---:|",
    ]
    read = 4 * results["words"] * results["size"]  # bytes a query
    for name, ms in results["ms_a_query"].items():
        worst = results["worst_ms_a_query"][name]
        lines.append(f"| {name} | {ms:.1f} | {worst:.1f} | {read / ms / 1e6:.0f} GB |")
    return "\n".join(lines)
