"""Exposure by hand, and every candidate's probability against reading it whole."""

import itertools

import numpy as np
import pytest
import torch

from lmbook.errors import InputError
from lmbook.generation.exposure import exposure, log_probs_of_all, rank_of
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    sizes = LSTMConfig(vocab_size=13, embedding_size=5, hidden_size=7, num_layers=2)
    return LSTMLanguageModel(sizes)


def test_exposure_by_hand():
    assert exposure(1, 1024) == 10
    assert exposure(256, 1024) == 2
    assert exposure(1024, 1024) == 0


def test_a_random_rank_gives_about_log2_e():
    mean = np.mean([exposure(rank, 10_000) for rank in range(1, 10_001)])
    assert mean == pytest.approx(np.log2(np.e), abs=0.01)


@pytest.mark.parametrize("kind", ["lstm", "gpt"])
def test_against_reading_each_whole(model, kind):
    if kind == "gpt":
        model = GPT(GPTConfig(13, 20, 12, 2, 3, init_std=0.3)).eval()
    prompt, choices, length = [3, 1, 4], [2, 6, 11], 3
    found = log_probs_of_all(model, prompt, choices, length)
    strings = list(itertools.product(choices, repeat=length))
    assert len(found) == len(strings)
    for log_p, string in zip(found, strings, strict=True):
        ids = torch.tensor([prompt + list(string)])
        logits, _ = model(ids[:, :-1])
        each = logits[0, len(prompt) - 1 :].double().log_softmax(-1)
        whole = sum(each[i, token] for i, token in enumerate(string))
        assert log_p == pytest.approx(float(whole), abs=1e-5)


def test_all_strings_of_all_tokens_share_one(model):
    found = log_probs_of_all(model, [3], range(13), 2)
    assert np.exp(found).sum() == pytest.approx(1, abs=1e-6)


def test_the_models_mode_is_left_as_it_was(model):
    for mode in (True, False):
        model.train(mode)
        log_probs_of_all(model, [3], [1, 2], 1)
        assert model.training is mode


def test_ranks():
    log_probs = np.array([-3.0, -1.0, -2.0, -2.0])
    assert [rank_of(log_probs, i) for i in range(4)] == [4, 1, 3, 3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: exposure(0, 10), "rank must be from 1 to .* 10, got 0"),
        (lambda m: exposure(11, 10), "got 11"),
        (lambda m: log_probs_of_all(m, [], [1], 2), "got 0 tokens, 1 choices"),
        (lambda m: log_probs_of_all(m, [1], [], 2), "0 choices, length 2"),
        (lambda m: log_probs_of_all(m, [1], [1], 0), "length 0"),
    ],
)
def test_bad_input_is_said(model, call, message):
    with pytest.raises(InputError, match=message):
        call(model)
