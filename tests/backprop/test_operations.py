"""Every operation against PyTorch's: value and gradients, in every broadcast."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from lmbook import backprop
from lmbook.backprop import Tensor, functions
from tests.backprop.against_torch import compare

RNG = np.random.default_rng(0)
# Sizes that all differ, and broadcasting from either side, in the middle, in rank.
PAIRS = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((5,), (2, 3, 5)),
    ((3, 1), (1, 4)),
    ((2, 1, 4), (3, 1)),
    ((1,), (2, 5)),
    ((), (2, 3)),
    ((4, 2), ()),
    ((2, 1, 3, 1), (5, 1, 4)),
    ((1, 1), (6,)),
    ((0, 3), (3,)),
]
PRODUCTS = [
    ((3, 4), (4, 5)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((6,), (6,)),
    ((2, 3, 4), (4, 5)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (6, 4, 5)),
    ((3, 4), (2, 4, 5)),
    ((7, 2, 3, 4), (4,)),
    ((4,), (2, 4, 5)),
    ((1, 3, 4), (6, 4, 5)),
    ((2, 0, 4), (4, 5)),
]
AXES = [None, 0, 1, -1, (0, 2), (-1, 0), (0, 1, 2)]


def normal(*shape):
    return RNG.normal(size=shape)


def away_from_zero(*shape):
    return RNG.uniform(0.3, 2, shape) * RNG.choice([-1, 1], shape)


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
@pytest.mark.parametrize("symbol", ["+", "-", "*", "/"])
def test_arithmetic(symbol, shapes):
    def function(a, b):
        return {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[symbol]

    compare(function, function, *(away_from_zero(*shape) for shape in shapes))


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
def test_power_of_tensors(shapes):
    def function(a, b):
        return a**b

    base, exponent = (RNG.uniform(0.2, 2, shape) for shape in shapes)
    compare(function, function, base, exponent)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, -1, -2, 0.5, 2.5])
def test_power_with_a_number(exponent):
    base = RNG.uniform(0.2, 2, (3, 4))
    compare(lambda a: a**exponent, lambda a: a**exponent, base)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3])
def test_power_of_zero_and_of_negative_numbers(exponent):
    base = np.array([-2.0, -0.5, 0.0, 1.5])
    compare(lambda a: a**exponent, lambda a: a**exponent, base)


def test_zero_to_a_power_that_learns():
    base, exponent = np.array([0.0, 0.0, 2.0]), np.array([2.0, 0.5, 3.0])
    mine = Tensor(exponent, requires_grad=True)
    peer = torch.tensor(exponent, requires_grad=True)
    (Tensor(base) ** mine).sum().backward()
    (torch.tensor(base) ** peer).sum().backward()
    assert np.allclose(mine.grad, peer.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        lambda a: 3 - a,
        lambda a: 2 / a,
        lambda a: 2.5 * a + 1,
        lambda a: -a,
        lambda a: 1.7**a,
        lambda a: a - a * a + a / a,
    ],
)
def test_numbers_on_the_left_and_a_tensor_used_often(function):
    compare(function, function, away_from_zero(3, 4))


def test_arrays_on_the_left():
    array = normal(2, 3)
    peer = torch.tensor(array)
    compare(lambda a: array + a, lambda a: peer + a, normal(3))
    compare(lambda a: array * a, lambda a: peer * a, normal(3))
    compare(lambda a: array @ a, lambda a: peer @ a, normal(3, 4))


@pytest.mark.parametrize("shapes", PRODUCTS, ids=str)
def test_matrix_products(shapes):
    compare(lambda a, b: a @ b, lambda a, b: a @ b, *(normal(*s) for s in shapes))


@pytest.mark.parametrize("shapes", PRODUCTS, ids=str)
def test_matrix_products_where_one_side_is_constant(shapes):
    a, b = (normal(*shape) for shape in shapes)
    compare(lambda x: Tensor(a) @ x, lambda x: torch.tensor(a) @ x, b)
    compare(lambda x: x @ Tensor(b), lambda x: x @ torch.tensor(b), a)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", ["sum", "mean", "max"])
def test_reductions(name, axis, keepdims):
    def theirs(x):
        dim = tuple(range(x.ndim)) if axis is None else axis
        peer = getattr(x, "amax" if name == "max" else name)
        return peer(dim=dim, keepdim=keepdims)

    compare(lambda x: getattr(x, name)(axis, keepdims), theirs, normal(2, 3, 4))


def test_equal_largest_entries_share_the_gradient():
    tied = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    compare(lambda x: x.max(axis=1), lambda x: x.amax(dim=1), tied)
    compare(lambda x: x.max(), lambda x: x.amax(), tied)


@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "relu", "gelu"])
def test_functions_of_one_number(name):
    peer = getattr(functional, name) if name == "gelu" else getattr(torch, name)
    x = normal(3, 5) * 3
    compare(getattr(backprop, name), peer, x)
    compare(lambda x: getattr(x, name)(), peer, x)
    compare(getattr(backprop, name), peer, np.float64(0.7))


def test_log_and_the_other_gelu():
    compare(backprop.log, torch.log, RNG.uniform(0.01, 5, (3, 4)))
    compare(
        lambda x: backprop.gelu(x, approximate="tanh"),
        lambda x: functional.gelu(x, approximate="tanh"),
        normal(3, 4) * 3,
    )


def test_far_from_zero_nothing_overflows():
    far = np.array([-800.0, -40.0, 0.0, 40.0, 800.0])
    for name in ("tanh", "sigmoid", "relu"):
        compare(getattr(backprop, name), getattr(torch, name), far)
    compare(backprop.softmax, lambda x: torch.softmax(x, -1), far)
    compare(backprop.log_softmax, lambda x: torch.log_softmax(x, -1), far)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_along_every_axis(name, axis):
    ours, theirs = getattr(backprop, name), getattr(torch, name)
    compare(lambda x: ours(x, axis), lambda x: theirs(x, axis), normal(2, 3, 4) * 4)
    compare(
        lambda x: getattr(x, name)(axis), lambda x: theirs(x, axis), normal(2, 3, 4)
    )


def test_softmax_over_hidden_positions():
    hidden = np.triu(np.full((4, 4), -np.inf), 1)
    compare(
        lambda x: backprop.softmax(x + hidden),
        lambda x: torch.softmax(x + torch.tensor(hidden), -1),
        normal(2, 4, 4),
    )


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5)], ids=str)
def test_layer_norm(shape):
    compare(
        backprop.layer_norm,
        lambda x, w, b: functional.layer_norm(x, (5,), w, b),
        *(normal(*shape), normal(5), normal(5)),
    )
    compare(
        lambda x: backprop.layer_norm(x, eps=0.1),
        lambda x: functional.layer_norm(x, (5,), eps=0.1),
        normal(*shape),
    )


INDICES = [
    2,
    -1,
    slice(1, None),
    slice(None, None, -1),
    (slice(None), 1),
    (..., 0),
    (None, 1),
    (slice(None), slice(0, 4, 2), None),
    [0, 2, 2, 1],
    (np.array([0, 2, 2]), np.array([1, 1, 1])),
    (slice(None), [3, 3, 0]),
    np.array([[0, 1], [1, 1]]),
    np.array([True, False, True]),
    (1, 2, 0),
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing(index):
    x = normal(3, 4, 2)
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, slice) and (part.step or 1) < 0 for part in parts):
        compare(lambda x: x[index], lambda x: x.flip(0), x)
        return
    to_torch = [torch.tensor(p) if isinstance(p, np.ndarray) else p for p in parts]
    compare(lambda x: x[index], lambda x: x[tuple(to_torch)], x)


def test_indexing_with_a_tensor():
    rows = np.array([1, 1, 0])
    compare(lambda x: x[Tensor(rows)], lambda x: x[torch.tensor(rows)], normal(2, 3))


@pytest.mark.parametrize("shape", [(4,), (2, 5), (3, 2, 2), (0,)], ids=str)
def test_embedding(shape):
    ids = RNG.integers(0, 6, shape)
    peer = torch.tensor(ids)
    compare(
        lambda w: backprop.embedding(w, ids), lambda w: w[peer], RNG.normal(size=(7, 3))
    )


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concatenate(axis):
    shapes = [[2, 3, 4], [2, 3, 4], [2, 3, 4]]
    for shape, length in zip(shapes, (1, 5, 2), strict=True):
        shape[axis] = length
    compare(
        lambda *parts: backprop.concatenate(parts, axis),
        lambda *parts: torch.cat(parts, axis),
        *(normal(*shape) for shape in shapes),
    )


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_stack(axis):
    compare(
        lambda *parts: backprop.stack(parts, axis),
        lambda *parts: torch.stack(parts, axis),
        *(normal(3, 4) for _ in range(5)),
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda x: x.reshape(4, 6), lambda x: x.reshape(4, 6)),
        (lambda x: x.reshape((3, -1)), lambda x: x.reshape(3, -1)),
        (lambda x: x.transpose(), lambda x: x.permute(2, 1, 0)),
        (lambda x: x.T, lambda x: x.permute(2, 1, 0)),
        (lambda x: x.transpose(1, 2, 0), lambda x: x.permute(1, 2, 0)),
        (lambda x: x.transpose((-1, 0, 1)), lambda x: x.permute(-1, 0, 1)),
        (lambda x: x.swapaxes(0, -1), lambda x: x.swapaxes(0, -1)),
    ],
)
def test_shapes(ours, theirs):
    compare(ours, theirs, normal(2, 3, 4))


@pytest.mark.parametrize("shape", [(6,), (2, 6), (2, 3, 6)], ids=str)
def test_cross_entropy(shape):
    ids = RNG.integers(0, 6, shape[:-1])
    goal = torch.tensor(ids).flatten()
    compare(
        lambda z: functions.cross_entropy(z, ids),
        lambda z: functional.cross_entropy(z.reshape(-1, 6), goal.reshape(-1)),
        normal(*shape) * 5,
    )


def test_mean_squared_error():
    goal = normal(3, 4)
    compare(
        lambda x: functions.mean_squared_error(x, goal),
        lambda x: functional.mse_loss(x, torch.tensor(goal)),
        normal(3, 4),
    )
    compare(functions.mean_squared_error, functional.mse_loss, normal(5), normal(5))


def test_dropout_is_a_mask_that_the_gradient_passes_too():
    x = normal(40, 50)
    mine = Tensor(x, requires_grad=True)
    dropped = backprop.dropout(mine, 0.3, seed=7)
    kept = dropped.data != 0
    assert 0.65 < kept.mean() < 0.75
    assert np.allclose(dropped.data[kept], x[kept] / 0.7)
    dropped.sum().backward()
    assert np.allclose(mine.grad, kept / 0.7)
    again = backprop.dropout(mine, 0.3, seed=7)
    assert np.array_equal(again.data, dropped.data)
    generator = np.random.default_rng(7)
    first, second = (backprop.dropout(mine, 0.3, generator) for _ in range(2))
    assert np.array_equal(first.data, dropped.data)
    assert not np.array_equal(second.data, first.data)
    assert backprop.dropout(mine, 0.3, training=False) is mine
    assert backprop.dropout(mine, 0.0) is mine


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu", "softmax", "layer_norm"])
def test_float32_stays_float32(name):
    x = Tensor(normal(3, 4).astype(np.float32), requires_grad=True)
    y = getattr(backprop, name)(x) * 2 + 1
    loss = (y**2 / 3 - 0.5).mean()
    loss.backward()
    assert y.dtype == loss.dtype == x.grad.dtype == np.float32


def test_float32_parameter_in_a_float64_graph():
    w = Tensor(np.ones(3, np.float32), requires_grad=True)
    (w * Tensor(normal(2, 3))).sum().backward()
    assert w.grad.dtype == np.float32
