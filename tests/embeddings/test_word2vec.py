"""The fast trainer against the derived step, against gensim, and against bad input."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from statistics import mean

import numpy as np
import pytest

from benchmarks import word2vec as benchmark
from lmbook.embeddings import word2vec, word2vec_steps
from lmbook.embeddings.vectors import analogy_accuracy
from lmbook.embeddings.word2vec import Word2VecTrainer
from lmbook.errors import InputError


@pytest.fixture(scope="module")
def world():
    return planted(2000, things=12)


def planted(sentences, things=30, seed=0):
    """A text in which a{i} is to b{i} as a{j} to b{j}: same topic, other role."""
    rng = np.random.default_rng(seed)
    corpus = []
    for _ in range(sentences):
        thing, role = rng.integers(things), "ab"[rng.integers(2)]
        words = [f"{role}{thing}"]
        words += [f"topic{thing}.{k}" for k in rng.integers(0, 4, 2)]
        words += [f"role{role}.{k}" for k in rng.integers(0, 4, 2)]
        words += [f"filler{k}" for k in rng.zipf(1.5, 4).clip(max=100)]
        corpus.append(rng.permutation(words).tolist())
    return corpus, [(f"a{thing}", f"b{thing}") for thing in range(things)]


def fitted(corpus, size=9, **options):
    return Word2VecTrainer(**{"min_count": 1, "sample": 0, **options}).fit(corpus, size)


# ---- one sentence, followed step by step ---------------------------------------------


class Splitmix:
    """splitmix64 in Python's whole numbers."""

    def __init__(self, state):
        self.state = state

    def __call__(self):
        mask = 2**64 - 1
        self.state = z = (self.state + 0x9E3779B97F4A7C15) & mask
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        return z ^ (z >> 31)


@pytest.mark.parametrize("method", ["skipgram", "cbow"])
@pytest.mark.parametrize("dynamic", [False, True])
def test_a_sentence_is_learnt_as_the_step_by_hand_says(method, dynamic):
    from lmbook.embeddings import word2vec_kernels as kernels

    vocab_size, size, window, negative, rate = 13, 21, 2, 3, 0.4
    padded = 32
    rng = np.random.default_rng(5)
    counts = np.sort(rng.integers(1, 50, vocab_size))[::-1]
    alias = word2vec.alias_table(counts)
    # Words twice in a window, and a word that is often drawn as its own negative.
    sentence = np.array([3, 0, 3, 7, 0, 0, 12, 1], np.int32)
    matrices = np.zeros((2, vocab_size, padded), np.float32)
    matrices[..., :size] = rng.normal(0, 0.5, (2, vocab_size, size))
    inputs, outputs = matrices[..., :size].astype(np.float64)
    fast = [matrix.reshape(-1) for matrix in matrices]
    state = np.array([77], np.uint64)
    loss, examples = kernels.train_sentences(
        *(sentence, np.array([0, len(sentence)]), 0, 1, *fast, padded),
        *(word2vec.keep_thresholds(counts, 0), alias),
        *(method == "cbow", window, dynamic, negative, np.float32(rate), state),
    )

    bits = Splitmix(77)
    for _ in sentence:
        bits()  # whether it stays
    noise = []
    for _ in range(len(sentence) * negative):
        drawn = bits()
        row = (drawn >> 32) * vocab_size >> 32
        noise.append(alias[row, 1] if drawn % 2**32 > alias[row, 0] else row)
    expected_loss, expected_examples = 0.0, 0
    for center, target in enumerate(sentence):
        reach = 1 + ((bits() >> 32) * window >> 32) if dynamic else window
        near = sentence[max(0, center - reach) : center + reach + 1].tolist()
        near.pop(min(center, reach))
        drawn = noise[center * negative : (center + 1) * negative]
        drawn = [int(word) for word in drawn if word != target]
        groups = [near] if method == "cbow" else [[word] for word in near]
        steps = [
            word2vec_steps.cbow_gradients(inputs, outputs, words, target, drawn)
            for words in groups
        ]
        for words in groups:
            h = inputs[words].mean(axis=0)
            expected_loss += np.logaddexp(0, -outputs[target] @ h)
            expected_loss += np.logaddexp(0, outputs[drawn] @ h).sum()
        # word2vec.c moves each word of a CBOW window by the whole gradient of the mean.
        share = len(near) if method == "cbow" else 1
        inputs = inputs - rate * share * sum(step[0] for step in steps)
        outputs = outputs - rate * sum(step[1] for step in steps)
        expected_examples += len(groups)
    found = matrices.astype(np.float64)
    assert np.allclose(found[0, :, :size], inputs, rtol=0, atol=2e-5)
    assert np.allclose(found[1, :, :size], outputs, rtol=0, atol=2e-5)
    assert not found[..., size:].any()
    assert examples == expected_examples
    assert loss == pytest.approx(expected_loss, rel=1e-5)


def test_the_tables_give_the_probabilities_they_should():
    counts = np.array([50_000, 900, 900, 3, 1])
    table = word2vec.alias_table(counts).astype(np.float64)
    stays = (table[:, 0] + 1) / 2**32
    found = stays.copy()
    np.add.at(found, table[:, 1].astype(int), 1 - stays)
    p = counts**0.75
    assert found / len(counts) == pytest.approx(p / p.sum(), abs=1e-6)
    assert word2vec.alias_table(np.array([4])).tolist() == [[2**32 - 1, 0]]
    even = word2vec.alias_table(np.full(7, 3))
    assert even[:, 0].tolist() == [2**32 - 1] * 7

    f = counts / counts.sum()
    keep = (word2vec.keep_thresholds(counts, 1e-3) + 1.0) / 2**32
    assert keep == pytest.approx(np.minimum(1, np.sqrt(1e-3 / f) + 1e-3 / f), abs=1e-6)


def test_draws_follow_the_table():
    """Untrained, and at rate 0, the loss says nothing: so count what was subsampled."""
    corpus = [["often"] * 3 + ["seldom"]] * 4000
    counts = np.array([12_000, 4_000])
    for sample in (1e-2, 1e-1):
        keep = (word2vec.keep_thresholds(counts, sample) + 1.0) / 2**32
        trainer = _Counting(sample=sample, min_count=1, epochs=1, method="cbow")
        trainer.fit(corpus, 3)
        # A window counts where at least one other word of the four stays.
        p = np.array([keep[0]] * 3 + [keep[1]])
        others = [1 - np.prod(1 - np.delete(p, i)) for i in range(4)]
        expected = 4000 * (p * others).sum()
        assert trainer.examples == pytest.approx(expected, rel=0.1)


class _Counting(Word2VecTrainer):
    """Also keeps the number of examples."""

    def fit(self, corpus, size):
        text = word2vec.encode_corpus(corpus, self.min_count)
        run = word2vec._Run(self, text, text.offsets, size)
        self.examples = run.part(0, 0, len(text.offsets) - 1)[1]


# ---- as good as gensim ---------------------------------------------------------------


@pytest.mark.parametrize("method", ["skipgram", "cbow"])
def test_held_out_loss_is_that_of_gensim(method):
    text, _ = planted(5000, things=17)
    training = [s for i, s in enumerate(text) if i % 8]
    counts = benchmark.counted(training)
    found = []
    for fit in (benchmark.ours, benchmark.peers):
        losses = []
        for seed in (0, 1):
            model = fit(training, 24, method=method, threads=1, epochs=4, seed=seed)
            losses.append(
                benchmark.held_out_loss(model, text[::8], counts, method),
            )
        found.append(mean(losses))
    untrained = 6 * np.log(2)
    assert found[0] < untrained - 1
    assert found[0] < found[1] + 0.02


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("method", ["skipgram", "cbow"])
def test_planted_analogies_are_solved(world, method, threads):
    corpus, pairs = world
    trainer = fitted(corpus, 20, method=method, threads=threads, epochs=12)
    solved = analogy_accuracy(trainer.wv, pairs)
    assert solved > 0.8
    assert trainer.losses[-1] < trainer.losses[0] - 0.2
    assert len(trainer.losses) == 12


# ---- the same bits -------------------------------------------------------------------

HASH = """
import hashlib
from lmbook.embeddings.word2vec import Word2VecTrainer
corpus = [[f"w{i * j % 29}" for j in range(1 + i % 23)] for i in range(700)]
for method in ("skipgram", "cbow"):
    t = Word2VecTrainer(method=method, sample=0.05, epochs=2, seed=3).fit(corpus, 19)
    data = t.wv.vectors.tobytes() + t.output_vectors.tobytes()
    print(hashlib.sha256(data).hexdigest(), t.losses)
"""


def test_one_seed_one_result(world):
    corpus, _ = world

    def digest(**options):
        trainer = fitted(corpus, epochs=2, sample=1e-2, **options)
        return hashlib.sha256(
            trainer.wv.vectors.tobytes() + trainer.output_vectors.tobytes()
        ).digest()

    assert digest(seed=4) == digest(seed=4)
    assert digest(seed=4) != digest(seed=5)
    for other in (
        *(
            {"window": 4},
            {"negative": 4},
            {"method": "cbow"},
            {"dynamic_window": False},
        ),
        *({"learning_rate": 0.03}, {"min_learning_rate": 1e-3}),
    ):
        assert digest(seed=4) != digest(seed=4, **other)


@pytest.mark.full
def test_the_same_bits_without_avx512(tmp_path):
    second = {
        "NUMBA_CPU_NAME": "haswell",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4,AVX512_ICL",
        "OPENBLAS_CORETYPE": "Haswell",
    }
    outputs = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", HASH],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / name)} | added,
            capture_output=True,
            check=True,
        ).stdout
        for name, added in (("this", {}), ("second", second))
    ]
    assert outputs[0]
    assert outputs[0] == outputs[1]


# ---- what fit takes and gives --------------------------------------------------------


def test_a_generator_is_read_once_and_rare_words_are_dropped():
    corpus = [["a", "b", "rare", "a"], [], ["b"], ["a", "b"], ["b", "a"]]
    read = []

    def stream():
        for sentence in corpus:
            read.append(sentence)
            yield iter(sentence)

    trainer = Word2VecTrainer(min_count=2, sample=0)
    assert trainer.fit(stream(), 6) is trainer
    assert len(read) == len(corpus)
    assert sorted(trainer.wv.words) == ["a", "b"]
    assert trainer.output_vectors.shape == trainer.wv.vectors.shape == (2, 6)
    lists = Word2VecTrainer(min_count=2, sample=0).fit(corpus, 6)
    assert np.array_equal(lists.wv.vectors, trainer.wv.vectors)
    with pytest.raises(KeyError):
        trainer.get_word_vector("rare")


def test_one_sentence_may_be_the_whole_text():
    words = [f"w{i % 37}" for i in range(25_011)]
    trainer = fitted([words], 5, epochs=3)
    assert len(trainer.wv) == 37
    assert trainer.losses[-1] < trainer.losses[0]


def test_a_window_wider_than_any_sentence_and_a_single_word():
    trainer = fitted([["x", "x", "y"]] * 9, 4, window=10**6)
    assert np.isfinite(trainer.wv.vectors).all()
    assert fitted([["x", "x"]], 1).wv.words == ["x"]  # no negative is ever wrong


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window must be at least 1, got 0"),
        ({"window": 2.5}, "window must be an integer, got 2.5"),
        ({"negative": 0}, "negative must be at least 1"),
        ({"min_count": 0}, "min_count must be at least 1"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"method": "glove"}, "method must be one of.*skipgram.*cbow.*'glove'"),
        ({"sample": -1e-3}, "sample must be a number from 0 up"),
        ({"learning_rate": float("nan")}, "learning_rate must be.*nan"),
        ({"learning_rate": float("inf")}, "learning_rate must be.*inf"),
        ({"min_learning_rate": "low"}, "min_learning_rate must be a number, got 'low'"),
        ({"learning_rate": 1e-5}, "min_learning_rate=0.0001 is above"),
    ],
)
def test_bad_parameters(options, message):
    with pytest.raises(InputError, match=message):
        Word2VecTrainer(**options)


@pytest.mark.parametrize(
    ("corpus", "options", "message"),
    [
        ([], {}, "holds no tokens"),
        ("a text", {}, "expected an iterable of token lists"),
        (["a text", "another"], {}, "expected a list of tokens"),
        ([["a", 3, "b"]], {}, "token 3"),
        ([["a", "b"]], {"min_count": 2}, "min_count=2"),
        ([["a"], [], ["b"], ["a"]], {}, "nothing to predict.*two words"),
        ([["a", "b"]] * 3, {"sample": 1e-9}, "needs sample=0"),
        (
            [["a", "b", "c"]] * 500,
            {"learning_rate": 1e6, "epochs": 40},
            "overflowed.*learning_rate=1000000.0",
        ),
    ],
)
def test_bad_corpora(corpus, options, message):
    with pytest.raises(InputError, match=message):
        fitted(corpus, **options)


def test_bad_size_and_no_fit():
    for size in (0, -3, 1.5, "100"):
        with pytest.raises(InputError, match="size must be"):
            fitted([["a", "b"]], size)
    with pytest.raises(InputError, match=r"call fit\(corpus\) first"):
        Word2VecTrainer().get_word_vector("a")


def test_a_failure_half_way_leaves_the_trainer_as_it_was(world):
    corpus, _ = world
    trainer = fitted(corpus, epochs=1)
    before = (trainer.wv, trainer.output_vectors, trainer.losses)

    def broken():
        yield from corpus[:10]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        trainer.fit(broken(), 7)
    with pytest.raises(InputError):
        trainer.fit([["alone"]], 7)
    trainer.epochs = 10**5
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(corpus, 7)
    after = (trainer.wv, trainer.output_vectors, trainer.losses)
    assert all(a is b for a, b in zip(before, after, strict=True))
    assert threading.active_count() == 1 or not any(
        "ThreadPool" in thread.name for thread in threading.enumerate()
    )


def test_saved_vectors_come_back_and_gensim_reads_them(world, tmp_path):
    from gensim.models import KeyedVectors

    trainer = fitted(world[0], epochs=1)
    trainer.save(tmp_path / "vectors.txt")
    again = Word2VecTrainer.load(tmp_path / "vectors.txt")
    assert np.array_equal(again.wv.vectors, trainer.wv.vectors)
    theirs = KeyedVectors.load_word2vec_format(str(tmp_path / "vectors.txt"))
    assert np.array_equal(theirs.vectors, trainer.wv.vectors)


def test_importing_the_trainer_does_not_import_numba():
    code = "import sys, lmbook.embeddings.word2vec; print('numba' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert run.stdout.strip() == "False"
