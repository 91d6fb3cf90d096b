"""Training: what it computes, what it carries, when it stops."""

import dataclasses
import time
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from lmbook.errors import InputError
from lmbook.models.lstm import LSTMConfig
from lmbook.text import ContiguousBatches
from lmbook.training import Diverged, Run, TrainConfig, evaluate, train, trainer
from lmbook.training.distributed import Ranks
from lmbook.training.presets import PRESETS, new_model
from lmbook.training.run import check
from tests.precision import needs_bf16

SIZES = {"vocab_size": 11, "embedding_size": 6, "hidden_size": 8, "num_layers": 2}
CONFIG = LSTMConfig(**SIZES)
TRAIN = TrainConfig(
    batch_size=5, seq_len=7, learning_rate=0.02, evaluations=3, device="cpu"
)
STEPS = -(-239 // 7)  # of an epoch


def replace(**options):
    return dataclasses.replace(TRAIN, **options)


@pytest.fixture
def losses(monkeypatch):
    """What every step returns, as it is made."""
    made, step = [], trainer.train_step

    def noted(run, rate):
        made.append(step(run, rate))
        return made[-1]

    monkeypatch.setattr(trainer, "train_step", noted)
    return made


@pytest.fixture
def scripted(monkeypatch):
    """Validation losses that are given, and the weights that they were given for."""

    def script(*values):
        seen, left = [], list(values)

        def evaluate(model, ids):
            seen.append(model.output.weight.detach().clone())
            return left.pop(0)

        monkeypatch.setattr(trainer, "evaluate", evaluate)
        return seen

    return script


def test_it_learns_and_records(data):
    model = new_model(CONFIG, seed=0)
    before = evaluate(model, data.valid)
    history = train(model, data, replace(epochs=20))
    assert before == pytest.approx(np.log(11), abs=0.3)
    assert history.last["valid_nats"] < 0.3
    assert history.best["valid_nats"] == evaluate(model, data.valid)
    assert history.column("step")[-1] == 20 * STEPS
    assert history.last["tokens"] == 20 * 239 * 5
    assert history.column("epoch")[-1] == 20
    assert len(history.records) == 3
    assert history.column("train_nats") == sorted(history.column("train_nats"))[::-1]


def test_train_nats_is_the_mean_over_the_tokens_since_the_last_record(data, losses):
    history = train(new_model(CONFIG, 0), data, replace(epochs=2, evaluations=2))
    for number, train_nats in enumerate(history.column("train_nats")):
        # An epoch's last window has one column, the others seven.
        epoch = losses[number * STEPS : (number + 1) * STEPS]
        weights = [7] * (STEPS - 1) + [239 % 7]
        assert train_nats == pytest.approx(np.average(epoch, weights=weights))


def test_same_seed_same_weights(data):
    dropping = dataclasses.replace(CONFIG, dropout_hidden=0.3)

    def trained(seed):
        torch.manual_seed(torch.seed())  # what came before doesn't matter
        model = new_model(dropping, seed=4)
        train(model, data, replace(max_steps=9, seed=seed))
        return model.output.weight.detach()

    first = trained(1)
    assert torch.equal(first, trained(1))
    assert not torch.equal(first, trained(2))


def test_the_callers_random_numbers_are_left_alone(data):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(new_model(CONFIG, 0), data, replace(max_steps=2))
    assert torch.equal(torch.rand(3), expected)


def test_masks_change_from_step_to_step(data):
    """Were they the same, the same weights at rate 0 would give the same loss."""
    model = new_model(LSTMConfig(**SIZES, dropout_output=0.5), seed=4)
    run = Run(model, data, replace(seed=3), Ranks(0, 1, torch.device("cpu")))
    first = trainer.train_step(run, 0.0)
    run.states = [None]
    assert trainer.train_step(run, 0.0) == first  # the same step again
    run.states, run.place.step = [None], 1
    assert trainer.train_step(run, 0.0) != first


def test_memory_is_carried_from_window_to_window(data, monkeypatch):
    seen = []
    model = new_model(CONFIG, seed=2)
    hidden = type(model).hidden

    def spy(self, ids, state=None):
        if self.training:
            seen.append(state)
        return hidden(self, ids, state)

    monkeypatch.setattr(type(model), "hidden", spy)
    train(model, data, replace(epochs=None, max_steps=STEPS + 2, evaluations=1))
    starts = [index for index, state in enumerate(seen) if state is None]
    assert starts == [0, STEPS]  # only where the text begins
    assert not any(x.requires_grad for pair in seen[1] for x in pair)
    assert seen[1][0][0].abs().sum() > 0


class Peer:
    """The same model put together from ``nn.LSTM`` with the optimiser by hand."""

    def __init__(self, model, data, batch_size):
        self.model, self.state = model, None
        steps = (len(data.train) - 1) // batch_size
        used = steps * batch_size
        self.inputs = torch.from_numpy(data.train[:used]).view(batch_size, steps)
        self.targets = torch.from_numpy(data.train[1 : used + 1]).view(
            batch_size, steps
        )

    def forward(self, start, stop):
        """Logits of a window, and what the last layer gave, (T, B, H)."""
        x = self.model.embedding.weight[self.inputs[:, start:stop].T]
        states = self.state or [None] * len(self.model.layers)
        self.state = []
        for layer, state in zip(self.model.layers, states, strict=True):
            plain = torch.nn.LSTM(layer.input_size, layer.hidden_size).double()
            names = [name for name, _ in plain.named_parameters()]
            own = {name: layer.get_parameter(name) for name in names}
            x, (h, c) = torch.func.functional_call(plain, own, (x, state))
            self.state.append((h.detach(), c.detach()))
        return x @ self.model.output.weight.T + self.model.output.bias, x

    def descend(self, loss, rate, clip, decay=0.0):
        """Gradient descent with the norm of the gradient clipped."""
        weights = list(self.model.parameters())
        gradients = torch.autograd.grad(loss, weights)
        norm = torch.sqrt(sum((g**2).sum() for g in gradients))
        assert norm > clip  # or the test says nothing about clipping
        with torch.no_grad():
            for w, g in zip(weights, gradients, strict=True):
                w -= rate * (g * clip / (norm + 1e-6) + decay * w)


def assert_same_weights(model, peer):
    pairs = zip(model.named_parameters(), peer.named_parameters(), strict=True)
    for (name, a), (_, b) in pairs:
        torch.testing.assert_close(a, b, rtol=1e-4, atol=5e-5, msg=name)


def test_zarembas_steps_are_the_papers(data):
    """Loss summed over the steps of a window, rate 1, the norm clipped at 5."""
    small = PRESETS["zaremba-small"]
    sizes = {"vocab_size": 11, "embedding_size": 9, "hidden_size": 9}
    config = dataclasses.replace(small.model, **sizes)
    model, peer = (new_model(config, seed=6).double() for _ in range(2))
    options = {"epochs": None, "max_steps": 2, "evaluations": 1, "device": "cpu"}
    train(model, data, dataclasses.replace(small.train, **options))

    twin = Peer(peer, data, 20)
    for start in (0, 20):
        logits, _ = twin.forward(start, start + 20)
        targets = twin.targets[:, start : start + 20].T
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
        twin.descend(loss / 20, rate=1.0, clip=5.0)
    assert_same_weights(model, peer)


def test_awd_lstms_steps_are_its_codes(data):
    """Both penalties, weight decay, and a rate that goes with the window's length."""
    awd = PRESETS["awd-lstm"]
    sizes = {"vocab_size": 11, "embedding_size": 6, "hidden_size": 9}
    drops = {f.name: 0.0 for f in dataclasses.fields(awd.model) if "drop" in f.name}
    config = dataclasses.replace(awd.model, **sizes, **drops)
    model, peer = (new_model(config, seed=6).double() for _ in range(2))
    options = {"epochs": None, "max_steps": 3, "evaluations": 1, "device": "cpu"}
    options |= {"batch_size": 5, "weight_decay": 1e-3, "clip_norm": 0.05}
    train(model, data, dataclasses.replace(awd.train, **options))

    twin = Peer(peer, data, 5)
    batches = ContiguousBatches(data.train, 5, 70)
    cuts = batches.jittered_cuts(np.random.default_rng((0, 0)))[:4]
    assert len({stop - start for start, stop in pairwise(cuts)}) == 3
    for start, stop in pairwise(cuts):
        logits, h = twin.forward(start, stop)
        loss = cross_entropy(
            logits.flatten(0, 1), twin.targets[:, start:stop].T.flatten()
        )
        loss = loss + 2 * h.pow(2).mean() + 1 * (h[1:] - h[:-1]).pow(2).mean()
        rate = 30 * (stop - start) / 70
        twin.descend(loss, rate, clip=0.05, decay=1e-3)
    assert_same_weights(model, peer)


@pytest.mark.parametrize("parts", [2, 3])
def test_accumulated_parts_are_the_whole_batch(data, parts):
    """Parts of unequal size, and penalties as in the preset."""
    options = {"epochs": None, "max_steps": 5, "evaluations": 1, "clip_norm": 0.05}
    options |= {"optimizer": "sgd", "learning_rate": 1.0, "activation": 2.0}
    options |= {"slowness": 1.0}
    whole, divided = (new_model(CONFIG, seed=6).double() for _ in range(2))
    a = train(whole, data, replace(**options))
    b = train(divided, data, replace(**options, accumulate=parts))
    assert a.last["train_nats"] == pytest.approx(b.last["train_nats"], rel=1e-9)
    for one, other in zip(whole.parameters(), divided.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_the_best_weights_stay_and_patience_ends(data, scripted):
    seen = scripted(3.0, 2.0, 2.5, 2.6, 1.0)
    model = new_model(CONFIG, seed=0)
    history = train(model, data, replace(epochs=5, evaluations=5, patience=2))
    assert history.column("valid_nats") == [3.0, 2.0, 2.5, 2.6]
    assert history.best is history.records[1]
    assert torch.equal(model.output.weight, seen[1])
    assert not torch.equal(seen[1], seen[3])


def test_an_exponential_mean_is_what_is_evaluated_and_kept(data, monkeypatch):
    own, step = [], trainer.train_step

    def noted(run, rate):
        nats = step(run, rate)
        own.append(run.model.output.bias.detach().double())
        return nats

    monkeypatch.setattr(trainer, "train_step", noted)
    model = new_model(CONFIG, seed=0)
    options = {"average": "ema", "horizon": 4, "max_steps": 9, "evaluations": 1}
    history = train(model, data, replace(**options))
    mean = own[0]
    for n, bias in enumerate(own[1:], start=2):
        mean = mean + (bias - mean) / min(n, 4)
    torch.testing.assert_close(model.output.bias.double(), mean, rtol=1e-5, atol=1e-6)
    assert history.last["valid_nats"] == evaluate(model, data.valid)


def test_the_mean_begins_when_nothing_is_gained_any_more(data, scripted, monkeypatch):
    """After evaluation 6, no better than the best of those 3 or more before it."""
    own, step = [], trainer.train_step

    def noted(run, rate):
        nats = step(run, rate)
        own.append(run.model.output.weight.detach().clone())
        return nats

    monkeypatch.setattr(trainer, "train_step", noted)
    values = (5.0, 4.0, 4.2, 4.1, 3.9, 4.05, 9.0, 3.0)
    seen = scripted(*values)
    options = {"average": "nt-asgd", "non_monotone": 3, "evaluations": 8}
    model = new_model(CONFIG, seed=0)
    # 4.2: too early; 4.1 and 3.9 against 5.0, 4.0; 4.05 is above min(5, 4).
    train(model, data, replace(**options, epochs=None, max_steps=32))
    for number in range(6):
        assert torch.equal(seen[number], own[4 * number + 3])
    for number in (6, 7):
        mean = torch.stack(own[24 : 4 * number + 4]).mean(0)
        torch.testing.assert_close(seen[number], mean, rtol=1e-5, atol=1e-6)
    assert torch.equal(model.output.weight, seen[7])


def test_a_diverging_run_says_so_and_keeps_its_weights(data):
    model = new_model(CONFIG, seed=0)
    with torch.no_grad():
        model.output.bias[3] = float("nan")
    with pytest.raises(Diverged, match="became nan.*at step 1; a learning rate below"):
        train(model, data, TRAIN)
    assert torch.isfinite(model.output.weight).all()


def test_so_does_one_whose_gradient_alone_is_no_number(data, monkeypatch):
    """The step is not made, so nothing broken can be saved."""
    monkeypatch.setattr(
        torch.nn.utils, "clip_grad_norm_", lambda *_: torch.tensor(float("inf"))
    )
    model = new_model(CONFIG, seed=0)
    before = model.output.weight.detach().clone()
    with pytest.raises(Diverged, match="its gradient inf at step 1"):
        train(model, data, TRAIN)
    assert torch.equal(model.output.weight, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 1300}, "needs at least 1,301 tokens; the text has 1,200"),
        ({"accumulate": 6}, "accumulate must be at most the rows of a process, 5"),
        ({"valid": 1}, "validation part needs at least 2 tokens; the text leaves 1"),
    ],
)
def test_what_cannot_be_trained_on_is_named_before(data, options, message):
    options = dict(options)
    valid = data.valid[: options.pop("valid", None)]
    texts = SimpleNamespace(train=data.train, valid=valid)
    model = new_model(CONFIG, seed=0)
    before = model.output.weight.detach().clone()
    for act in (check, lambda *args: train(model, *args)):
        with pytest.raises(InputError, match=message):
            act(texts, replace(**options))
    assert torch.equal(model.output.weight, before)


@needs_bf16
def test_bf16_learns_the_same_up_to_its_rounding(data):
    results = {}
    for precision in ("float32", "bf16"):
        model = new_model(CONFIG, seed=0)
        history = train(model, data, replace(epochs=2, precision=precision))
        results[precision] = history.last["train_nats"]
        assert model.output.weight.dtype == torch.float32
    assert results["bf16"] != results["float32"]
    assert results["bf16"] == pytest.approx(results["float32"], abs=0.03)


def test_bf16_is_refused_where_the_cpu_does_not_compute_in_it(data, monkeypatch):
    without = SimpleNamespace(_is_mkldnn_bf16_supported=lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", without)
    model = new_model(CONFIG, seed=0)
    before = model.output.weight.detach().clone()
    for act in (check, lambda *args: train(model, *args)):
        with pytest.raises(InputError, match="does not compute in bfloat16"):
            act(data, replace(precision="bf16"))
    assert torch.equal(model.output.weight, before)


def test_speed_is_that_of_training_alone(data, monkeypatch):
    def slow(model, ids):
        time.sleep(0.3)
        return 1.0

    monkeypatch.setattr(trainer, "evaluate", slow)
    options = {"epochs": None, "max_steps": 4, "evaluations": 2}
    last = train(new_model(CONFIG, 0), data, replace(**options)).last
    assert last["seconds"] > 0.6
    busy = last["tokens"] / last["tokens_per_second"]
    assert 0 < busy < last["seconds"] - 0.55


def test_minutes_end_training(data):
    limits = {"epochs": None, "max_minutes": 0.5 / 60}
    history = train(new_model(CONFIG, 0), data, replace(**limits))
    assert 0.4 < history.last["seconds"] < 20
    assert history.last["learning_rate"] < TRAIN.learning_rate
