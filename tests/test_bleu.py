"""BLEU is held to sacreBLEU 2.6.0, whose scores are written down here."""

import math
import random

import pytest

from lmbook.bleu import TOKENIZERS, bleu, tokens
from lmbook.errors import InputError

ENGLISH = [
    ("The cat sat on the mat.", "The cat is sitting on the mat."),
    ("It costs 3,000.50 dollars, doesn't it?", "It costs 3,000.50 dollars, right?"),
    ("He said &quot;no&quot; to the 12-year-old plan", 'He said "yes" to that plan'),
    ("a b", "c d"),
]
CHINESE = [
    ("文件没有保存。", "文件未能保存。"),
    (
        "请在 JupyterLab 3.0 中打开（新）笔记本！",
        "请用 JupyterLab 3.0 打开新的笔记本！",
    ),
]


# corpus_bleu(texts, [references], tokenize=..., force=True).score
RECORDED = [
    (ENGLISH, "13a", 35.3404745031479),
    (ENGLISH, "zh", 26.298368180661146),
    (ENGLISH, "char", 51.25674954473659),
    (ENGLISH, "none", 27.694132751313425),
    (CHINESE, "13a", 30.213753973567687),
    (CHINESE, "zh", 24.389188829180082),
    (CHINESE, "char", 57.43958114812053),
    (CHINESE, "none", 30.213753973567687),
]
SENTENCES = [42.38365628278778, 54.10822690539397, 18.36028134946796, 0.0]


@pytest.mark.parametrize(("pairs", "tokenize", "expected"), RECORDED)
def test_corpus_as_sacrebleu(pairs, tokenize, expected):
    texts, references = zip(*pairs, strict=True)
    assert bleu(texts, references, tokenize).score == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("pair", "expected"), [*zip(ENGLISH, SENTENCES, strict=True)])
def test_sentence_as_sacrebleu(pair, expected):
    text, reference = pair
    found = bleu([text], [reference], by_sentence=True).score
    assert found == pytest.approx(expected, abs=1e-9)


def test_several_references_as_sacrebleu():
    texts = ["the the the cat sat", "a cat on a mat now"]
    references = [
        ["the cat sat down", "the the cat was"],
        ["a cat is on the mat", "a cat on mat"],
    ]
    found = bleu(texts, references)
    assert found.score == pytest.approx(36.27538269845734, abs=1e-9)
    assert (found.length, found.reference_length) == (11, 10)
    assert found.precisions == pytest.approx([800 / 11, 500 / 9, 300 / 7, 10])


def test_random_damage_as_sacrebleu():
    """A longer comparison, where sacreBLEU is installed."""
    sacrebleu = pytest.importorskip("sacrebleu")
    rng = random.Random(0)
    for tokenize in TOKENIZERS:
        for _ in range(40):
            words = rng.choices(
                ["the", "cat's", "3.5%", "在", "图…", "“好”", "-"], k=12
            )
            texts = [" ".join(rng.sample(words, k=rng.randint(1, 12)))]
            reference = " ".join(words)
            ours = bleu(texts, [reference], tokenize).score
            theirs = sacrebleu.corpus_bleu(texts, [[reference]], tokenize=tokenize)
            assert ours == pytest.approx(theirs.score, abs=1e-9)


def test_by_hand():
    found = bleu(["a b c d e"], ["a b c d f"])
    by_hand = 100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4)
    assert found.score == pytest.approx(by_hand)
    short = bleu(["a b c d"], ["a b c d e f g h"])
    assert short.score == pytest.approx(100 * math.exp(-1))
    assert bleu(["a"], ["a"], by_sentence=True).score == pytest.approx(100)
    assert bleu([""], ["a"]).score == 0


def test_tokenizers():
    assert tokens("It's 3,000.5, ok.") == ["It's", "3,000.5", ",", "ok", "."]
    assert tokens("打开 3.0版。", "zh") == ["打", "开", "3.0", "版", "。"]
    assert tokens("a 你", "char") == ["a", "你"]
    with pytest.raises(InputError, match="one of 13a, zh, char, none, got 'ja'"):
        tokens("", "ja")


def test_wrong_numbers_of_texts():
    for texts, references in ((["a"], []), ([], [])):
        with pytest.raises(InputError, match="as many texts as references"):
            bleu(texts, references)
    with pytest.raises(InputError, match="'a' has no reference"):
        bleu(["a"], [[]])
