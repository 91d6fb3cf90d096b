"""The race against ``transformers``, with a small model."""

import pytest
from transformers import GPT2Config

from benchmarks import generation

SMALL = GPT2Config(
    vocab_size=97,
    n_positions=64,
    n_embd=32,
    n_layer=2,
    n_head=2,
    tie_word_embeddings=False,  # tied, it would say one token over and over
    bos_token_id=None,
    eos_token_id=None,
)
CASES = ((1, 5, 12), (3, 20, 9))


def test_both_sides_write_the_same_and_are_timed():
    results = generation.run(SMALL, CASES, rounds=2)
    blocks = 2 * (12 * 32**2 + 13 * 32)
    assert results["parameters"] == 2 * 97 * 32 + 64 * 32 + blocks + 64
    columns = ("rows", "prompt_tokens", "new_tokens")
    assert tuple(tuple(row[c] for c in columns) for row in results["cases"]) == CASES
    assert results["ratio"] == min(row["ratio"] for row in results["cases"])
    # Tokens that repeat one another would say little about the two being the same.
    assert all(row["different_tokens"] > 3 for row in results["cases"])


def test_other_tokens_end_the_race(monkeypatch):
    monkeypatch.setattr(generation, "written_by_peer", lambda *_: [[0] * 12])
    with pytest.raises(AssertionError):
        generation.run(SMALL, CASES[:1], rounds=1)
