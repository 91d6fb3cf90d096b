"""A small Transformer on the characters of tiny Shakespeare, step by step.

A well-known recipe (learned positions, LayerNorm, AdamW at 1e-3) is changed one thing
at a time until it is the preset ``char-gpt``; every stage reads one million characters
and is measured on the validation part.  Then the preset trains for its time and for 40
seconds, first without and then with the validation part, and the test part is read once
for each.  The parts are those of :mod:`benchmarks.shakespeare`.
"""

import dataclasses
from typing import Any

import numpy as np

from benchmarks.shakespeare import CORPUS, SEED
from lmbook.models.language_model import ModelConfig
from lmbook.text import LanguageData, load_data
from lmbook.training import TrainConfig, train
from lmbook.training.presets import PRESETS, new_model

PRESET = PRESETS["char-gpt"]
CHARACTERS = 980 * 16 * 64  # that each stage reads
TARGETS = {40: 1.886, 110: 1.65}  # seconds, nats per character of the test part
# From the recipe to the preset: what is changed, in the order of the table.
STAGES: dict[str, dict[str, Any]] = {
    "recipe": {
        "position": "learned",
        "norm": "layernorm",
        "bias": True,
        "tied": True,
        "qk_norm": False,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "batch_size": 12,
        "weight_decay": 0.1,
        "schedule": "cosine",
        "final": 0.1,
    },
    "rate 4e-3, falling to 0": {"learning_rate": 4e-3, "final": 0.0},
    "rotary positions": {"position": "rotary"},
    "RMSNorm, no biases, output apart": {
        "norm": "rmsnorm",
        "bias": False,
        "tied": False,
    },
    "batches of 16": {"batch_size": 16},
    "norms of queries and keys": {"qk_norm": True},
    "Muon, rate 1.5e-2": {"optimizer": "muon", "learning_rate": 1.5e-2},
}
# What was tried on the way, in a scratch loop with random windows and two rates for
# Muon (nats per character of the validation part after as many characters, bf16).
SEARCH: dict[str, Any] = {
    "configurations_tried": 16,
    "scratch_runs": {
        "AdamW 4e-3, batches of 32": 1.8119,
        "AdamW 4e-3, batches of 16": 1.7461,
        "AdamW 4e-3, batches of 8": 1.728,
        "AdamW 4e-3, batches of 32 windows of 32": 1.7456,
        "AdamW 8e-3, batches of 16": 1.7914,
        "AdamW 4e-3, residual outputs begin at 0, norms of queries and keys": 1.71,
        "Muon 0.02, AdamW 4e-3": 1.5732,
        "Muon 0.04, AdamW 8e-3": 1.5606,
        "Muon 0.04, AdamW 8e-3, residual outputs begin at 0": 1.562,
        "Muon 0.04, AdamW 8e-3, SwiGLU of 344": 1.5869,
        "Muon 0.04, AdamW 8e-3, batches of 8": 1.5746,
        "Muon 0.06, AdamW 8e-3, residual outputs begin at 0, norms": 1.5567,
    },
    # lmbook's own windows, which go on where the last ones ended.
    "one_rate_for_both": {
        "AdamW alone, 4e-3": 1.7642,
        "8e-3": 1.606,
        "1.5e-2": 1.6161,
        "1.5e-2, norms of queries and keys, weight decay 0.1": 1.5666,
    },
}


def run(
    characters: int = CHARACTERS, seconds: tuple[int, ...] = tuple(TARGETS)
) -> dict[str, Any]:
    """The stages, and the preset for so many seconds."""
    data = load_data(CORPUS, level=PRESET.level, valid=0.09, test=0.1)
    runs = [timed(data, limit) for limit in seconds]
    return {
        "what": "nats per character of tiny Shakespeare, a small Transformer on a CPU",
        "peer": "nats per character that were aimed at",
        "seed": SEED,
        "search": SEARCH,
        "characters": characters,
        "stages": stages(data, characters),
        "runs": runs,
        "ratio": max(one["test_nats"] / one["target"] for one in runs),
    }


def stages(data: LanguageData, characters: int) -> list[dict[str, Any]]:
    """Loss after each change, everything before it kept."""
    rows: list[dict[str, Any]] = []
    changed: dict[str, Any] = {}
    for name, change in STAGES.items():
        changed |= change
        sizes, config = configured(data, changed)
        steps = characters // (config.batch_size * config.seq_len)
        config = dataclasses.replace(config, max_minutes=None, max_steps=steps)
        last = train(new_model(sizes, SEED), data, config).last
        rows.append(
            {
                "stage": name,
                "parameters": sizes.num_parameters,
                "steps": last["step"],
                "tokens_per_second": round(last["tokens_per_second"]),
                "valid_nats": round(last["valid_nats"], 4),
            }
        )
    return rows


def configured(
    data: LanguageData, changed: dict[str, Any]
) -> tuple[ModelConfig, TrainConfig]:
    """The preset's sizes and training with some of their numbers changed."""
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    training = {name: value for name, value in changed.items() if name in names}
    model = {name: value for name, value in changed.items() if name not in names}
    size = len(data.tokenizer)
    return (
        dataclasses.replace(PRESET.model, vocab_size=size, **model),
        dataclasses.replace(
            PRESET.train, evaluations=1, device="cpu", seed=SEED, **training
        ),
    )


def timed(data: LanguageData, seconds: int) -> dict[str, Any]:
    """The preset for so long, evaluation included: validated, then tested."""
    sizes, config = configured(data, {"max_minutes": seconds / 60})
    whole = dataclasses.replace(
        data, train=np.concatenate([data.train, data.valid]), valid=data.test
    )
    valid, test = (
        train(new_model(sizes, SEED), texts, config).last for texts in (data, whole)
    )
    return {
        "seconds": seconds,
        "parameters": sizes.num_parameters,
        "precision": config.precision,
        "tokens_per_second": round(test["tokens_per_second"]),
        "valid_nats": round(valid["valid_nats"], 4),
        "test_nats": round(test["valid_nats"], 4),
        "target": TARGETS[seconds],
    }
