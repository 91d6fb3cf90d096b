"""Byte-level BPE against Hugging Face's tokenizers (Rust): training and encoding.

Same text, same merges, same ids, which is asserted; the sides take turns.  Each round
of encoding begins with tokenizers that have not seen a word.  The library is called
by its fastest method, ``encode_batch_fast``, which leaves out offsets: with one text
it has one thread to use, with many it takes all that the machine has.  Ours uses one
thread.  ``ratio`` is the worst of our encoding speeds over the library's on one text.
"""

import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from lmbook.text.bpe import BPETokenizer
from lmbook.text.corpora import read_corpus
from lmbook.text.uistrings import uistrings

SEED = 0
MB = 1_000_000
VOCAB = 8256


def train_library(text: str, vocab_size: int) -> Tokenizer:
    """The peer, trained as ours is."""
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    peer = Tokenizer(models.BPE())
    peer.pre_tokenizer, peer.decoder = byte_level, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=byte_level.alphabet(),
        special_tokens=[],
        show_progress=False,
    )
    peer.train_from_iterator([text], trainer)
    return peer


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Seconds and result."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def chinese(size: int, rng: random.Random) -> str:
    """Chinese of this many bytes: the interface's sentences, their clauses shuffled.

    The installed catalogues hold 0.1 MB; in new order the clauses make new words of
    the length that Chinese has between signs.
    """
    clauses = [part for _, zh in uistrings() for part in zh.split()]
    text, length = [], 0
    while length < size:
        text.append(rng.choice(clauses) + rng.choice(["", "", "，", "。\n"]))
        length += len(text[-1].encode())
    return "".join(text)


def training(text: str, vocab_size: int, rounds: int) -> dict[str, Any]:
    """Seconds to learn the same merges."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        ours_s, ours = timed(BPETokenizer.train, text, vocab_size)
        peer_s, peer = timed(train_library, text, vocab_size)
        times[0].append(ours_s)
        times[1].append(peer_s)
        merges = json.loads(peer.to_str())["model"]["merges"]
        assert [list(m) for m in ours.to_json()["model"]["merges"]] == merges
    return {
        "megabytes": round(len(text.encode()) / MB, 2),
        "merges": len(ours.merges),
        "our_seconds": round(median(times[0]), 3),
        "peer_seconds": round(median(times[1]), 3),
        "speed_over_peer": _over(times[1], times[0]),
    }


def encoding(name: str, text: str, file: Path, rounds: int) -> dict[str, Any]:
    """Megabytes a second of a text neither side has met."""
    size = len(text.encode()) / MB
    lines = text.splitlines(keepends=True)
    seconds: tuple[list[float], ...] = ([], [], [])
    for _ in range(rounds):
        ours, peer = BPETokenizer.load(file), Tokenizer.from_file(str(file))
        ours.encode("a" * 1001)  # loads the machine code
        ours_s, ids = timed(ours.encode, text)
        peer_s, (encoding,) = timed(peer.encode_batch_fast, [text])
        fresh = Tokenizer.from_file(str(file))
        batch_s, _ = timed(fresh.encode_batch_fast, lines)
        assert ids == encoding.ids
        assert ours.decode(ids) == text
        for times, found in zip(seconds, (ours_s, peer_s, batch_s), strict=True):
            times.append(found)
    return {
        "text": name,
        "megabytes": round(size, 2),
        "our_mb_per_second": round(size / median(seconds[0]), 2),
        "peer_mb_per_second": round(size / median(seconds[1]), 2),
        "speed_over_peer": _over(seconds[1], seconds[0]),
        "peer_mb_per_second_all_threads": round(size / median(seconds[2]), 2),
        "speed_over_peer_all_threads": _over(seconds[2], seconds[0]),
    }


def _over(peer: list[float], ours: list[float]) -> float:
    return round(median(p / o for p, o in zip(peer, ours, strict=True)), 2)


def loading(file: Path) -> float:
    """Seconds from the first long text on until the machine code is there."""
    ours = BPETokenizer.load(file)
    return round(timed(ours.encode, "a" * 1001)[0], 2)


def run(rounds: int = 5, size: int = MB) -> dict[str, Any]:
    """Training on a megabyte and on the whole corpus, encoding of three kinds of text.

    The tokenizer that encodes was trained on English and Chinese that comes before
    or is drawn apart from what it encodes.
    """
    rng = random.Random(SEED)
    english = read_corpus("docstrings")
    trained = [
        {"text": name} | training(text, 256 + merges, rounds)
        for name, text in (("first part", english[:size]), ("whole corpus", english))
        for merges in (1000, 8000)
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokenizer.json"
        seen = english[:size] + chinese(size // 2, rng)
        BPETokenizer.train(seen, VOCAB).save(file)
        first_use = loading(file)
        unseen = {
            "English": english[-size:],
            "Chinese": chinese(size, rng),
            "random letters": "".join(rng.choices("abcdefghijklmnopqrst ", k=size)),
            "random bytes as Latin-1": rng.randbytes(size).decode("latin-1"),
        }
        encoded = [encoding(name, unseen[name], file, rounds) for name in unseen]
    return {
        "what": "byte-level BPE, ours over the library's speed, same merges and ids",
        "peer": f"Hugging Face tokenizers {version('tokenizers')} (Rust)",
        "peer_threads": os.cpu_count(),
        "numba": version("numba"),
        "regex": version("regex"),
        "seed": SEED,
        "vocab_size": VOCAB,
        "seconds_to_load_machine_code": first_use,
        "training": trained,
        "encoding": encoded,
        "ratio": min(row["speed_over_peer"] for row in encoded),
    }


NAMES = {
    "English": "英文",
    "Chinese": "中文",
    "random letters": "随机字母",
    "random bytes as Latin-1": "随机字节",
}


def tables(results: dict[str, Any]) -> tuple[str, str]:
    """The two tables of section 3.7.5: training, encoding."""
    training = ["| 英文 | 合并 | 我们（秒） | 对方（秒） |", "|---|---:|---:|---:|"]
    training += [
        f"| {row['megabytes']} MB | {row['merges']:,} | {row['our_seconds']:.2f} "
        f"| {row['peer_seconds']:.2f} |"
        for row in results["training"]
    ]
    encoding = ["| 文字 | 我们 | 对方，一线程 | 对方，两核 |", "|---|---:|---:|---:|"]
    encoding += [
        f"| {NAMES[row['text']]} | {row['our_mb_per_second']:.2f} "
        f"| {row['peer_mb_per_second']:.2f} "
        f"| {row['peer_mb_per_second_all_threads']:.2f} |"
        for row in results["encoding"]
    ]
    return "\n".join(training), "\n".join(encoding)
