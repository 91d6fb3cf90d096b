"""Pairs in batches, and a model trained on them."""

import dataclasses

import numpy as np
import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.translation_model import Seq2Seq, Seq2SeqConfig
from lmbook.text.pair_batches import PairData, bucketed, num_batches
from lmbook.training import Diverged, TrainConfig
from lmbook.training.pairs import evaluate_pairs, train_pairs
from tests.precision import needs_bf16

VOCAB, BEGIN = 13, 12
CONFIG = TrainConfig(
    batch_size=8,
    optimizer="adamw",
    learning_rate=1e-2,
    warmup=0.1,
    epochs=3,
    evaluations=3,
    device="cpu",
)
SIZES = Seq2SeqConfig(VOCAB, VOCAB, size=16, tied=True)


def shifted(number, seed):
    """Sources of 1 to 5 ids from 1 to 5; the target has each one twice as large."""
    rng = np.random.default_rng(seed)
    sources = [rng.integers(1, 6, rng.integers(1, 6)).tolist() for _ in range(number)]
    return [(row, [BEGIN, *(2 * i for i in row), 0]) for row in sources]


DATA = PairData(shifted(250, 0), shifted(40, 1))


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_batches_hold_every_pair_once_beside_its_like():
    pairs = shifted(531, 2)
    batches = list(bucketed(pairs, 8, np.random.default_rng(0)))
    assert len(batches) == num_batches(531, 8) == 67
    assert sorted(map(len, batches)) == [3] + [8] * 66
    assert sorted(p for b in batches for p in b) == sorted(pairs)
    sources = [[len(source) for source, _ in batch] for batch in batches]
    spread = [max(lengths) - min(lengths) for lengths in sources]
    assert np.mean(spread) < 0.5
    same, other = (list(bucketed(pairs, 8, np.random.default_rng(s))) for s in (0, 1))
    assert batches == same != other
    with pytest.raises(InputError, match="batch_size must be at least 1, got 0"):
        next(bucketed(pairs, 0, np.random.default_rng(0)))


@pytest.mark.parametrize("architecture", ["fixed", "attention", "transformer"])
def test_it_learns_and_the_same_seed_learns_the_same(architecture):
    sizes = dataclasses.replace(SIZES, architecture=architecture, dropout=0.1)
    models = [Seq2Seq.seeded(sizes, 3) for _ in range(3)]
    before = evaluate_pairs(models[0], DATA.valid)
    configs = [CONFIG, CONFIG, dataclasses.replace(CONFIG, seed=1)]
    histories = []
    for model, config in zip(models, configs, strict=True):
        torch.randn(5)  # what was drawn before does not matter
        histories.append(train_pairs(model, DATA, config))
    assert torch.equal(weights(models[0]), weights(models[1]))
    assert not torch.equal(weights(models[0]), weights(models[2]))
    history = histories[0]
    assert len(history.records) == 3
    assert history.last["step"] == 3 * num_batches(250, 8)
    assert history.last["tokens"] == 3 * sum(len(t) - 1 for _, t in DATA.train)
    assert history.best["valid_nats"] < before / 2
    found = evaluate_pairs(models[0], DATA.valid)
    assert found == pytest.approx(history.best["valid_nats"], abs=1e-6)
    assert not models[0].training


def test_the_loss_of_pairs_is_that_of_each_alone():
    model = Seq2Seq.seeded(SIZES, 0)
    alone = [evaluate_pairs(model, [pair]) * (len(pair[1]) - 1) for pair in DATA.valid]
    tokens = sum(len(target) - 1 for _, target in DATA.valid)
    assert evaluate_pairs(model, DATA.valid, 7) == pytest.approx(
        sum(alone) / tokens, rel=1e-5
    )
    assert model.training


def test_the_mean_of_the_weights():
    config = dataclasses.replace(CONFIG, average="ema", horizon=10)
    plain, averaged = (Seq2Seq.seeded(SIZES, 3) for _ in range(2))
    train_pairs(plain, DATA, CONFIG)
    history = train_pairs(averaged, DATA, config)
    assert not torch.equal(weights(plain), weights(averaged))
    found = evaluate_pairs(averaged, DATA.valid)
    assert found == pytest.approx(history.best["valid_nats"], abs=1e-6)


def test_where_training_ends():
    steps = dataclasses.replace(CONFIG, max_steps=5)
    assert train_pairs(Seq2Seq.seeded(SIZES, 0), DATA, steps).last["step"] == 5
    never = dataclasses.replace(CONFIG, learning_rate=1e-12, patience=1, evaluations=9)
    history = train_pairs(Seq2Seq.seeded(SIZES, 0), DATA, never)
    assert len(history.records) < 9
    minutes = dataclasses.replace(CONFIG, epochs=None, max_minutes=0.01)
    assert train_pairs(Seq2Seq.seeded(SIZES, 0), DATA, minutes).last["seconds"] < 5


@needs_bf16
def test_bf16():
    sizes = dataclasses.replace(SIZES, architecture="transformer")
    found = []
    for precision in ("bf16", "float32"):
        config = dataclasses.replace(CONFIG, precision=precision, max_steps=20)
        history = train_pairs(Seq2Seq.seeded(sizes, 0), DATA, config)
        found.append(history.last["train_nats"])
    assert found[0] == pytest.approx(found[1], rel=0.05)
    assert found[0] != found[1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    config = dataclasses.replace(CONFIG, device="cuda", precision="float32")
    history = train_pairs(Seq2Seq.seeded(SIZES, 3), DATA, config)
    expected = train_pairs(Seq2Seq.seeded(SIZES, 3), DATA, CONFIG)
    assert history.last["train_nats"] == pytest.approx(
        expected.last["train_nats"], rel=0.1
    )


def test_divergence_is_said():
    config = dataclasses.replace(CONFIG, learning_rate=1e38, warmup=0.0)
    with pytest.raises(Diverged, match="a learning rate below 1e"):
        train_pairs(Seq2Seq.seeded(SIZES, 0), DATA, config)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seq_len": 9}, "seq_len means nothing for pairs: leave it at 5"),
        ({"accumulate": 2}, "accumulate"),
        ({"activation": 1.0}, "activation"),
        ({"average": "nt-asgd"}, 'None or "ema"'),
    ],
)
def test_what_means_nothing_for_pairs(options, message):
    with pytest.raises(InputError, match=message):
        train_pairs(Seq2Seq(SIZES), DATA, dataclasses.replace(CONFIG, **options))


@pytest.mark.parametrize("data", [PairData([], DATA.valid), PairData(DATA.train, [])])
def test_no_pairs(data):
    with pytest.raises(InputError, match="pairs to learn from and pairs held out"):
        train_pairs(Seq2Seq(SIZES), data, CONFIG)
