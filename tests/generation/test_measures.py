"""Measures of generated text, each on a text whose figure can be counted by hand."""

import math

import pytest
import torch

from lmbook.errors import InputError
from lmbook.generation import measures
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel

CIRCLE = [1, 2, 3, 1, 2, 3, 1, 2]


@pytest.mark.parametrize(
    ("texts", "n", "expected"),
    [
        ([CIRCLE], 1, 3 / 8),
        ([CIRCLE], 2, 3 / 7),
        ([[4, 5, 6]], 2, 1),
        ([[1, 2], [1, 2], [2, 1]], 2, 2 / 3),
        ([[1], [7, 8, 9]], 3, 1),  # the first has no n-gram
    ],
)
def test_distinct(texts, n, expected):
    assert measures.distinct(texts, n) == pytest.approx(expected)


def test_repetition_is_within_a_text():
    assert measures.repetition([CIRCLE], 2) == pytest.approx(4 / 7)
    assert measures.repetition([[1, 2, 3], [1, 2, 3]], 2) == 0
    assert measures.repetition([CIRCLE, [5, 6, 7], [9]], 2) == pytest.approx(2 / 7)


def test_copied_ngrams():
    train = [5, 1, 2, 3, 9, 1, 2, 4]
    # 1 2 3 and 1 2 4 stand in training, 2 3 1 and 3 1 2 don't.
    assert measures.copied(train, [[1, 2, 3, 1, 2, 4]], 3) == pytest.approx(2 / 4)
    assert measures.copied(train, [[9, 1, 2], [2, 9, 9, 9]], 3) == pytest.approx(1 / 3)
    assert measures.copied(train, [train], len(train)) == 1


@torch.no_grad()
def test_surprise_is_the_loss_of_the_continuations():
    torch.manual_seed(0)
    model = LSTMLanguageModel(LSTMConfig(7, 3, 5, 2)).eval()
    prompts, texts = [[1, 2], [6], [3]], [[4, 0, 5], [], [2]]
    expected = 0.0
    for prompt, text in zip(prompts, texts, strict=True):
        logits, _ = model(torch.tensor([prompt + text]))
        log_probs = logits[0].log_softmax(-1)
        for place, token in enumerate(text, len(prompt) - 1):
            expected -= log_probs[place, token].item()
    assert measures.surprise(model, prompts, texts) == pytest.approx(expected / 4)
    assert expected / 4 == pytest.approx(math.log(7), abs=0.5)


@pytest.mark.parametrize("n", [3, 0])
def test_too_short(n):
    for measure in (measures.distinct, measures.repetition):
        with pytest.raises(InputError):
            measure([[1, 2]] if n else [], n)
    with pytest.raises(InputError):
        measures.copied([1, 2, 3], [[1, 2]], 3)
    with pytest.raises(InputError, match="no text has a token"):
        measures.surprise(torch.nn.Linear(1, 1), [[1]], [[]])
