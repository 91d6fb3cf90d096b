"""A Transformer from the command line: trained, stopped, evaluated, writing."""

import json
import sys
import warnings

import pytest
import torch

from lmbook.applications import TextGenerator
from lmbook.cli import main as command_line
from lmbook.models.gpt import GPT
from lmbook.training import checkpoint, trainer

TEXT = "the old man sees a bird and the bird sees nothing\n" * 60
STEPS = 12


@pytest.fixture
def lmbook(monkeypatch, capsys):
    """A command in this process: its code, output and errors."""

    def call(*arguments):
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        monkeypatch.setattr(sys, "argv", ["lmbook", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            command_line.main()
        return left.value.code or 0, *capsys.readouterr()

    return call


@pytest.fixture
def command(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT, "utf-8")
    return (
        *("train", "--preset", "char-gpt", "--text", tmp_path / "text.txt"),
        *("--device", "cpu", "--precision", "float32", "--batch-size", 3),
        *("--max-steps", STEPS, "--seed", 4, "--json"),
    )


def test_it_is_trained_evaluated_and_writes(command, lmbook, tmp_path):
    out = tmp_path / "model"
    code, printed, errors = lmbook(*command, "--out", out)
    assert code == 0, errors
    report = json.loads(printed)
    model, tokenizer = checkpoint.load(out)
    assert isinstance(model, GPT)
    assert model.config.vocab_size == len(tokenizer) == report["vocab_size"]
    assert report["parameters"] == sum(w.numel() for w in model.parameters())
    assert report["steps"] == STEPS

    held_out = tmp_path / "held out.txt"
    held_out.write_text(TEXT[-300:], "utf-8")
    code, printed, errors = lmbook("evaluate", out, "--text", held_out, "--json")
    assert code == 0, errors
    assert 0 < json.loads(printed)["nats_per_token"] < 3.5

    options = ("--length", 9, "--seed", 1)
    code, printed, errors = lmbook("generate", out, "--prompt", "the ", *options)
    assert code == 0, errors
    text = TextGenerator.load(out).generate_text("the ", 9, seed=1)
    assert printed == f"the {text}\n"


def test_it_goes_on_to_the_same_bits(command, lmbook, tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert lmbook(*command, "--out", whole)[0] == 0
    real = trainer.train_step

    def interrupted(run, rate):
        if run.place.step == STEPS // 2:
            raise KeyboardInterrupt
        return real(run, rate)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "train_step", interrupted)
        assert lmbook(*command, "--save-minutes", 1e-9, "--out", stopped)[0] != 0
    code, _, errors = lmbook("train", "--resume", "--out", stopped, "--json")
    assert code == 0, errors
    for one, other in zip(
        *(checkpoint.load(folder)[0].parameters() for folder in (whole, stopped)),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_another_model_in_its_folder_is_noticed(command, lmbook, tmp_path):
    out = tmp_path / "model"
    assert lmbook(*command, "--out", out)[0] == 0
    config = checkpoint.read_config(out)
    for sizes, message in (
        ({**config["model"], "num_layers": 3}, "blocks.3"),
        ({**config["model"], "kind": "mamba"}, "mamba"),
    ):
        checkpoint.write_sealed(out / checkpoint.CONFIG, {**config, "model": sizes})
        code, _, errors = lmbook("evaluate", out, "--text", tmp_path / "text.txt")
        assert code == 2
        assert "is damaged" in errors
        assert message in errors
