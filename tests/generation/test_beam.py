"""Beam search against looking at every continuation there is."""

import itertools

import pytest
import torch
from torch import nn

from lmbook.errors import InputError
from lmbook.generation import GREEDY, UnusableLogits, beam_search, generate
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel

VOCAB, EMBED, HIDDEN, LENGTH = 5, 3, 6, 4
PROMPT = [2, 0, 3]


def model_of(seed):
    torch.manual_seed(seed)
    model = LSTMLanguageModel(LSTMConfig(VOCAB, EMBED, HIDDEN, num_layers=2))
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0, 1.2)
    return model.double().eval()


@torch.no_grad()
def log_prob(model, ids):
    """ln p(ids | PROMPT), read at once."""
    logits, _ = model(torch.tensor([[*PROMPT, *ids]]))
    each = logits[0, len(PROMPT) - 1 : -1].log_softmax(-1)
    return each[torch.arange(len(ids)), torch.tensor(ids)].sum().item()


def exhaustive(model, end, length_penalty):
    """Every complete continuation, best first."""
    found = []
    for length in range(1, LENGTH + 1):
        for ids in itertools.product(range(VOCAB), repeat=length):
            ends_early = end is not None and end in ids[:-1]
            complete = length == LENGTH or ids[-1] == end
            if complete and not ends_early:
                score = log_prob(model, ids) / length**length_penalty
                found.append((score, ids))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("end", [None, 1])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.5])
def test_with_beams_enough_it_finds_the_best_of_all(seed, end, length_penalty):
    model = model_of(seed)
    beams = VOCAB ** (LENGTH - 1)
    found = beam_search(model, PROMPT, LENGTH, beams, length_penalty, end)
    expected = exhaustive(model, end, length_penalty)[:beams]
    assert [y.ids for y in found[:40]] == [ids for _, ids in expected[:40]]
    for y, (score, ids) in zip(found, expected, strict=True):
        assert y.score == pytest.approx(score, abs=1e-9)
        assert y.score == pytest.approx(y.log_prob / len(y.ids) ** length_penalty)
        assert log_prob(model, y.ids) == pytest.approx(y.log_prob, abs=1e-9)
        assert len(ids) <= LENGTH


def by_hand(model, beams):
    """Beam search that reads everything anew: no state, no end."""
    alive = [()]
    for _ in range(LENGTH):
        extended = [(*ids, token) for ids in alive for token in range(VOCAB)]
        alive = sorted(extended, key=lambda ids: -log_prob(model, ids))[:beams]
    return alive


@pytest.mark.parametrize("beams", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_few_beams_carry_the_right_states(seed, beams):
    model = model_of(seed)
    found = beam_search(model, PROMPT, LENGTH, beams)
    assert [y.ids for y in found] == by_hand(model, beams)


def test_one_beam_is_greedy_and_more_are_no_worse():
    better = 0
    for seed in range(8):
        model = model_of(seed)
        [greedy] = generate(model, [PROMPT], LENGTH, GREEDY)
        assert beam_search(model, PROMPT, LENGTH, 1)[0].ids == tuple(greedy)
        for end, penalty in itertools.product(range(VOCAB), (0.0, 1.0, 2.5)):
            [ended] = generate(model, [PROMPT], 12, GREEDY, end=end)
            [found] = beam_search(model, PROMPT, 12, 1, penalty, end)
            assert [i for i in found.ids if i != end] == [i for i in ended if i != end]
        best = beam_search(model, PROMPT, LENGTH, 3)[0]
        assert best.log_prob >= log_prob(model, greedy) - 1e-9
        better += best.ids != tuple(greedy)
    assert better  # and at times they do find another


class RowsFirst(nn.Module):
    """A recurrent model whose state has the batch on axis 0."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(VOCAB, HIDDEN)
        self.mix = nn.Linear(HIDDEN, HIDDEN)
        self.output = nn.Linear(HIDDEN, VOCAB)

    def forward(self, ids, state=None):
        h = torch.zeros(len(ids), HIDDEN) if state is None else state["h"]
        logits = []
        for t in range(ids.shape[1]):
            h = torch.tanh(self.table(ids[:, t]) + 1.5 * self.mix(h))
            logits.append(3 * self.output(h))
        return torch.stack(logits, 1), {"h": h}

    def select_state(self, state, rows):
        return {"h": state["h"][rows]}


def test_a_model_may_select_its_state_itself():
    for seed in range(4):
        torch.manual_seed(seed)
        model = RowsFirst()
        found = beam_search(model, PROMPT, LENGTH, 3)
        assert [y.ids for y in found] == by_hand(model, 3)


def test_the_search_ends_when_nothing_can_overtake():
    model = model_of(0)
    calls = []
    forward = model.forward
    model.forward = lambda ids, state=None: calls.append(1) or forward(ids, state)
    # By probability alone, one sure short ending settles it.
    with torch.no_grad():
        model.output.bias[1] += 50
    [best] = beam_search(model, PROMPT, 100, 1, length_penalty=0, end=1)
    assert best.ids == (1,)
    assert len(calls) < 5


def test_bounds_and_errors():
    model = model_of(0)
    [empty] = beam_search(model, PROMPT, 0)
    assert (empty.ids, empty.log_prob) == ((), 0)
    assert len(beam_search(model, PROMPT, 1, beams=50)) == VOCAB
    for ids in (y.ids for y in beam_search(model, PROMPT, 3, 3, avoid=[4, 2])):
        assert not {2, 4} & set(ids)
    with pytest.raises(InputError, match="beams at least 1.*got 3, 0 and 1.0"):
        beam_search(model, PROMPT, 3, 0)
    with pytest.raises(InputError, match="length at least 0"):
        beam_search(model, PROMPT, -3)
    with pytest.raises(InputError, match="length_penalty at least 0"):
        beam_search(model, PROMPT, 3, length_penalty=-1)
    with pytest.raises(InputError, match="at least one id"):
        beam_search(model, [], 3)
    with torch.no_grad():
        model.output.bias[0] = torch.nan
    with pytest.raises(UnusableLogits):
        beam_search(model, PROMPT, 3)
