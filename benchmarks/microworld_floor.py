"""The artificial world: a model's loss on the way, read against the exact floor.

The preset ``microworld`` trains for some minutes of wall-clock time on text that the
world has just written, so that nothing is read twice, and is measured on text of
another seed.  Once on single sentences alone, once on the mixture that the corpus is
made of; there sentences and stories are told apart at the end: what a story's people
have, and where they are, must be remembered.
"""

import dataclasses
from typing import Any

import numpy as np

from lmbook.models.lstm import LSTMLanguageModel
from lmbook.text import LanguageData, load_data
from lmbook.text.microworld import MicroWorld, Text
from lmbook.training import evaluate, train
from lmbook.training.presets import PRESETS, new_model

SEED = 0
PRESET = "microworld"
CORPUS, LANGUAGE = "microworld", "zh"  # the corpus gives the list of tokens
STREAMS = ("sentences", "mixed")
MILLION = 1_000_000
TARGET = 1.02  # times the floor, that was aimed at
EVALUATIONS = 6  # each takes two of the 300 seconds
COLUMNS = ("tokens", "seconds", "train_nats", "valid_nats")
FIRST_FRESH, HELD_OUT = 1000, 999  # seeds; the corpora have seed 0
HELD_OUT_WORDS = 100_000


def run(minutes: float = 5.0, tokens: int = 12 * MILLION) -> dict[str, Any]:
    """Each stream, on at most so many tokens of new text."""
    runs = [one_run(stream, minutes, tokens) for stream in STREAMS]
    return {
        "what": "validation loss over the exact floor, artificial world, CPU",
        "peer": "the floor",
        "preset": PRESET,
        "language": LANGUAGE,
        "seed": SEED,
        "minutes": minutes,
        "target": TARGET,
        "runs": runs,
        "ratio": min(one["times_the_floor"] for one in runs),
    }


def one_run(stream: str, minutes: float, tokens: int) -> dict[str, Any]:
    """The preset on new text of a stream: its curve, and how far the floor is."""
    preset = PRESETS[PRESET]
    data = load_data(CORPUS, level=preset.level)
    world = MicroWorld(LANGUAGE)
    held_out = list(world.documents(stream, HELD_OUT, HELD_OUT_WORDS))
    valid, floor = measured(held_out, data)
    new = new_tokens(data, stream, tokens)
    data = dataclasses.replace(data, train=new, valid=valid)
    sizes = dataclasses.replace(preset.model, vocab_size=len(data.tokenizer))
    config = dataclasses.replace(
        preset.train,
        max_minutes=minutes,
        evaluations=EVALUATIONS,
        device="cpu",
        seed=SEED,
    )
    model = new_model(sizes, SEED)
    history = train(model, data, config)
    nats = history.best["valid_nats"]
    found = {
        "stream": stream,
        "parameters": sizes.num_parameters,
        "tokens_per_second": round(history.last["tokens_per_second"]),
        "epochs": round(history.last["epoch"], 3),
        "floor_nats": round(floor, 4),
        "curve": [
            {column: round(record[column], 4) for column in COLUMNS}
            for record in history.records
        ],
        "valid_nats": round(nats, 4),
        "times_the_floor": round(nats / floor, 4),
    }
    if stream == "mixed":
        found["by_kind"] = by_kind(model, data, held_out)
    return found


def measured(texts: list[Text], data: LanguageData) -> tuple[np.ndarray, float]:
    """Documents as token numbers, and the lowest mean loss there is on them.

    A line end comes first, so that the first token is predicted as well.
    """
    ids = data.tokenizer.encode_array("".join(f"{one.text}\n" for one in texts))
    floor = -sum(one.log_prob for one in texts) / len(ids)
    return np.concatenate([ids[-1:], ids]), floor


def new_tokens(data: LanguageData, stream: str, tokens: int) -> np.ndarray:
    """Token numbers of text that the world has not written yet."""
    world, parts = MicroWorld(LANGUAGE), list[np.ndarray]()
    while sum(map(len, parts)) < tokens:
        seed = FIRST_FRESH + len(parts)
        texts = world.documents(stream, seed, min(tokens, MILLION))
        text = "".join(f"{one.text}\n" for one in texts)
        parts.append(data.tokenizer.encode_array(text))
    return np.concatenate(parts)[:tokens]


def by_kind(
    model: LSTMLanguageModel, data: LanguageData, texts: list[Text]
) -> dict[str, dict[str, float]]:
    """The same on the sentences alone, and on the stories alone, of a mixture."""
    ratios = {}
    for kind, is_story in (("sentences", False), ("stories", True)):
        those = [text for text in texts if (len(text.meaning) > 1) == is_story]
        ids, floor = measured(those, data)
        ratios[kind] = {
            "share_of_tokens": round((len(ids) - 1) / (len(data.valid) - 1), 3),
            "times_the_floor": round(evaluate(model, ids) / floor, 4),
        }
    return ratios
