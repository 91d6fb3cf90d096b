"""A run that is killed and gone on with is the run that never stopped."""

import dataclasses
import os
import signal

import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.lstm import LSTMConfig
from lmbook.training import Diverged, Interrupted, TrainConfig, train, trainer
from lmbook.training.presets import new_model
from tests.precision import CPU_HAS_BF16

CONFIG = LSTMConfig(
    vocab_size=11,
    embedding_size=6,
    hidden_size=8,
    num_layers=2,
    tied=True,
    dropout_embedding=0.1,
    dropout_hidden=0.3,
    weight_drop=0.2,
    locked=True,
)
EVERY_STEP = 1e-9  # minutes
TRAIN = TrainConfig(
    batch_size=5,
    seq_len=7,
    learning_rate=0.02,
    evaluations=5,
    max_steps=50,
    save_minutes=EVERY_STEP,
    device="cpu",
)
KINDS = {
    "adam": {},
    "adamw, averaged, in parts": {
        "optimizer": "adamw",
        "weight_decay": 0.1,
        "average": "ema",
        "horizon": 7,
        "accumulate": 2,
        "schedule": "linear",
        "warmup": 0.3,
    },
    "muon": {"optimizer": "muon", "weight_decay": 0.1},
    "as AWD-LSTM": {
        "optimizer": "sgd",
        "learning_rate": 3.0,
        "seq_jitter": True,
        "average": "nt-asgd",
        "non_monotone": 1,
        "evaluations": 25,
        "activation": 2.0,
        "slowness": 1.0,
    },
}
if CPU_HAS_BF16:
    KINDS["bf16"] = {"precision": "bf16"}


class Killed(Exception):
    pass


@pytest.fixture
def kill_after(monkeypatch):
    """Let the process die right after so many steps, before anything is saved."""
    step = trainer.train_step

    def kill(steps):
        left = [steps]

        def dying(run, rate):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return step(run, rate)

        monkeypatch.setattr(trainer, "train_step", dying)

    return kill


def losses(history):
    names = ("step", "epoch", "tokens", "learning_rate", "train_nats", "valid_nats")
    return [[record[name] for name in names] for record in history.records]


@pytest.mark.parametrize("kind", KINDS)
def test_killed_again_and_again_it_ends_in_the_same_bits(
    data, folder, kill_after, kind
):
    config = dataclasses.replace(TRAIN, **KINDS[kind])
    whole = new_model(CONFIG, seed=1)
    expected = train(whole, data, config)
    if kind == "as AWD-LSTM":  # or the test says nothing about averaging
        values = expected.column("valid_nats")
        assert any(v > min(values[:n]) for n, v in enumerate(values[:-1]) if n > 1), (
            values
        )

    for steps in (3, 1, 13, 22):
        kill_after(steps)
        with pytest.raises(Killed):
            train(new_model(CONFIG, seed=1), data, config, folder=folder)
    kill_after(10**6)
    model = new_model(CONFIG, seed=1)
    history = train(model, data, config, folder=folder)

    assert losses(history) == losses(expected)
    assert folder.logged == history.records
    assert folder.saves >= 39
    for (name, a), b in zip(model.named_parameters(), whole.parameters(), strict=True):
        assert torch.equal(a, b), name
    seconds = history.column("seconds")
    assert seconds == sorted(seconds)


def test_a_finished_run_returns_at_once(data, folder, kill_after):
    model = new_model(CONFIG, seed=1)
    first = train(model, data, TRAIN, folder=folder)
    kill_after(0)
    again = new_model(CONFIG, seed=1)
    assert train(again, data, TRAIN, folder=folder).records == first.records
    assert torch.equal(again.output.weight, model.output.weight)


def test_what_is_finished_holds_the_best_weights(data, folder):
    model = new_model(CONFIG, seed=1)
    train(model, data, TRAIN, folder=folder)
    tensors, facts = folder.finished
    assert facts["weights"] == "best"
    assert facts["step"] == 50
    for name, weight in model.named_parameters():
        assert torch.equal(tensors[f"best.{name}"], weight)


def test_time_spent_before_counts(data, folder, kill_after):
    """At a limit of time, that is: nine tenths of it were used up before."""
    config = dataclasses.replace(TRAIN, max_steps=None, epochs=None, max_minutes=1.0)
    kill_after(3)
    with pytest.raises(Killed):
        train(new_model(CONFIG, seed=1), data, config, folder=folder)
    tensors, facts = folder.state
    facts["place"]["seconds"] = 61.0
    folder.state = tensors, facts
    history = train(new_model(CONFIG, seed=1), data, config, folder=folder)
    assert history.column("step") == [3]  # evaluated, though its time was over
    assert history.last["seconds"] > 61


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_asked_to_stop_it_finishes_the_step_and_saves(
    data, folder, monkeypatch, number, code
):
    config = dataclasses.replace(TRAIN, save_minutes=60.0)
    expected = losses(train(new_model(CONFIG, seed=1), data, config))
    step = trainer.train_step

    def asked(run, rate):
        if run.place.step == 19:  # an evaluation is due after it
            os.kill(os.getpid(), number)
        return step(run, rate)

    monkeypatch.setattr(trainer, "train_step", asked)
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match="20") as stopped:
        train(new_model(CONFIG, seed=1), data, config, folder=folder)
    assert stopped.value.exit_code == code
    assert signal.getsignal(number) == before
    assert (folder.saves, folder.state[1]["step"]) == (1, 20)
    monkeypatch.setattr(trainer, "train_step", step)
    history = train(new_model(CONFIG, seed=1), data, config, folder=folder)
    assert losses(history) == expected


def test_diverging_it_names_what_is_left(data, folder, monkeypatch):
    step = trainer.train_step

    def broken(run, rate):
        if run.place.step == 4:
            with torch.no_grad():
                run.model.output.bias[2] = float("nan")
        return step(run, rate)

    monkeypatch.setattr(trainer, "train_step", broken)
    left = f"the checkpoint of step 4 stays in {folder.path}"
    with pytest.raises(Diverged, match=f"became nan.* at step 5.*; {left}"):
        train(new_model(CONFIG, seed=1), data, TRAIN, folder=folder)
    assert folder.state[1]["step"] == 4
    assert all(torch.isfinite(t).all() for t in folder.state[0].values())


def test_other_processes_are_named(data, folder):
    train(new_model(CONFIG, seed=1), data, TRAIN, folder=folder)
    folder.state[1]["processes"] = 3
    with pytest.raises(InputError, match="had 3 processes, now it has 1"):
        train(new_model(CONFIG, seed=1), data, TRAIN, folder=folder)
