"""Models that are trained once and kept."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.lstm import LSTMConfig
from lmbook.text import load_data
from lmbook.training import Interrupted, TrainConfig, checkpoint, store, train
from lmbook.training.presets import Preset, new_model

SETUP = Preset(
    "tiny",
    "char",
    LSTMConfig(40, 5, 7, num_layers=1),
    TrainConfig(batch_size=4, seq_len=6, epochs=None, max_steps=8, evaluations=2),
)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sees the dog and the bird\n" * 30, "utf-8")
    return path


@pytest.fixture
def models(tmp_path, monkeypatch):
    folder = tmp_path / "kept" / "models"
    monkeypatch.setenv("LMBOOK_MODELS", str(folder))
    return folder


@pytest.fixture
def trainings(monkeypatch):
    """How often something was trained: the steps at which it began."""
    begun = []

    def counted(model, data, config, folder):
        begun.append(folder.state[1]["step"] if folder.state else 0)
        return train(model, data, config, folder=folder)

    monkeypatch.setattr(store, "train", counted)
    return begun


def weights(found):
    return torch.cat([p.detach().flatten() for p in found.model.parameters()])


def test_trained_once_then_loaded(text, models, trainings):
    first = store.trained(SETUP, text, seed=3)
    second = store.trained(SETUP, text, seed=3)
    assert trainings == [0]
    assert torch.equal(weights(first), weights(second))
    assert first.history.records == second.history.records
    assert not second.model.training
    data = load_data(text, level="char", test=0.0)
    assert second.tokenizer.tokens == data.tokenizer.tokens

    sizes = dataclasses.replace(SETUP.model, vocab_size=len(data.tokenizer))
    by_hand = new_model(sizes, 3)
    config = dataclasses.replace(SETUP.train, seed=3)
    train(by_hand, data, config)
    other = torch.cat([p.detach().flatten() for p in by_hand.parameters()])
    assert torch.equal(weights(first), other)


def test_another_of_anything_is_another_model(text, models, trainings, monkeypatch):
    store.trained(SETUP, text)
    longer = dataclasses.replace(SETUP.train, max_steps=9)
    wider = dataclasses.replace(SETUP.model, hidden_size=8)
    store.trained(SETUP, text, seed=1)
    store.trained(dataclasses.replace(SETUP, train=longer), text)
    store.trained(dataclasses.replace(SETUP, model=wider), text)
    store.trained(SETUP, load_data(text, level="char", test=0.2))
    text.write_text(text.read_text("utf-8") + "more\n" * 9, "utf-8")
    store.trained(SETUP, text)
    monkeypatch.setattr(store, "_code_hashes", lambda: {"models/lstm.py": "changed"})
    store.trained(SETUP, text)
    assert len(trainings) == 7
    elsewhere = dataclasses.replace(SETUP.train, device="cpu", save_minutes=1.0)
    store.trained(dataclasses.replace(SETUP, train=elsewhere), text)
    assert len(trainings) == 7


def test_the_hash_is_of_the_code_that_makes_a_model():
    files = set(store._code_hashes())
    assert {"models/lstm.py", "training/trainer.py", "text/bpe.py"} <= files
    assert any(name.startswith("text/microworld/") for name in files)
    assert any(name.endswith(".csv") for name in files)


def test_an_interrupted_training_goes_on(text, models, trainings, monkeypatch):
    whole = store.trained(SETUP, text)
    monkeypatch.setenv("LMBOOK_MODELS", str(models.parent / "again"))
    save = store.RunFolder.log

    def stop(folder, records):
        save(folder, records)
        if len(records) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(store.RunFolder, "log", stop)
    with pytest.raises(Interrupted):
        store.trained(SETUP, text)
    monkeypatch.setattr(store.RunFolder, "log", save)
    assert torch.equal(weights(store.trained(SETUP, text)), weights(whole))
    assert trainings[:2] == [0, 0]
    assert 0 < trainings[2] < 8


@pytest.mark.parametrize("name", [checkpoint.WEIGHTS, checkpoint.CONFIG])
def test_a_damaged_model_is_made_again(text, models, trainings, name):
    before = store.trained(SETUP, text)
    [folder] = [path for path in models.iterdir() if path.is_dir()]
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.warns(UserWarning, match="damaged.*made again"):
        after = store.trained(SETUP, text)
    assert torch.equal(weights(before), weights(after))
    assert len(trainings) == 2


PROGRAM = """
import dataclasses, json, sys
from lmbook.models.lstm import LSTMConfig
from lmbook.training import TrainConfig, store
from lmbook.training.presets import Preset

setup = Preset("tiny", "char", LSTMConfig(40, 5, 7, num_layers=1), TrainConfig(
    batch_size=4, seq_len=6, epochs=None, max_steps=300, evaluations=2))
found = store.trained(setup, sys.argv[1])
print(json.dumps([p.sum().item() for p in found.model.parameters()]))
"""


def test_two_processes_at_once_make_one_model(text, models):
    command = [sys.executable, "-c", PROGRAM, str(text)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    results = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], results
    assert json.loads(results[0][0]) == json.loads(results[1][0])
    messages = "".join(errors.decode() for _, errors in results)
    assert messages.count("lmbook: training own, kept in") == 1


def test_where_models_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("LMBOOK_MODELS", "~/mine")
    assert store.models_folder() == Path("~/mine").expanduser()
    monkeypatch.delenv("LMBOOK_MODELS")
    book = store.PACKAGE.parent
    assert store.models_folder() == book / "_models"
    monkeypatch.setattr(store, "PACKAGE", tmp_path / "site-packages" / "lmbook")
    monkeypatch.setenv("LMBOOK_DATA", str(tmp_path / "cache"))
    assert store.models_folder() == tmp_path / "cache" / "models"


def test_a_folder_that_cannot_be_written_to(text, monkeypatch):
    monkeypatch.setenv("LMBOOK_MODELS", str(text / "models"))
    with pytest.raises(InputError, match="cannot write to.*LMBOOK_MODELS"):
        store.trained(SETUP, text)


def test_errors_come_before_anything_is_kept(text, models):
    with pytest.raises(InputError, match="no preset named 'small'"):
        store.trained("small", text)
    with pytest.raises(InputError, match="no corpus or file"):
        store.trained(SETUP, text.with_name("absent.txt"))
    assert not models.exists()
