"""Layers, the four steps of training, optimisers and the gradient check."""

import numpy as np
import pytest

from lmbook.backprop import (
    MLP,
    SGD,
    Adam,
    Layer,
    Module,
    Tensor,
    compute_error,
    compute_gradient,
    cross_entropy,
    forward_propagation,
    gradient_check,
    layer_norm,
    log,
    softmax,
    update_model_parameters,
)
from lmbook.backprop.tensor import record

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
XOR_ANSWERS = np.array([[0], [1], [1], [0]])


def test_a_layer_is_its_formula():
    layer = Layer(3, 5, "tanh", seed=0)
    W, b = layer.weight.data, layer.bias.data
    b += np.arange(5)
    x = np.array([1.0, 2, 3])
    assert np.allclose(layer([1, 2, 3]).data, np.tanh(W @ x + b), rtol=1e-15)
    batch = np.random.default_rng(0).normal(size=(2, 4, 3))
    assert layer(batch).shape == (2, 4, 5)
    assert np.allclose(layer(batch).data[1, 2], np.tanh(W @ batch[1, 2] + b))


def test_the_articles_call():
    neural_network = MLP([3, 4, 1])
    assert neural_network([1, 2, 3]).shape == (1,)
    assert neural_network(np.ones((7, 3))).shape == (7, 1)
    assert neural_network.num_parameters() == 4 * 3 + 4 + 4 + 1
    assert [layer.activation for layer in neural_network.layers] == ["tanh", "identity"]


def test_initial_weights():
    for activation, variance in [("tanh", 2 / 500), ("relu", 2 / 300)]:
        weight = Layer(300, 200, activation, seed=0).weight.data
        assert weight.var() == pytest.approx(variance, rel=0.02)
    assert Layer(300, 200, scale=0.5, seed=0).weight.data.std() == pytest.approx(
        0.5, rel=0.01
    )
    assert not Layer(3, 2).bias.data.any()
    # One seed, every layer its own weights; the same seed, the same model.
    first, again = MLP([4, 4, 4], seed=1), MLP([4, 4, 4], seed=1)
    assert not np.array_equal(first.layers[0].weight.data, first.layers[1].weight.data)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert np.array_equal(a.data, b.data)
    assert MLP([3, 2], dtype=np.float32)([1, 2, 3]).dtype == np.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP([3]), r"at least two numbers; got \[3\]"),
        (lambda: MLP([3, 0, 1]), "at least one input and one output, got 3 and 0"),
        (lambda: MLP([3, 2, 1], "swish"), "'swish'; accepted: identity, sigmoid, tanh"),
        (lambda: MLP([3, 1])([1, 2]), r"reads 3 numbers.*\(2,\)"),
        (lambda: MLP([3, 1])(5), r"reads 3 numbers.*\(\)"),
        (lambda: compute_error(Tensor([1.0]), [1], "hinge"), "accepted: mean_sq"),
        (lambda: compute_error(MLP([3, 1])(np.ones((5, 3))), np.ones(5)), r"\(5, 1\)"),
        (lambda: SGD(MLP([3, 1]).parameters(), -1), "learning_rate.*-1"),
        (lambda: SGD(MLP([3, 1]).parameters(), 0.1, momentum=1), "momentum.*1"),
        (lambda: Adam(MLP([3, 1]).parameters(), betas=(0.9, 1.0)), "betas"),
        (lambda: Adam([]), "at least one parameter"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_parameters_are_found_wherever_they_stand():
    class Model(Module):
        def __init__(self):
            self.shared = Tensor([1.0], requires_grad=True)
            self.constant = Tensor([1.0])
            self.parts = {"a": [Layer(2, 3), (self.shared, 5)], "b": "text"}
            self.again = self.shared

    model = Model()
    layer = model.parts["a"][0]
    assert model.parameters() == [model.shared, layer.weight, layer.bias]
    assert model.num_parameters() == 1 + 6 + 3


def test_the_four_steps_learn_xor():
    model = MLP([2, 4, 1], seed=0)
    for _ in range(500):
        output = forward_propagation(model, XOR)
        error = compute_error(output, XOR_ANSWERS)
        gradient = compute_gradient(model, error)
        update_model_parameters(model, gradient, learning_rate=0.3)
    assert np.array_equal(forward_propagation(model, XOR).data > 0.5, XOR_ANSWERS)
    assert error.item() < 1e-3


def test_without_a_bend_no_depth_learns_xor():
    model = MLP([2, 8, 8, 1], "identity", seed=0)
    optimizer = Adam(model.parameters(), 0.01)
    for _ in range(500):
        error = compute_error(model(XOR), XOR_ANSWERS)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert error.item() == pytest.approx(0.25, abs=1e-3)  # one half for everything


def test_compute_gradient_begins_anew_and_knows_zero():
    model = MLP([2, 3, 1], seed=0)
    model.unused = Tensor([1.0, 2.0], requires_grad=True)
    first, second = (
        compute_gradient(model, compute_error(model(XOR), XOR_ANSWERS))
        for _ in range(2)
    )
    assert [part.shape for part in first] == [p.shape for p in model.parameters()]
    assert not first[-1].any()
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a, b)


def test_an_update_that_does_not_fit_changes_nothing():
    model = MLP([2, 3, 1], seed=0)
    before = [p.data.copy() for p in model.parameters()]
    gradient = [np.ones(p.shape) for p in model.parameters()]
    for wrong in (gradient[:-1], [*gradient[:-1], np.ones(2)], [1.0] * 4):
        with pytest.raises(ValueError, match=r"shapes \[\(3, 2\), \(3,\)"):
            update_model_parameters(model, wrong, 0.1)
    for a, b in zip(before, model.parameters(), strict=True):
        assert np.array_equal(a, b.data)


@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_a_parameter_without_gradient_stays(optimizer):
    used = Tensor([1.0], requires_grad=True)
    unused = Tensor([1.0], requires_grad=True)
    steps = optimizer([used, unused], 0.1)
    (used * 2).sum().backward()
    steps.step()
    assert (used.data[0], unused.data[0]) == (pytest.approx(0.9, abs=0.11), 1.0)
    assert used.data[0] < 1
    steps.zero_grad()
    assert used.grad is None


def test_gradient_check_passes_what_is_right():
    rng = np.random.default_rng(0)
    error = gradient_check(
        lambda x, w, b: softmax((x @ w + b).tanh()),
        *(rng.normal(size=(3, 4)), rng.normal(size=(4, 5)), rng.normal(size=5)),
    )
    assert error < 1e-8
    assert gradient_check(lambda x: log(x) * 1e6, rng.uniform(1, 2, 3)) < 1e-8
    x = rng.normal(size=(2, 3))
    assert gradient_check(layer_norm, x) < 1e-8
    assert gradient_check(lambda z: cross_entropy(z, [1, 0]), x) < 1e-8
    assert gradient_check(lambda x: x[:0].sum(), x) == 0


def test_gradient_check_finds_what_is_wrong():
    def wrong(x):  # the slope of the tanh without its square
        y = np.tanh(x.data)
        return record("tanh", y, (x,), lambda g: (g * (1 - y),))

    def one_entry_wrong(x):
        slope = np.ones(x.shape)
        slope[1, 2] = 1.001
        return record("same", x.data.copy(), (x,), lambda g: (g * slope,))

    x = np.random.default_rng(0).normal(size=(2, 3))
    assert gradient_check(wrong, x) > 0.01
    assert 5e-4 < gradient_check(one_entry_wrong, x) < 2e-3
    with pytest.raises(TypeError, match="must return a Tensor, got ndarray"):
        gradient_check(lambda x: x.data, x)
