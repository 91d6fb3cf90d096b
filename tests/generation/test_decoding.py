"""Decoding against reading everything anew for each token, which carries no state."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import nn

from lmbook.errors import InputError
from lmbook.generation import GREEDY, Sampling, UnusableLogits, generate, stream
from lmbook.generation.decoding import PROMPT_CHUNK
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel

VOCAB, EMBED, HIDDEN = 13, 5, 7


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = LSTMLanguageModel(LSTMConfig(VOCAB, EMBED, HIDDEN, num_layers=2))
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0, 1.5)
    return model.double()


class Counted(nn.Module):
    """The same model; writes down the shapes of what it is fed."""

    def __init__(self, model):
        super().__init__()
        self.model, self.shapes = model, []

    def forward(self, ids, state=None):
        self.shapes.append(tuple(ids.shape))
        return self.model(ids, state)


class Fixed(nn.Module):
    """The same logits whatever was read."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, ids, state=None):
        return self.logits.expand(*ids.shape, -1), ()


@torch.no_grad()
def anew(model, prompt, length, choose):
    """``choose(logits, ids so far)`` after the whole text is read for each token."""
    ids = list(prompt)
    for _ in range(length):
        logits, _ = model(torch.tensor([ids]))
        ids.append(choose(logits[0, -1].numpy(), ids))
    return ids[len(prompt) :]


PROMPTS = [[3, 1, 4], [1, 5, 9, 2, 6, 5], [8], [7, 7, 7]]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_is_the_most_probable_token_every_time(model, prompt):
    expected = anew(model, prompt, 9, lambda logits, _: int(logits.argmax()))
    assert generate(model, [prompt], 9, GREEDY) == [expected]
    assert len(set(expected)) > 1


def test_the_repetition_penalty_sees_prompt_and_new_tokens(model):
    def choose(logits, ids):
        seen = np.isin(np.arange(VOCAB), ids)
        weaker = np.where(logits > 0, logits / 1.8, logits * 1.8)
        return int(np.where(seen, weaker, logits).argmax())

    prompt = [3, 1, 4, 1]
    expected = anew(model, prompt, 10, choose)
    penalized = Sampling(temperature=0, repetition_penalty=1.8)
    assert generate(model, [prompt], 10, penalized) == [expected]
    assert expected != generate(model, [prompt], 10, GREEDY)[0]


def test_a_token_costs_one_token(model):
    counted = Counted(model)
    generate(counted, [[3, 1, 4, 1, 5]], 20)
    assert counted.shapes == [(1, 5)] + [(1, 1)] * 19


def test_rows_of_a_batch_are_read_side_by_side(model):
    counted = Counted(model)
    generate(counted, [[3, 1, 4], [1, 5, 9, 2, 6]], 6)
    # 3 together, 2 more of the longer prompt, 5 tokens that are followed by another.
    assert counted.shapes == [(2, 3)] + [(2, 1)] * 7


@pytest.mark.parametrize(
    "sampling", [GREEDY, Sampling(), Sampling(0.8, 6, repetition_penalty=1.3)]
)
def test_a_row_is_what_its_prompt_gives_alone(model, sampling):
    together = generate(model, PROMPTS, 11, sampling, seed=40)
    alone = [
        generate(model, [prompt], 11, sampling, seed=40 + i)[0]
        for i, prompt in enumerate(PROMPTS)
    ]
    assert together == alone
    assert [len(row) for row in together] == [11] * 4


def test_a_seed_is_all_that_decides(model):
    torch.manual_seed(1)
    first = generate(model, [[3]], 30, seed=5)
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    assert generate(model, [[3]], 30, seed=5) == first
    assert torch.equal(torch.random.get_rng_state(), before)
    assert generate(model, [[3]], 30, seed=6) != first
    same_prompt_twice = generate(model, [[3], [3]], 30, seed=5)
    assert same_prompt_twice[0] != same_prompt_twice[1]


def test_tokens_come_as_often_as_they_are_probable():
    logits = [0.5, -1.0, 2.0, 0.0, 1.0]
    [found] = generate(Fixed(logits), [[0]], 10_000, Sampling(0.8))
    expected = (torch.tensor(logits, dtype=torch.float64) / 0.8).softmax(0).numpy()
    counts = np.bincount(found, minlength=5)
    assert chisquare(counts, 10_000 * expected).pvalue > 0.01
    # Neither does a token depend on the one before.
    pairs = np.zeros((5, 5))
    np.add.at(pairs, (found[:-1], found[1:]), 1)
    independent = counts[:, None] * expected
    assert chisquare(pairs.ravel(), independent.ravel() * 9_999 / 10_000).pvalue > 0.01


def test_a_row_ends_with_the_end_token(model):
    free = generate(model, PROMPTS, 15, seed=3)
    end = free[1][4]
    found = generate(model, PROMPTS, 15, seed=3, end=end)
    for row, whole in zip(found, free, strict=True):
        stop = whole.index(end) + 1 if end in whole else len(whole)
        assert row == whole[:stop]
    assert min(map(len, found)) < 15


def test_a_stream_gives_a_token_at_a_time_and_stops_when_left(model):
    counted = Counted(model)
    steps = stream(counted, [[3, 1]], 50, seed=2)
    first = [next(steps)[0] for _ in range(4)]
    assert first == generate(model, [[3, 1]], 4, seed=2)[0]
    steps.close()
    assert len(counted.shapes) == 4
    waiting = list(stream(model, [[3], [1, 4, 1]], 2, seed=2))
    assert [[x is None for x in step] for step in waiting] == [
        [False, True],
        [False, True],
        [True, False],
        [True, False],
    ]


def test_a_long_prompt_is_read_in_parts_to_the_same_end(model):
    rng = np.random.default_rng(0)
    prompt = rng.integers(VOCAB, size=2 * PROMPT_CHUNK + 9).tolist()
    counted = Counted(model)
    found = generate(counted, [prompt], 3, GREEDY)
    assert [shape[1] for shape in counted.shapes[:3]] == [PROMPT_CHUNK, PROMPT_CHUNK, 9]
    assert found == [anew(model, prompt, 3, lambda logits, _: int(logits.argmax()))]


@pytest.mark.parametrize("training", [True, False])
def test_the_model_computes_as_in_evaluation_and_stays_as_it_was(model, training):
    dropped = LSTMLanguageModel(
        LSTMConfig(VOCAB, EMBED, HIDDEN, dropout_input=0.5, dropout_output=0.5)
    )
    for parameter in dropped.parameters():
        nn.init.normal_(parameter)
    dropped.train(training)
    first = generate(dropped, [[1, 2]], 12, GREEDY)
    assert first == generate(dropped, [[1, 2]], 12, GREEDY)
    assert dropped.training is training
    assert all(p.grad is None for p in dropped.parameters())


def test_what_cannot_be_chosen_never_is():
    logits = [-torch.inf, 1.0, 0.0, -torch.inf, 3.0]
    [found] = generate(Fixed(logits), [[0]], 500, Sampling(2.0, avoid=(2,)))
    assert set(found) == {1, 4}
    assert generate(Fixed([0.3]), [[0]], 4) == [[0] * 4]  # a vocabulary of one


@pytest.mark.parametrize(
    "logits", [[0.0, torch.nan], [0.0, torch.inf], [-torch.inf, -torch.inf]]
)
def test_logits_that_are_no_numbers(logits):
    with pytest.raises(UnusableLogits, match="weights are unusable"):
        generate(Fixed(logits), [[0]], 2, GREEDY)


def test_length_0_asks_nothing_of_the_model(model):
    counted = Counted(model)
    assert generate(counted, PROMPTS, 0) == [[], [], [], []]
    assert counted.shapes == []


@pytest.mark.parametrize(
    ("prompts", "length", "seed", "message"),
    [
        ([], 3, 0, "no prompt"),
        ([[1], []], 3, 0, "at least one id"),
        ([[1, -2]], 3, 0, "none negative; got \\[1, -2\\]"),
        ([[1.5]], 3, 0, "whole number, got 1.5"),
        ([[1, VOCAB]], 3, 0, f"does not know the id {VOCAB}"),
        ([[1], [2, 3, VOCAB]], 3, 0, f"does not know the id {VOCAB}"),
        ([[1]], -1, 0, "must not be negative, got -1, 0"),
        ([[1]], 3, -5, "must not be negative, got 3, -5"),
        ([[1]], 2.0, 0, "length must be a whole number, got 2.0"),
        ([[1]], "3", 0, "length must be a whole number, got '3'"),
        ([[1]], 3, None, "seed must be a whole number, got None"),
    ],
)
def test_bad_input(model, prompts, length, seed, message):
    with pytest.raises(InputError, match=message):
        generate(model, prompts, length, seed=seed)
