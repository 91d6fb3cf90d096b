"""GloVe against its equations in plain NumPy, and against bad input."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import glove as benchmark
from benchmarks.glove import PlainGloVe
from lmbook.embeddings import cooccurrence as counting
from lmbook.embeddings import glove
from lmbook.embeddings.cooccurrence import cooccurrence
from lmbook.embeddings.corpus import encode_corpus
from lmbook.embeddings.glove import GloVeTrainer, _Run
from lmbook.errors import InputError

SECOND_MACHINE = {
    "NUMBA_CPU_NAME": "haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4,AVX512_ICL",
    "OPENBLAS_CORETYPE": "Haswell",
}


def corpus(sentences=120, vocab_size=37, seed=0):
    rng = np.random.default_rng(seed)
    return [
        [
            f"w{n}"
            for n in (vocab_size * rng.random(rng.integers(1, 25)) ** 2).astype(int)
        ]
        for _ in range(sentences)
    ]


def fitted(size=21, **options):
    return GloVeTrainer(**{"window": 4, "min_count": 2, "epochs": 3} | options).fit(
        corpus(), size
    )


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-6)]
)
@pytest.mark.parametrize("size", [1, 16, 21, 50])
def test_every_step_is_that_of_the_equations(size, dtype, tolerance):
    table = cooccurrence(encode_corpus(corpus(), 2), 4)
    config = GloVeTrainer(x_max=3, alpha=0.6, learning_rate=0.3, dtype=dtype)
    run = _Run(config, table, size)
    cells, logs, weights, order = run.slices(table)[0]
    for place in order[:400]:
        plain = benchmark.plain_twin(run)  # each step from the same place
        squares = np.split(run.squares[:, :size], 2)
        plain.squares = [
            s.astype(float) for s in (*squares, *np.split(run.biases[:, 1], 2))
        ]
        i, j, x = cells[place].tolist()
        expected = plain.step(i, j, x, x_max=3, alpha=0.6, learning_rate=0.3)
        loss = run.train_slice(cells, logs, weights, np.array([place]))
        assert loss == pytest.approx(expected, rel=tolerance, abs=tolerance)
        after = benchmark.plain_twin(run).parameters
        for found, wanted in zip(after, plain.parameters, strict=True):
            assert np.abs(found - wanted).max() < tolerance
    assert (run.vectors[:, size:] == 0).all()


def test_a_whole_training_is_that_of_the_equations(monkeypatch):
    visited, start = [], []

    def followed(self, cells, logs, weights, order):
        if not start:
            start.append(benchmark.plain_twin(self))
        visited.extend(cells[order].tolist())
        return original(self, cells, logs, weights, order)

    original = _Run.train_slice
    monkeypatch.setattr(_Run, "train_slice", followed)
    monkeypatch.setattr(glove, "SLICE", 101)
    trainer = fitted(x_max=5, dtype="float64")
    (plain,) = start
    losses = [plain.step(i, j, x, x_max=5) for i, j, x in visited]
    for found, wanted in zip(
        (
            trainer.word_vectors,
            trainer.context_vectors,
            trainer.word_biases,
            trainer.context_biases,
        ),
        plain.parameters,
        strict=True,
    ):
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() < 1e-11
    table = cooccurrence(encode_corpus(corpus(), 2), 4)
    epochs = np.reshape(losses, (3, len(table)))
    assert np.allclose(trainer.losses, epochs.mean(axis=1), rtol=1e-12)
    orders = np.array([(i, j) for i, j, _ in visited]).reshape(3, len(table), 2)
    for order in orders:  # each epoch has every cell once, in another order
        assert len(set(map(tuple, order.tolist()))) == len(table)
    assert (orders[0] != orders[1]).any()


def test_dot_products_become_logarithms_of_counts():
    text = [list("abcabdaebcfdeaf") * 3]
    trainer = GloVeTrainer(4, 1, x_max=1, epochs=3000, dtype="float64").fit(text, 7)
    cells = cooccurrence(encode_corpus(text, 1), 4).cells
    i, j = cells["row"], cells["column"]
    products = np.einsum(
        "nd,nd->n", trainer.word_vectors[i], trainer.context_vectors[j]
    )
    found = products + trainer.word_biases[i] + trainer.context_biases[j]
    assert np.allclose(found, np.log(cells["value"]), atol=0.01)


def test_the_vectors_are_sums_of_words_and_contexts():
    trainer = fitted(size=21)
    vocab_size = len(trainer.wv)
    assert trainer.wv.vectors.shape == (vocab_size, 21)
    both = trainer.word_vectors + trainer.context_vectors
    assert np.array_equal(trainer.wv.vectors, both)
    assert trainer.word_biases.shape == trainer.context_biases.shape == (vocab_size,)
    assert trainer.losses == sorted(trainer.losses, reverse=True)
    assert len(trainer.losses) == 3
    assert trainer.most_similar("w0", topn=2)


def test_a_generator_of_generators_is_read_once():
    options = {"min_count": 2, "epochs": 1}
    lazy = GloVeTrainer(**options).fit((iter(s) for s in corpus()), 5)
    eager = GloVeTrainer(**options).fit(corpus(), 5)
    assert np.array_equal(lazy.wv.vectors, eager.wv.vectors)


def test_what_is_saved_is_loaded(tmp_path):
    trainer = fitted()
    trainer.save(tmp_path / "vectors.txt")
    loaded = GloVeTrainer.load(tmp_path / "vectors.txt")
    assert loaded.wv.words == trainer.wv.words
    assert np.array_equal(loaded.wv.vectors, trainer.wv.vectors)


@pytest.mark.parametrize("dtype", glove.DTYPES)
def test_the_seed_decides(dtype):
    one, same, other = (fitted(seed=seed, dtype=dtype) for seed in (3, 3, 4))
    assert np.array_equal(one.context_vectors, same.context_vectors)
    assert one.losses == same.losses
    assert not np.array_equal(one.context_vectors, other.context_vectors)
    assert one.word_vectors.dtype == dtype


def digest(dtype):
    trainer = fitted(size=37, epochs=5, x_max=7, dtype=dtype)
    parts = (trainer.word_vectors, trainer.context_vectors, trainer.word_biases)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


@pytest.mark.full
@pytest.mark.parametrize("dtype", glove.DTYPES)
def test_another_instruction_set_gives_the_same_bits(dtype):
    code = f"from tests.embeddings.test_glove import digest; print(digest({dtype!r}))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **SECOND_MACHINE},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == digest(dtype)


def test_threads_learn_as_much(monkeypatch):
    monkeypatch.setattr(glove, "SLICE", 200)
    one, three = (fitted(threads=threads, epochs=8) for threads in (1, 3))
    assert np.allclose(one.losses, three.losses, rtol=0.05)


def test_a_table_on_disk_is_trained_on_in_parts(monkeypatch):
    monkeypatch.setattr(glove, "LEAST_MEMORY", 0)
    monkeypatch.setattr(counting, "LEAST_MEMORY", 0)
    parts = []

    def followed(self, part):
        found = original(self, part)
        parts.append(np.concatenate([cells[order] for cells, _, _, order in found]))
        return found

    original = _Run.slices
    monkeypatch.setattr(_Run, "slices", followed)
    at_once = fitted(epochs=6, x_max=5)
    whole = np.sort(parts[0])
    parts.clear()
    spilled = fitted(epochs=6, x_max=5, memory_limit=250 * counting.BYTES_A_CELL)
    number = len(parts) // 6
    assert number > 2
    for epoch in range(6):
        mine = np.concatenate(parts[epoch * number : (epoch + 1) * number])
        assert np.array_equal(np.sort(mine), whole)
    assert np.allclose(spilled.losses, at_once.losses, rtol=0.05)


@pytest.mark.parametrize(
    ("options", "size", "message"),
    [
        ({"window": 0}, 5, "window must be at least 1, got 0"),
        ({"min_count": 0}, 5, "min_count must be at least 1, got 0"),
        ({"min_count": 10_000}, 5, "no word occurs min_count=10000 times"),
        ({"x_max": 0}, 5, "x_max must be a number above 0, got 0"),
        ({"x_max": "many"}, 5, "x_max must be a number, got 'many'"),
        ({"alpha": -1}, 5, "alpha must be a number from 0 up, got -1"),
        ({"alpha": float("nan")}, 5, "alpha must be a number from 0 up, got nan"),
        ({"learning_rate": float("inf")}, 5, "learning_rate must be .* got inf"),
        ({"learning_rate": 0}, 5, "learning_rate must be a number above 0, got 0"),
        ({"learning_rate": 1e30}, 5, "overflowed: a learning rate below"),
        ({"epochs": 0}, 5, "epochs must be at least 1, got 0"),
        ({"epochs": 1.5}, 5, "epochs must be an integer, got 1.5"),
        ({"threads": 0}, 5, "threads must be at least 1, got 0"),
        ({"seed": -1}, 5, "seed must be at least 0, got -1"),
        ({"memory_limit": 100}, 5, "memory_limit must be at least 1,048,576, got 100"),
        ({"dtype": "float16"}, 5, "'float32', 'float64'.* got 'float16'"),
        ({}, 0, "size must be at least 1, got 0"),
        ({}, 2.0, "size must be an integer, got 2.0"),
    ],
)
def test_what_cannot_be_done_is_refused(options, size, message):
    with pytest.raises(InputError, match=message):
        fitted(size, **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one string", "is one string"),
        (["a sentence"], "sentence 0 of the corpus is the string"),
        ([], "no tokens"),
        ([["a"], ["a"], ["b"]], "nothing to count: no sentence .* min_count=1 times"),
    ],
)
def test_what_is_no_corpus_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        GloVeTrainer(min_count=1).fit(text, 5)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError])
def test_a_training_cut_short_leaves_the_trainer_as_it_was(failure, monkeypatch):
    trainer = fitted()
    before = trainer.wv, trainer.word_vectors, trainer.word_biases, trainer.losses

    def cut_short(self, *args):
        raise failure

    monkeypatch.setattr(_Run, "train_slice", cut_short)
    with pytest.raises(failure):
        trainer.fit([["other", "words"] * 9], 4)
    after = trainer.wv, trainer.word_vectors, trainer.word_biases, trainer.losses
    assert all(a is b for a, b in zip(after, before, strict=True))


def test_the_benchmark_measures_the_same_training():
    table = cooccurrence(encode_corpus(corpus(), 2), 4)
    row = benchmark.speed(table, 13, "float64", rounds=2)
    assert row["times_faster"] > 0
    assert row["largest_difference_after_10000_cells"] < 1e-11


def test_the_peer_descends_along_its_gradient():
    rng = np.random.default_rng(0)
    start = [rng.normal(size=s) for s in ((3, 4), (3, 4), (3,), (3,))]
    rate, x = 1e-6, 7.0
    before, after = PlainGloVe(*start), PlainGloVe(*start)
    loss = before.step(1, 2, x, x_max=50, learning_rate=0)
    after.step(1, 2, x, x_max=50, learning_rate=rate)
    # The first step has learning rate / sqrt(1), and half the gradient of the loss.
    moved = sum(
        float(((p - q) ** 2).sum())
        for p, q in zip(after.parameters, start, strict=True)
    )
    fell = loss - after.step(1, 2, x, x_max=50, learning_rate=0)
    assert fell == pytest.approx(2 * moved / rate, rel=1e-4)
