"""Presets against the published numbers: sizes, hyperparameters, conversions."""

import dataclasses

import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.lstm import LSTMLanguageModel
from lmbook.training.presets import PRESETS, new_model, preset
from lmbook.training.schedules import learning_rate


def test_the_article_preset_has_the_articles_sizes():
    article = PRESETS["article"]
    sizes = article.model
    assert (sizes.embedding_size, sizes.hidden_size, sizes.num_layers) == (256, 128, 2)
    assert (sizes.vocab_size, article.train.batch_size) == (10_000, 64)


def test_an_unknown_preset_is_named():
    with pytest.raises(InputError, match="no preset named 'huge'; presets: article"):
        preset("huge")


@pytest.mark.parametrize(
    ("name", "millions", "published"),
    [  # of the papers and READMEs, to as many digits as they print
        ("zaremba-small", 4.65, "4.65"),
        ("zaremba-medium", 19.8, "19.8"),
        ("zaremba-large", 66.0, "66"),
        ("awd-lstm", 24.2, "24"),
        ("awd-lstm-wikitext-2", 33.6, "33"),
    ],
)
def test_sizes_are_the_published_ones(name, millions, published):
    config = PRESETS[name].model
    assert config.num_parameters / 1e6 == pytest.approx(millions, rel=5e-3)
    assert str(config.num_parameters / 1e6).startswith(published[:2])
    with torch.device("meta"):
        model = LSTMLanguageModel(config)
    assert sum(w.numel() for w in model.parameters()) == config.num_parameters


@pytest.mark.parametrize(
    ("name", "paper"),
    [  # units, steps, range, dropout, clipping, epochs, of them at rate 1, factor
        ("zaremba-small", (200, 20, 0.1, 0.0, 5, 13, 4, 2.0)),
        ("zaremba-medium", (650, 35, 0.05, 0.5, 5, 39, 6, 1.2)),
        ("zaremba-large", (1500, 35, 0.04, 0.65, 10, 55, 14, 1.15)),
    ],
)
def test_zarembas_numbers_are_the_papers(name, paper):
    """arXiv:1409.2329, section 4.1; its loss is summed over the steps of a window."""
    units, steps, range_, dropout, clip, epochs, constant, factor = paper
    model, train = PRESETS[name].model, PRESETS[name].train
    assert (model.embedding_size, model.hidden_size) == (units, units)
    assert (model.num_layers, model.tied, model.locked) == (2, False, False)
    assert model.init_range == range_
    drops = (model.dropout_input, model.dropout_hidden, model.dropout_output)
    assert drops == (dropout,) * 3
    assert (model.dropout_embedding, model.weight_drop, model.forget_bias) == (0, 0, 0)
    assert (train.batch_size, train.seq_len, train.epochs) == (20, steps, epochs)
    assert (train.optimizer, train.weight_decay, train.average) == ("sgd", 0, None)
    assert train.clip_norm * steps == pytest.approx(clip)
    rates = [learning_rate(train, 0.0, epoch) / steps for epoch in range(constant + 2)]
    assert rates == pytest.approx([1.0] * constant + [1 / factor, factor**-2])


@pytest.mark.parametrize(
    ("name", "options"),
    [  # of README.md's two commands: batch, dropouti, dropouth, epochs
        ("awd-lstm", (20, 0.4, 0.25, 500)),
        ("awd-lstm-wikitext-2", (80, 0.65, 0.2, 750)),
    ],
)
def test_awd_lstms_numbers_are_its_codes(name, options):
    """Options of the commands, else main.py's defaults."""
    model, train = PRESETS[name].model, PRESETS[name].train
    found = (train.batch_size, model.dropout_input, model.dropout_hidden, train.epochs)
    assert found == options
    main = {
        "embedding_size": 400,
        "hidden_size": 1150,
        "num_layers": 3,
        "dropout_output": 0.4,
        "dropout_embedding": 0.1,
        "weight_drop": 0.5,
        "tied": True,
        "locked": True,
        "init_range": None,
        "forget_bias": 0.0,
    }
    assert main.items() <= dataclasses.asdict(model).items()
    main = {
        "learning_rate": 30,
        "clip_norm": 0.25,
        "seq_len": 70,
        "seq_jitter": True,
        "activation": 2,
        "slowness": 1,
        "weight_decay": 1.2e-6,
        "non_monotone": 5,
        "average": "nt-asgd",
        "optimizer": "sgd",
        "schedule": "constant",
        "warmup": 0.0,
        "evaluations": options[-1],
    }
    assert main.items() <= dataclasses.asdict(train).items()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_says_what_it_is(name):
    chosen = preset(name)
    assert chosen.level in ("word", "bpe", "char")
    assert 20 < len(chosen.about) < 160


def test_a_seed_gives_a_model():
    small = dataclasses.replace(PRESETS["article"].model, vocab_size=11)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one, same, other = (new_model(small, seed).embedding.weight for seed in (4, 4, 5))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.rand(1), expected)
