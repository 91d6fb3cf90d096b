"""Numbering the words of a corpus."""

import numpy as np
import pytest

from lmbook.embeddings import corpus as module
from lmbook.embeddings.corpus import encode_corpus
from lmbook.errors import InputError

SENTENCES = [["b", "a", "c"], [], ["a", "d", "a", "b"], ["d"]]


def decoded(encoded):
    cuts = zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)
    return [[encoded.words[i] for i in encoded.ids[a:b]] for a, b in cuts]


def test_common_words_come_first_and_ties_as_they_appear():
    encoded = encode_corpus(SENTENCES, min_count=1)
    assert encoded.words == ["a", "b", "d", "c"]
    assert encoded.counts.tolist() == [3, 2, 2, 1]
    assert encoded.ids.dtype == np.int32
    assert decoded(encoded) == SENTENCES


def test_rare_words_are_left_out_and_their_neighbours_move_together():
    encoded = encode_corpus(SENTENCES, min_count=2)
    assert decoded(encoded) == [["b", "a"], [], ["a", "d", "a", "b"], ["d"]]


def test_a_generator_is_enough_and_parts_are_joined(monkeypatch):
    monkeypatch.setattr(module, "PART", 2)
    encoded = encode_corpus((iter(s) for s in SENTENCES), min_count=1)
    assert decoded(encoded) == SENTENCES


@pytest.mark.parametrize(
    ("corpus", "min_count", "message"),
    [
        ("one string", 1, "one string"),
        (["a sentence", "another"], 1, "sentence 0 .* 'a sentence'; expected a list"),
        ([["a"], ["b", 3]], 1, "token 3, which is no string"),
        ([], 1, "no tokens"),
        ([[], []], 1, "no tokens"),
        (SENTENCES, 4, "no word occurs min_count=4 times; the commonest occurs 3"),
        (SENTENCES, 0, "min_count must be at least 1, got 0"),
    ],
)
def test_what_is_no_corpus_is_refused(corpus, min_count, message):
    with pytest.raises(InputError, match=message):
        encode_corpus(corpus, min_count)
