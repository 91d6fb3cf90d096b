"""The engine: what backward() does, does twice, and refuses to do."""

import gc
import re

import numpy as np
import pytest

from lmbook.backprop import (
    Tensor,
    concatenate,
    cross_entropy,
    detect_anomaly,
    dropout,
    embedding,
    layer_norm,
    mean_squared_error,
    no_grad,
    stack,
)
from lmbook.backprop.graph import trace


def parameter(*entries):
    return Tensor(np.array(entries, float), requires_grad=True)


def test_gradients_of_two_losses_add_up():
    w = parameter(2.0, 3.0)
    (w * w).sum().backward()
    (5 * w).sum().backward()
    assert np.array_equal(w.grad, [4 + 5, 6 + 5])


def test_a_second_backward_through_a_graph_is_an_error_and_changes_nothing():
    w = parameter(2.0)
    hidden = w * w
    loss = (hidden + 1) ** 2
    loss.backward()
    before = w.grad.copy()
    for again in (loss, hidden, hidden * 3):
        with pytest.raises(RuntimeError, match="second time.*retain_graph=True"):
            again.backward()
    assert np.array_equal(w.grad, before)


def test_a_graph_that_is_kept_gives_exactly_the_same_once_more():
    w = parameter(2.0)
    hidden = w.tanh()
    loss = (hidden * hidden * w).exp()
    loss.backward(retain_graph=True)
    once, hidden_once = w.grad.copy(), hidden.grad.copy()
    assert np.array_equal(loss.grad, [1])
    loss.backward(retain_graph=True)
    assert np.array_equal(w.grad, 2 * once)
    assert np.array_equal(hidden.grad, 2 * hidden_once)


def test_only_leaves_keep_gradients_unless_the_graph_is_kept():
    w = parameter(2.0)
    hidden = w * 3
    (hidden * hidden).backward()
    assert hidden.grad is None
    assert np.array_equal(w.grad, [36])


def test_backward_lets_the_graph_go():
    w = parameter(*range(1000))
    hidden = w * 2
    loss = hidden.sum()
    loss.backward()
    assert loss.parents == hidden.parents == ()
    del hidden
    gc.collect()


def test_a_gradient_is_nobody_elses_array():
    a, b = parameter(1.0, 2.0), parameter(3.0, 4.0)
    start = np.ones(2)
    (a + b).backward(start)
    a.grad *= 10
    assert np.array_equal(b.grad, [1, 1])
    assert np.array_equal(start, [1, 1])


def test_a_tensor_copies_its_array():
    array = np.array([1.0, 2.0])
    w = Tensor(array, requires_grad=True)
    w.data -= 5
    assert np.array_equal(array, [1, 2])


def test_a_long_chain_needs_no_deep_recursion():
    w = parameter(1.0)
    x = w
    for _ in range(50_000):
        x = x + 0.0
    x.sum().backward()
    assert np.array_equal(w.grad, [1])
    y = w
    for _ in range(50_000):
        y = y + 0.0
    del y  # and none to be forgotten


def test_a_node_reached_by_many_paths_waits_for_all():
    w = parameter(1.0)
    x = w
    for _ in range(30):
        x = x + x  # 2**30 paths
    x.sum().backward()
    assert np.array_equal(w.grad, [2**30])


def test_nothing_is_recorded_under_no_grad():
    w = parameter(1.0)
    with no_grad():
        y = w * 2
    assert (y.requires_grad, y.parents) == (False, ())
    with pytest.raises(RuntimeError, match="no_grad"):
        y.backward()
    assert (w * 2).requires_grad
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert (w * 2).requires_grad


def test_only_what_requires_it_gets_a_gradient():
    w, x = parameter(1.0, 2.0), Tensor([3.0, 4.0])
    (w * x).sum().backward()
    assert x.grad is None
    with pytest.raises(RuntimeError, match="requires_grad=True"):
        (x * x).sum().backward()


def test_backward_from_more_than_one_number():
    w = parameter(1.0, 2.0)
    with pytest.raises(ValueError, match=r"single number.*shape \(2,\).*sum\(\)"):
        (w * 2).backward()
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        (w * 2).backward(np.ones(3))
    (w * 2).backward([1, 10])
    assert np.array_equal(w.grad, [2, 20])
    one = Tensor([[3.0]], requires_grad=True)
    (one * one).backward()
    assert np.array_equal(one.grad, [[6]])


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: a**b,
        lambda a, b: a @ b,
        lambda a, b: concatenate([a, b], axis=1),
        lambda a, b: stack([a, b]),
        mean_squared_error,
    ],
)
def test_both_shapes_are_named_where_they_do_not_fit(function):
    a, b = Tensor(np.ones((3, 4))), Tensor(np.ones((5, 2)))
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(5, 2\)"):
        function(a, b)


def test_other_shape_errors():
    x = Tensor(np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"size 12.*\(5,2\)"):
        x.reshape(5, 2)
    with pytest.raises(ValueError, match="axes"):
        x.transpose(0, 1, 2)
    with pytest.raises(ValueError, match=r"empty.*\(0, 3\)"):
        Tensor(np.ones((0, 3))).mean()
    with pytest.raises(ValueError, match="nothing"):
        concatenate([])
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(3,\)"):
        layer_norm(x, Tensor(np.ones(3)))


def test_integers_have_no_gradient():
    with pytest.raises(TypeError, match="int64; write 1.0 for 1"):
        Tensor([1, 2, 3], requires_grad=True)
    with pytest.raises(TypeError, match="bool"):
        Tensor([True], requires_grad=True)
    assert Tensor([1, 2, 3]).dtype == np.int64


@pytest.mark.parametrize("value", ["word", [1j], [None], [[1], [2, 3]]])
def test_what_is_not_numbers(value):
    with pytest.raises((TypeError, ValueError)):
        Tensor(value)


def test_tensors_are_not_silently_turned_into_arrays():
    w = parameter(1.0, 2.0)
    with pytest.raises(TypeError, match="stack or concatenate"):
        Tensor([w, w])
    with pytest.raises(TypeError, match="ufunc"):
        np.exp(w)


def test_ids_are_checked():
    w = Tensor(np.ones((5, 2)), requires_grad=True)
    with pytest.raises(TypeError, match="integer ids.*float64"):
        embedding(w, [0.0, 1.0])
    for wrong in (5, -1):
        with pytest.raises(IndexError, match=f"id {wrong} is not between 0 and 4"):
            embedding(w, [[0, wrong]])
    with pytest.raises(IndexError, match="id 2 is not between 0 and 1"):
        cross_entropy(w, [0, 1, 0, 1, 2])
    with pytest.raises(ValueError, match=r"\(5, 2\).*\(5,\).*\(4,\)"):
        cross_entropy(w, [0, 1, 0, 1])
    with pytest.raises(TypeError, match="integer"):
        cross_entropy(w, np.ones((5, 2)))


@pytest.mark.parametrize("p", [-0.1, 1, 2, np.nan])
def test_dropout_is_told_a_probability(p):
    with pytest.raises(ValueError, match="0 <= p < 1"):
        dropout(parameter(1.0), p)


def test_anomalies_are_named_while_checking_is_on():
    w = parameter(0.0, 1.0)
    with np.errstate(all="ignore"):
        assert np.isinf((w.log() * 2).data).any()  # off: as NumPy has it
        with (
            detect_anomaly(),
            pytest.raises(FloatingPointError, match=r"'log'.*\(2,\).*-inf \(1 of 2"),
        ):
            w.log()
        with (
            detect_anomaly(),
            pytest.raises(FloatingPointError, match=r"'×' on shape \(2,\) and \(\)"),
        ):
            w * np.inf
        # The value is fine, the slope is not: sqrt at zero.
        with (
            detect_anomaly(),
            pytest.raises(FloatingPointError, match=r"gradient that '\*\*'"),
        ):
            (w**0.5).sum().backward()
        assert w.grad is None
        (w**0.5).sum().backward()
        assert np.isinf(w.grad[0])


def test_reading_a_tensor():
    w = Tensor([[1.0, 2.0]], requires_grad=True, name="w")
    assert (w.shape, w.ndim, w.size, len(w), w.name) == ((1, 2), 2, 2, 1, "w")
    assert repr(w) == "Tensor([[1., 2.]], requires_grad=True)"
    assert Tensor(3.5).item() == 3.5
    assert [row.item() for row in Tensor([1, 2])] == [1, 2]
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Tensor([1, 2]))
    assert Tensor(np.float16(0.5)).dtype == np.float64
    assert re.match(r"Tensor\(\[1, 2\]\)", repr(Tensor([1, 2])))


def test_the_graph_as_data():
    w, x = Tensor(2.0, requires_grad=True, name="w"), Tensor(3.0, name="x")
    z = w * x
    z.name = "z"
    loss = z.tanh() + z
    loss.backward(retain_graph=True)
    nodes = trace(loss)
    assert [node.name for node in nodes] == ["w", "x", "z", "", ""]
    assert [node.op for node in nodes] == ["", "", "×", "tanh", "+"]
    assert [node.parents for node in nodes] == [(), (), (0, 1), (2,), (3, 2)]
    assert [node.requires_grad for node in nodes] == [True, False, True, True, True]
    assert nodes[1].grad is None
    assert nodes[0].grad == pytest.approx((2 - np.tanh(6) ** 2) * 3)
    assert nodes[2].data == 6
