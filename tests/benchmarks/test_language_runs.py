"""The timed runs on characters and on the artificial world, made small."""

import dataclasses

import numpy as np
import pytest

from benchmarks import microworld_floor, shakespeare
from lmbook.models.lstm import LSTMConfig
from lmbook.text import load_data
from lmbook.training.presets import PRESETS


@pytest.fixture(scope="module")
def world():
    return load_data("microworld")


@pytest.fixture
def small(monkeypatch):
    """Few units, and steps enough to evaluate twice, in place of minutes."""
    for name in (shakespeare.PRESET, microworld_floor.PRESET):
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
    results = shakespeare.run(minutes=(3.0,))
    (one,) = results["runs"]
    assert one["training_characters"] == pytest.approx(0.81 * 3000, abs=3)
    assert one["curve"][-1]["step"] == 8
    assert len(one["curve"]) == shakespeare.EVALUATIONS
    assert one["valid_nats"] < one["test_nats"]  # other text than was learnt
    assert results["ratio"] == one["test_nats"]  # no target for 3 minutes


def test_losses_are_divided_by_the_floor(small, world, monkeypatch):
    data = dataclasses.replace(world, valid=world.valid[:500])
    monkeypatch.setattr(microworld_floor, "KINDS_WORDS", 5000)
    monkeypatch.setattr(microworld_floor, "load_data", lambda *_, **__: data)
    lines = "".join(f"{line}\n" for line in ("书房里有两个书架。", "理发师应该老。"))
    monkeypatch.setattr(microworld_floor, "load_text", lambda _: {"valid": lines})
    monkeypatch.setattr(microworld_floor, "CORPORA", {"zh": "microworld"})
    results = microworld_floor.run(minutes=3.0, fresh=2000)
    fresh, corpus = results["runs"]
    assert fresh["training_tokens"] == 2000
    assert corpus["training_tokens"] == len(data.train)
    for one in results["runs"]:
        assert one["times_the_floor"] == pytest.approx(
            one["valid_nats"] / one["floor_nats"], rel=1e-3
        )
        # Hardly trained: far above; and a story is the easier for who knows the world.
        assert one["by_kind"]["stories"] > one["by_kind"]["sentences"] > 1
    assert results["ratio"] == min(one["times_the_floor"] for one in (fresh, corpus))


def test_new_text_is_not_in_the_corpus(world):
    found = microworld_floor.new_text(world, "zh", 1000)
    assert len(found) == 1000
    assert not np.array_equal(found, world.train[:1000])
