"""PPMI and its truncated SVD, against dense arithmetic in NumPy."""

import numpy as np
import pytest

from lmbook.embeddings.cooccurrence import cooccurrence
from lmbook.embeddings.corpus import encode_corpus
from lmbook.embeddings.pmi import ppmi, ppmi_vectors
from lmbook.errors import InputError


def table(symmetric=True, sentences=200, vocab_size=31):
    rng = np.random.default_rng(1)
    text = [
        [f"w{int(vocab_size * x**2)}" for x in rng.random(length)]
        for length in rng.integers(1, 13, sentences)
    ]
    encoded = encode_corpus(text, 1)
    return cooccurrence(encoded, 3, weighting="flat", symmetric=symmetric)


def dense(found):
    x = np.zeros((len(found.words),) * 2)
    x[found.cells["row"], found.cells["column"]] = found.cells["value"]
    return x


def reference(found, shift, smoothing):
    """The definition, from probabilities."""
    x = dense(found)
    joint = x / x.sum()
    contexts = np.where(x.sum(axis=0) > 0, x.sum(axis=0) ** smoothing, 0)
    contexts /= contexts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.log(joint / np.outer(joint.sum(axis=1), contexts))
    return np.nan_to_num(np.maximum(pmi - np.log(shift), 0), nan=0.0)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("shift", [1, 2.5, 5])
@pytest.mark.parametrize("smoothing", [0.75, 1, 0])
def test_the_matrix_is_the_definition(symmetric, shift, smoothing):
    found = table(symmetric)
    matrix = ppmi(found, shift=shift, context_smoothing=smoothing)
    assert np.allclose(matrix.toarray(), reference(found, shift, smoothing), atol=1e-13)
    assert (matrix.data > 0).all()


def test_a_pair_by_hand():
    """a b | a b | c d: P(a, b) = 1/3, P(a) = P(b) = 1/3; c and d are seen once."""
    found = cooccurrence(encode_corpus([["a", "b"], ["a", "b"], ["c", "d"]], 1), 1)
    matrix = ppmi(found, context_smoothing=1).toarray()
    a, b, c, d = range(4)
    assert matrix[a, b] == pytest.approx(np.log(3))
    assert matrix[c, d] == pytest.approx(np.log(6))
    assert matrix[a, d] == matrix[a, a] == 0
    # Smoothing makes the rare context less telling.
    assert ppmi(found, context_smoothing=0.75).toarray()[c, d] < matrix[c, d]


@pytest.mark.parametrize("power", [0, 0.5, 1])
@pytest.mark.parametrize("symmetric", [True, False])
def test_the_vectors_are_those_of_the_full_decomposition(symmetric, power):
    found = table(symmetric)
    size = 7
    wv = ppmi_vectors(found, size, eigen_weight=power)
    u, s, _ = np.linalg.svd(reference(found, 1, 0.75))
    expected = (u * s**power)[:, :size]
    signs = np.sign(np.einsum("ij,ij->j", expected, wv.vectors))
    assert np.allclose(wv.vectors, expected * signs, atol=1e-5)
    assert wv.words == found.words
    largest = np.abs(wv.vectors).argmax(axis=0)
    assert (wv.vectors[largest, np.arange(size)] > 0).all()


def test_the_same_table_gives_the_same_vectors():
    found = table()
    one, other = ppmi_vectors(found, 5), ppmi_vectors(found, 5)
    assert np.array_equal(one.vectors, other.vectors)


def test_words_used_alike_are_near():
    topics = {"fruit": ["apple", "pear", "plum"], "metal": ["iron", "zinc", "gold"]}
    text = [
        [word, topic, f"{topic}{k}"]
        for topic, words in topics.items()
        for word in words
        for k in range(4)
    ]
    found = cooccurrence(encode_corpus(text, 1), 2, weighting="flat")
    wv = ppmi_vectors(found, 5)
    for words in topics.values():
        for word in words:
            near = {name for name, _ in wv.most_similar(word, topn=2)}
            assert near == set(words) - {word}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"size": 31}, "size must be less than the 31 words, got 31"),
        ({"size": "big"}, "size must be an integer, got 'big'"),
        ({"shift": 0}, "shift must be a number above 0, got 0"),
        ({"shift": 1e9}, "more often than by chance .shift=1000000000.0"),
        ({"context_smoothing": -1}, "context_smoothing must be a number from 0 up"),
        ({"eigen_weight": float("nan")}, "eigen_weight must be a number from 0 up"),
    ],
)
def test_what_cannot_be_done_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        ppmi_vectors(table(), **{"size": 5, **options})


def test_an_empty_table_is_refused():
    found = cooccurrence(encode_corpus([["a"], ["b"]], 1), 2)
    with pytest.raises(InputError, match="no co-occurrences"):
        ppmi(found)
