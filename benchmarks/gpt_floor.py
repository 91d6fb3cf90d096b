"""A GPT on the artificial world, in a long run: within a hundredth of the floor?

Sentences of the training world in Chinese, word by word, each read once; measured on
sentences of another seed, whose exact loss is known (section 3.5.1).  The vocabulary
is that of the world's corpus, as for the LSTM of ``microworld_floor``.
"""

import dataclasses
from typing import Any

from benchmarks.microworld_floor import (
    COLUMNS,
    CORPUS,
    HELD_OUT,
    LANGUAGE,
    MILLION,
    measured,
    new_tokens,
)
from lmbook.models.gpt_config import GPTConfig
from lmbook.text import load_data
from lmbook.text.microworld import MicroWorld
from lmbook.training import TrainConfig
from lmbook.training.pretraining import RECIPE, PretrainedModel

STREAM = "sentences"
TARGET = 1.01  # times the floor, that was aimed at
SEED = 0
HELD_OUT_WORDS = 200_000
SIZES = GPTConfig(
    context_length=64,
    hidden_size=128,
    num_layers=3,
    num_heads=4,
    feed_forward_size=344,
    position="rotary",
    norm="rmsnorm",
    feed_forward="swiglu",
    qk_norm=True,
    bias=False,
)
# What was tried before, on 0.6 million tokens unless it says more: times the floor.
SEARCH = {
    "Muon, 5e-3": 1.2078,
    "Muon, 1e-2": 1.1576,
    "Muon, 2e-2": 1.1539,
    "1e-2, batches of 16": 1.1204,
    "norms of queries and keys, 5e-3": 1.0941,
    "norms of queries and keys, 1e-2": 1.0891,
    "norms of queries and keys, 2e-2": 1.1032,
    "norms of queries and keys, 1e-2, batches of 16": 1.0828,
    "Muon, 1e-2, 20 million tokens": 1.0112,
}
TRAIN = dataclasses.replace(
    RECIPE,
    batch_size=32,
    seq_len=64,
    optimizer="muon",
    learning_rate=1e-2,
    weight_decay=0.01,
    warmup=0.02,
    final=0.0,
    evaluations=10,
    device="cpu",
    seed=SEED,
)


def run(
    tokens: int = 20 * MILLION, sizes: GPTConfig = SIZES, train: TrainConfig = TRAIN
) -> dict[str, Any]:
    """Read so many tokens of new text once."""
    data = load_data(CORPUS, level="word")
    held_out = list(MicroWorld(LANGUAGE).documents(STREAM, HELD_OUT, HELD_OUT_WORDS))
    valid, floor = measured(held_out, data)
    data = dataclasses.replace(
        data, train=new_tokens(data, STREAM, tokens), valid=valid
    )
    sizes = dataclasses.replace(sizes, vocab_size=len(data.tokenizer))
    history = PretrainedModel(sizes, train=train).fit(data, epochs=1).history
    nats = history.best["valid_nats"]
    return {
        "what": "validation loss of a GPT over the exact floor, artificial world, CPU",
        "peer": "the floor",
        "stream": STREAM,
        "language": LANGUAGE,
        "seed": train.seed,
        "search": SEARCH,
        "target": TARGET,
        "parameters": sizes.num_parameters,
        "minutes": round(history.last["seconds"] / 60, 1),
        "tokens_per_second": round(history.last["tokens_per_second"]),
        "held_out_tokens": len(valid) - 1,
        "floor_nats": round(floor, 4),
        "curve": [
            {column: round(record[column], 4) for column in COLUMNS}
            for record in history.records
        ],
        "valid_nats": round(nats, 4),
        "ratio": round(nats / floor, 4),
    }
