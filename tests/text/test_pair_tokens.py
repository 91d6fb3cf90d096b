"""Two languages in one vocabulary."""

import pytest

from lmbook.errors import InputError
from lmbook.text.bpe import BPETokenizer
from lmbook.text.pair_tokens import (
    encode_pairs,
    language_token,
    languages,
    pair_tokenizer,
)

PAIRS = [
    ("The doctor sings today.", "今天那位医生唱歌。"),
    ("The doctor sleeps today.", "今天那位医生睡觉。"),
    ("Hello, world!", "你好，世界！"),
]


@pytest.fixture(scope="module")
def tokenizer():
    return pair_tokenizer(PAIRS, 400)


def test_words_are_tokens_and_no_more_than_words(tokenizer):
    pieces = [token.decode() for token in tokenizer.pieces("今天那位医生唱歌。")]
    assert pieces == ["今天", "那位", "医生", "唱歌", "。"]
    assert [t.decode() for t in tokenizer.pieces("Hello, world!")][-2:] == [
        " world",
        "!",
    ]
    assert languages(tokenizer) == ("en", "zh")
    assert tokenizer.decode(tokenizer.encode("Hello, 龘 world!")) == "Hello, 龘 world!"


def test_every_pair_in_both_directions(tokenizer):
    found = encode_pairs(tokenizer, PAIRS[2:])
    end, en, zh = (tokenizer.special_tokens[t] for t in ("<|end|>", "<|en|>", "<|zh|>"))
    english, chinese = map(tokenizer.encode, PAIRS[2])
    assert found == [
        (english, [zh, *chinese, end]),
        (chinese, [en, *english, end]),
    ]
    assert language_token("zh") == "<|zh|>"


@pytest.mark.parametrize("special", [[], ["<|end|>"], ["<|zh|>"], ["<|end|>", "en"]])
def test_a_tokenizer_without_languages(special):
    with pytest.raises(InputError, match="special tokens <|end|> and, for each"):
        languages(BPETokenizer.train("abc", 280, special))
