"""Training: what it computes, what it carries, when it stops."""

import dataclasses
import time

import numpy as np
import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.lstm import LSTMConfig, detach
from lmbook.text import LanguageData, Vocabulary
from lmbook.training import Diverged, TrainConfig, best_device, evaluate, train
from lmbook.training.presets import PRESETS, new_model, preset

CONFIG = LSTMConfig(vocab_size=11, embedding_size=6, hidden_size=8, num_layers=2)
TRAIN = TrainConfig(batch_size=5, seq_len=7, learning_rate=0.02, evaluations=3)


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices this small are quicker without threads that wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data():
    """A text whose next token is a function of the last two."""
    ids = [1, 2]
    while len(ids) < 1500:
        ids.append((ids[-1] * 3 + ids[-2]) % 10 + 1)
    words = [str(i) for i in range(10)]
    chars = {"train": 4000, "valid": 500, "test": 500}
    array = np.array(ids, np.int64)
    return LanguageData(
        Vocabulary(["<unk>", *words]),
        *(array[:1200], array[1200:1400], array[1400:]),
        num_chars=chars,
    )


def test_it_learns_and_records(data):
    model = new_model(CONFIG, seed=0)
    before = evaluate(model, data.valid)
    history = train(model, data, dataclasses.replace(TRAIN, epochs=25))
    assert before == pytest.approx(np.log(11), abs=0.3)
    assert history.last["valid_nats"] < 0.3
    assert history.last["valid_nats"] == evaluate(model, data.valid)
    steps = 25 * -(-239 // 7)
    assert history.column("step")[-1] == steps
    assert history.last["tokens"] == 25 * 239 * 5
    assert len(history.records) == 3
    assert history.column("train_nats") == sorted(history.column("train_nats"))[::-1]


def test_same_seed_same_weights(data):
    first, second = (new_model(CONFIG, seed=4) for _ in range(2))
    for model in (first, second):
        train(model, data, dataclasses.replace(TRAIN, max_steps=9))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    other = new_model(CONFIG, seed=5)
    assert not torch.equal(first.embedding.weight, other.embedding.weight)


def test_evaluation_is_the_mean_of_every_prediction(data, monkeypatch):
    model = new_model(CONFIG, seed=1)
    ids = torch.from_numpy(data.valid)[None]
    logits, _ = model(ids[:, :-1])
    picked = torch.log_softmax(logits, -1).gather(2, ids[:, 1:, None])
    monkeypatch.setattr("lmbook.training.trainer.EVALUATION_SEQ_LEN", 13)
    assert evaluate(model, data.valid) == pytest.approx(-picked.mean().item(), rel=1e-6)


def test_memory_is_carried_from_window_to_window(data, monkeypatch):
    seen = []
    model = new_model(CONFIG, seed=2)
    hidden = type(model).hidden

    def spy(self, ids, state=None):
        if self.training:
            seen.append(state)
        return hidden(self, ids, state)

    monkeypatch.setattr(type(model), "hidden", spy)
    windows = -(-239 // 7)
    limits = {"epochs": None, "max_steps": windows + 2, "evaluations": 1}
    train(model, data, dataclasses.replace(TRAIN, **limits))
    starts = [index for index, state in enumerate(seen) if state is None]
    assert starts == [0, windows]  # only where the text begins
    assert not seen[1][0][0].requires_grad


def test_a_diverging_run_says_so(data):
    model = new_model(CONFIG, seed=0)
    with torch.no_grad():
        model.output.bias[3] = float("nan")
    with pytest.raises(Diverged, match="became nan at step 1.*learning rate"):
        train(model, data, TRAIN)


def test_weights_that_predict_nothing_are_named(data):
    model = new_model(CONFIG, seed=0)
    with torch.no_grad():
        model.output.weight.fill_(float("inf"))
    with pytest.raises(Diverged, match="the loss on this text is"):
        evaluate(model, data.valid)


def test_a_missing_validation_part_is_named_before_training(data):
    short = dataclasses.replace(data, valid=data.valid[:1])
    model = new_model(CONFIG, seed=0)
    before = model.output.weight.clone()
    with pytest.raises(InputError, match="validation part .* leaves 1"):
        train(model, short, TRAIN)
    assert torch.equal(model.output.weight, before)


def test_it_is_adam_with_clipping_along_a_cosine(data):
    """Two windows again, with PyTorch's plain optimiser in float64."""
    options = {"max_steps": 2, "clip_norm": 0.05, "evaluations": 1}
    model, peer = (new_model(CONFIG, seed=6).double() for _ in range(2))
    train(model, data, dataclasses.replace(TRAIN, **options))

    optimizer = torch.optim.Adam(peer.parameters(), fused=False, foreach=False)
    state = None
    for step in range(2):
        rate = TRAIN.learning_rate * (0.1 + 0.9 * (1 + np.cos(np.pi * step / 2)) / 2)
        optimizer.param_groups[0]["lr"] = rate
        rows = data.train[: 5 * 239].reshape(5, 239)
        targets = data.train[1 : 5 * 239 + 1].reshape(5, 239)
        window = slice(7 * step, 7 * step + 7)
        logits, state = peer(torch.from_numpy(rows[:, window]), state)
        state = detach(state)
        scores = torch.log_softmax(logits, dim=-1)
        goal = torch.from_numpy(targets[:, window])[:, :, None]
        optimizer.zero_grad()
        (-scores.gather(2, goal).mean()).backward()
        length = sum(p.grad.square().sum() for p in peer.parameters()).sqrt()
        assert length > 0.05
        for parameter in peer.parameters():
            parameter.grad *= 0.05 / (length + 1e-6)
        optimizer.step()
    for a, b in zip(model.parameters(), peer.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-9)


def test_throughput_leaves_evaluation_out(data, monkeypatch):
    def slow(model, ids):
        time.sleep(0.3)
        return 1.0

    monkeypatch.setattr("lmbook.training.trainer.evaluate", slow)
    options = {"max_steps": 4, "evaluations": 2}
    history = train(new_model(CONFIG, 0), data, dataclasses.replace(TRAIN, **options))
    last = history.last
    assert last["seconds"] > 0.6
    busy = last["tokens"] / last["tokens_per_second"]
    assert 0 < busy < last["seconds"] - 0.55


def test_minutes_end_training(data):
    limits = {"epochs": None, "max_minutes": 0.5 / 60}
    history = train(new_model(CONFIG, 0), data, dataclasses.replace(TRAIN, **limits))
    assert 0.4 < history.last["seconds"] < 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be greater than 0, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be"),
        ({"max_minutes": -1.0}, "max_minutes must be"),
        ({"epochs": None}, "must end training"),
    ],
)
def test_bad_configuration_is_named(options, message):
    with pytest.raises(InputError, match=message):
        TrainConfig(**options)


def test_devices():
    assert best_device("cpu").type == "cpu"
    assert best_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(InputError, match="auto, cpu, cuda, mps; got 'gpu'"):
        best_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match=r"no cuda device; it has: .*cpu"):
            best_device("cuda")


def test_the_article_preset_has_the_articles_sizes():
    article = PRESETS["article"]
    sizes = article.model
    assert (sizes.embedding_size, sizes.hidden_size, sizes.num_layers) == (256, 128, 2)
    assert (sizes.vocab_size, article.train.batch_size) == (10_000, 64)
    with pytest.raises(InputError, match="no preset named 'huge'; presets: article"):
        preset("huge")
