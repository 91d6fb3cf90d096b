"""The artificial world: a model's loss on the way, read against the exact floor.

The preset ``microworld`` trains for some minutes of wall-clock time on freshly written
text of the world (other seeds than the corpus ``microworld`` has, so that nothing is
read twice), and on that corpus as it stands, a million words read again and again.
The validation part is the corpus's own in both.  At the end single sentences and
stories are told apart: what a story's people have must be remembered.
"""

import dataclasses
from typing import Any

import numpy as np

from lmbook.models.lstm import LSTMLanguageModel
from lmbook.text import LanguageData, load_data, load_text
from lmbook.text.baselines import floor_of
from lmbook.text.microworld import MicroWorld, microworld_text
from lmbook.training import evaluate, train
from lmbook.training.presets import PRESETS, new_model

SEED = 0
PRESET = "microworld"
CORPORA = {"zh": "microworld", "en": "microworld-en"}
MILLION = 1_000_000
TARGET = 1.02  # times the floor, that was aimed at
EVALUATIONS = 10
COLUMNS = ("step", "epoch", "seconds", "train_nats", "valid_nats")
FIRST_FRESH, OF_KINDS = 1000, 999  # seeds; the corpora have seed 0
KINDS_WORDS = 100_000  # to tell sentences from stories by


def run(minutes: float = 5.0, fresh: int = 12 * MILLION) -> dict[str, Any]:
    """Both languages, each on ``fresh`` tokens of new text and on the corpus."""
    runs = [
        one_run(language, minutes, tokens)
        for language in CORPORA
        for tokens in (fresh, 0)
    ]
    return {
        "what": "validation loss over the exact floor, artificial world, CPU",
        "peer": "the floor",
        "preset": PRESET,
        "seed": SEED,
        "target": TARGET,
        "runs": runs,
        "ratio": min(one["times_the_floor"] for one in runs),
    }


def one_run(language: str, minutes: float, fresh: int) -> dict[str, Any]:
    """The preset on so many tokens of new text, or (0) on the corpus."""
    preset, name = PRESETS[PRESET], CORPORA[language]
    data = load_data(name, level=preset.level)
    floor = floor_of(load_text(name)["valid"], data.tokenizer, language)
    if fresh:
        data = dataclasses.replace(data, train=new_text(data, language, fresh))
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
    return {
        "language": language,
        "text": "fresh" if fresh else name,
        "training_tokens": len(data.train),
        "parameters": sizes.num_parameters,
        "tokens_per_second": round(history.last["tokens_per_second"]),
        "floor_nats": round(floor.nats_per_token, 4),
        "curve": [
            {column: round(record[column], 4) for column in COLUMNS}
            for record in history.records
        ],
        "valid_nats": round(history.best["valid_nats"], 4),
        "times_the_floor": round(history.best["valid_nats"] / floor.nats_per_token, 4),
        "by_kind": by_kind(model, data, language),
    }


def new_text(data: LanguageData, language: str, tokens: int) -> np.ndarray:
    """Token numbers of text that the world has not written yet."""
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < tokens:
        text = microworld_text(
            language, min(tokens, MILLION), seed=FIRST_FRESH + len(parts)
        )
        parts.append(data.tokenizer.encode_array(text))
    return np.concatenate(parts)[:tokens]


def by_kind(
    model: LSTMLanguageModel, data: LanguageData, language: str
) -> dict[str, float]:
    """Loss over floor on sentences alone, and on stories alone, of the same world."""
    world = MicroWorld(language)
    texts = list(world.documents("mixed", OF_KINDS, KINDS_WORDS))
    begin = data.tokenizer.encode_array("\n")[-1:]  # so that the first is predicted
    ratios = {}
    for kind, is_story in (("sentences", False), ("stories", True)):
        those = [text for text in texts if (len(text.meaning) > 1) == is_story]
        ids = data.tokenizer.encode_array("".join(f"{one.text}\n" for one in those))
        nats = evaluate(model, np.concatenate([begin, ids])) * len(ids)
        ratios[kind] = round(nats / world.floor("mixed", those).nats, 4)
    return ratios
