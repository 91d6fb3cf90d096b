"""Numbers in Chinese words, the same in the page and in Python."""

import numpy as np
import pytest

from lmbook.errors import InputError
from lmbook.industry.words import in_words
from lmbook.widgets.history import History
from tests.widgets.test_explorers import in_javascript


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.746e11, "1750 亿"),
        (671e9, "6710 亿"),
        (1.48e13, "14.8 万亿"),
        (20_000, "2 万"),
        (250, "250"),
        (1.3, "1.3"),
        (0, "0"),
        (3.14e23, "3.14×10²³"),
        (1e25, "10²⁵"),
        (99_999_999, "1 亿"),
        (9_999.9, "1 万"),
        (9.9999e15, "10¹⁶"),
        (9.9999e22, "10²³"),
    ],
)
def test_in_words(value, words):
    assert in_words(value) == words


def test_digits():
    assert in_words(123_456_789, 2) == "1.2 亿"
    assert in_words(1.3e7, 1) == "1000 万"


def test_the_page_says_the_same():
    values = (10 ** np.random.default_rng(0).uniform(-2, 27, 300)).tolist()
    values += [9.9999 * 10**power for power in range(-2, 27)]
    found = in_javascript(History._esm, "data.map((x) => m.inWords(x))", values)
    assert found == [in_words(value) for value in values]


def test_bad_input():
    with pytest.raises(InputError, match="value must be a number of at least 0"):
        in_words(-3)
    with pytest.raises(InputError, match="digits must be a whole number"):
        in_words(3, 0)
