"""Random expressions of random shapes: ours against PyTorch's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmbook import backprop
from tests.backprop.against_torch import compare

MAX_AXES = 3


def _broadcasts(a, b):
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        return False
    return True


# Each keeps values between about -3 and 3, so that a deep expression neither
# overflows nor flattens out, and is smooth where random numbers fall.
UNARY = {
    "tanh": (backprop.tanh, torch.tanh),
    "sigmoid": (backprop.sigmoid, torch.sigmoid),
    "gelu": (lambda x: backprop.gelu(x.tanh()), lambda x: gelu(x.tanh())),
    "relu": (lambda x: backprop.relu(x + 0.01), lambda x: torch.relu(x + 0.01)),
    "exp": (lambda x: backprop.exp(-x * x), lambda x: torch.exp(-x * x)),
    "log": (lambda x: backprop.log(x * x + 1), lambda x: torch.log(x * x + 1)),
    "power": (lambda x: (x * x + 1) ** -0.5, lambda x: (x * x + 1) ** -0.5),
    "negate": (lambda x: 0.5 - x, lambda x: 0.5 - x),
}
ALONG_LAST = {
    "softmax": (backprop.softmax, lambda x: torch.softmax(x, -1)),
    "log_softmax": (
        lambda x: backprop.log_softmax(x) / 5,
        lambda x: torch.log_softmax(x, -1) / 5,
    ),
    "layer_norm": (
        lambda x: backprop.layer_norm(x, eps=0.1),
        lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:], eps=0.1),
    ),
    "mean": (
        lambda x: x.mean(axis=-1, keepdims=True),
        lambda x: x.mean(dim=-1, keepdim=True),
    ),
    "sum": (lambda x: x.sum(axis=-1).tanh(), lambda x: x.sum(dim=-1).tanh()),
    "max": (lambda x: x.max(axis=-1), lambda x: x.amax(dim=-1)),
    "reverse": (lambda x: x[..., ::-1], lambda x: x.flip(-1)),
    "pick": (lambda x: x[..., [0, 0]], lambda x: x[..., [0, 0]]),
}
BINARY = {
    "+": lambda a, b: (a + b) / 2,
    "-": lambda a, b: (a - b) / 2,
    "*": lambda a, b: a * b / 3,
    "/": lambda a, b: a / (b * b + 1),
}
gelu = torch.nn.functional.gelu
shapes = st.lists(st.integers(1, 4), max_size=MAX_AXES).map(tuple)


def _unary(pool, draw, place):
    value = pool[place]
    choices = dict(UNARY)
    if value.ndim:
        choices |= ALONG_LAST
    return choices[draw(st.sampled_from(sorted(choices)))], (place,)


def _binary(pool, draw, place):
    partners = [
        i for i, other in enumerate(pool) if _broadcasts(pool[place].shape, other.shape)
    ]
    function = BINARY[draw(st.sampled_from(sorted(BINARY)))]
    return (function, function), (place, draw(st.sampled_from(partners)))


def _product(pool, draw, place):
    value = pool[place]
    partners = [
        i
        for i, other in enumerate(pool)
        if other.ndim > 1
        and other.shape[-2] == value.shape[-1]
        and _broadcasts(value.shape[:-2], other.shape[:-2])
    ]
    if not partners:  # with itself, turned
        turned = lambda a: (a @ a.swapaxes(-1, -2)).tanh()  # noqa: E731
        return (turned, turned), (place,)
    multiply = lambda a, b: (a @ b).tanh()  # noqa: E731
    return (multiply, multiply), (place, draw(st.sampled_from(partners)))


@st.composite
def programs(draw):
    """Leaves, and steps that each apply an operation to earlier values."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    leaves = [
        rng.normal(size=shape)
        for shape in draw(st.lists(shapes, min_size=1, max_size=4))
    ]
    pool = [torch.tensor(leaf) for leaf in leaves]  # for the shapes
    steps = []
    for _ in range(draw(st.integers(1, 12))):
        place = draw(st.integers(0, len(pool) - 1))
        makers = [_unary, _binary] + [_product] * (pool[place].ndim > 1)
        pair, places = draw(st.sampled_from(makers))(pool, draw, place)
        result = pair[1](*(pool[i] for i in places))
        if result.ndim <= MAX_AXES + 1 and result.numel() < 2000:
            pool.append(result)
            steps.append((pair, places))
    return leaves, steps


def run(which, steps, leaves):
    """The sum of every value that the program made, so that none goes unseen."""
    pool = list(leaves)
    for pair, places in steps:
        pool.append(pair[which](*(pool[i] for i in places)))
    total = pool[0].sum()
    for value in pool[1:]:
        total = total + (value * 0.7).sum()
    return total


def check(program):
    leaves, steps = program
    compare(
        lambda *tensors: run(0, steps, tensors),
        lambda *tensors: run(1, steps, tensors),
        *leaves,
        floor=1e-3,
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(programs())
def test_random_expressions(program):
    check(program)


@pytest.mark.full
@settings(max_examples=5000, deadline=None, derandomize=True)
@given(programs())
def test_many_random_expressions(program):
    check(program)


def test_a_wrong_derivative_is_found(monkeypatch):
    """The comparison can fail: tanh with a slope that is slightly off."""
    from lmbook.backprop.tensor import record

    def wrong(x):
        y = np.tanh(x.data)
        return record("tanh", y, (x,), lambda g: (g * (1 - y * y * 0.999999),))

    with pytest.raises(AssertionError):
        compare(wrong, torch.tanh, np.array([0.3, -0.8]))
