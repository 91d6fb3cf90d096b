"""Cosine and Pearson: by hand, against NumPy and SciPy, and where undefined."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lmbook.similarity import cosine_similarity, pearson_correlation

vectors = arrays(np.float64, 7, elements=st.floats(-1e3, 1e3))


def test_the_articles_vectors():
    assert cosine_similarity([1, 2, 3], [4, 5, 6]) == pytest.approx(32 / np.sqrt(1078))
    assert pearson_correlation([1, 2, 3], [4, 5, 6]) == pytest.approx(1)
    assert pearson_correlation([1, 2, 3], [6, 5, 1]) == pytest.approx(-0.944911182523)


@given(vectors, vectors)
def test_as_numpy_and_scipy(a, b):
    assume(np.linalg.norm(a) > 1e-3)
    assume(np.linalg.norm(b) > 1e-3)
    expected = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    assert cosine_similarity(a, b) == pytest.approx(expected, abs=1e-12)
    assume(a.std() > 1e-3)
    assume(b.std() > 1e-3)
    expected = scipy.stats.pearsonr(a, b).statistic
    assert pearson_correlation(a, b) == pytest.approx(expected, abs=1e-8)
    assert -1 <= pearson_correlation(a, b) <= 1


@given(vectors, st.floats(0.01, 100), st.floats(-100, 100))
def test_what_each_ignores(a, scale, shift):
    assume(a.std() > 1e-1)
    b = np.arange(7.0) ** 2 + 1
    assert cosine_similarity(scale * a, b) == pytest.approx(cosine_similarity(a, b))
    moved = pearson_correlation(scale * a + shift, b)
    assert moved == pytest.approx(pearson_correlation(a, b), abs=1e-6)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e200, 1e307])
def test_scale_neither_overflows_nor_vanishes(scale):
    a, b = np.array([1.0, 2, 3]), np.array([6.0, 5, 1])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert cosine_similarity(scale * a, b) == pytest.approx(0.644902, abs=1e-3)
        assert pearson_correlation(scale * a, b) == pytest.approx(-0.944911, abs=1e-3)


def test_opposite_ends_of_the_floats():
    big = np.array([1.7e308, -1.7e308, 1.7e308])
    assert cosine_similarity(big, -big) == pytest.approx(-1, abs=1e-15)
    assert pearson_correlation(big, big) == pytest.approx(1)


@pytest.mark.parametrize("function", [cosine_similarity, pearson_correlation])
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([], [], "first vector is empty"),
        ([1, 2], [1, 2, 3], "length: 2 and 3"),
        ([1, 2], [np.nan, 1], "second vector has an entry that is NaN"),
        ([1, np.inf], [2, 1], "first vector has an entry that is NaN or infinite"),
        ([[1, 2]], [1, 2], r"first has shape \(1, 2\)"),
        (["x", "y"], [1, 2], "first vector holds"),
        ([1, 2], [1j, 2], "second vector holds complex"),
    ],
)
def test_bad_input_is_named(function, a, b, message):
    with pytest.raises(ValueError, match=message):
        function(a, b)


def test_undefined_is_an_error():
    with pytest.raises(ValueError, match="second vector is zero"):
        cosine_similarity([1, 2], [0, 0])
    for constant in ([0.1, 0.1, 0.1], [1e308] * 3, [0, 0, 0]):
        with pytest.raises(ValueError, match="first vector is constant"):
            pearson_correlation(constant, [1, 2, 3])
    with pytest.raises(ValueError, match="constant"):
        pearson_correlation([1], [2])
