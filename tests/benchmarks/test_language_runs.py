"""The timed runs on characters and on the artificial world, made small."""

import dataclasses

import numpy as np
import pytest

from benchmarks import char_gpt, gpt_floor, microworld_floor, shakespeare
from lmbook.models.gpt import GPTConfig
from lmbook.models.lstm import LSTMConfig
from lmbook.text import load_data
from lmbook.text.baselines import floor_of
from lmbook.training import train
from lmbook.training.presets import PRESETS


@pytest.fixture(scope="module")
def world():
    return load_data("microworld")


@pytest.fixture
def small(monkeypatch):
    """Few units, and steps enough to evaluate twice, in place of minutes."""
    for name in (*shakespeare.TARGETS, microworld_floor.PRESET):
        preset = PRESETS[name]
        train = dataclasses.replace(
            preset.train, batch_size=3, seq_len=11, max_steps=8, precision="float32"
        )
        sizes = LSTMConfig(embedding_size=5, hidden_size=7, num_layers=1)
        changed = dataclasses.replace(preset, model=sizes, train=train)
        monkeypatch.setitem(PRESETS, name, changed)


def test_the_last_tenth_is_only_for_the_test(small, monkeypatch, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("ab\n" * 900 + "ba\n" * 100, "utf-8")
    monkeypatch.setattr(shakespeare, "CORPUS", path)
    trained_on = []

    def spied(model, texts, config):
        trained_on.append((texts.train, texts.valid, config.evaluations))
        return train(model, texts, config)

    monkeypatch.setattr(shakespeare, "train", spied)
    results = shakespeare.run(presets=("char-lstm",))
    (one,) = results["runs"]
    (first, held_out, _), (second, test, evaluations) = trained_on
    assert len(first) == pytest.approx(0.81 * 3000, abs=3)
    assert np.array_equal(second, np.concatenate([first, held_out]))
    assert len(test) == pytest.approx(0.1 * 3000, abs=3)
    assert evaluations == 1
    assert one["curve"][-1]["step"] == 8
    assert len(one["curve"]) == shakespeare.EVALUATIONS
    assert one["valid_nats"] < one["test_nats"]  # other text than was learnt
    assert results["ratio"] == one["test_nats"] / 1.48
    counted = results["counting"]
    assert counted["valid"] < 0.1 < counted["test"]
    assert counted["test"] < counted["test_without_the_validation_part"]


def test_a_transformer_is_changed_step_by_step(monkeypatch, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("abc\n" * 900 + "bac\n" * 100, "utf-8")
    monkeypatch.setattr(char_gpt, "CORPUS", path)
    preset = char_gpt.PRESET
    small = GPTConfig(
        vocab_size=256,
        context_length=8,
        hidden_size=8,
        num_layers=1,
        num_heads=2,
        position="rotary",
        norm="rmsnorm",
        qk_norm=True,
        bias=False,
        tied=False,
    )
    short = dataclasses.replace(
        preset.train, seq_len=8, max_steps=5, precision="float32"
    )
    changed = dataclasses.replace(preset, model=small, train=short)
    monkeypatch.setattr(char_gpt, "PRESET", changed)
    trained = []

    def spied(model, texts, config):
        trained.append((model.config, texts, config))
        return train(model, texts, config)

    monkeypatch.setattr(char_gpt, "train", spied)
    results = char_gpt.run(characters=16 * 8 * 4, seconds=(40,))
    (sizes, texts, config), (_, whole, _), *ladder = trained
    assert np.array_equal(whole.train, np.concatenate([texts.train, texts.valid]))
    assert np.array_equal(whole.valid, texts.test)
    assert config.max_minutes == 40 / 60
    # The last stage is the preset itself; every stage reads as much.
    assert ladder[-1][0] == sizes
    assert ladder[-1][2] == dataclasses.replace(config, max_minutes=None, max_steps=4)
    assert {
        row["steps"] * c.batch_size
        for row, (_, _, c) in zip(results["stages"], ladder, strict=True)
    } <= {60, 64}
    assert ladder[0][0].position == "learned"
    assert ladder[0][2].optimizer == "adamw"
    assert results["ratio"] == results["runs"][0]["test_nats"] / 1.886


def test_losses_are_divided_by_the_floor(small, monkeypatch):
    monkeypatch.setattr(microworld_floor, "HELD_OUT_WORDS", 3000)
    results = microworld_floor.run(minutes=3.0, tokens=2000)
    for one in results["runs"]:
        assert one["curve"][-1]["tokens"] == 8 * 3 * 11
        # Hardly trained: far above.
        assert one["valid_nats"] > 2 * one["floor_nats"]
        assert one["times_the_floor"] == pytest.approx(
            one["valid_nats"] / one["floor_nats"], rel=1e-3
        )
    sentences, mixed = results["runs"]
    kinds = mixed["by_kind"]
    assert sum(kind["share_of_tokens"] for kind in kinds.values()) == pytest.approx(1)
    assert "by_kind" not in sentences
    ratios = [kind["times_the_floor"] for kind in kinds.values()]
    assert min(ratios) < mixed["times_the_floor"] < max(ratios)
    assert results["ratio"] == min(one["times_the_floor"] for one in results["runs"])


def test_a_gpt_reads_new_text_once_and_is_measured_on_other(world, monkeypatch):
    monkeypatch.setattr(gpt_floor, "HELD_OUT_WORDS", 900)
    sizes = GPTConfig(
        context_length=11, hidden_size=8, num_layers=1, num_heads=2, position="rotary"
    )
    train = dataclasses.replace(gpt_floor.TRAIN, batch_size=3, seq_len=11)
    found = gpt_floor.run(tokens=1500, sizes=sizes, train=train)
    assert found["curve"][-1]["tokens"] == pytest.approx(1500, abs=3 * 11)
    assert len(found["curve"]) == train.evaluations
    assert found["held_out_tokens"] > 900
    # Hardly trained: far above, though no worse than a guess among all words.
    assert 2 * found["floor_nats"] < found["valid_nats"]
    assert found["valid_nats"] < 1.1 * np.log(len(world.tokenizer))
    assert found["ratio"] == pytest.approx(
        found["valid_nats"] / found["floor_nats"], rel=1e-3
    )


def test_the_floor_is_the_one_that_the_book_computes(world):
    texts = list(microworld_floor.MicroWorld("zh").documents("mixed", 5, 2000))
    ids, floor = microworld_floor.measured(texts, world)
    text = "".join(f"{one.text}\n" for one in texts)
    assert floor == pytest.approx(floor_of(text, world.tokenizer).nats_per_token)
    assert np.array_equal(ids[1:], world.tokenizer.encode_array(text))
    assert world.tokenizer.decode(ids[:1]).strip() in ("", "<eos>")


def test_new_text_is_not_in_the_corpus(world):
    found = microworld_floor.new_tokens(world, "mixed", 1000)
    assert len(found) == 1000
    assert not np.array_equal(found, world.train[:1000])
