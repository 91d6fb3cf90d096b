"""Text that comes in pieces is the whole text."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmbook.errors import InputError
from lmbook.generation.streaming import Detokenizer, Stopper, TextStream
from lmbook.text.tokenizers import BPETokenizer, CharTokenizer, WordTokenizer

TEXT = "The sun sets. 太阳落山了。\nIt's 5 o'clock!\n\n鸟在唱歌🐦\n" * 3
TOKENIZERS = [
    BPETokenizer.train(TEXT, 290),
    CharTokenizer.train(TEXT),
    WordTokenizer.train(TEXT),
]
IDS = [range(len(tokenizer)) for tokenizer in TOKENIZERS]


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_pieces_join_to_what_decode_gives(tokenizer, data):
    any_ids = st.lists(st.integers(0, len(tokenizer) - 1), max_size=12)
    before = tokenizer.encode(data.draw(st.sampled_from(["", "The sun", "落山\n"])))
    new = data.draw(any_ids)
    detokenizer = Detokenizer(tokenizer, before)
    pieces = [detokenizer.feed(token) for token in new]
    pieces.append(detokenizer.finish())
    assert tokenizer.decode(before) + "".join(pieces) == tokenizer.decode(before + new)


def test_half_a_character_is_held_back():
    tokenizer = BPETokenizer.train("a", 256)
    detokenizer = Detokenizer(tokenizer)
    pieces = [detokenizer.feed(token) for token in tokenizer.encode("é🐦x")]
    assert pieces == ["", "é", "", "", "", "🐦", "x"]
    detokenizer.feed(tokenizer.encode("鸟")[0])
    assert detokenizer.finish() == "�"


def cut(text, stops):
    """Character by character, until one of the strings has come."""
    for end in range(len(text) + 1):
        starts = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if starts:
            return text[: min(starts)]
    return text


@settings(max_examples=500, deadline=None)
@given(
    st.text("ab\n", max_size=25),
    st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3),
    st.lists(st.integers(0, 25), max_size=8),
)
def test_it_stops_at_the_first_string_however_the_text_is_cut(text, stops, cuts):
    edges = [0, *sorted(min(c, len(text)) for c in cuts), len(text)]
    stopper = Stopper(stops)
    pieces = [stopper.feed(text[a:b]) for a, b in pairwise(edges)]
    expected = cut(text, stops)
    assert "".join(pieces) + stopper.finish() == expected
    assert stopper.stopped == any(stop in text for stop in stops)


def test_nothing_is_held_back_without_need():
    stopper = Stopper(["the end", "stop"])
    assert [
        stopper.feed(piece) for piece in ("at ", "the", " en", "try sto", "p!")
    ] == [
        "at ",
        "",
        "",
        "the entry ",
        "",
    ]
    assert stopper.stopped
    assert stopper.feed("more") == stopper.finish() == ""


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_a_stop_string_may_begin_and_end_within_tokens(tokenizer):
    text = TEXT.lower() if isinstance(tokenizer, WordTokenizer) else TEXT
    stops = {"n se", "落"} if not isinstance(tokenizer, WordTokenizer) else {"n se"}
    for stop in stops:
        stream = TextStream(tokenizer, (), stop)
        pieces = [stream.feed(token) for token in tokenizer.encode(text)]
        assert "".join(pieces) + stream.finish() == text[: text.index(stop)]
        assert stream.stopped


@pytest.mark.parametrize("stops", ["", ["a", ""], [3]])
def test_bad_stops(stops):
    with pytest.raises(InputError, match="non-empty"):
        Stopper(stops)
