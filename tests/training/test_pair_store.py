"""Translators that are trained once and kept."""

import dataclasses
import json
from collections import Counter

import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.translation_model import Seq2Seq, Seq2SeqConfig
from lmbook.text.pair_tokens import SPECIAL, pair_tokenizer
from lmbook.text.pair_words import PairWords
from lmbook.training import TrainConfig, checkpoint, pair_store
from lmbook.training.pair_files import load_pair_model, save_pair_model
from lmbook.training.pair_store import (
    PairSetup,
    covering,
    microworld_pairs,
    texts,
    trained_pairs,
)

SETUP = PairSetup(
    num_sentences=46,
    valid_pairs=6,
    coverage=40,
    model=Seq2SeqConfig(1, 1, size=8, tied=True),
    train=TrainConfig(optimizer="adamw", batch_size=16, epochs=None, max_steps=4),
)


@pytest.fixture
def models(tmp_path, monkeypatch):
    folder = tmp_path / "kept" / "models"
    monkeypatch.setenv("LMBOOK_MODELS", str(folder))
    return folder


@pytest.fixture
def trainings(monkeypatch):
    """How often something was trained."""
    begun, train = [], pair_store.train_pairs

    def counted(*args):
        begun.append(args)
        return train(*args)

    monkeypatch.setattr(pair_store, "train_pairs", counted)
    return begun


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_trained_once_then_loaded(models, trainings):
    first, second = trained_pairs(SETUP), trained_pairs(SETUP)
    assert len(trainings) == 1
    assert torch.equal(weights(first.model), weights(second.model))
    assert first.history.records == second.history.records
    assert first.tokenizer.tokens == second.tokenizer.tokens
    assert first.model.config.source_vocab_size == len(first.tokenizer)
    assert not first.model.training
    assert not second.model.training
    data = trainings[0][1]
    assert (len(data.train), len(data.valid)) == (80, 12)


def test_another_of_anything_is_another_model(models, trainings):
    trained_pairs(SETUP)
    for other in (
        dataclasses.replace(SETUP, num_sentences=47),
        dataclasses.replace(SETUP, coverage=39),
        dataclasses.replace(SETUP, train=dataclasses.replace(SETUP.train, seed=1)),
    ):
        trained_pairs(other)
    assert len(trainings) == len(list(models.glob("translator-*.lock"))) == 4
    elsewhere = dataclasses.replace(SETUP.train, save_minutes=9.0)
    with pytest.raises(InputError, match="save_minutes"):  # the same name, refused
        pair_store.train_setup(dataclasses.replace(SETUP, train=elsewhere))


def test_a_damaged_model_is_made_again(models, trainings):
    trained_pairs(SETUP)
    [path] = models.glob("translator-*/model.safetensors")
    path.write_bytes(path.read_bytes()[:-9])
    found = trained_pairs(SETUP)
    assert len(trainings) == 2
    assert torch.equal(weights(found.model), weights(trained_pairs(SETUP).model))


def test_pairs_of_the_world():
    pairs = texts(microworld_pairs(3, seed=5))
    assert pairs == texts(microworld_pairs(4, seed=5))[:3]
    assert pairs != texts(microworld_pairs(3, seed=6))
    for english, chinese in pairs:
        assert english.isascii()
        assert not chinese.isascii()


def test_what_is_kept_covers_the_words():
    pairs = microworld_pairs(3000, seed=5)
    kept = covering(pairs, 4)
    assert len(kept) < len(pairs)

    def counts(some):
        words = ({*p.source.tokens, *p.target.tokens} for p in some)
        return Counter(word for each in words for word in each)

    everywhere, there = counts(pairs), counts(kept)
    assert all(there[word] >= min(n, 4) for word, n in everywhere.items())
    assert there["。"] < everywhere["。"]
    remaining = iter(pairs)
    assert all(pair in remaining for pair in kept), "in their order"
    before = Counter()
    for pair in kept:
        words = {*pair.source.tokens, *pair.target.tokens}
        assert min(before[word] for word in words) < 4
        before.update(words)


# ---- files ---------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    tokenizer = pair_tokenizer([("Hello, world!", "你好，世界！")], 280)
    size = len(tokenizer)
    model = Seq2Seq.seeded(Seq2SeqConfig(size, size, size=6, tied=True), 0)
    save_pair_model(tmp_path / "it", model, tokenizer, [{"step": 1}], about="tests")
    return tmp_path / "it", model, tokenizer


def test_saved_and_loaded(saved):
    folder, model, tokenizer = saved
    loaded, words = load_pair_model(folder)
    assert loaded.config == model.config
    assert torch.equal(weights(loaded), weights(model))
    assert loaded.decoder.output.weight is loaded.encoder.embedding.weight
    assert words.to_json() == tokenizer.to_json()
    assert checkpoint.read_records(folder) == [{"step": 1}]
    assert json.loads((folder / "config.json").read_text())["about"] == "tests"


def test_words_are_saved_and_loaded_too(tmp_path):
    words = PairWords.train(["Hello, world!"], [["你好", "，", "世界", "！"]], SPECIAL)
    size = len(words)
    model = Seq2Seq.seeded(Seq2SeqConfig(size, size, size=6, tied=True), 0)
    save_pair_model(tmp_path, model, words)
    loaded, tokenizer = load_pair_model(tmp_path)
    assert isinstance(tokenizer, PairWords)
    assert tokenizer.to_json() == words.to_json()
    assert torch.equal(weights(loaded), weights(model))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_damaged_files(saved, name):
    folder, _, _ = saved
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:40] + b"x" + content[41:])
    with pytest.raises(InputError, match="damaged"):
        load_pair_model(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}|damaged"):
        load_pair_model(folder)


def test_what_does_not_fit(saved):
    folder, model, tokenizer = saved
    wider = dataclasses.replace(model.config, size=7)
    other = dataclasses.asdict(wider)
    named = dict(model.named_parameters())
    checkpoint.save_weights(folder, named, tokenizer, seq2seq=other)
    with pytest.raises(InputError, match="weights are not those of its configuration"):
        load_pair_model(folder)
    checkpoint.save_weights(folder, named, tokenizer, seq2seq={"size": 7})
    with pytest.raises(InputError, match="is damaged"):
        load_pair_model(folder)
    checkpoint.save_weights(folder, named, tokenizer, model={})
    with pytest.raises(InputError, match="none of sequence to sequence"):
        load_pair_model(folder)
    with pytest.raises(InputError, match=r"holds no model: config\.json"):
        load_pair_model(folder.parent)
