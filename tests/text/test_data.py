"""From text to numbers: words, splits, and every way a file can be wrong."""

import hashlib
import io
import zipfile

import numpy as np
import pytest

from lmbook.errors import InputError
from lmbook.text import LanguageData, Vocabulary, load_data, load_text, split_words
from lmbook.text.corpora import read_corpus
from lmbook.text.datasets import DATASETS, Dataset, File, Part
from lmbook.text.tokenizers import (
    BPETokenizer,
    CharTokenizer,
    WhitespaceTokenizer,
    WordTokenizer,
    load_tokenizer,
)

LINES = "".join(f"line {n} of the text\n" for n in range(200))


@pytest.fixture
def file(tmp_path):
    def write(data):
        path = tmp_path / "text.txt"
        path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's 2 o'clock.", ["it's", "2", "o'clock", ".", "<eos>"]),
        ("array_like  x²\n\n你好 NumPy", ["array_like", "x²", "<eos>"]),
        ("2.5 __init__ f(x0)=-1", "2 . 5 __init__ f ( x0 ) = - 1 <eos>".split()),
        ("", []),
    ],
)
def test_words(text, words):
    assert split_words(text)[: len(words)] == words


def test_chinese_is_split_into_characters():
    assert split_words("你好，NumPy！") == ["你", "好", "，", "numpy", "！", "<eos>"]
    assert split_words("a <unk> of <b") == ["a", "<unk>", "of", "<", "b", "<eos>"]
    assert split_words("用NumPy库𠀀㐀") == ["用", "numpy", "库", "𠀀", "㐀", "<eos>"]


def test_vocabulary_keeps_the_commonest(tmp_path):
    words = "a b a c a b d".split()
    vocabulary = Vocabulary.build(words, size=3)
    assert vocabulary.tokens == ["<unk>", "a", "b"]
    assert vocabulary.encode(words).tolist() == [1, 2, 1, 0, 1, 2, 0]
    assert vocabulary.decode([1, 0]) == ["a", "<unk>"]
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json").tokens == vocabulary.tokens
    assert len(Vocabulary.build(words, size=5)) == 5
    for size in (1, 6):
        with pytest.raises(InputError, match=f"between 2 and 5.*got {size}"):
            Vocabulary.build(words, size)


def test_splits_are_consecutive_and_whole(file):
    data = load_data(file(LINES), vocab_size=150)
    assert isinstance(data, LanguageData)
    joined = np.concatenate([data.train, data.valid, data.test])
    assert (joined == data.tokenizer.encode(LINES)).all()
    assert sum(data.num_chars.values()) == len(LINES)
    assert data.num_chars["valid"] / len(LINES) == pytest.approx(0.1, abs=0.02)
    # Late line numbers never occur in training: they are unknown, and it shows.
    assert data.unknown_share("train") < 0.1 < data.unknown_share("test")


@pytest.mark.parametrize(
    "text", ["word " * 1000, "字" * 3000, "a word " * 30 + "here.\n", "字\n" * 99]
)
def test_short_texts_and_long_lines_are_split_too(file, text):
    data = load_data(file(text), vocab_size=2)
    assert data.num_chars["test"] / len(text) == pytest.approx(0.1, abs=0.02)
    assert data.num_chars["valid"] / len(text) == pytest.approx(0.1, abs=0.02)


def test_validation_from_a_file_of_its_own(file, tmp_path):
    other = tmp_path / "valid.txt"
    other.write_text("the line of another text", "utf-8")
    data = load_data(file(LINES), vocab_size=50, test=0.0, valid_path=other)
    assert data.tokenizer.pieces_of(data.valid)[:3] == ["the", "line", "of"]
    assert data.num_chars["train"] == len(LINES)
    assert len(data.test) == 0


def test_bom_and_line_endings(file):
    assert read_corpus(file(b"\xef\xbb\xbfa\r\nb\rc\n")) == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"good \xff bad", "not UTF-8 text: byte 5 is 0xff"),
        ("你好".encode("gbk"), "not UTF-8 text: byte 0"),
        (b"", "holds no text"),
        (b" \n\n\t", "holds no text"),
    ],
)
def test_a_bad_file_is_named(file, data, message):
    path = file(data)
    with pytest.raises(InputError, match=message) as error:
        load_data(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_names_and_folders(tmp_path):
    with pytest.raises(InputError, match="did you mean 'docstrings'"):
        read_corpus("docstring")
    with pytest.raises(InputError, match="no corpus or file named 'x.txt'"):
        read_corpus("x.txt")
    with pytest.raises(InputError, match="cannot read .*: Is a directory"):
        read_corpus(tmp_path)


@pytest.mark.parametrize("shares", [(1.0, 0.0), (0.5, 0.5), (-0.1, 0.1)])
def test_shares_must_leave_some_for_training(file, shares):
    with pytest.raises(InputError, match="leave some for training"):
        load_data(file(LINES), vocab_size=10, valid=shares[0], test=shares[1])


@pytest.mark.parametrize(
    ("level", "kind", "size"),
    [
        ("word", WordTokenizer, 16),
        ("char", CharTokenizer, 24),
        ("bpe", BPETokenizer, 281),
        ("tokens", WhitespaceTokenizer, 17),
    ],
)
def test_every_level(file, tmp_path, level, kind, size):
    text = "".join(f"Line {n % 9} of\tthe text, don't stop!\n" for n in range(300))
    end = "A last line, Ω.\n" * 40
    data = load_data(file(text + end), size, level, test=0.06, valid=0.2)
    assert type(data.tokenizer) is kind
    assert len(data.tokenizer) == size
    parts = load_text(tmp_path / "text.txt", test=0.06, valid=0.2)
    assert "".join(parts.values()) == text + end
    for part, content in parts.items():
        ids = getattr(data, part)
        assert ids.dtype == np.int64
        assert ids.tolist() == data.tokenizer.encode(content)
        assert data.num_chars[part] == len(content)
    if level == "char":
        assert len(data.valid) == data.num_chars["valid"]
        unseen = [c for c in parts["test"] if c not in data.tokenizer.tokens]
        assert "Ω" in unseen
        assert data.unknown_share("test") == pytest.approx(len(unseen) / len(data.test))
    if level == "bpe":
        assert data.unknown_share("test") == 0
        assert data.tokenizer.decode(data.test) == parts["test"]
    # It learns from the training part alone.
    if level != "bpe":
        assert "Ω" not in "".join(data.tokenizer.tokens)
    data.tokenizer.save(tmp_path / "tokenizer.json")
    again = load_tokenizer(tmp_path / "tokenizer.json")
    assert again.encode_array(parts["test"]).tolist() == data.test.tolist()


def test_without_a_number_all_there_is_up_to_a_limit(file, monkeypatch):
    text = " ".join(f"w{n} W{n}" for n in range(6000)) + "\n"
    path = file(text * 2)
    shares = {"valid": 0.0, "test": 0.0}
    assert len(load_data(path, **shares).tokenizer) == 6002
    assert len(load_data(path, level="tokens", **shares).tokenizer) == 12_002
    assert len(load_data(path, level="char", **shares).tokenizer) == 15
    assert len(load_data(path, level="bpe", **shares).tokenizer) == 2000
    many = file(" ".join(f"w{n}" for n in range(11_000)))
    assert len(load_data(many, **shares).tokenizer) == 10_000


@pytest.mark.parametrize(
    ("level", "size", "most"), [("word", 9, 7), ("char", 30, 12), ("bpe", 900, 267)]
)
def test_more_than_the_text_has_is_an_error_unless_at_most(file, level, size, most):
    path = file("the cat sat\non the mat\n" * 20)
    message = f"between 2 and {most},.*at level '{level}'; got {size}"
    with pytest.raises(InputError, match=message):
        load_data(path, size, level)
    assert len(load_data(path, size, level, at_most=True).tokenizer) == most
    with pytest.raises(InputError, match="one of word, char, bpe, tokens, got 'byte'"):
        load_data(path, level="byte")


PTB = {
    "train": " no it was n't black monday \n but the N <unk> of <unk> 's N N fell \n",
    "valid": " it was N \n",
    "test": " but black <unk> fell \n the N of monday \n",
}
WIKITEXT = {
    "train": " \n = Robert <unk> = \n \n Senjō no Valkyria 3 : 戦 @-@ time the The \n",
    "valid": " \n = Homarus = \n \n the time 's \n",
    "test": " \n 3 : 戦 , <unk> @,@ \n",
}


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A mirror with data sets of the published format, small enough to count."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("LMBOOK_MIRROR", str(mirror))
    monkeypatch.setenv("LMBOOK_DATA", str(tmp_path / "cache"))

    def put(name, texts):
        parts, buffer = DATASETS[name].parts, io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for part, text in texts.items():
                archive.writestr(parts[part].member or part, text)
        small = {}
        for part, text in texts.items():
            old = parts[part]
            data = buffer.getvalue() if old.member else text.encode()
            file = File(
                old.file.name, len(data), hashlib.sha256(data).hexdigest(), (), ""
            )
            (mirror / file.name).write_bytes(data)
            small[part] = Part(file, old.member)
        kind = DATASETS[name].kind
        monkeypatch.setitem(DATASETS, name, Dataset("", "", small, kind))

    return put


@pytest.mark.parametrize(("name", "texts"), [("ptb", PTB), ("wikitext-2", WIKITEXT)])
def test_published_tokens_are_counted_as_in_the_papers(published, name, texts):
    published(name, texts)
    data = load_data(name)
    assert isinstance(data.tokenizer, WhitespaceTokenizer)
    # The published programs: every line, split at spaces, and <eos>; a number for
    # each distinct token of the training part.
    counted = {
        part: [t for line in text.splitlines() for t in [*line.split(), "<eos>"]]
        for part, text in texts.items()
    }
    assert len(data.tokenizer) == len(set(counted["train"]) | {"<unk>"})
    assert data.tokenizer.pieces_of(data.train) == counted["train"]
    for part, tokens in counted.items():
        known = [t if t in counted["train"] else "<unk>" for t in tokens]
        assert data.tokenizer.pieces_of(getattr(data, part)) == known
        assert data.num_chars[part] == len(texts[part])
    assert type(load_data(name, level="char").tokenizer) is CharTokenizer


def test_a_file_of_published_tokens(file):
    data = load_data(file(PTB["train"] * 9), level="tokens", valid=0.0, test=0.0)
    assert "n't" in data.tokenizer.tokens
    assert len(data.train) == 9 * len(PTB["train"].replace("\n", "<eos>").split())
