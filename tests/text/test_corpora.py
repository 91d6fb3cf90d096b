"""Texts by name and from files: what is accepted, and how each fault is named."""

import gzip
import hashlib
import io
import json
import math
import os
import subprocess
import sys
import zipfile

import pytest

from lmbook.errors import InputError
from lmbook.text import corpora, load_data
from lmbook.text.corpora import read_corpus, read_splits
from lmbook.text.datasets import DATASETS, Dataset, File, Part
from lmbook.text.microworld import MicroWorld
from lmbook.text.pairs import read_pairs
from lmbook.text.questions import Question, read_questions


@pytest.fixture
def file(tmp_path):
    def write(data):
        path = tmp_path / "text.txt"
        path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
        return path

    return write


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Puts a data set of the same shape as the real one into the cache."""
    monkeypatch.setenv("LMBOOK_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("LMBOOK_MIRROR", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()

    def put(name, contents):
        parts = {}
        for (part, old), data in zip(
            DATASETS[name].parts.items(), contents, strict=True
        ):
            sha256 = hashlib.sha256(data).hexdigest() if old.file.sha256 else ""
            new = File(old.file.name, len(data), sha256, (), "")
            parts[part] = Part(new, old.member)
            (tmp_path / "cache" / new.name).write_bytes(data)
        kind = DATASETS[name].kind
        monkeypatch.setitem(DATASETS, name, Dataset("about", "licence", parts, kind))

    return put


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfa\r\nb\rc\n", "a\nb\nc\n"),
        (b"a\r\n\r\nb\r\r\n", "a\n\nb\n\n"),
        ("没有换行".encode(), "没有换行"),
        (b"\xef\xbb\xbf\xef\xbb\xbfx", "\ufeffx"),  # one mark is no text, two are
        ("a\u2028b\x0cc\x85d".encode(), "a\u2028b\x0cc\x85d"),  # not line endings here
        ("e\u0301 \U0001f600".encode(), "e\u0301 \U0001f600"),
        (b" x", " x"),
    ],
)
def test_what_a_text_becomes(file, data, text):
    assert read_corpus(file(data)) == text


ICONV = "convert it with iconv -f {} -t UTF-8"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "holds no text"),
        (b"\xef\xbb\xbf", "holds no text"),
        (b" \n\t\r\n\xe3\x80\x80", "holds no text"),
        (b"ab\0cd", r"not plain text: byte 2 is NUL; if it is stray, delete it: tr"),
        (b"\0" * 9, "byte 0 is NUL"),
        (b"good \xff bad", "not UTF-8 text: byte 5 is 0xff$"),
        (b"x" * 1_234_567 + b"\xc3", "byte 1,234,567 is 0xc3$"),
        (b"\xc0\xaf overlong", "byte 0 is 0xc0"),
        (b"\xed\xa0\x80 surrogate", "byte 0 is 0xed"),
        ("caf\xe9 au lait".encode("latin-1"), "byte 3 is 0xe9$"),
        ("他说：“你好。”\n".encode("gb18030"), ICONV.format("GB18030")),
        ("English first, 然后中文。".encode("gbk"), "byte 17.*GB18030"),
        ("你好, world".encode("utf-16"), ICONV.format("UTF-16")),
        ("plain English".encode("utf-16-le"), ICONV.format("UTF-16LE")),
        ("plain English".encode("utf-16-be"), ICONV.format("UTF-16BE")),
        (gzip.compress(b"text"), "looks like a gzip file; unpack it first"),
        (b"PK\x03\x04\x14\0\0", "looks like a zip archive"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "looks like a PDF"),
        (bytes(range(256)), "byte 128 is 0x80$"),
    ],
)
def test_what_is_no_text_is_named(file, data, message):
    path = file(data)
    with pytest.raises(InputError, match=message) as error:
        read_corpus(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):  # reading either would never end
        with pytest.raises(InputError, match=f"cannot read {path}: not a regular file"):
            read_corpus(path)
    with pytest.raises(InputError, match="cannot read .*: Is a directory"):
        read_corpus(tmp_path)
    with pytest.raises(InputError, match="cannot read .*: File name too long"):
        read_corpus("x" * 999)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="cannot read .*: Too many levels of symbolic"):
        read_corpus(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to("gone")
    for name in (tmp_path / "dangling", tmp_path / "a" / "b", "a\0b", ""):
        with pytest.raises(InputError, match="no corpus or file named"):
            read_corpus(name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(file):
    path = file("text")
    path.chmod(0)
    with pytest.raises(InputError, match="cannot read .*: Permission denied"):
        read_corpus(path)


def test_names_that_are_nearly_right():
    with pytest.raises(InputError, match="did you mean 'wikitext-2'"):
        read_corpus("wikitext2")
    with pytest.raises(InputError, match="did you mean 'tiny-shakespeare'"):
        read_corpus("tinyshakespeare")


def test_a_corpus_in_three_parts_keeps_them(cached):
    cached("ptb", [b" a b a\n b a b\n", b" a c\n", b" b b d d d\n"])
    assert read_splits("ptb")["valid"] == " a c\n"
    assert read_corpus("ptb") == " a b a\n b a b\n a c\n b b d d d\n"
    data = load_data("ptb", vocab_size=4)
    assert data.tokenizer.pieces_of(data.valid) == ["a", "<unk>", "<eos>"]
    assert data.num_chars == {"train": 14, "valid": 5, "test": 11}
    assert read_splits("docstrings") is None
    assert read_splits("text8") is None


def test_another_validation_text_replaces_the_published_one(cached, file):
    cached("ptb", [b"a b a\n", b"a c\n", b"b\n"])
    data = load_data("ptb", vocab_size=4, valid_path=file("b b b"))
    assert data.tokenizer.pieces_of(data.valid) == ["b", "b", "b"]
    assert data.num_chars["train"] == 6


def test_wikitext_is_read_from_its_archive(cached):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for part in ("test", "train", "valid"):
            archive.writestr(f"wikitext-2/wiki.{part}.tokens", f" = {part} = \n")
    cached("wikitext-2", [buffer.getvalue()] * 3)
    assert read_corpus("wikitext-2") == " = train = \n = valid = \n = test = \n"


def test_pairs_of_tatoeba(cached):
    lines = (
        "Wait!\t等等！\tCC-BY 2.0 (France) Attribution: tatoeba.org #1 (a) & #2 (b)\r\n"
        "Wait!\t等一下！\tCC-BY 2.0 (France)\r\n\r\n"
        "Hello, Tom.\t 你好，汤姆。\t\r\n"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("_about.txt", "about")
        archive.writestr("cmn.txt", lines)
    cached("tatoeba-zh-en", [buffer.getvalue()])
    with pytest.warns(UserWarning, match="changes with time"):
        pairs = read_pairs("tatoeba-zh-en")
    assert pairs == [
        ("Wait!", "等等！"),
        ("Wait!", "等一下！"),
        ("Hello, Tom.", "你好，汤姆。"),
    ]
    text = read_corpus("tatoeba-zh-en")
    assert text == "Wait!\t等等！\nWait!\t等一下！\nHello, Tom.\t你好，汤姆。\n"


def test_the_text_of_pairs_is_a_file_of_pairs(file):
    path = file(read_corpus("uistrings"))
    assert read_pairs(path) == read_pairs("uistrings")


@pytest.mark.parametrize("line", ["no tab", "one\t", "\t二", "one\t \tthree"])
def test_a_line_that_is_no_pair_is_named(file, line):
    with pytest.raises(InputError, match="text.txt, line 3: expected two texts"):
        read_pairs(file(f"one\t一\n\n{line}\ntwo\t二\n"))


def test_what_holds_no_pairs_is_named(file):
    with pytest.raises(InputError, match="ptb holds no pairs"):
        read_pairs("ptb")
    with pytest.raises(InputError, match="no pairs and no file named 'gone.tsv'"):
        read_pairs("gone.tsv")
    with pytest.raises(InputError, match="holds no text"):
        read_pairs(file(""))


def squad(context, *asked):
    qas = [
        {
            "id": f"Q_{number}",
            "question": question,
            "answers": [{"text": t, "answer_start": s} for t, s in answers],
        }
        for number, (question, *answers) in enumerate(asked)
    ]
    paragraph = {"id": "P_0", "context": context, "qas": qas}
    content = {"version": "v1.0", "data": [{"title": "t", "paragraphs": [paragraph]}]}
    return json.dumps(content, ensure_ascii=False)


def test_questions_and_answers(file):
    context = "鲁迅生于绍兴。鲁迅卒于上海。"
    text = squad(
        context,
        ("生于何处？", ("绍兴", 4), ("绍兴", 4)),
        ("谁卒于上海？", ("鲁迅", 8)),  # off by one: the second one is meant
        ("卒于何年？", ("1936", 3)),  # not in the paragraph
        ("没有答案？",),
    )
    found = read_questions(file(text))
    assert found[0] == Question("Q_0", context, "生于何处？", ("绍兴", "绍兴"), (4, 4))
    assert [q.answer_starts for q in found[1:]] == [(7,), (-1,), ()]


def test_splits_of_cmrc(cached):
    texts = [squad(f"第{n}段。\n又一句。", ("问？", ("第", 0))) for n in (1, 2, 1)]
    cached("cmrc2018", [text.encode() for text in texts])
    for split, number in (("train", 1), ("dev", 2), ("trial", 1)):
        [question] = read_questions("cmrc2018", split)
        assert question.context == f"第{number}段。\n又一句。"
    assert read_questions("cmrc2018") == read_questions("cmrc2018", "train")
    assert read_corpus("cmrc2018") == "第1段。 又一句。\n第2段。 又一句。\n"
    with pytest.raises(InputError, match="one of train, dev, trial, got 'test'"):
        read_questions("cmrc2018", "test")
    with pytest.raises(InputError, match="text8 holds no questions"):
        read_questions("text8")
    with pytest.raises(InputError, match="no questions and no file named 'gone.json'"):
        read_questions("gone.json")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '"data"',
        '{"data": [{"paragraphs": [{"qas": []}]}]}',
        '{"data": [1]}',
        squad("x", ("q", ("a", None))),
        squad("x", ("q", (None, 0))),
        squad(None, ("q", ("a", 0))),
    ],
)
def test_another_layout_is_named(file, text):
    with pytest.raises(InputError, match="text.txt is not in SQuAD's layout"):
        read_questions(file(text))


@pytest.mark.parametrize("text", ["{", "x", "[" * 100_000, '{"data": NaN'])
def test_what_is_no_json_is_named(file, text):
    with pytest.raises(InputError, match="text.txt is not JSON"):
        read_questions(file(text))


def test_listing(cached):
    cached("text8", [b"x"])
    rows = {row["name"]: row for row in corpora.listing()}
    assert list(rows) == corpora.names()
    assert rows["text8"]["status"] == "cached"
    assert rows["ptb"]["status"] == "not downloaded"
    assert rows["docstrings"]["status"] == "offline"
    assert rows["ptb"]["bytes"] == 5_951_345
    assert rows["tatoeba-zh-en"]["bytes"] is None


def test_a_corpus_that_is_not_there_is_a_download_error(cached):
    with pytest.raises(InputError, match="cannot get text8.zip.*LMBOOK_MIRROR"):
        read_corpus("text8")


def test_import_is_lean():
    code = (
        "import lmbook.text, sys; print({'pooch', 'requests', 'tqdm'} & {*sys.modules})"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert told.stdout == "set()\n"


@pytest.mark.parametrize(
    ("name", "language"), [("microworld", "zh"), ("microworld-en", "en")]
)
def test_the_artificial_world_is_a_corpus(name, language):
    lines = corpora.read_corpus(name).splitlines()
    world = MicroWorld(language)
    assert len(lines) > 50_000
    for line in lines[:: len(lines) // 20]:
        assert world.log_prob("mixed", line) > -math.inf


LONG_LINE = """
import sys, time
from benchmarks.memory import peak_bytes
from lmbook.text import load_data
start = time.perf_counter()
data = load_data(sys.argv[1], at_most=True)
print(len(data.train) + len(data.valid) + len(data.test), *data.num_chars.values())
print(time.perf_counter() - start, peak_bytes())
"""


@pytest.mark.full
@pytest.mark.parametrize(
    ("unit", "tokens"),
    [("some words of a line ", 5), ("这是很长的一行字", 8), ("x", 0)],
)
def test_a_hundred_megabytes_in_one_line(tmp_path, pytestconfig, unit, tokens):
    path = tmp_path / "long.txt"
    times = 100_000_000 // len(unit.encode())
    path.write_bytes(unit.encode() * times)
    command = [sys.executable, "-c", LONG_LINE, str(path)]
    told = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=pytestconfig.rootpath
    ).stdout
    found, *num_chars, seconds, peak = (float(word) for word in told.split())
    # Each part ends with <eos>; a cut may fall into a word.
    assert found == pytest.approx(times * tokens + 3, abs=3)
    assert sum(num_chars) == times * len(unit)
    assert num_chars[1:] == pytest.approx([sum(num_chars) / 10] * 2, rel=1e-4)
    print(f"{unit}: {seconds:.1f} s, {peak / 2**30:.2f} GiB")
    assert peak < 4e8 + 20 * found
