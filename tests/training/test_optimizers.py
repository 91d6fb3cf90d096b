"""Optimisers against their formulas, and means of weights."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from lmbook.errors import InputError
from lmbook.training import TrainConfig
from lmbook.training.optimizers import Average, build_optimizer


def model():
    torch.manual_seed(3)
    return nn.Linear(3, 2).double()


def step_with(optimizer, linear, gradients):
    for weight, gradient in zip(linear.parameters(), gradients, strict=True):
        weight.grad = gradient.clone()
    optimizer.step()


@pytest.fixture
def gradients():
    torch.manual_seed(4)
    return [torch.randn(2, 3).double(), torch.randn(2).double()]


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_one_step_by_formula(name, gradients):
    config = TrainConfig(
        optimizer=name, learning_rate=0.1, weight_decay=0.3, eps=0.01, betas=(0.8, 0.9)
    )
    linear = model()
    before = [w.detach().clone() for w in linear.parameters()]
    step_with(build_optimizer(linear, config), linear, gradients)
    for weight, w, g in zip(linear.parameters(), before, gradients, strict=True):
        if name == "sgd":
            expected = w - 0.1 * (g + 0.3 * w)
        elif name == "adam":  # the first step: both moments are the gradient's own
            g = g + 0.3 * w
            expected = w - 0.1 * g / (g.abs() + 0.01)
        else:  # decoupled, and only of matrices
            decay = 0.3 if w.ndim == 2 else 0.0
            expected = w * (1 - 0.1 * decay) - 0.1 * g / (g.abs() + 0.01)
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-12, atol=1e-12)


def test_betas_weigh_what_came_before(gradients):
    config = TrainConfig(optimizer="adam", learning_rate=0.1, betas=(0.8, 0.9))
    linear = model()
    start = linear.weight.detach().clone()
    optimizer = build_optimizer(linear, config)
    first, second = gradients[0], gradients[0] * -0.5 + 1
    for gradient in (first, second):
        step_with(optimizer, linear, [gradient, gradients[1]])
    m = (0.2 * 0.8 * first + 0.2 * second) / (1 - 0.8**2)
    v = (0.1 * 0.9 * first**2 + 0.1 * second**2) / (1 - 0.9**2)
    expected = start - 0.1 * first / (first.abs() + 1e-8) - 0.1 * m / (v.sqrt() + 1e-8)
    torch.testing.assert_close(linear.weight.detach(), expected)


class Words(nn.Module):
    """One matrix between the words and what is said of them, and a bias."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.inner = nn.Linear(4, 6)
        self.output = nn.Linear(6, 7, bias=False)


def test_muon_moves_every_direction_of_an_inner_matrix_alike():
    torch.manual_seed(5)
    words = Words()
    config = TrainConfig(
        optimizer="muon", learning_rate=0.1, weight_decay=0.3, eps=1e-12
    )
    before = {n: w.detach().clone() for n, w in words.named_parameters()}
    optimizer = build_optimizer(words, config)
    for weight in words.parameters():
        weight.grad = torch.randn_like(weight)
    optimizer.step()
    for name, weight in words.named_parameters():
        decay = 0.3 if weight.ndim == 2 else 0.0
        moved = (before[name] * (1 - 0.1 * decay) - weight.detach()) / 0.1
        if name == "inner.weight":  # 6 rows, 4 columns; its first step is G's own UV'
            scaled = moved / (0.2 * 6**0.5)
            u, _, vt = torch.linalg.svd(weight.grad, full_matrices=False)
            stretch = torch.diagonal(u.T @ scaled @ vt.T)
            # Five steps bring the singular values near 1, not to it.
            assert ((stretch > 0.6) & (stretch < 1.3)).all()
            torch.testing.assert_close(
                u.T @ scaled @ vt.T, torch.diag(stretch), rtol=0, atol=0.05
            )
        else:
            torch.testing.assert_close(moved, weight.grad.sign(), rtol=0, atol=1e-4)


def test_muon_remembers_what_it_is_given_back():
    def steps(optimizer, words, count):
        for step in range(count):
            torch.manual_seed(step + len(optimizer.state))
            for weight in words.parameters():
                weight.grad = torch.randn_like(weight)
            optimizer.step()

    config = TrainConfig(optimizer="muon", learning_rate=0.1)
    torch.manual_seed(5)
    words, again = Words(), Words()
    first = build_optimizer(words, config)
    steps(first, words, 3)
    assert len(first.state_dict()["state"]) == 4
    again.load_state_dict(words.state_dict())
    second = build_optimizer(again, config)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for optimizer, model in ((first, words), (second, again)):
        steps(optimizer, model, 2)
    for one, other in zip(words.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_muon_takes_a_closure_as_the_others_do():
    torch.manual_seed(5)
    words = Words()
    optimizer = build_optimizer(words, TrainConfig(optimizer="muon"))

    def loss():
        optimizer.zero_grad()
        nats = words.output(words.inner(words.embedding.weight)).logsumexp(-1).mean()
        nats.backward()
        return nats

    first = optimizer.step(loss)
    assert optimizer.step(loss) < first
    assert optimizer.step() is None


def test_muon_needs_a_matrix_inside():
    words = nn.Sequential(nn.Embedding(7, 4), nn.LayerNorm(4))
    with pytest.raises(InputError, match="this model has none: use .*adamw"):
        build_optimizer(words, TrainConfig(optimizer="muon"))


def values(linear, average, numbers):
    for number in numbers:
        with torch.no_grad():
            linear.weight.fill_(number)
        average.update()
    return average.weights["weight"].unique().item()


def test_means():
    numbers = [4.0, 1.0, 7.0, 2.0, 9.0]
    linear = model()
    assert values(linear, Average(linear, None), numbers) == pytest.approx(
        np.mean(numbers)
    )
    expected = numbers[0]
    for n, number in zip([2, 3, 3, 3], numbers[1:], strict=True):
        expected += (number - expected) / n
    assert values(linear, Average(linear, 3), numbers) == pytest.approx(expected)


def test_the_mean_is_put_in_and_taken_out_again():
    linear = model()
    average = Average(linear, None)
    own = linear.weight.detach().clone()
    with average.applied():  # nothing to put in yet
        assert torch.equal(linear.weight, own)
    values(linear, average, [1.0, 2.0])
    with average.applied():
        assert torch.equal(linear.weight, torch.full_like(own, 1.5))
    assert torch.equal(linear.weight, torch.full_like(own, 2.0))
