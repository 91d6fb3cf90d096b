"""Activations: against PyTorch in float64, at the edges, and by their own laws."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lmbook import activations

F = torch.nn.functional
PEERS = {
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "silu": F.silu,
}
finite = st.floats(allow_nan=False, allow_infinity=False)
EXTREMES = np.array(
    [s * x for x in (5e-324, 1e-308, 1, 745, 1e4, 1e308, 1.79e308) for s in (-1, 1)]
)


def close(ours, theirs, tolerance=1e-14):
    """Equal within tolerance of the largest entry."""
    return np.abs(ours - theirs).max() <= tolerance * max(1, np.abs(theirs).max())


@pytest.mark.parametrize("name", PEERS)
def test_value_and_derivative_are_pytorchs(name):
    x = np.concatenate([np.linspace(-12, 12, 4801), [0.0]])
    t = torch.tensor(x, requires_grad=True)
    y = PEERS[name](t)
    y.sum().backward()
    assert close(getattr(activations, name)(x), y.detach().numpy())
    assert close(activations.derivative(name)(x), t.grad.numpy())


def test_tanh_form_of_gelu_is_pytorchs():
    x = np.linspace(-12, 12, 4801)
    t = torch.tensor(x, requires_grad=True)
    y = F.gelu(t, approximate="tanh")
    y.sum().backward()
    assert close(activations.gelu(x, approximate="tanh"), y.detach().numpy())
    slope = activations.derivative("gelu", approximate="tanh")
    assert close(slope(x), t.grad.numpy())


def test_gelu_keeps_its_digits_in_the_tail():
    # Φ(-8), Φ(-30) to 15 digits (tables of the normal tail): where 1 + erf cancels.
    assert activations.gelu(-8.0) == pytest.approx(-8 * 6.22096057427178e-16, rel=1e-13)
    expected = -30 * 4.906713927148187e-198
    assert activations.gelu(-30.0) == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize("name", PEERS)
def test_derivative_is_the_central_difference(name):
    x = np.array([-6.3, -2.1, -0.4, 0.3, 1.7, 5.9])
    f, h = getattr(activations, name), 1e-6
    assert np.allclose(
        activations.derivative(name)(x), (f(x + h) - f(x - h)) / (2 * h), atol=1e-9
    )


@pytest.mark.parametrize("name", PEERS)
def test_no_finite_input_overflows(name):
    with np.errstate(all="raise"):
        assert np.isfinite(getattr(activations, name)(EXTREMES)).all()
        assert np.isfinite(activations.derivative(name)(EXTREMES)).all()


@pytest.mark.parametrize("function", [activations.softmax, activations.log_softmax])
def test_softmax_of_extremes_neither_overflows_nor_warns(function):
    with np.errstate(all="raise"):
        assert np.isfinite(function(EXTREMES)).all()
        assert np.isfinite(function([1.79e308, -1.79e308])).all()


@pytest.mark.parametrize("name", PEERS)
def test_shape_and_dtype(name):
    f = getattr(activations, name)
    for g in (f, activations.derivative(name)):
        assert g(np.zeros((2, 3, 5), np.float32)).dtype == np.float32
        assert g(np.zeros((2, 0, 5))).shape == (2, 0, 5)
        assert g([[1, 2, 3]]).dtype == np.float64
        assert isinstance(g(3), np.float64)
        assert np.isnan(g(np.nan))
        for wrong in (["a"], [1j], [None]):
            with pytest.raises(TypeError, match="real numbers"):
                g(wrong)


@given(finite)
def test_sigmoid_is_symmetric(x):
    assert activations.sigmoid(-x) == pytest.approx(1 - activations.sigmoid(x))


@given(arrays(np.float64, (3, 4), elements=st.floats(-1e6, 1e6)), st.floats(-1e6, 1e6))
def test_softmax_sums_to_one_and_ignores_a_shift(z, shift):
    p = activations.softmax(z)
    assert np.allclose(p.sum(axis=-1), 1)
    assert np.allclose(p, activations.softmax(z + shift), atol=1e-8)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_softmax_along_every_axis_is_pytorchs(axis):
    z = np.random.default_rng(0).normal(scale=30, size=(2, 3, 5))
    t = torch.tensor(z)
    assert close(activations.softmax(z, axis), torch.softmax(t, axis).numpy())
    assert close(activations.log_softmax(z, axis), F.log_softmax(t, axis).numpy())


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_the_jacobians_are_autograds(name):
    z = np.random.default_rng(1).normal(size=(2, 5))
    ours = activations.derivative(name)(z)
    assert ours.shape == (2, 5, 5)
    for row, expected in zip(z, ours, strict=True):
        jacobian = torch.autograd.functional.jacobian(
            lambda t: getattr(torch, name)(t, -1), torch.tensor(row)
        )
        assert close(expected, jacobian.numpy())
    with np.errstate(all="raise"):
        assert np.isfinite(activations.derivative(name)(EXTREMES)).all()
    assert activations.derivative(name)(np.float32([1, 2])).dtype == np.float32


def test_log_softmax_outlives_the_probability():
    assert activations.log_softmax([0.0, -2000.0])[1] == -2000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: activations.gelu(1.0, approximate="erf"), '"none" or "tanh"'),
        (lambda: activations.derivative("swish"), "accepted: sigmoid, relu"),
        (lambda: activations.softmax(3.0), "axis -1"),
        (lambda: activations.softmax([[1.0]], axis=2), "axis 2"),
        (lambda: activations.softmax(np.zeros((2, 0))), r"empty axis.*\(2, 0\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_leaky_slope_is_the_one_asked_for():
    assert activations.leaky_relu(-2.0, negative_slope=0.3) == pytest.approx(-0.6)
    assert activations.derivative("leaky_relu", negative_slope=0.3)(-2.0) == 0.3


def test_import_is_light_and_quick():
    code = (
        "import time; t = time.perf_counter(); import lmbook; "
        "from lmbook import activations, similarity, metrics, files; "
        "import sys; heavy = {'torch', 'matplotlib', 'scipy'} & set(sys.modules); "
        "assert not heavy, heavy; print(time.perf_counter() - t)"
    )
    times = [
        float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3)
    ]
    assert min(times) < 0.3
