"""A Transformer in the same trainer: windows by themselves, evaluated with context."""

import dataclasses

import numpy as np
import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.training import TrainConfig, evaluate, evaluation, train
from lmbook.training.trainer import train_step

CONFIG = GPTConfig(11, 8, 12, 2, 3, num_kv_heads=1, position="rotary", dropout=0.1)
TRAIN = TrainConfig(
    batch_size=5,
    seq_len=8,
    learning_rate=0.01,
    evaluations=3,
    max_steps=150,
    epochs=None,
    optimizer="adamw",
    device="cpu",
)


def new_model(**changes):
    torch.manual_seed(0)
    return GPT(dataclasses.replace(CONFIG, **changes))


@torch.no_grad()
def nats_with_state(model, ids):
    """Read token by token, as text is written."""
    total, state = 0.0, None
    for token, following in zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True):
        logits, state = model(torch.tensor([[token]]), state)
        total -= logits[0, -1].log_softmax(-1)[following].item()
    return total / (len(ids) - 1)


@pytest.mark.parametrize("context_length", [2, 7, 8])
@pytest.mark.parametrize("length", [2, 3, 4, 5, 6, 8, 9, 12, 13, 14, 67])
def test_it_is_the_mean_of_every_prediction(data, monkeypatch, context_length, length):
    monkeypatch.setattr(evaluation, "MOST_TOKENS", 3 * context_length)
    model = new_model(context_length=context_length, init_std=0.5).double().train()
    ids = data.train[:length]
    found = evaluate(model, ids)
    assert model.training
    assert found == pytest.approx(nats_with_state(model.eval(), ids), rel=1e-9)


def test_it_learns(data):
    model = new_model()
    before = evaluate(model, data.valid)
    history = train(model, data, TRAIN)
    assert before == pytest.approx(np.log(11), abs=0.3)
    assert history.best["valid_nats"] == evaluate(model, data.valid)
    assert history.best["valid_nats"] < 0.3


def test_a_run_that_was_stopped_ends_the_same(data, folder, monkeypatch):
    whole = new_model()
    train(whole, data, dataclasses.replace(TRAIN, max_steps=30))

    def interrupted(run, rate):
        nats = train_step(run, rate)
        if run.place.step == 10:
            raise KeyboardInterrupt
        return nats

    config = dataclasses.replace(TRAIN, max_steps=30, save_minutes=1e-9)
    with monkeypatch.context() as patch:
        patch.setattr("lmbook.training.trainer.train_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(new_model(), data, config, folder=folder)
    again = new_model(init_std=0.1)
    train(again, data, config, folder=folder)
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_windows_longer_than_the_context(data):
    config = dataclasses.replace(TRAIN, seq_len=9)
    with pytest.raises(InputError, match="at most context_length tokens, 8, .* got 9"):
        train(new_model(), data, config)
