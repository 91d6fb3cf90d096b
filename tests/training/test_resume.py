"""``lmbook train`` killed, interrupted and gone on with, in processes of its own."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lmbook.cli.main import main
from lmbook.training import run_files

SENTENCES = [
    f"{a} {b} {c} .\n"
    for a in ("the cat", "a dog", "the old man", "nobody")
    for b in ("sees", "likes", "finds")
    for c in ("a bird", "the house", "nothing", "a fish")
]
TEXT = "".join(random.Random(3).choices(SENTENCES, k=900))
# Dropout, tied weights, AdamW; saved after every step, so that a kill hits the writing
# of a checkpoint more often than not.
OPTIONS = (
    *("--preset", "laptop", "--batch-size", 6, "--max-steps", 40),
    *("--seed", 5, "--save-minutes", 1e-6, "--device", "cpu"),
)


def start(*arguments):
    """``lmbook train`` on one thread: another number of them gives other last bits."""
    return subprocess.Popen(
        [sys.executable, "-m", "lmbook", "train", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def ended(process):
    """Exit code, standard output, and standard error without the progress bar."""
    stdout, stderr = (part.decode() for part in process.communicate(timeout=600))
    return process.returncode, stdout, stderr.split("\r")[-1].strip(" \n")


def wait_for(happened, process=None):
    while not happened():
        if process is not None and process.poll() is not None:
            raise AssertionError(process.stderr.read().decode())
        time.sleep(0.001)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(TEXT, "utf-8")
    return path


@pytest.fixture(scope="module")
def whole(text):
    """The folder of a run that nothing disturbed."""
    out = text.parent / "whole"
    code, _, stderr = ended(start("--text", text, "--out", out, *OPTIONS))
    assert code == 0, stderr
    return out


def same(one, other):
    """The same weights to the bit, the same losses."""
    models = [(path / "model.safetensors").read_bytes() for path in (one, other)]
    records = [
        [json.loads(line)["valid_nats"] for line in (path / "metrics.jsonl").open()]
        for path in (one, other)
    ]
    return models[0] == models[1] and records[0] == records[1]


def is_at_work(out, process):
    """Whether this process has the folder in its hands, to begin training."""
    try:
        return (out / "run" / "lock").read_text() == f"{process.pid}\n"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.full)])
def test_killed_at_random_points_it_ends_in_the_same_bits(text, whole, tmp_path, kills):
    draw = random.Random(kills)
    out, done = tmp_path / "m", 0
    # Always the same command, as a script has it that is started again and again: it
    # may be killed before there is a run to go on with.
    command = ("--text", text, "--out", out, *OPTIONS, "--resume", "--json")
    while done < kills:
        process = start(*command)
        if draw.random() < 0.9:  # else while it starts
            wait_for(lambda p=process: is_at_work(out, p) or p.poll() == 0)
        time.sleep(draw.uniform(0, 0.4))
        process.kill()
        code, _, stderr = ended(process)
        assert code in (0, -signal.SIGKILL), stderr
        done += code != 0
        if code == 0:  # it was quicker: once more from the beginning
            assert same(out, whole)
            shutil.rmtree(out)
    code, stdout, stderr = ended(start(*command))
    assert code == 0, stderr
    assert json.loads(stdout)["steps"] == 40
    assert same(out, whole)
    assert sorted(os.listdir(out)) == sorted(os.listdir(whole))


def test_a_finished_run_is_reported_and_left_alone(whole):
    before = {path: path.read_bytes() for path in whole.iterdir()}
    code, stdout, stderr = ended(start("--out", whole, "--resume", "--json"))
    assert code == 0
    assert stderr == f"lmbook: the run in {whole} was finished already"
    report = json.loads(stdout)
    assert (report["steps"], report["seed"], report["preset"]) == (40, 5, "laptop")
    assert {path: path.read_bytes() for path in whole.iterdir()} == before


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_asked_to_stop_it_saves_and_says_how_to_go_on(
    text, whole, tmp_path, number, expected
):
    out = tmp_path / "with space"
    options = [*OPTIONS, "--save-minutes", 60]  # it alone saves
    process = start("--text", text, "--out", out, *options)
    wait_for(lambda: (out / "metrics.jsonl").exists(), process)
    process.send_signal(number)
    code, stdout, stderr = ended(process)
    assert (code, stdout) == (expected, "")
    words = stderr.split()
    step = int(words[words.index("step") + 1].rstrip(";"))
    assert stderr == (
        f"lmbook: interrupted at step {step}; saved, to go on with: "
        f"lmbook train --resume --out '{out}'"
    )
    assert 0 < step < 40
    (saved,) = (out / "run").glob("checkpoint-*.json")
    assert json.loads(saved.read_text())["facts"]["step"] == step

    code, stdout, stderr = ended(start("--resume", "--out", out))
    assert (code, stderr) == (0, "")
    assert same(out, whole)


def test_ctrl_c_twice_leaves_at_once_and_harms_nothing(text, whole, tmp_path):
    out = tmp_path / "m"
    process = start("--text", text, "--out", out, *OPTIONS)
    wait_for(lambda: (out / "run" / "checkpoint-2.json").exists(), process)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    code, stdout, stderr = ended(process)
    assert (code, stdout) == (130, "")
    assert stderr.startswith("lmbook: interrupted")
    code, _, stderr = ended(start("--resume", "--out", out))
    assert (code, stderr) == (0, "")
    assert same(out, whole)


def test_ctrl_c_before_training_writes_nothing(tmp_path):
    """While a long text is read and cut."""
    text = tmp_path / "long.txt"
    text.write_text(TEXT * 400, "utf-8")
    process = start("--text", text, "--out", tmp_path / "m", "--level", "bpe")
    maps = Path(f"/proc/{process.pid}/maps")
    wait_for(lambda: "libtorch" in maps.read_text(), process)
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "", "lmbook: interrupted")
    assert not (tmp_path / "m").exists()


def test_two_processes_do_not_train_into_one_folder(text, tmp_path):
    out = tmp_path / "m"
    options = ("--text", text, "--out", out, *OPTIONS, "--max-steps", 4000)
    first = start(*options)
    wait_for(lambda: is_at_work(out, first), first)
    code, _, stderr = ended(start(*options, "--resume"))
    assert code == 2
    assert stderr == f"lmbook: folder {out} is in use by process {first.pid}"
    code, _, stderr = ended(start(*options))
    assert code == 2
    assert "holds a run that is not finished" in stderr
    assert first.poll() is None
    first.send_signal(signal.SIGTERM)
    assert ended(first)[0] == 143


@pytest.fixture(scope="module")
def stopped(text):
    """The folder of a run that was stopped on its way."""
    out = text.parent / "stopped"
    process = start("--text", text, "--out", out, *OPTIONS)
    wait_for(lambda: (out / "run" / "checkpoint-3.json").exists(), process)
    process.kill()
    ended(process)
    return out


@pytest.fixture
def train_here(monkeypatch, capsys):
    """``lmbook train`` in this process: exit code, standard output and error."""

    def call(*arguments):
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        monkeypatch.setattr(sys, "argv", ["lmbook", "train", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", 6], "--seed is 6, but the run in {out} began with 5, and a run"),
        (["--max-steps", 80], "--max-steps is 80, but the run in {out} began with 40"),
        (["--epochs", 2], "--epochs is 2, but the run in {out} began without it"),
        (["--preset", "article"], "--preset is article, but the run in {out} began"),
        (["--level", "char"], "--level is char, but the run in {out} began without it"),
        (["--text", "{other}"], "the text is not the one that the run in {out} began"),
        (["--valid", "{other}"], "its training part was"),
        (["--device", "tpu"], "device must be one of auto, cpu, cuda, mps"),
    ],
)
def test_a_run_is_gone_on_with_as_it_was_begun(
    stopped, tmp_path, arguments, message, train_here
):
    other = tmp_path / "other.txt"
    other.write_text(TEXT.replace("bird", "bee"), "utf-8")
    before = {path: path.read_bytes() for path in stopped.rglob("*.*")}
    given = [str(a).format(other=other) for a in arguments]
    code, stdout, stderr = train_here("--resume", "--out", stopped, *given)
    assert (code, stdout) == (2, "")
    assert stderr.startswith("lmbook: ")
    assert message.format(out=stopped) in stderr
    assert stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in stopped.rglob("*.*")} == before


def test_a_text_that_moved_is_taken_where_it_is_now(stopped, whole, tmp_path):
    out, moved = tmp_path / "m", tmp_path / "moved.txt"
    shutil.copytree(stopped, out)
    moved.write_text(TEXT, "utf-8")
    code, _, stderr = ended(start("--resume", "--out", out, "--text", moved))
    assert (code, stderr) == (0, "")
    assert same(out, whole)


def test_a_text_that_changed_is_named(text, stopped, tmp_path):
    text.write_text(TEXT.replace("nobody sees", "nobody finds"), "utf-8")
    try:
        code, _, stderr = ended(start("--resume", "--out", stopped))
    finally:
        text.write_text(TEXT, "utf-8")
    assert code == 2
    assert f"the text is not the one that the run in {stopped} began with" in stderr


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, facts: tensors.update({"model.output.bias": torch.zeros(2)}),
        lambda tensors, facts: tensors.pop("model.output.bias"),
        lambda tensors, facts: tensors.update({"x": torch.zeros(2)}),
        lambda tensors, facts: facts.pop("place"),
        lambda tensors, facts: facts.update(place={"step": "many"}),
        lambda tensors, facts: facts.update(place=7),
    ],
)
def test_a_checkpoint_that_someone_else_made_is_refused(
    stopped, tmp_path, change, train_here
):
    out = shutil.copytree(stopped, tmp_path / "m")
    number, tensors, facts = run_files.last_checkpoint(out)
    change(tensors, facts)
    run_files.write_checkpoint(out, number, tensors, facts)
    code, stdout, stderr = train_here("--resume", "--out", out)
    assert (code, stdout) == (2, "")
    assert re.search("checkpoint is of another kind of run|is damaged", stderr)
    assert stderr.count("\n") <= 2  # threads may be others than those of the run


def test_nothing_to_go_on_with_is_said(text, tmp_path):
    out = tmp_path / "m"
    code, _, stderr = ended(start("--resume", "--out", out))
    assert (code, stderr) == (
        2,
        f"lmbook: {out} holds no run to go on with; --text is needed to begin one",
    )
    assert not out.exists()


def test_a_loss_that_is_no_number_leaves_the_last_good_checkpoint(text, tmp_path):
    out = tmp_path / "m"
    options = [*OPTIONS, "--learning-rate", 1e30]
    code, stdout, stderr = ended(start("--text", text, "--out", out, *options))
    assert (code, stdout) == (2, "")
    assert re.match("lmbook: .*(the loss became|not finite).* may help", stderr)
    for path in (out / "run").glob("*.safetensors"):
        assert all(t.isfinite().all() for t in load_file(path).values())
