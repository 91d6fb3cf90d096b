"""The map's JavaScript held to WordVectors, and what it is given checked."""

import numpy as np
import pytest
import traitlets

from lmbook.embeddings.vectors import WordVectors
from lmbook.errors import InputError
from lmbook.widgets.wordmap import WordMap, plane
from tests.widgets.test_explorers import in_javascript

WORDS = [f"w{i}" for i in range(120)]


@pytest.fixture(scope="module")
def wv() -> WordVectors:
    rng = np.random.default_rng(5)
    lengths = rng.uniform(0.1, 30, (len(WORDS), 1))
    return WordVectors(WORDS, rng.standard_normal((len(WORDS), 37)) * lengths)


def test_neighbours_and_analogies_are_those_of_the_vectors(wv):
    some = WORDS[3::2]
    explorer = WordMap(wv, some)
    script = """(() => {
        const rows = m.table(data.words, data.vectors);
        return data.words.map((_, i) => [
            m.nearest(rows, rows[i], [i]),
            m.analogy(rows, [i, (i + 1) % rows.length, (i + 2) % rows.length]),
        ]);
    })()"""
    data = {"words": explorer.words, "vectors": explorer.vectors}
    alone = WordVectors(some, [wv.get_word_vector(word) for word in some])
    for i, both in enumerate(in_javascript(WordMap._esm, script, data)):
        terms = [some[(i + k) % len(some)] for k in range(3)]
        expected = [alone.most_similar(some[i]), alone.analogy(*terms)]
        for found, wanted in zip(both, expected, strict=True):
            assert [some[j] for j, _ in found] == [word for word, _ in wanted]
            cosines = [cosine for _, cosine in wanted]
            assert [c for _, c in found] == pytest.approx(cosines, abs=2e-4)


def test_search_takes_the_word_itself_before_those_that_begin_so():
    words = ["arrays", "Array", "数组", "数", "ar"]
    script = "data.map(([words, typed]) => m.search(words, typed))"
    typed = [" array ", "数", "ar", "x", ""]
    found = in_javascript(WordMap._esm, script, [[words, t] for t in typed])
    assert found == [
        ["Array", "arrays"],
        ["数", "数组"],
        ["ar", "arrays", "Array"],
        [],
        [],
    ]


def test_the_plane_is_that_of_the_two_widest_directions(wv):
    rows = wv.vectors[:50].astype(float)
    points = plane(rows)
    centred = rows - rows.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    expected = u[:, :2] * s[:2]
    expected /= np.abs(expected).max()
    signs = np.sign((points * expected).sum(axis=0))
    np.testing.assert_allclose(points, expected * signs, atol=1e-4)
    assert np.array_equal(plane(rows[::-1])[::-1], points)


def test_what_it_is_given_is_checked(wv):
    explorer = WordMap(wv, ["w9", "w8", "w7", "w6", "w5", "w9"], word="w5")
    assert (explorer.words[0], len(explorer.words)) == ("w9", 5)
    assert (explorer.word, explorer.terms) == ("w5", ["w9", "w8", "w7"])
    explorer.terms = ["w5", "w6", "w7"]
    with pytest.raises(traitlets.TraitError, match="'w1' is not one of the map's"):
        explorer.word = "w1"
    with pytest.raises(traitlets.TraitError, match="'w1' is not"):
        explorer.terms = ["w5", "w1", "w7"]
    with pytest.raises(KeyError, match="no vector for 'w900'"):
        WordMap(wv, ["w900", *WORDS])
    with pytest.raises(InputError, match="from 5 words to 4054 of size 37, got 4"):
        WordMap(wv, WORDS[:4])
    zero = WordVectors([*"abcde"], np.diag([1, 1, 0, 1, 1.0]))
    with pytest.raises(InputError, match="'c' has a vector of zeros"):
        WordMap(zero, [*"abcde"])
