"""What a configuration accepts, and how far along it says a run is."""

import dataclasses
import json
from itertools import pairwise

import pytest

from lmbook.errors import InputError
from lmbook.training import TrainConfig
from lmbook.training.config import _ACCEPTED


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number greater than 0, got 0"),
        ({"seq_len": 2.0}, "seq_len must be a whole number"),
        ({"seq_jitter": 1}, "seq_jitter must be True or False, got 1"),
        ({"accumulate": True}, "accumulate must be"),
        ({"optimizer": "lion"}, "one of adamw, adam, sgd, muon, got 'lion'"),
        ({"learning_rate": float("nan")}, "learning_rate must be"),
        ({"learning_rate": float("inf")}, "learning_rate must be"),
        ({"betas": (0.9,)}, "betas must be two numbers"),
        ({"betas": (0.9, 1.0)}, "betas must be .* below 1"),
        ({"betas": 0.9}, "betas must be two numbers"),
        ({"weight_decay": -0.1}, "weight_decay must be a number of at least 0"),
        ({"schedule": "up"}, "one of cosine, linear, constant, step, got 'up'"),
        ({"warmup": 1.5}, "warmup must be a number from 0 to 1, got 1.5"),
        ({"average": "sum"}, "average must be one of None, ema, nt-asgd"),
        ({"patience": 0}, "patience must be .* greater than 0, or None, got 0"),
        ({"max_minutes": -1.0}, "max_minutes must be"),
        ({"precision": "int8"}, "one of auto, fast, float32, bf16, got 'int8'"),
        ({"device": "gpu"}, "device must be one of auto, cpu, cuda, mps, got 'gpu'"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"epochs": None}, "must end training"),
    ],
)
def test_bad_values_are_named(options, message):
    with pytest.raises(InputError, match=message):
        TrainConfig(**options)


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(TrainConfig)])
def test_no_field_takes_anything(name):
    assert name in _ACCEPTED
    with pytest.raises(InputError, match=f"^{name} must be"):
        TrainConfig(**{name: object()})


def test_it_survives_json():
    config = TrainConfig(betas=(0.8, 0.95), average="ema", max_minutes=2.5)
    again = TrainConfig(**json.loads(json.dumps(dataclasses.asdict(config))))
    assert again == config


def test_progress_is_that_of_the_limit_that_comes_first():
    config = TrainConfig(epochs=4, max_steps=100, max_minutes=2.0)
    assert config.progress(epochs=1.0, steps=10, seconds=12.0) == 0.25
    assert config.progress(epochs=0.1, steps=40, seconds=12.0) == 0.4
    assert config.progress(epochs=0.1, steps=10, seconds=60.0) == 0.5
    assert config.progress(epochs=9.0, steps=10, seconds=12.0) == 1.0


def test_as_many_evaluations_as_asked_for():
    config = TrainConfig(evaluations=4)
    points = [step / 7 for step in range(8)]
    due = [config.is_due(a, b) for a, b in pairwise(points)]
    assert due == [False, True, False, True, False, True, True]
