"""From text to numbers: words, splits, and every way a file can be wrong."""

import numpy as np
import pytest

from lmbook.errors import InputError
from lmbook.text import LanguageData, Vocabulary, load_data, split_words
from lmbook.text.corpora import read_corpus

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
