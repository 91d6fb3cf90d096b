"""``lmbook generate`` as a user meets it."""

import json
import signal
import subprocess
import sys
import warnings

import pytest
import torch

from lmbook.applications import TextGenerator
from lmbook.cli.main import main
from lmbook.files import write_sealed
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel
from lmbook.text.tokenizers import BPETokenizer
from lmbook.training import checkpoint

COMMAND = [sys.executable, "-m", "lmbook", "generate"]
FOREVER = 10**9


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    tokenizer = BPETokenizer.train("the sun sets on the sea 太阳落山了\n" * 3, 280)
    torch.manual_seed(0)
    model = LSTMLanguageModel(LSTMConfig(len(tokenizer), 5, 7, 1))
    folder = tmp_path_factory.mktemp("with space")
    checkpoint.save_model(folder, model, tokenizer)
    return folder


@pytest.fixture
def lmbook(monkeypatch, capsys):
    """Run in this process: code, output, errors."""

    def call(*arguments):
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        monkeypatch.setattr(sys, "argv", ["lmbook", "generate", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, *capsys.readouterr()

    return call


def test_prompt_and_text_are_written(lmbook, folder):
    generator = TextGenerator.load(folder)
    options = ["--prompt", "the sun", "--length", 9, "--seed", 4, "--top-k", 12]
    code, output, errors = lmbook(folder, *options, "--temperature", 1.5)
    expected = generator.generate_text("the sun", 9, seed=4, top_k=12, temperature=1.5)
    assert (code, output, errors) == (0, f"the sun{expected}\n", "")


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--top-p", 0.5], {"top_p": 0.5}),
        (["--min-p", 0.4, "--seed", 3], {"min_p": 0.4, "seed": 3}),
        (["--repetition-penalty", 1.7], {"repetition_penalty": 1.7}),
        (["--beams", 3], {"beams": 3}),
        (["--stop", "e", "--stop", "\n"], {"stop": ["e", "\n"]}),
        (["--length", 0], {"length": 0}),
    ],
)
def test_json(lmbook, folder, arguments, options):
    code, output, _ = lmbook(folder, "--prompt", "太阳", *arguments, "--json")
    expected = TextGenerator.load(folder).generate_text("太阳", **options)
    assert code == 0
    assert json.loads(output) == {"prompt": "太阳", "text": expected}
    assert output.count("\n") == 1


def test_a_prompt_from_standard_input(folder):
    command = [*COMMAND, str(folder), "--prompt", "-", "--length", "0"]
    for given, expected in (("on\nthe sea\n", "on\nthe sea\n"), ("山了", "山了\n")):
        result = subprocess.run(command, input=given.encode(), capture_output=True)
        assert result.stdout.decode() == expected
    result = subprocess.run(command, input=b"ab\xff", capture_output=True)
    assert result.returncode == 2
    assert result.stderr.decode() == (
        "lmbook: the prompt on standard input is not UTF-8: byte 2\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperature", "-1"], "temperature must be a number at least 0, got -1.0"),
        (["--temperature", "nan"], "temperature"),
        (["--length", "-4"], "length and seed must not be negative, got -4, 0"),
        (["--length", "many"], "'many' is not a valid integer"),
        (["--top-p", "1.5"], "top_p must be a number from 0 to 1, got 1.5"),
        (["--beams", "0"], "beams at least 1"),
        (["--beams", "2", "--top-k", "3"], "takes no sampling options"),
        (["--stop", ""], "non-empty"),
    ],
)
def test_errors_are_one_line(lmbook, folder, arguments, message):
    code, output, errors = lmbook(folder, "--prompt", "the", *arguments)
    assert (code, output) == (2, "")
    assert errors.startswith("lmbook: ")
    assert errors.count("\n") == 1
    assert message in errors


def test_a_folder_without_a_model(lmbook, tmp_path):
    code, _, errors = lmbook(tmp_path)
    assert code == 2
    assert "holds no trained model" in errors


def test_weights_that_are_not_numbers(lmbook, folder, monkeypatch):
    model, tokenizer = checkpoint.load(folder)
    with torch.no_grad():
        model.output.bias[0] = torch.nan
    monkeypatch.setattr(checkpoint, "load", lambda _: (model, tokenizer))
    code, _, errors = lmbook(folder, "--prompt", "the")
    assert code == 2
    assert errors == (
        "lmbook: the model's logits hold NaN or infinity: its weights are unusable\n"
    )


def endless(folder):
    return [*COMMAND, str(folder), "--prompt", "the sun", "--length", str(FOREVER)]


def test_text_comes_while_it_is_made_and_ctrl_c_keeps_it(folder):
    process = subprocess.Popen(
        endless(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    begun = process.stdout.read(200)  # it would never come if it waited for the end
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert begun.startswith(b"the sun")
    assert rest.endswith(b"\n")
    assert (process.returncode, errors) == (130, b"")


def test_a_reader_that_has_enough_is_no_error(folder):
    process = subprocess.Popen(
        endless(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(50)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) in (1, 141)


def test_another_kind_of_model_is_named(lmbook, tmp_path):
    write_sealed(tmp_path / "config.json", {"files": {}, "sizes": {}})
    code, output, errors = lmbook(tmp_path, "--prompt", "the sun")
    assert (code, output) == (2, "")
    assert errors == f"lmbook: {tmp_path} holds no language model, but another kind\n"
