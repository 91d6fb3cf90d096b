"""The runs of the translators and of the reader, made small."""

import dataclasses

import pytest

from benchmarks import story_reader, tatoeba, translator
from lmbook.models.translation_model import Seq2SeqConfig
from lmbook.training.pair_store import TRANSLATOR
from lmbook.training.story_reader import READER

NOUNS = {"cat": "猫", "dog": "狗", "bird": "鸟", "fish": "鱼", "horse": "马"}
VERBS = {"sleeps": "睡觉", "sings": "唱歌", "runs": "跑步", "swims": "游泳"}
PAIRS = [
    (f"The {noun} {verb}{sign}", f"{n}{v}{mark}")
    for noun, n in NOUNS.items()
    for verb, v in VERBS.items()
    for sign, mark in ((".", "。"), ("!", "！"), (".", "了。"))
]


def test_nothing_held_out_is_trained_on():
    same = [*PAIRS, ("It is so.", "猫睡觉。"), ("Yes.", "是的。")]
    split = tatoeba.split_pairs(same, held_out=7)
    parts = [split.train, split.valid, split.test]
    english, chinese = ([{p[i] for p in part} for part in parts] for i in (0, 1))
    assert len(split.valid) == len(split.test) == 7
    for sides in (english, chinese):
        assert not sides[0] & (sides[1] | sides[2])
    assert not english[1] & english[2]
    assert split == tatoeba.split_pairs(same, held_out=7)
    # Only what says the same as something held out is lost with it.
    lost = [
        p for p in same if p not in split.train and p[0] not in english[1] | english[2]
    ]
    assert all(
        p[1] in {q[1] for q in same if q[0] in english[1] | english[2]} for p in lost
    )


def test_a_run_is_recorded(monkeypatch):
    pytest.importorskip("sacrebleu")
    small = Seq2SeqConfig(1, 1, size=8, tied=True)
    brief = dataclasses.replace(tatoeba.TRAIN, max_steps=4, evaluations=2)
    for name, value in {"MODEL": small, "TRAIN": brief, "HELD_OUT": 5}.items():
        monkeypatch.setattr(tatoeba, name, value)
    monkeypatch.setattr(tatoeba.split_pairs, "__defaults__", (5,))
    monkeypatch.setattr(tatoeba, "VOCAB_SIZE", 300)
    monkeypatch.setattr(tatoeba, "read_pairs", lambda name: PAIRS)
    results = tatoeba.run(minutes=5)
    assert results["pairs"]["test"] == results["pairs"]["valid"] == 5
    assert results["ratio"] == round(results["directions"]["zh-en"]["bleu"] / 20, 3)
    assert len(results["curve"]) == 2
    for direction, (_, tokenize) in tatoeba.DIRECTIONS.items():
        found = results["directions"][direction]
        assert f"tok:{tokenize}" in found["signature"]
        assert 0 <= found["exact"] <= 1


def test_a_translator_is_judged(monkeypatch):
    small = dataclasses.replace(
        TRANSLATOR,
        num_sentences=200,
        valid_pairs=20,
        model=Seq2SeqConfig(1, 1, size=8, tied=True),
        train=dataclasses.replace(TRANSLATOR.train, max_steps=2),
    )
    monkeypatch.setattr(translator, "TRANSLATOR", small)
    monkeypatch.setattr(translator, "SENTENCES", 8)
    results = translator.run(("book", "as said, not covering"))
    assert list(results["runs"]) == ["book", "as said, not covering"]
    one = results["runs"]["book"]
    assert one["steps"] == 2
    assert one["cpu_seconds"] > 0
    assert set(one["exact"]) == set(translator.SPLITS)
    assert results["ratio"] == 0, "nothing is right after two steps"


def test_a_reader_is_asked(monkeypatch):
    small = dataclasses.replace(
        READER,
        num_stories=9,
        model=dataclasses.replace(READER.model, hidden_size=8, head_dim=2),
        train=dataclasses.replace(READER.train, epochs=1),
    )
    monkeypatch.setattr(story_reader, "READER", small)
    monkeypatch.setattr(story_reader, "QUESTIONS", 6)
    results = story_reader.run(("book", "four layers"))
    book, deeper = results["runs"].values()
    assert deeper["parameters"] > book["parameters"]
    assert book["cpu_seconds"] > 0
    assert sum(results["questions"].values()) == 6
    assert set(book["accuracy"]) == {"all", *results["questions"]}
    assert results["ratio"] == round(book["accuracy"]["all"] / 0.99, 3)
