"""BM25 by its formula and against a library; ranks, and when to say nothing."""

import math

import bm25s
import numpy as np
import pytest

from lmbook.applications.retrieval import (
    BM25,
    best_threshold,
    mean_reciprocal_rank,
    recall_at,
    terms,
    topic,
)
from lmbook.errors import InputError

PASSAGES = [
    "反向传播用链式法则求梯度。",
    "The cat sat on the mat; the cat slept.",
    "梯度下降沿梯度的反方向走。",
    "",
    "LSTM 的门决定记住什么、忘掉什么，门由 sigmoid 算出。",
    "dog",
]
QUESTIONS = ["梯度是什么", "the cat", "门 门 gate", "反向传播的梯度", "sigmoid dog?"]


def test_the_terms_of_a_text():
    text = "Ｂack-propagation：什么是 x_0？\n3.14!"
    letters = ["back", "propagation", "什", "么", "是", "x_0", "3", "14"]
    assert terms(text) == letters
    assert terms("反向传播与梯度", "word") == ["反向", "传播", "与", "梯度"]
    assert terms("The END, 是", "word") == ["the", "end", "是"]
    assert terms("？！…\n ") == []


@pytest.mark.parametrize(
    ("question", "left"),
    [
        ("什么是人工智能？", ["人", "工", "智", "能"]),
        ("为什么天空是蓝的呢", ["天", "空", "蓝", "的"]),
        ("What is the dream of a model?", ["dream", "model"]),
        ("Whose island?", ["island"]),
        ("是什么？", []),
        ("吗啡是什么？", ["吗", "啡"]),
        ("哪吒是谁？", ["哪", "吒"]),
        ("你吃了吗？", ["你", "吃", "了"]),
        ("WHO 是什么？", ["who"]),
    ],
)
def test_the_topic_of_a_question(question, left):
    assert terms(topic(question)) == left


@pytest.mark.parametrize(("k1", "b"), [(1.5, 0.75), (0.9, 0.4), (2.0, 0.0), (0.0, 1.0)])
def test_the_published_formula(k1, b):
    index = BM25(k1, b).fit(PASSAGES)
    split = [terms(passage) for passage in PASSAGES]
    mean = sum(map(len, split)) / len(split)
    for question in QUESTIONS:
        for found, words in zip(index.scores(question), split, strict=True):
            expected = 0.0
            for term in terms(question):
                n, tf = sum(term in other for other in split), words.count(term)
                idf = math.log(1 + (6 - n + 0.5) / (n + 0.5))
                if tf:
                    slow = k1 * (1 - b + b * len(words) / mean)
                    expected += idf * tf / (slow + tf)
            assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("level", ["char", "word"])
@pytest.mark.parametrize(("k1", "b"), [(1.5, 0.75), (0.9, 0.4)])
def test_it_is_bm25s_s_lucene(level, k1, b):
    index = BM25(k1, b, level).fit(PASSAGES)
    peer = bm25s.BM25(k1=k1, b=b, method="lucene", dtype="float64")
    peer.index([terms(passage, level) for passage in PASSAGES], show_progress=False)
    for question in QUESTIONS:
        expected = peer.get_scores(terms(question, level))
        assert index.scores(question) == pytest.approx(expected, rel=1e-6)


def test_many_random_passages_against_bm25s():
    drawn = np.random.default_rng(0)
    words = [f"w{i}" for i in range(40)]
    passages = [" ".join(drawn.choice(words, drawn.integers(1, 30))) for _ in range(70)]
    index = BM25().fit(iter(passages))
    peer = bm25s.BM25(k1=1.5, b=0.75, method="lucene", dtype="float64")
    peer.index([passage.split() for passage in passages], show_progress=False)
    for _ in range(20):
        question = " ".join(drawn.choice([*words, "unseen"], 5))
        expected = peer.get_scores(question.split())
        assert index.scores(question) == pytest.approx(expected, rel=1e-6)


def test_the_best_passages():
    index = BM25().fit(PASSAGES)
    found = index.search("反向传播的梯度")
    scores = index.scores("反向传播的梯度")
    assert [f.passage for f in found] == [0, 2, 4]  # the others share no term
    assert [f.score for f in found] == sorted(scores[scores > 0], reverse=True)
    assert index.search("反向传播的梯度", topn=1) == found[:1]
    assert index.search("unseen") == index.search("？") == []


def test_the_share_of_what_a_passage_could_have():
    index = BM25().fit(["a b", "a", "c c c c c c c c", "b d"])
    [found] = index.search("c")
    assert found.share == pytest.approx(found.score / index.idf("c"))
    [half] = index.search("c unseen")
    rare, unseen = index.idf("c"), index.idf("unseen")
    assert unseen == pytest.approx(math.log(1 + 4.5 / 0.5))
    assert half.share == pytest.approx(found.share * rare / (rare + unseen))
    assert 0 < half.share < found.share < 1


def test_ranks_are_places_in_the_search():
    index = BM25().fit(["a b", "b a", "b", "c", "a a"])
    for question in ("a", "b", "a b", "c"):
        found = [f.passage for f in index.search(question)]
        ranks = [index.rank(question, passage) for passage in range(5)]
        assert sorted(ranks) == [1, 2, 3, 4, 5]
        assert [index.rank(question, passage) for passage in found] == list(
            range(1, len(found) + 1)
        )


def test_recall_and_mrr():
    ranks = [1, 3, 1, 10]
    assert recall_at(ranks) == 0.5
    assert recall_at(ranks, k=3) == 0.75
    assert mean_reciprocal_rank(ranks) == pytest.approx((1 + 1 / 3 + 1 + 0.1) / 4)
    for wrong in ([], [0, 1]):
        with pytest.raises(InputError, match="ranks are at least 1"):
            recall_at(wrong)


def test_the_threshold_with_the_fewest_mistakes():
    assert best_threshold([0.5, 0.9], [0.1, 0.3]) == pytest.approx(0.4)
    # One of four against one of two: rather refuse a known one.
    assert best_threshold([0.2, 0.6, 0.7, 0.8], [0.3, 0.5]) == pytest.approx(0.55)
    assert best_threshold([0.5], [0.0]) == pytest.approx(0.25)
    with pytest.raises(InputError, match="questions of both kinds"):
        best_threshold([0.5], [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k1": -1}, "k1 must be at least 0 and b from 0 to 1, got -1 and 0.75"),
        ({"b": 1.5}, "got 1.5 and 1.5"),
        ({"k1": math.nan}, "got nan"),
        ({"level": "bpe"}, 'level must be "char" or "word", got \'bpe\''),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        BM25(**options)


@pytest.mark.parametrize("passages", [[], ["", "…"]])
def test_nothing_to_search(passages):
    with pytest.raises(InputError, match="no passage holds a word"):
        BM25().fit(passages)
