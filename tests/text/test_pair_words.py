"""Whole words as tokens, bytes for the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmbook.errors import InputError
from lmbook.text.pair_tokens import SPECIAL, encode_pairs, languages
from lmbook.text.pair_words import UPPER, PairWords

ENGLISH = ["The doctor sings.", "Lily, the doctor, sings today.", "Hello, world!"]
CHINESE = [["那", "位", "医生", "唱歌", "。"], ["今天", "莉莉", "唱", "歌"]]
CHINESE += [["你好", "，", "世界", "！"]]


@pytest.fixture(scope="module")
def words():
    return PairWords.train(ENGLISH, CHINESE, SPECIAL)


def test_a_word_is_one_token_wherever_it_stands(words):
    assert words.pieces("The doctor") == [UPPER, " the", " doctor"]
    assert words.pieces("the doctor, Lily") == [" the", " doctor", ",", " Lily"]
    assert words.pieces("Lily sings.") == [" Lily", " sings", "."]
    assert " The" not in words.tokens
    assert " Hello" in words.tokens, "never written without its capital"


def test_chinese_is_cut_into_the_longest_words(words):
    assert words.pieces("今天那位医生唱歌。") == [
        *("今天", "那", "位", "医生", "唱歌", "。")
    ]
    assert words.pieces("唱医生歌") == ["唱", "医生", "歌"]


def test_what_is_no_word_is_bytes(words):
    assert words.pieces("龘") == ["<0xE9>", "<0xBE>", "<0x98>"]
    assert words.pieces("doctors") == [f"<0x{b:02X}>" for b in b" doctors"]
    assert words.pieces("今天龘唱") == ["今天", *words.pieces("龘"), "唱"]
    assert words.decode(words.encode("龘")[:2]) == "\ufffd"


@given(
    st.text(st.sampled_from("The doctor, Lily\n  医生唱歌。龘a<|end|>é"), max_size=30)
)
def test_nothing_is_lost(text):
    words = PairWords.train(ENGLISH, CHINESE, SPECIAL)
    assert words.decode(words.encode(text)) == text
    assert words.encode_array(text).tolist() == words.encode(text)


@given(st.lists(st.integers(0, 200), max_size=12))
def test_any_ids_can_be_decoded(ids):
    words = PairWords.train(ENGLISH, CHINESE, SPECIAL)
    assert isinstance(words.decode(ids), str)


def test_special_tokens_are_never_read_from_a_text(words):
    assert languages(words) == ("en", "zh")
    [(source, target), _] = encode_pairs(words, [("<|end|>", "你好")])
    assert not {*source} & {*words.special_tokens.values()}
    assert words.pieces_of(target) == ["<|zh|>", "你好", "<|end|>"]


def test_saved_and_loaded(words, tmp_path):
    words.save(tmp_path / "words.json")
    loaded = PairWords.load(tmp_path / "words.json")
    assert loaded.tokens == words.tokens
    assert loaded.special_tokens == words.special_tokens


def test_what_is_refused(words):
    with pytest.raises(InputError, match="no token twice"):
        PairWords(["a", "a"])
    with pytest.raises(InputError, match="id 999 is unknown"):
        words.decode([999])
    with pytest.raises(InputError, match="lone surrogate"):
        words.encode("\ud800")
    content = words.to_json()
    content["model"]["special"] = ["<|zh|>"]
    with pytest.raises(InputError, match="must be the first tokens"):
        PairWords.from_json(content)
    content = words.to_json()
    del content["model"]["vocab"]["<0x00>"]
    with pytest.raises(InputError, match="no token of id|lacks the bytes"):
        PairWords.from_json(content)
    with pytest.raises(InputError, match=r"model\.type"):
        PairWords.from_json({"model": {"type": "BPE"}})
