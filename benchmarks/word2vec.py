"""word2vec against gensim: words a second, and what the vectors are worth.

Both read the same sentences with the same parameters and threads, from token lists to
vectors: ``ratio`` is our time over gensim's, taken in turns.  The quality of both is
measured here, in float64, from their matrices: the loss on windows of sentences that
training did not see, with the same negatives for both, and the share of the analogies
of the artificial world that are solved.
"""

import time
from statistics import mean, median
from typing import Any

import numpy as np
from gensim import __version__ as gensim_version
from gensim.models import Word2Vec
from numpy.typing import NDArray

from lmbook.embeddings.vectors import WordVectors, analogy_accuracy
from lmbook.embeddings.word2vec import METHODS, Word2VecTrainer
from lmbook.text import split_words
from lmbook.text.corpora import read_corpus
from lmbook.text.microworld import MicroWorld, relations

SEEDS = (0, 1, 2)
MIN_COUNT = 5
REACH = 2  # words on either side of a window of the held-out loss
WORLD_TOKENS = 500_000
BIG_TOKENS, BIG_VOCAB = 17_000_000, 70_000  # as many as text8

Corpus = list[list[str]]
Pairs = list[tuple[str, str]]
Matrices = tuple[WordVectors, NDArray[np.float32]]  # with the output vectors


def ours(corpus: Corpus, size: int, **options: Any) -> Matrices:
    trainer = Word2VecTrainer(min_count=MIN_COUNT, **options).fit(corpus, size)
    return trainer.wv, trainer.output_vectors


def peers(
    corpus: Corpus, size: int, *, method: str, threads: int, epochs: int, seed: int
) -> Matrices:
    """The same by gensim, whose other parameters have our defaults."""
    model = Word2Vec(
        corpus,
        vector_size=size,
        sg=int(method == "skipgram"),
        min_count=MIN_COUNT,
        workers=threads,
        epochs=epochs,
        seed=seed,
    )
    return WordVectors(model.wv.index_to_key, model.wv.vectors), model.syn1neg


def docstrings() -> Corpus:
    return [split_words(line) for line in read_corpus("docstrings").splitlines()]


def zipf(tokens: int, vocab_size: int, seed: int = 0) -> Corpus:
    """Words drawn by Zipf's law, in sentences of 1,000: for speed alone."""
    rng = np.random.default_rng(seed)
    p = 1 / np.arange(1, vocab_size + 1)
    names = np.array([f"w{i}" for i in range(vocab_size)], object)
    ids = rng.choice(vocab_size, tokens, p=p / p.sum())
    return [names[ids[i : i + 1000]].tolist() for i in range(0, tokens, 1000)]


def analogies(wv: WordVectors, relations: dict[str, Pairs]) -> float:
    """Share of all analogies between two pairs of a relation that are solved."""
    solved, asked = 0.0, 0
    for pairs in relations.values():
        known = [(a, b) for a, b in pairs if a in wv and b in wv]
        number = len(known) * (len(known) - 1)
        solved += number * analogy_accuracy(wv, known)
        asked += number
    return solved / asked


def held_out_loss(
    model: Matrices, sentences: Corpus, counts: dict[str, int], method: str
) -> float:
    """Mean negative-sampling loss of the windows of new sentences, in nats."""
    wv, outputs = model
    words = sorted(wv.words)  # so that both models get the same negatives
    index = np.array([wv.index_of[word] for word in words])
    known = {word: i for i, word in enumerate(words)}
    encoded = [[known[w] for w in sentence if w in known] for sentence in sentences]
    width = 2 * REACH + 1
    windows = np.concatenate(
        [
            np.lib.stride_tricks.sliding_window_view(ids, width)
            for ids in encoded
            if len(ids) >= width
        ]
    )
    p = np.array([counts[word] for word in words]) ** 0.75
    rng = np.random.default_rng(0)
    noise = rng.choice(len(words), (len(windows), 5), p=p / p.sum())
    x = wv.vectors[index].astype(np.float64)
    u = outputs[index].astype(np.float64)
    hidden = x[np.delete(windows, REACH, axis=1)]  # (windows, 2 * REACH, size)
    if method == "cbow":
        hidden = hidden.mean(axis=1, keepdims=True)
    right = np.einsum("ncd,nd->nc", hidden, u[windows[:, REACH]])
    wrong = np.einsum("ncd,nkd->nck", hidden, u[noise])
    loss = np.logaddexp(0, -right) + np.logaddexp(0, wrong).sum(axis=2)
    return float(loss.mean())


def counted(corpus: Corpus) -> dict[str, int]:
    words, counts = np.unique(np.concatenate(corpus), return_counts=True)
    return dict(zip(words.tolist(), counts.tolist(), strict=True))


def speed(corpus: Corpus, size: int, rounds: int, **options: Any) -> dict[str, Any]:
    """Words a second of both, in turns; a word counts once an epoch."""
    words = sum(map(len, corpus)) * options["epochs"]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for fit, found in zip((ours, peers), times, strict=True):
            start = time.perf_counter()
            fit(corpus, size, seed=SEEDS[0], **options)
            found.append(time.perf_counter() - start)
    mine, gensims = times
    return {
        "size": size,
        **options,
        "our_words_per_second": round(words / median(mine)),
        "peer_words_per_second": round(words / median(gensims)),
        "ratio": round(median(a / b for a, b in zip(mine, gensims, strict=True)), 3),
    }


def quality(method: str, threads: int = 1, epochs: int = 5) -> dict[str, Any]:
    """Held-out losses and analogies of both, by seed."""
    text = docstrings()
    training = [sentence for i, sentence in enumerate(text) if i % 20]
    counts = counted(training)
    world = list(MicroWorld("zh").token_lists("mixed", 0, WORLD_TOKENS))
    found: dict[str, Any] = {"method": method, "threads": threads}
    for name, fit in (("our", ours), ("peer", peers)):
        losses, accuracies = [], []
        for seed in SEEDS:
            options = {"method": method, "threads": threads, "seed": seed}
            model = fit(training, 100, epochs=epochs, **options)
            losses.append(round(held_out_loss(model, text[::20], counts, method), 4))
            wv, _ = fit(world, 100, epochs=epochs, **options)
            accuracies.append(round(analogies(wv, relations("zh")), 4))
        found[f"{name}_held_out_nats"] = losses
        found[f"{name}_analogies"] = accuracies
    return found


def run(rounds: int = 5) -> dict[str, Any]:
    """Both methods, two sizes, one and two threads; the headline is the worst ratio."""
    small, big = docstrings(), zipf(BIG_TOKENS, BIG_VOCAB)
    # Compiles, or loads what was compiled before.
    ours(small[:500], 100, method="skipgram", epochs=1, threads=1, seed=SEEDS[0])
    found = []
    for method in METHODS:
        for size in (100, 300):
            for threads in (1, 2):
                options = {"method": method, "threads": threads, "epochs": 5}
                row = speed(small, size, rounds, **options)
                found.append({"corpus": "docstrings", **row})
        row = speed(big, 100, 3, method=method, threads=2, epochs=1)
        found.append({"corpus": "17 million words, 70,000 different", **row})
    qualities = [quality(method) for method in METHODS]
    return {
        "what": "time from token lists to word vectors, ours over gensim's, CPU",
        "peer": f"gensim {gensim_version}, the same parameters and threads",
        "seeds": SEEDS,
        "speed": found,
        "quality": qualities,
        "loss_differences": {
            row["method"]: round(
                mean(row["our_held_out_nats"]) - mean(row["peer_held_out_nats"]), 4
            )
            for row in qualities
        },
        "ratio": max(row["ratio"] for row in found),
    }


def table(results: dict[str, Any]) -> str:
    """The record of the speeds as the Markdown table that section 3.3 shows."""
    methods = {"skipgram": "skip-gram", "cbow": "CBOW"}
    lines = [
        "| 语料 | 方法 | 维数 | 线程 | 我们（千词每秒） | gensim | 时间之比 |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in results["speed"]:
        corpus = "说明文字" if row["corpus"] == "docstrings" else "1700 万词"
        ours, peer = row["our_words_per_second"], row["peer_words_per_second"]
        lines.append(
            f"| {corpus} | {methods[row['method']]} | {row['size']} | {row['threads']} "
            f"| {ours / 1e3:,.0f} | {peer / 1e3:,.0f} | {row['ratio']:.2f} |"
        )
    return "\n".join(lines)
