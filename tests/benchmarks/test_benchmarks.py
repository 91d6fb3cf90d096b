"""The benchmarks measure what they say, on a model small enough to be quick."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import (
    article_keras,
    article_setup,
    backprop,
    record,
    training,
    vectors,
)
from lmbook.models.lstm import LSTMConfig
from lmbook.text import LanguageData, Vocabulary
from lmbook.training.presets import PRESETS, new_model
from tools.errata import markdown
from tools.notebooks.paths import BOOK

VOCAB, BATCH = 13, 4
CHARS = dict.fromkeys(("train", "valid", "test"), 9000)
NUMBERS = np.random.default_rng(0).integers(0, VOCAB, 2000)
WORDS = Vocabulary(["<unk>", *map(str, range(VOCAB - 1))])
LANGUAGE = LanguageData(WORDS, NUMBERS, NUMBERS[:99], NUMBERS[:99], CHARS)


@pytest.fixture
def small(monkeypatch):
    """Sizes of a few units, and a text of 2,000 tokens, in place of the real ones."""
    article = PRESETS["article"]
    preset = dataclasses.replace(
        article,
        model=LSTMConfig(VOCAB, 5, 6, 2),
        train=dataclasses.replace(article.train, batch_size=BATCH),
    )
    monkeypatch.setattr(training, "PRESET", preset)
    monkeypatch.setattr(article_setup, "CONFIG", preset)
    monkeypatch.setattr(training, "load_data", lambda *_: LANGUAGE)
    return NUMBERS


def test_both_loops_do_the_same_work(small):
    results = training.run(rounds=3, steps=10)
    lengths = [part["seq_len"] for part in results["by_seq_len"]]
    assert lengths == [training.SEQ_LEN, PRESETS["article"].train.seq_len]
    for part in results["by_seq_len"]:
        speeds = part["tokens_per_second"]
        assert {"plain", "lmbook"} <= set(speeds)
        assert all(len(found) == 3 for found in speeds.values())
        assert len(part["losses"]["lmbook"]) == training.SEGMENTS
        assert part["largest_difference_of_losses"] < 1e-5
    assert results["ratio"] == results["by_seq_len"][0]["ratio"] > 0


def test_the_plain_loop_must_be_the_same_model(small, monkeypatch):
    monkeypatch.setattr(training, "plain_loop", lambda *_: (1.0, [9.9]))
    with pytest.raises(AssertionError):
        training.run(rounds=1, steps=1)


def test_operations_are_those_of_the_matrix_products():
    """The counter of PyTorch's own operations, for one token."""
    sizes = LSTMConfig(VOCAB, 5, 6, 2)
    model = new_model(sizes, 0).double()  # oneDNN's LSTM would not be counted
    ids = torch.randint(VOCAB, (BATCH, 3))
    with FlopCounterMode(display=False) as counter:
        logits, _ = model(ids)
        logits.sum().backward()
    assert training.operations_a_token(sizes) == 6 * (24 * 11 + 24 * 12 + 6 * VOCAB)
    counted = counter.get_total_flops() / ids.numel()
    # No gradient goes to the state before the text.
    assert counted == pytest.approx(training.operations_a_token(sizes), rel=0.1)


def test_labels_of_both_ways(small, tmp_path):
    np.save(tmp_path / "ids.npy", small)
    ways = {
        way: article_setup.measure(way, 2, str(tmp_path / "ids.npy"))
        for way in article_setup.STEPS
    }
    windows = (2000 - 1) // article_setup.SEQ_LEN
    assert ways["one_hot"]["targets"] == windows
    assert ways["indices"]["targets"] == windows * article_setup.SEQ_LEN
    assert ways["one_hot"]["label_bytes"] == windows * VOCAB * 8
    assert ways["indices"]["label_bytes"] == windows * article_setup.SEQ_LEN * 8
    assert all(result["targets_per_second"] > 0 for result in ways.values())


def test_windows_lie_end_to_end():
    inputs, targets = article_setup.windows(np.arange(100))
    assert inputs.shape == (2, article_setup.SEQ_LEN)
    assert (targets == inputs + 1).all()
    assert inputs[1, 0] == inputs[0, -1] + 1


def test_keras_windows_are_followed_by_their_word():
    inputs, targets = article_keras.windows(np.arange(100), stride=1)
    assert (targets == np.arange(article_keras.SEQ_LEN, 100)).all()
    assert (inputs[:, -1] == targets - 1).all()
    inputs, targets = article_keras.windows(np.arange(100), stride=35)
    assert targets.tolist() == [35, 70]
    assert inputs[1, 0] == 35


def test_keras_is_asked_for_where_it_is_missing(monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("LMBOOK_KERAS_PYTHON", str(python))
    with pytest.raises(SystemExit, match="bench"):
        article_keras.run()


def test_lmbook_predicts_the_words_that_keras_does(small, monkeypatch):
    monkeypatch.setitem(PRESETS, "article", training.PRESET)
    valid = small[:300]
    found = article_keras.train_lmbook(small, valid, "float32", 0.5, seed=0)
    assert 2 < found["nats"] < 4
    assert found["targets"] > 0
    _, targets = article_keras.windows(valid, 1)
    assert len(targets) == len(valid[article_keras.SEQ_LEN - 1 :]) - 1


def test_a_summary_of_two_rounds():
    def round_of(speed, peak, nats):
        names = ("targets_per_second", "peak_bytes", "nats", "epochs", "version")
        return dict(zip(names, (speed, peak, nats, 1.5, "3.x"), strict=True))

    found = {
        "keras": [round_of(100, 8e8, 6.0), round_of(50, 8e8, 6.0)],
        "lmbook": [round_of(1000, 2e8, 5.0), round_of(1500, 2e8, np.log(200))],
    }
    results = article_keras.summary(found, seconds=9)
    assert results["ratio"] == 20.0  # between 10 and 30
    assert results["share_of_the_memory"] == {"lmbook": 0.25}
    assert results["valid_perplexity"]["lmbook"][1] == 200.0


def test_the_record_names_the_processor_and_not_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    path = record.write("some", {"ratio": 1.5})
    text = path.read_text("utf-8")
    found = json.loads(text)
    assert found["ratio"] == 1.5
    names = {"cpu", "cores", "threads", "instructions", "bfloat16", "system", "python"}
    assert set(found["machine"]) == names | set(record.PACKAGES)
    assert found["machine"]["cpu"]
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["numpy"] == np.__version__
    assert str(tmp_path) not in text


@pytest.mark.parametrize("dtype", backprop.DTYPES)
@pytest.mark.parametrize("make", [backprop.digits_steps, backprop.language_steps])
def test_our_engine_and_pytorch_train_the_same_model(make, dtype, monkeypatch):
    monkeypatch.setattr(backprop, "load_data", lambda *_: LANGUAGE)
    ours, theirs = make(8, dtype)
    losses = np.array([(ours(), theirs()) for _ in range(5)])
    assert np.allclose(*losses.T, rtol=1e-4 if dtype == "float32" else 1e-9)
    assert losses[-1, 0] < losses[0, 0]


def test_our_engine_and_a_scalar_one_train_the_same_model(monkeypatch):
    monkeypatch.setattr(backprop, "DIGITS", [64, 3, 10])
    ours, scalar = backprop.scalar_steps(4)
    losses = np.array([(ours(), scalar()) for _ in range(3)])
    assert np.allclose(*losses.T, rtol=1e-9)
    assert losses[-1, 0] < losses[0, 0]


def test_other_models_are_not_compared(monkeypatch):
    with pytest.raises(AssertionError):
        backprop.compare((lambda: 1.0, lambda: 1.1), rounds=1, steps=1)


def test_the_book_shows_what_was_recorded():
    text = (record.RESULTS / "backprop.json").read_text("utf-8")
    results = json.loads(text)
    page = markdown(BOOK / "ch03_core_algorithms" / "s2_language.ipynb")
    assert backprop.table(results) in page
    scalar = results["against_a_scalar_engine"]
    assert f"每一步约要 {round(scalar['times_faster'], -4):,} 倍的时间" in page
    assert results["ratio"] == max(r["ratio"] for r in results["against_pytorch"])


def test_nearest_words_of_both_sides_are_the_same(monkeypatch):
    monkeypatch.setattr(vectors, "WORDS", 300)
    monkeypatch.setattr(vectors, "SIZE", 7)
    monkeypatch.setattr(vectors, "QUERIES", 5)
    results = vectors.run()
    assert set(results["ms_a_query"]) == {"lmbook", "gensim"}
    assert results["ratio"] > 0


def test_the_book_shows_how_fast_nearest_words_are():
    results = json.loads((record.RESULTS / "vectors.json").read_text("utf-8"))
    page = markdown(BOOK / "ch04_mathematics" / "s3_real_vectors.ipynb")
    assert vectors.table(results) in page
    assert (results["words"], results["size"]) == (400_000, 300)
    assert 0.75 < results["ratio"] < 1.33, "the page says: about as fast"
    assert results["ms_a_query"]["lmbook"] < results["limit_ms_a_query"]
