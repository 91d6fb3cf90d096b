"""The command line as a user meets it, mostly in a process of its own."""

import json
import math
import os
import shutil
import subprocess
import sys
import warnings

import pytest

from lmbook.cli.main import main
from lmbook.training import checkpoint

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


@pytest.fixture
def lmbook_here(monkeypatch, capsys):
    """The same in this process, which saves the time to start: code, output, errors."""

    def call(*arguments):
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        monkeypatch.setattr(sys, "argv", ["lmbook", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, *capsys.readouterr()

    return call


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
    records = checkpoint.read_records(out)
    best = min(records, key=lambda record: record["valid_nats"])
    assert best["valid_nats"] == report["valid_nats_per_token"]
    assert best["step"] == report["best_step"]
    bits = report["valid_nats_per_char"] / math.log(2)
    assert report["valid_bits_per_char"] == pytest.approx(bits)
    assert json.loads((out / "config.json").read_text())["model"]["hidden_size"] == 128


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
    assert report["perplexity"] == pytest.approx(math.exp(report["nats_per_token"]))
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
        ("--text good.txt --out m --max-steps 0", "max_steps must be a whole number"),
        ("--text good.txt --out m --max-minutes nan", "max_minutes must be a number"),
        ("--text good.txt --out m --batch-size 0", "batch_size must be a whole number"),
        ("--text good.txt --out m --learning-rate -1", "learning_rate must be a num"),
        ("--text good.txt --out m --precision int4", "precision must be one of auto"),
        ("--text good.txt --out m --level words", "level must be one of word, char"),
        ("--text good.txt --out m --vocab-size 0", "got 0"),
        ("--text good.txt --out m --seed x", "'x' is not a valid integer"),
        ("--text good.txt --out m --seed -1", "-1 is not in the range"),
        ("--text good.txt --out m --valid gone.txt", "named 'gone.txt'"),
        ("--text late.txt --out m", "leaves 0 for it"),
        ("--text good.txt", "Missing option '--out'"),
        ("--out m", "--text is needed to begin one"),
        ("--out m --resume", "m holds no run to go on with; --text is needed"),
        ("--out full --resume --text good.txt", "full is not empty and holds no run"),
    ],
)
def test_a_users_error_is_one_line_and_exit_code_2(
    files, arguments, message, lmbook_here, monkeypatch
):
    monkeypatch.chdir(files)
    before = {p: p.read_bytes() for p in files.rglob("*") if p.is_file()}
    code, stdout, stderr = lmbook_here("train", *arguments.split())
    assert code == 2
    assert message in stderr
    assert stderr.count("\n") == 1, stderr
    assert stdout == ""
    assert {p: p.read_bytes() for p in files.rglob("*") if p.is_file()} == before
    assert not (files / "m").exists()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json is missing"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x" * 99), "is damaged"),
        (
            lambda f: (f / "tokenizer.json").write_text("{}"),
            "tokenizer.json is damaged",
        ),
        (lambda f: (f / "metrics.jsonl").write_text(""), "metrics.jsonl is damaged"),
        (lambda f: (f / "config.json").write_text("[1]"), "config.json is damaged"),
    ],
)
def test_a_damaged_model_is_named(folder, tmp_path, break_it, message, lmbook_here):
    text = folder[0].parent / "text.txt"
    copy = shutil.copytree(folder[0], tmp_path / "copy")
    break_it(copy)
    for arguments in (("evaluate", copy, "--text", text),):
        code, stdout, stderr = lmbook_here(*arguments)
        assert (code, stdout) == (2, "")
        assert message in stderr
        assert stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("gone --text good.txt", "gone holds no trained model"),
        ("good.txt --text good.txt", "good.txt holds no trained model"),
        ("m --text shakespear", "no corpus or file named 'shakespear'"),
        ("m --text good.txt --device tpu", "must be one of auto, cpu"),
        ("m --text good.txt --part test", "good.txt is not published in parts"),
        ("m", "Missing option '--text'"),
        ("--text good.txt", "Missing argument 'FOLDER'"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line_and_exit_code_2(
    folder, files, arguments, message, lmbook_here, monkeypatch
):
    monkeypatch.chdir(files)
    (files / "m").symlink_to(folder[0])
    code, stdout, stderr = lmbook_here("evaluate", *arguments.split())
    assert (code, stdout) == (2, "")
    assert message in stderr
    assert stderr.count("\n") == 1


def test_one_part_of_a_corpus(folder, tmp_path, lmbook_here, monkeypatch):
    parts = {"train": "the cat sees a bird .", "test": "the dog likes nothing ."}
    monkeypatch.setattr("lmbook.text.corpora.read_splits", lambda name: parts)
    arguments = ("evaluate", folder[0], "--text", "ptb", "--json", "--part")
    code, stdout, _ = lmbook_here(*arguments, "test")
    assert (code, json.loads(stdout)["tokens"]) == (0, 6)
    code, _, stderr = lmbook_here(*arguments, "tests")
    assert stderr == "lmbook: part must be one of train, test; got 'tests'\n"


def test_what_of_a_text_was_in_another(folder, tmp_path, lmbook_here, monkeypatch):
    known, new = "a b c d e f g h i j k l m n", "o p q r s t u v w x y z"
    text, train = tmp_path / "text.txt", tmp_path / "train.txt"
    text.write_text(f"{new} {known}", "utf-8")
    train.write_text(f"x {known} y", "utf-8")
    arguments = ("evaluate", folder[0], "--text", text, "--json", "--trained-on")
    code, stdout, stderr = lmbook_here(*arguments, train)
    assert code == 0, stderr
    report = json.loads(stdout)
    runs = 12 + 14 + 1 - 13 + 1  # the text's words, and the end of its line
    assert report["overlap_of_runs"] == pytest.approx(2 / runs)
    assert report["overlap_of_words"] == pytest.approx(14 / 27)
    assert report["longest_overlap"] == 14
    text.write_text("a b c", "utf-8")
    code, _, stderr = lmbook_here(*arguments, train)
    message = "lmbook: the text has 4 tokens: a run of 13 is asked for\n"
    assert (code, stderr) == (2, message)
    text.write_text(f"{new} {known}", "utf-8")
    parts = {"train": text.read_text(), "valid": "", "test": ""}
    monkeypatch.setattr("lmbook.text.corpora.read_splits", lambda name: parts)
    _, stdout, _ = lmbook_here(*arguments, "ptb")
    assert json.loads(stdout)["overlap_of_runs"] == 1


@pytest.mark.parametrize(("level", "size"), [("char", None), ("bpe", 270)])
def test_other_tokens_than_words(tmp_path, level, size, lmbook_here):
    text = tmp_path / "text.txt"
    text.write_text(TEXT, "utf-8")
    out = tmp_path / "m"
    more = [] if size is None else ["--vocab-size", size]
    code, stdout, stderr = lmbook_here(
        *("train", "--text", text, "--out", out, "--level", level, *more),
        *("--max-steps", 3, "--batch-size", 7, "--json"),
    )
    assert code == 0, stderr
    report = json.loads(stdout)
    assert report["vocab_size"] == (size or 1 + len(set(TEXT)))
    code, stdout, _ = lmbook_here("evaluate", out, "--text", text, "--json")
    found = json.loads(stdout)
    if level == "char":
        assert found["nats_per_char"] == found["nats_per_token"]
        assert found["tokens"] == len(TEXT)
    else:
        assert 6 < found["tokens"] < len(TEXT)


def test_options_take_the_presets_place(tmp_path, lmbook_here):
    text = tmp_path / "text.txt"
    text.write_text(TEXT, "utf-8")
    code, _, stderr = lmbook_here(
        *("train", "--text", text, "--out", tmp_path / "m", "--max-steps", 2),
        *("--batch-size", 9, "--learning-rate", 0.5, "--precision", "float32"),
        *("--save-minutes", 2.5, "--device", "cpu", "--seed", 8),
    )
    assert code == 0, stderr
    train = json.loads((tmp_path / "m" / "config.json").read_text())["train"]
    expected = {
        **{"max_steps": 2, "epochs": None, "batch_size": 9, "learning_rate": 0.5},
        **{"precision": "float32", "save_minutes": 2.5, "device": "cpu", "seed": 8},
    }
    assert expected.items() <= train.items()


@pytest.mark.parametrize(
    ("given", "limits"),
    [
        (("--max-steps", 2), (None, 2, None)),
        (("--epochs", 1), (1, None, None)),
        (("--max-minutes", 0.5, "--max-steps", 3), (None, 3, 0.5)),
    ],
)
def test_a_limit_takes_the_place_of_the_presets(given, limits, tmp_path, lmbook_here):
    """One of minutes as well: two of them would end a longer run, and its rate would
    go by the clock."""
    text = tmp_path / "text.txt"
    text.write_text(TEXT, "utf-8")
    code, _, stderr = lmbook_here(
        *("train", "--preset", "char-lstm", "--text", text, "--out", tmp_path / "m"),
        *("--device", "cpu", "--precision", "float32", *given),
    )
    assert code == 0, stderr
    train = json.loads((tmp_path / "m" / "config.json").read_text())["train"]
    names = ("epochs", "max_steps", "max_minutes")
    assert tuple(train[name] for name in names) == limits


def test_torchrun_speaks_and_writes_once(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(TEXT, "utf-8")

    def torchrun(*arguments):
        command = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
        command += ["--standalone", "-m", "lmbook"]
        return subprocess.run(
            [sys.executable, *command, *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    train = ("train", "--text", text, "--out", tmp_path / "m", "--device", "cpu")
    result = torchrun(*train, "--max-steps", 4, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["steps"] == 4
    assert sorted(os.listdir(tmp_path / "m")) == [
        *("config.json", "metrics.jsonl", "model.safetensors", "tokenizer.json")
    ]
    result = torchrun(*train, "--max-steps", 4)
    assert result.returncode != 0
    assert result.stderr.count("lmbook: ") == 1, result.stderr
    assert "holds a finished model; choose another" in result.stderr


def test_a_reader_that_has_enough_sees_no_error():
    """As in ``lmbook data | head -1``."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "lmbook", "data"]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, b"")


def test_help_lists_presets():
    assert "train" in lmbook("--help").stdout
    assert "article: the article's sizes" in lmbook("train", "--help").stdout


def test_help_does_not_wait_for_torch():
    code = "import sys, lmbook.cli.main; print({'torch', 'numpy'} & {*sys.modules})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert result.stdout == "set()\n"


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
