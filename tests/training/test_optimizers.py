"""Optimisers against their formulas, and means of weights."""

import numpy as np
import pytest
import torch
from torch import nn

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
