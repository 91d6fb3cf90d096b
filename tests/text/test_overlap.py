"""Overlap against a search by hand, place by place."""

import numpy as np
import pytest

from lmbook.errors import InputError
from lmbook.text import LanguageData, load_data
from lmbook.text.overlap import match_lengths, memorised, overlap, overlap_of_texts
from lmbook.text.tokenizers import CharTokenizer, WordTokenizer


def by_search(train, ids):
    """The longest run from each place that stands in training, by trying all."""
    train, ids = list(train), list(ids)
    found = []
    for i in range(len(ids)):
        length = 0
        while i + length < len(ids) and any(
            train[j : j + length + 1] == ids[i : i + length + 1]
            for j in range(len(train) - length)
        ):
            length += 1
        found.append(length)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_match_lengths_are_those_of_a_search(seed):
    rng = np.random.default_rng(seed)
    kinds = int(rng.integers(1, 5))
    train = rng.integers(-1, kinds, rng.integers(1, 60))
    ids = rng.integers(-1, kinds + 1, rng.integers(1, 40))
    if seed % 2:  # a long run of one in the other
        start = int(rng.integers(0, len(train)))
        ids = np.concatenate([ids, train[start : start + 23], ids[:3]])
    assert match_lengths(train, ids).tolist() == by_search(train, ids)


@pytest.mark.parametrize(
    ("train", "ids", "lengths"),
    [
        ("abcde", "abcde", [5, 4, 3, 2, 1]),
        ("abcde", "deab", [2, 1, 2, 1]),  # no run goes on from the end to the start
        ("aaaa", "aaaaaa", [4, 4, 4, 3, 2, 1]),
        ("abc", "xyz", [0, 0, 0]),
        ("a", "b", [0]),
        ("", "ab", [0, 0]),
        ("ab", "", []),
    ],
)
def test_edges(train, ids, lengths):
    numbers = [np.array([ord(c) for c in text], np.int64) for text in (train, ids)]
    assert match_lengths(*numbers).tolist() == lengths


def data_of(train, test, tokenizer=WordTokenizer):
    learned = tokenizer.train(train)
    ids = [learned.encode_array(text) for text in (train, test)]
    chars = {"train": len(train), "valid": 0, "test": len(test)}
    return LanguageData(learned, ids[0], ids[0][:0], ids[1], chars)


def test_shares_by_hand():
    # 9 tokens with <eos>.  Seen trigrams: "the cat sat", "sat on the".
    data = data_of("the cat sat\nsat on the mat", "the cat sat on the cat ran home")
    assert len(data.test) == 9
    found = overlap(data, n=3)
    assert found.ngram_share == pytest.approx(2 / 7)
    assert found.token_share == pytest.approx(5 / 9)
    # "the cat sat", "on the", "cat", "<eos>"; "ran" and "home" are unknown.
    assert [(m.start, m.length, m.text) for m in found.longest] == [
        (0, 3, "the cat sat"),
        (3, 2, "on the"),
        (5, 1, "cat"),
    ]
    assert overlap(data, n=1).token_share == pytest.approx(7 / 9)
    assert overlap(data, n=4).ngram_share == 0


def test_the_unknown_word_matches_nothing():
    tokenizer = WordTokenizer(["<unk>", "a", "<eos>"])
    ids = tokenizer.encode_array("a x a x a x")
    data = LanguageData(tokenizer, ids, ids, ids, {})
    assert overlap(data, n=2).ngram_share == 0  # each has an "x"
    assert overlap(data, n=1).ngram_share == pytest.approx(4 / 7)


def test_two_texts():
    whole = "It was the best of times, it was the worst of times. "
    found = overlap_of_texts("Call me. " + whole * 2, "No: " + whole + "Never.", n=5)
    assert found.longest[0].length == 14  # the sentence, and the "it" after it
    assert found.longest[0].text.startswith("it was the best")
    assert found.token_share == pytest.approx(13 / 18, abs=0.06)
    assert overlap_of_texts(whole, whole, n=8).ngram_share == 1


def test_the_artificial_world_repeats_itself():
    data = load_data("microworld")
    lengths = match_lengths(data.train, data.test[:4000])
    train = "".join(chr(i + 1) for i in data.train)
    for i in range(0, 3900, 37):
        run = "".join(chr(k + 1) for k in data.test[i : i + lengths[i] + 1])
        assert run[:-1] in train
        assert run not in train


def test_memorised_lines_are_found():
    train = "红红的太阳落山了，小鸟回家了。\n妈妈在门口等我。\n" * 3
    data = data_of(train, "", CharTokenizer)
    found = memorised(data, "我说红红的太阳落山了，小猫走了。妈妈在", shortest=3)
    assert [(m.length, m.text) for m in found] == [
        (10, "红红的太阳落山了，小"),
        (3, "妈妈在"),
    ]
    assert memorised(data, "猫猫") == []
    assert memorised(data, "") == []


def test_a_run_is_of_one_token_at_least():
    with pytest.raises(InputError, match="at least 1, got 0"):
        overlap(data_of("a b c d", "a b c d"), n=0)


def test_a_text_too_short_for_a_run_is_said_to_be_so():
    with pytest.raises(InputError, match="the text has 9 tokens: a run of 10"):
        overlap(data_of("a b c d", "a b c d e f g h"), n=10)
