"""The loss on a text: exact however the text is read."""

import numpy as np
import pytest
import torch

from lmbook.models.lstm import LSTMConfig
from lmbook.training import Diverged, evaluate, evaluation
from lmbook.training.presets import new_model

SIZES = {"vocab_size": 11, "embedding_size": 6, "hidden_size": 8, "num_layers": 2}
CONFIG = LSTMConfig(**SIZES, dropout_output=0.5)


def nats_at_once(model, ids):
    """The whole text in one call, all logits."""
    ids = torch.from_numpy(ids)[None]
    with torch.no_grad():
        logits, _ = model.eval()(ids[:, :-1])
    picked = torch.log_softmax(logits, -1).gather(2, ids[:, 1:, None])
    return -picked.mean().item()


@pytest.fixture
def readings(monkeypatch):
    """From where on rows are read: of 50 tokens, at most 9 of them, windows of 13."""
    monkeypatch.setattr(evaluation, "ROW", 50)
    monkeypatch.setattr(evaluation, "MOST_ROWS", 9)
    monkeypatch.setattr(evaluation, "WINDOW", 13)
    monkeypatch.setattr(evaluation, "MEMORY", 40)
    count, read = [], evaluation._read

    def counted(model, batches, state, since=0):
        count.append(since)
        return read(model, batches, state, since)

    monkeypatch.setattr(evaluation, "_read", counted)
    return count


@pytest.mark.parametrize("length", [2, 40, 101, 403, 750])
def test_it_is_the_mean_of_every_prediction(data, readings, length):
    model = new_model(CONFIG, seed=1).double()
    ids = data.train[:length]
    assert evaluate(model, ids) == pytest.approx(nats_at_once(model, ids), rel=1e-6)


def test_of_a_model_that_forgets_the_rows_are_read_once(data, readings):
    evaluate(new_model(CONFIG, seed=1).double(), data.train[:451])
    assert readings == [10, 0]  # their ends, for the memory alone; all of them


def test_a_model_that_never_forgets_is_read_until_it_agrees(data, readings):
    model = new_model(LSTMConfig(**SIZES, forget_bias=20.0), seed=1).double()
    ids = data.train[:451]
    assert evaluate(model, ids) == pytest.approx(nats_at_once(model, ids), rel=1e-6)
    assert len(readings) > 3


def test_it_leaves_the_model_as_it_was(data):
    model = new_model(CONFIG, seed=1).train()
    evaluate(model, data.valid)
    assert model.training
    assert all(weight.grad is None for weight in model.parameters())


@pytest.mark.parametrize("length", [100, 300])
def test_weights_that_predict_nothing_are_named(data, readings, length):
    model = new_model(CONFIG, seed=0)
    with torch.no_grad():
        model.layers[0].bias_ih_l0.fill_(np.nan)
    with pytest.raises(Diverged, match="the loss on this text is nan"):
        evaluate(model, data.train[:length])
