"""DPO: equation (7) by hand in float64, its gradient in closed form, what it does."""

import dataclasses
import math

import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.lora import LoRAConfig
from lmbook.training import TrainConfig
from lmbook.training.examples import (
    ExampleEncoder,
    answer_log_probs,
    batch_of,
    log_probs,
)
from lmbook.training.finetuning import FineTunedModel
from lmbook.training.preference import DPOModel, dpo_loss

# ln π of the chosen and the rejected answers, of the model and of the reference.
ROWS = [(-3.0, -5.5, -4.0, -5.0), (-9.0, -2.0, -6.5, -4.0), (-1.5, -1.0, -1.5, -1.0)]
BETA = 0.3
PREFERENCES = [
    ("ab?", "ba", "ab"),
    ("cd?", "dcc", "c"),
    ("e", "f", "gh"),
    ("", "j", "i"),
]
TRAIN = TrainConfig(batch_size=3, optimizer="adamw", learning_rate=0.01, device="cpu")


def columns(rows=ROWS):
    return [
        torch.tensor(column, dtype=torch.float64) for column in zip(*rows, strict=True)
    ]


def reward_margin(chosen, rejected, reference_chosen, reference_rejected):
    chosen_reward = BETA * (chosen - reference_chosen)
    rejected_reward = BETA * (rejected - reference_rejected)
    return chosen_reward - rejected_reward


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_equation_7_by_hand():
    losses = [-math.log(sigmoid(reward_margin(*row))) for row in ROWS]
    expected = sum(losses) / 3
    assert dpo_loss(*columns(), BETA).item() == pytest.approx(expected, rel=1e-12)
    one = dpo_loss(*columns(ROWS[2:]), BETA)
    assert one.item() == pytest.approx(math.log(2), rel=1e-12)


def test_its_gradient_in_closed_form():
    chosen, rejected, *reference = columns()
    chosen.requires_grad_()
    rejected.requires_grad_()
    dpo_loss(chosen, rejected, *reference, BETA).backward()
    weights = [sigmoid(-reward_margin(*row)) for row in ROWS]
    expected = torch.tensor(weights, dtype=torch.float64) * BETA / 3
    assert torch.allclose(chosen.grad, -expected, rtol=1e-12)
    assert torch.allclose(rejected.grad, expected, rtol=1e-12)


def test_its_gradient_by_differences():
    inputs = [column.requires_grad_() for column in columns()]
    assert torch.autograd.gradcheck(lambda *x: dpo_loss(*x, BETA), inputs)


def test_it_stays_finite_far_out():
    far = [torch.tensor([value]) for value in (-5000.0, 0.0, 0.0, -5000.0)]
    assert dpo_loss(*far, 0.5).item() == pytest.approx(5000)
    assert dpo_loss(far[1], far[0], far[1], far[1], 0.5).item() == 0


def test_the_gradient_of_every_weight_is_the_paper_s(learned):
    """-β σ(r̂(y_l) - r̂(y_w)) (∇ ln π(y_w | x) - ∇ ln π(y_l | x)), the mean of rows."""
    model = learned.model.double()
    encoder = ExampleEncoder(learned.tokenizer, 17)
    reference = torch.tensor(
        [[-5.0, -7.0], [-6.0, -5.5], [-9.0, -4.0], [-3.0, -3.0]], dtype=torch.float64
    )
    pairs = [
        [encoder.example(prompt, answer) for answer in answers]
        for prompt, *answers in PREFERENCES
    ]
    chosen, rejected = (
        answer_log_probs(model, batch_of(column, "cpu"))
        for column in zip(*pairs, strict=True)
    )
    dpo_loss(chosen, rejected, *reference.unbind(1), BETA).backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters()}

    model.zero_grad()
    for pair, before in zip(pairs, reference.tolist(), strict=True):
        now = [answer_log_probs(model, batch_of([example], "cpu")) for example in pair]
        margin = reward_margin(now[0].item(), now[1].item(), *before)
        (-BETA * sigmoid(-margin) * (now[0] - now[1]) / len(pairs)).sum().backward()
    for name, parameter in model.named_parameters():
        assert torch.allclose(found[name], parameter.grad, atol=1e-12), name


@pytest.mark.parametrize("method", ["full", "lora"])
def test_what_is_preferred_becomes_likelier(learned, method):
    lora = LoRAConfig(2, targets=("qkv", "up")) if method == "lora" else None
    before = {name: p.clone() for name, p in learned.model.named_parameters()}
    model = DPOModel(learned, method, beta=BETA, lora=lora, train=TRAIN)
    assert model.fit(PREFERENCES, epochs=15) is model
    assert model.losses[-1] < 0.7 * model.losses[0]
    assert model.accuracy(PREFERENCES) == 1
    assert model.rewards(PREFERENCES).shape == (4, 2)
    assert not model.model.training
    for name, parameter in learned.model.named_parameters():
        assert torch.equal(parameter, before[name])
        assert parameter.grad is None


@pytest.mark.parametrize("method", ["full", "lora"])
def test_it_begins_where_nothing_is_preferred(learned, method):
    train = dataclasses.replace(TRAIN, batch_size=4)
    model = DPOModel(learned, method, beta=BETA, train=train).fit(PREFERENCES, 1)
    assert model.losses == pytest.approx([math.log(2)], abs=1e-6)


def test_the_reference_does_not_move(learned):
    """The losses of later steps are those against the model that fit began with."""
    train = dataclasses.replace(TRAIN, batch_size=4, schedule="constant")
    model = DPOModel(learned, beta=BETA, train=train).fit(PREFERENCES, 1)
    encoder = ExampleEncoder(learned.tokenizer, 17)
    chosen = [encoder.example(prompt, answer) for prompt, answer, _ in PREFERENCES]
    rejected = [encoder.example(prompt, answer) for prompt, _, answer in PREFERENCES]
    values = [
        log_probs(m.model, part)
        for m in (model, learned)
        for part in (chosen, rejected)
    ]
    expected = dpo_loss(*values, BETA).item()
    again = DPOModel(learned, beta=BETA, train=train).fit(PREFERENCES, 2)
    assert again.losses[1] == pytest.approx(expected, rel=1e-5)
    rewards = model.rewards(PREFERENCES)
    assert torch.allclose(rewards[:, 0], BETA * (values[0] - values[2]), atol=1e-6)
    assert torch.allclose(rewards[:, 1], BETA * (values[1] - values[3]), atol=1e-6)


def test_after_fine_tuning_with_lora(learned):
    task = [(prompt, chosen) for prompt, chosen, _ in PREFERENCES]
    first = FineTunedModel(learned, "lora", train=TRAIN).fit(task, 2)
    model = DPOModel(first, beta=BETA, train=TRAIN).fit(PREFERENCES, 1)
    assert model.losses[0] == pytest.approx(math.log(2), abs=0.1)
    assert model.tokenizer is learned.tokenizer


def test_bad_options_are_named(learned):
    with pytest.raises(InputError, match="beta must be above 0, got 0"):
        DPOModel(learned, beta=0)
    with pytest.raises(InputError, match=r"\(prompt, chosen, rejected\)"):
        DPOModel(learned).fit([("a", "b")])
