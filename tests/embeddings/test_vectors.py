"""Look up, nearest, analogies, the file formats both ways with gensim."""

import gzip

import numpy as np
import pytest
from gensim.models import KeyedVectors

from lmbook.embeddings.vectors import VectorTrainer, WordVectors, analogy_accuracy
from lmbook.errors import InputError

WORDS = ["the", "数组", "naïve", "array", "arrays", "don't", "x_0", "\N{GRINNING FACE}"]


def vectors(words=WORDS, size=5, seed=1):
    rng = np.random.default_rng(seed)
    return WordVectors(words, rng.standard_normal((len(words), size)))


def test_a_word_has_the_vector_given():
    table = np.arange(6.0).reshape(3, 2) + 1
    wv = WordVectors(["a", "b", "c"], table)
    assert wv.get_word_vector("b").tolist() == [3, 4]
    assert (len(wv), wv.size, "c" in wv, "d" in wv) == (3, 2, True, False)
    with pytest.raises(ValueError, match="read-only"):
        wv.get_word_vector("b")[0] = 7
    table[0] = 0
    assert wv.get_word_vector("a").tolist() == [1, 2]


def test_an_unknown_word_is_told_the_nearest_spellings():
    with pytest.raises(KeyError) as caught:
        vectors().get_word_vector("arays")
    assert str(caught.value).startswith("no vector for 'arays'; nearest spellings: ")
    assert "'arrays'" in str(caught.value)
    assert "'array'" in str(caught.value)
    with pytest.raises(KeyError, match="'数组'"):
        vectors().most_similar("数祖")
    with pytest.raises(KeyError, match="nor for one spelt alike"):
        vectors().analogy("the", "array", "qqqqqqqqqqqqqqqq")
    with pytest.raises(KeyError, match="a word is a string"):
        vectors().get_word_vector(3)


@pytest.mark.parametrize("topn", [1, 4, 300, 1000])
def test_nearest_are_those_of_numpy_and_gensim(topn):
    words = [f"w{i}" for i in range(301)]
    wv = vectors(words, size=17)
    unit = wv.vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosines = unit @ unit[7]
    cosines[7] = -2
    order = np.argsort(-cosines)[: min(topn, 300)]
    found = wv.most_similar("w7", topn)
    assert [word for word, _ in found] == [f"w{i}" for i in order]
    np.testing.assert_allclose([c for _, c in found], cosines[order], atol=1e-12)
    peer = KeyedVectors(17)
    peer.add_vectors(words, wv.vectors)
    theirs = peer.most_similar("w7", topn=topn)
    assert [word for word, _ in found] == [word for word, _ in theirs]
    theirs = peer.most_similar(positive=["w2", "w3"], negative=["w1"], topn=topn)
    ours = wv.analogy("w1", "w2", "w3", topn)
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([c for _, c in ours], [c for _, c in theirs], atol=1e-5)


def test_extreme_lengths_neither_overflow_nor_vanish():
    table = np.array([[3e38, 1e38], [1e-40, 2e-40], [-1.0, 0.5], [0, 0]])
    wv = WordVectors(["huge", "tiny", "usual", "zero"], table)
    found = dict(wv.most_similar("huge"))
    assert found["tiny"] == pytest.approx(5 / np.sqrt(50), abs=1e-4)
    assert found["usual"] == pytest.approx(-2.5 / np.sqrt(12.5), abs=1e-6)
    assert found["zero"] == 0
    with pytest.raises(ValueError, match="no direction"):
        wv.most_similar("zero")
    assert [word for word, _ in wv.most_similar([2.0, -1.0])][-1] == "usual"


def test_equal_cosines_come_in_the_order_of_the_words():
    wv = WordVectors([*"abcdef"], np.tile([[1.0, 2.0]], (6, 1)))
    assert [word for word, _ in wv.most_similar("c")] == [*"abdef"]


@pytest.mark.parametrize(
    ("words", "table", "message"),
    [
        (["a", "b", "a"], np.ones((3, 2)), "'a' stands 2 times"),
        (["a", "b"], np.ones((3, 2)), r"shape \(2, size\), got \(3, 2\)"),
        (["a"], [[np.nan]], "'a' is not finite"),
        (["a"], [[1e39]], "'a' is not finite"),
        ([], np.ones((0, 3)), "at least one word"),
    ],
)
def test_a_table_that_is_none_is_refused(words, table, message):
    with np.errstate(over="ignore"), pytest.raises(InputError, match=message):
        WordVectors(words, table)


def test_arguments_that_make_no_sense_are_named():
    with pytest.raises(InputError, match="topn must be at least 1, got 0"):
        vectors().most_similar("the", topn=0)
    with pytest.raises(InputError, match=r"shape \(5,\), got shape \(4,\)"):
        vectors().most_similar(np.ones(4))
    with pytest.raises(InputError, match="call fit"):
        VectorTrainer().get_word_vector("the")


@pytest.mark.parametrize("binary", [False, True])
def test_files_go_both_ways_with_gensim(tmp_path, binary):
    wv = vectors()
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    wv.save(ours, binary)
    peer = KeyedVectors.load_word2vec_format(ours, binary=binary)
    assert peer.index_to_key == WORDS
    assert np.array_equal(peer.vectors, wv.vectors)
    peer.save_word2vec_format(theirs, binary=binary)
    again = WordVectors.load(theirs)
    assert again.words == WORDS
    assert np.array_equal(again.vectors, wv.vectors)
    trainer = VectorTrainer.load(theirs)
    assert trainer.most_similar("the") == wv.most_similar("the")
    assert WordVectors.load(ours, limit=3).words == WORDS[:3]


def test_every_float32_survives_the_text(tmp_path):
    bits = np.random.default_rng(2).integers(0, 2**32, 6000, dtype=np.uint32)
    table = bits.view(np.float32)
    table = table[np.isfinite(table)][:5000].reshape(1000, 5)
    wv = WordVectors([f"w{i}" for i in range(1000)], table)
    wv.save(tmp_path / "text")
    assert np.array_equal(WordVectors.load(tmp_path / "text").vectors, table)


def test_layouts_of_other_programs_are_read(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("the 0.5 -1\n. . . 2 3\n", "utf-8")  # no first line; spaces
    assert WordVectors.load(path).words == ["the", ". . ."]
    packed = tmp_path / "glove.txt.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert WordVectors.load(packed).get_word_vector(". . .").tolist() == [2, 3]
    data = np.array([[1, 2], [3, 4]], "<f4")
    path = tmp_path / "word2vec.bin"  # with the line feeds of the C program
    path.write_bytes(
        b"2 2\nthe " + data[0].tobytes() + b"\nof " + data[1].tobytes() + b"\n"
    )
    assert WordVectors.load(path).get_word_vector("of").tolist() == [3, 4]
    path = tmp_path / "crlf.txt"
    path.write_bytes(b"2 2\r\nthe 1 2\r\nof 3 4\r\n\r\n")
    assert WordVectors.load(path).get_word_vector("of").tolist() == [3, 4]
    path.write_text("3 1\na 1\na 2\nb 3\n", "utf-8")
    with pytest.warns(UserWarning, match="'a' again: its first vector stays"):
        wv = WordVectors.load(path)
    assert (wv.words, wv.vectors.tolist()) == (["a", "b"], [[1], [3]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "neither"),
        (b"not vectors at all\n", "neither"),
        (b"3 2\nthe 1 2\nof 3 4\n", "after 2 of 3 words"),
        (b"9999999999999 2\nthe 1 2\n", "after 1 of 9,999,999,999,999 words"),
        (b"2 2\nthe 1 2\nof 3\n", "a word and 2 numbers, got b'of 3"),
        (b"2 2\nthe 1 2\nof 3 x\n", "x"),
        (b"0 2\n", "0 words of size 2"),
        (b"2 2\nthe " + bytes(8) + b"\nof " + bytes(5), "vector of word 1"),
        (b"2 2\nthe " + bytes(8) + b"\nof", "within word 1"),
        (b"1 1\n\xff\xfe 1\n", "utf-8"),
    ],
)
def test_a_broken_file_is_named(tmp_path, data, message):
    path = tmp_path / "broken"
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"{path} holds no word vectors: .*{message}"):
        WordVectors.load(path)


def test_a_cut_gz_file_is_named(tmp_path):
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(b"2 2\nthe 1 2\nof 3 4\n")[:-14])
    with pytest.raises(InputError, match="holds no word vectors"):
        WordVectors.load(path)


def test_a_word_that_the_format_cannot_hold_leaves_the_old_file(tmp_path):
    path = tmp_path / "vectors"
    path.write_text("what was here", "utf-8")
    for word in ("two words", "", "line\nfeed"):
        with pytest.raises(InputError, match="no way to write"):
            WordVectors([word], [[1.0]]).save(path)
    assert path.read_text("utf-8") == "what was here"
    assert list(tmp_path.iterdir()) == [path]


def test_analogies_are_counted_over_all_two_pairs():
    # Exact by construction: right = left + the same step.
    rng = np.random.default_rng(3)
    left = rng.standard_normal((4, 50))
    wv = WordVectors([*"abcdABCD"], np.vstack([left, left + 0.1]))
    pairs = [*zip("abcd", "ABCD", strict=True)]
    assert analogy_accuracy(wv, pairs) == 1
    wrong = [*zip("abcd", "BCDA", strict=True)]
    assert analogy_accuracy(wv, wrong) < 0.5
    with pytest.raises(InputError, match="two pairs"):
        analogy_accuracy(wv, pairs[:1])
