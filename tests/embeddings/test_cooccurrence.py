"""Counting co-occurrences: against a plain loop, in memory and by way of the disk."""

import os
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.glove import counting
from lmbook.embeddings import cooccurrence as module
from lmbook.embeddings.cooccurrence import cooccurrence
from lmbook.embeddings.corpus import encode_corpus
from lmbook.errors import InputError

SENTENCES = [["a", "b", "a"], ["c"], [], ["b", "c", "c", "a", "d"]]


def reference(encoded, window, weighting, symmetric):
    """The definition, pair by pair, in exact arithmetic."""
    table = Counter()
    for start, stop in zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True):
        sentence = encoded.ids[start:stop].tolist()
        for place, word in enumerate(sentence):
            for d in range(1, min(window, place) + 1):
                amount = Fraction(1, d) if weighting == "harmonic" else Fraction(1)
                table[word, sentence[place - d]] += amount
                if symmetric:
                    table[sentence[place - d], word] += amount
    return {cell: float(x) for cell, x in sorted(table.items())}


def as_dict(table):
    return {(int(i), int(j)): float(x) for i, j, x in table.cells}


def random_corpus(tokens=30_000, vocab_size=300, seed=0):
    rng = np.random.default_rng(seed)
    words = (vocab_size * rng.random(tokens) ** 2).astype(int).astype(str).tolist()
    cuts = np.sort(rng.choice(tokens, tokens // 17, replace=False)).tolist()
    bounds = zip([0, *cuts], [*cuts, tokens], strict=True)
    return encode_corpus([words[a:b] for a, b in bounds], min_count=2)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("weighting", module.WEIGHTINGS)
@given(
    corpus=st.lists(st.lists(st.sampled_from("abcde"), max_size=9), min_size=1),
    window=st.integers(1, 12),
)
def test_the_table_is_the_definition(corpus, window, weighting, symmetric):
    encoded = encode_corpus([["a"], *corpus], min_count=1)
    table = cooccurrence(encoded, window, weighting=weighting, symmetric=symmetric)
    expected = reference(encoded, window, weighting, symmetric)
    assert as_dict(table) == expected
    assert list(as_dict(table)) == list(expected)  # in the same order


def test_a_small_table_by_hand():
    encoded = encode_corpus(SENTENCES, min_count=1)
    assert encoded.words == ["a", "c", "b", "d"]
    table = cooccurrence(encoded, 2, symmetric=False)
    a, c, b, d = range(4)
    assert as_dict(table) == {
        (a, a): 1 / 2,
        (a, b): 1,
        (a, c): 1 + 1 / 2,
        (b, a): 1,
        (c, b): 1 + 1 / 2,
        (c, c): 1,
        (d, a): 1,
        (d, c): 1 / 2,
    }
    assert len(table) == 8
    with pytest.raises(ValueError, match="read-only"):
        table.cells["value"] = 1


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("weighting", module.WEIGHTINGS)
def test_by_way_of_the_disk_every_bit_is_the_same(weighting, symmetric, monkeypatch):
    monkeypatch.setattr(module, "LEAST_MEMORY", 0)
    monkeypatch.setattr(module, "FAN_IN", 5)
    encoded = random_corpus(9000)
    how = {"weighting": weighting, "symmetric": symmetric}
    at_once = cooccurrence(encoded, 7, **how)
    assert at_once.in_memory
    assert as_dict(at_once) == reference(encoded, 7, weighting, symmetric)
    for cells in (9000, 2500, 700):  # a few runs, many, and so many that merging
        # them takes two passes
        limit = cells * module.BYTES_A_CELL
        spilled = cooccurrence(encoded, 7, **how, memory_limit=limit)
        assert not spilled.in_memory
        assert len(spilled) == len(at_once)
        assert np.array_equal(spilled.cells, at_once.cells)
        assert np.array_equal(spilled.read(5, 70), at_once.cells[5:70])


def test_a_word_that_stands_alone_gives_an_empty_table():
    encoded = encode_corpus([["a"], ["b"], []], min_count=1)
    table = cooccurrence(encoded, 5)
    assert len(table) == 0
    assert table.cells.shape == (0,)


def test_a_window_beyond_the_sentences_is_the_longest_of_them():
    encoded = random_corpus(3000, 40)
    longest = int(np.diff(encoded.offsets).max())
    wide = cooccurrence(encoded, 10**9)
    assert np.array_equal(wide.cells, cooccurrence(encoded, longest).cells)


def test_very_wide_windows_are_as_exact_as_whole_numbers_allow():
    encoded = encode_corpus([list("abcdefghij") * 30], min_count=1)
    found = as_dict(cooccurrence(encoded, 299))
    expected = reference(encoded, 299, "harmonic", True)
    assert found.keys() == expected.keys()
    cells = list(expected)
    assert np.allclose(
        [found[c] for c in cells], [expected[c] for c in cells], rtol=1e-11, atol=0
    )


@pytest.mark.parametrize("tokens", [10**3, 10**6, 10**9, 10**12])
@pytest.mark.parametrize("window", [1, 2, 10, 20, 40, 300])
def test_no_sum_of_shares_overflows(window, tokens):
    unit, shares = module._shares(window, "harmonic", tokens)
    assert 2 * tokens * sum(shares.tolist()) < 2**63
    if window <= 20 and tokens <= 10**8:
        assert all(
            Fraction(int(s), unit) == Fraction(1, d + 1) for d, s in enumerate(shares)
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "window must be at least 1, got 0"),
        ({"window": 2.5}, "window must be an integer, got 2.5"),
        ({"weighting": "linear"}, "'harmonic', 'flat'.* got 'linear'"),
        ({"memory_limit": 1000}, "memory_limit must be at least 1,048,576, got 1,000"),
    ],
)
def test_what_cannot_be_counted_is_refused(arguments, message):
    encoded = encode_corpus(SENTENCES, min_count=1)
    with pytest.raises(InputError, match=message):
        cooccurrence(encoded, **{"window": 2, **arguments})


def spill_into(monkeypatch, tmp_path, limit_cells=3000):
    monkeypatch.setattr(module, "LEAST_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return cooccurrence(
        random_corpus(5000), 5, memory_limit=limit_cells * module.BYTES_A_CELL
    )


def test_nothing_is_ever_seen_in_the_folder(monkeypatch, tmp_path):
    table = spill_into(monkeypatch, tmp_path)
    assert not table.in_memory
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to(monkeypatch, tmp_path):
    with pytest.raises(InputError, match="raise memory_limit, or let TMPDIR name"):
        spill_into(monkeypatch, tmp_path / "missing")


@pytest.mark.skipif(sys.platform != "linux", reason="limits file sizes as Linux does")
def test_a_full_disk_is_an_input_error_and_leaves_nothing(tmp_path):
    code = """
        import resource, signal, sys, tempfile
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        from lmbook.embeddings.cooccurrence import cooccurrence
        from lmbook.embeddings.corpus import encode_corpus
        from lmbook.errors import InputError
        words = [str(i * i % 3001) for i in range(40_000)]
        try:
            cooccurrence(encode_corpus([words], 1), 9, memory_limit=2**20)
        except InputError as error:
            print(error)
    """
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "do not fit in memory_limit" in found.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing(monkeypatch, tmp_path):
    def interrupted(self, runs):
        raise KeyboardInterrupt

    monkeypatch.setattr(module._Counting, "merged", interrupted)
    with pytest.raises(KeyboardInterrupt):
        spill_into(monkeypatch, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("tokens", "vocab_size", "limit"),
    [
        (100_000, 5_000, 4 * 2**20),
        pytest.param(1_500_000, 40_000, 32 * 2**20, marks=pytest.mark.full),
    ],
)
def test_a_table_several_times_the_limit_is_counted_within_it(
    tokens, vocab_size, limit
):
    table, resident, allocated, _ = counting(tokens, vocab_size, 10, limit, trace=True)
    assert table > 4 * limit
    assert allocated < limit
    # Above the limit, only what the allocator keeps and what is imported late.
    assert limit / 10 < resident < limit + 16 * 2**20
