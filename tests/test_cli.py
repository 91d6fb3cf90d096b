"""The command line as a user meets it: in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

TEXT = (
    "".join(
        f"the {a} {b} {c} .\n"
        for a in ("cat", "dog", "old man")
        for b in ("sees", "likes", "finds")
        for c in ("a bird", "the house", "nothing", "a fish")
    )
    * 20
)


def lmbook(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "lmbook", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model trained on TEXT, and what the command printed."""
    root = tmp_path_factory.mktemp("with space")
    (root / "text.txt").write_text(TEXT, "utf-8")
    out = root / "model"
    command = ["train", "--text", root / "text.txt", "--out", out]
    result = lmbook(*command, "--max-steps", 15, "--seed", 3, "--json")
    assert result.returncode == 0, result.stderr
    return out, result


def test_train_ends_with_one_line_of_json(folder):
    out, result = folder
    report = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert report["steps"] == 15
    assert report["valid_nats_per_token"] < 3.0  # ln(20 words) before training
    assert report["tokens_per_second"] > 0
    records = (out / "metrics.jsonl").read_text().splitlines()
    assert json.loads(records[-1])["valid_nats"] == report["valid_nats_per_token"]
    assert json.loads((out / "config.json").read_text())["hidden_size"] == 128


def test_the_same_seed_gives_the_same_model(folder, tmp_path):
    out, result = folder
    text = out.parent / "text.txt"
    again = lmbook(
        *("train", "--text", text, "--out", tmp_path / "m", "--json"),
        *("--max-steps", 15, "--seed", 3),
    )
    key = "valid_nats_per_token"
    assert json.loads(again.stdout)[key] == json.loads(result.stdout)[key]
    first, second = (p / "model.safetensors" for p in (out, tmp_path / "m"))
    assert first.read_bytes() == second.read_bytes()


def test_evaluate_reads_the_saved_model(folder, tmp_path):
    out, _ = folder
    held_out = tmp_path / "held out.txt"
    held_out.write_text("the old man sees a fish .\nthe zebra likes the house .\n")
    result = lmbook("evaluate", out, "--text", held_out, "--json")
    report = json.loads(result.stdout)
    assert report["tokens"] == 15
    assert report["unknown_share"] == pytest.approx(1 / 15)
    ratio = report["nats_per_token"] / report["nats_per_char"]
    assert ratio == pytest.approx(len(held_out.read_text()) / 15)


def test_validation_from_its_own_file(folder, tmp_path):
    text = folder[0].parent / "text.txt"
    valid = tmp_path / "valid.txt"
    valid.write_text("xxx yyy\n" * 5)
    result = lmbook(
        *("train", "--text", text, "--valid", valid, "--out", tmp_path / "m"),
        *("--max-steps", 1, "--json"),
    )
    assert json.loads(result.stdout)["valid_unknown_share"] == pytest.approx(2 / 3)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "good.txt").write_text(TEXT)
    (tmp_path / "tiny.txt").write_text("one two three one two\n")
    (tmp_path / "late.txt").write_text("word " * 200 + " \n" * 300)
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "binary.txt").write_bytes(b"\x80\x81")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.txt").write_text("mine")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--text shakespear --out m", "no corpus or file named 'shakespear'"),
        ("--text full --out m", "cannot read full: Is a directory"),
        ("--text empty.txt --out m", "empty.txt holds no text"),
        ("--text binary.txt --out m", "binary.txt is not UTF-8 text: byte 0 is 0x80"),
        ("--text good.txt --out m --vocab-size 5000", "got 5,000"),
        ("--text tiny.txt --out m", "needs at least 65 tokens; the text has 6"),
        ("--text good.txt --out full", "folder full is not empty"),
        ("--text good.txt --out good.txt/m", "cannot write to folder good.txt/m"),
        ("--text good.txt --out /proc/m", "cannot write to folder /proc/m"),
        ("--text good.txt --out m --preset big", "presets: article"),
        ("--text good.txt --out m --device tpu", "must be one of auto, cpu"),
        ("--text good.txt --out m --max-steps 0", "max_steps must be greater than 0"),
        ("--text good.txt --out m --max-minutes nan", "max_minutes must be greater"),
        ("--text good.txt --out m --vocab-size 0", "got 0"),
        ("--text good.txt --out m --seed x", "'x' is not a valid integer"),
        ("--text good.txt --out m --seed -1", "-1 is not in the range"),
        ("--text good.txt --out m --valid gone.txt", "named 'gone.txt'"),
        ("--text late.txt --out m", "leaves 0 for it"),
        ("--text good.txt", "Missing option '--out'"),
    ],
)
def test_a_users_error_is_one_line_and_exit_code_2(files, arguments, message):
    before = {p: p.read_bytes() for p in files.rglob("*") if p.is_file()}
    result = lmbook("train", *arguments.split(), cwd=files)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stdout == ""
    assert {p: p.read_bytes() for p in files.rglob("*") if p.is_file()} == before
    assert not (files / "m").exists()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json is missing"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x" * 99), "is damaged"),
        (lambda f: (f / "config.json").write_text('{"hidden_size": 7}'), "is damaged"),
        (lambda f: (f / "vocabulary.json").write_text('["<unk>"]'), "1 words in"),
        (lambda f: (f / "config.json").write_text("{"), "is damaged"),
        (lambda f: (f / "config.json").write_text("[1]"), "is damaged"),
        (lambda f: (f / "vocabulary.json").write_bytes(b"\xff"), "is damaged"),
    ],
)
def test_a_damaged_model_is_named(folder, tmp_path, break_it, message):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder[0].iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    break_it(copy)
    result = lmbook("evaluate", copy, "--text", folder[0].parent / "text.txt")
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_ctrl_c_is_130(folder, tmp_path):
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "lmbook", "train", "--epochs", "100000"),
            *("--text", folder[0].parent / "text.txt", "--out", tmp_path / "m"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "train" not in process.stderr.read(1 << 4):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(30) == 130
    assert rest.endswith("lmbook: interrupted\n")
    assert "Traceback" not in rest


def test_help_lists_presets_and_is_quick():
    start = time.perf_counter()
    assert "train" in lmbook("--help").stdout
    assert time.perf_counter() - start < 5
    assert "article: the article's sizes" in lmbook("train", "--help").stdout


def lmbook_data(*arguments, cache, mirror):
    return subprocess.run(
        [sys.executable, "-m", "lmbook", "data", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "LMBOOK_DATA": str(cache), "LMBOOK_MIRROR": str(mirror)},
    )


def test_data_lists_the_corpora(tmp_path):
    (tmp_path / "text8.zip").write_bytes(b"")
    where = {"cache": tmp_path, "mirror": tmp_path / "gone"}
    rows = json.loads(lmbook_data("--json", **where).stdout)["corpora"]
    found = {row["name"]: row["status"] for row in rows}
    assert found["docstrings"] == "offline"
    assert found["text8"] == "cached"
    assert found["ptb"] == "not downloaded"
    lines = lmbook_data(**where).stdout.splitlines()
    assert len(lines) == len(rows)
    assert all(row["licence"] in line for row, line in zip(rows, lines, strict=True))


def test_data_says_where_a_text_is_and_how_long(tmp_path):
    path = tmp_path / "你好.txt"
    path.write_text("你好\n", "utf-8")
    result = lmbook_data(path, cache=tmp_path, mirror="")
    assert result.stdout == f"{path}\n3 characters\n"
    result = lmbook_data(path, "--json", cache=tmp_path, mirror="")
    expected = {"name": str(path), "paths": [str(path)], "characters": 3}
    assert json.loads(result.stdout) == expected
    result = lmbook_data("uistrings", cache=tmp_path, mirror="")
    assert result.stdout.startswith("(made from installed packages)\n")


def test_data_that_cannot_be_had_is_one_line_and_exit_code_2(tmp_path):
    (tmp_path / "ptb.train.txt").write_text("another text")
    for name, mirror, message in (
        ("ptb", tmp_path, "12 bytes with SHA-256"),
        ("ptb", "http://127.0.0.1:1/", "Connection refused"),
        ("ptb", tmp_path / "gone", "No such file"),
        ("ptbb", "", "did you mean 'ptb'?"),
    ):
        cache = tmp_path / "cache"
        result = lmbook_data(name, "--json", cache=cache, mirror=mirror)
        assert result.returncode == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
        assert result.stdout == ""
        assert not cache.exists() or list(cache.iterdir()) == []
