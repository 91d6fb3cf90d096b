"""The stepper's JavaScript held to the engine, and what it is given checked."""

import json
import re
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
import traitlets

from lmbook.backprop import Tensor
from lmbook.backprop.graph import trace
from lmbook.widgets.graph import MAX_NODES, OPERATIONS, GraphStepper
from tests.widgets.test_explorers import in_javascript

STATE = """(({nodes, leaves}) => {
    const values = m.evaluate(nodes, leaves);
    return {values, ...m.differentiate(nodes, values)};
})"""


def section_4_2() -> Tensor:
    """The network of section 4.2, half of a squared error behind it."""
    x, y = Tensor(1.5, name="x"), Tensor(1.0, name="y")
    w1, w2 = Tensor(0.4, True, name="w1"), Tensor(-0.7, True, name="w2")
    z = w1 * x
    z.name = "z"
    a = z.sigmoid()
    a.name = "a"
    output = w2 * a
    output.name = "ŷ"
    return (output - y) ** 2 * 0.5


def shared() -> Tensor:
    """Two leaves that are reached by more than one way."""
    a, b = Tensor(0.8, True, name="a"), Tensor(-0.5, True, name="b")
    return (a * b + a) * (a + b).tanh()


def random_expression(rng: np.random.Generator) -> Tensor:
    """About ten operations on three parameters, a datum and constants."""
    pool = [Tensor(v, True, name=f"p{i}") for i, v in enumerate(rng.normal(size=3))]
    pool.append(Tensor(rng.normal(), name="x"))
    while len(pool) < 14:
        a, b = (pool[i] for i in rng.integers(len(pool), size=2))
        op = rng.choice(OPERATIONS)
        u, v = a.item(), b.item()
        if op == "**" and u > 0.1:
            result = a ** (b if rng.random() < 0.5 else 0.5)
        elif op == "**":
            result = a ** float(rng.choice([0, 1, 2, 3]))
        elif op == "+":
            result = a + (b if rng.random() < 0.7 else 1.5)
        elif op == "−":
            result = a - b if rng.random() < 0.7 else 0.25 - a
        elif op == "×":
            result = a * (b if rng.random() < 0.8 else -2)
        elif op == "÷" and abs(v) > 0.2:
            result = a / b
        elif op == "neg":
            result = -a
        elif op in ("exp", "tanh", "sigmoid", "relu") or (op == "log" and u > 0.1):
            result = getattr(a, op)()
        else:
            continue
        if abs(result.item()) < 20 and result.requires_grad:
            pool.append(result)
    return pool[-1] + pool[-2]


@pytest.fixture(scope="module")
def expressions() -> list[Tensor]:
    rng = np.random.default_rng(0)
    found = [random_expression(rng) for _ in range(200)]
    return [loss for loss in found if len(trace(loss)) <= MAX_NODES]


def batches(losses: list[Tensor]) -> Iterator[list[Tensor]]:
    """As many as fit into one command."""
    return (losses[i : i + 40] for i in range(0, len(losses), 40))


def data(losses: list[Tensor], step: int = 0) -> list[dict[str, Any]]:
    steppers = [GraphStepper(loss) for loss in losses]
    return [{"nodes": s.nodes, "leaves": s.leaves, "at": step} for s in steppers]


def test_values_and_gradients_are_those_of_the_engine(expressions):
    assert len(expressions) >= 100
    used, ways = set(), 0
    for some in batches(expressions):
        script = f"data.map({STATE})"
        found = in_javascript(GraphStepper._esm, script, data(some))
        for loss, state in zip(some, found, strict=True):
            loss.backward(retain_graph=True)
            nodes = trace(loss)
            used |= {node.op for node in nodes}
            parents = [p for node in nodes for p in node.parents]
            ways += len(parents) > len(set(parents))
            values = np.array([node.data.item() for node in nodes])
            size = np.abs(values).max()
            assert np.allclose(state["values"], values, rtol=1e-12, atol=1e-12 * size)
            pairs = [
                (ours, node.grad.item())
                for ours, node in zip(state["gradients"], nodes, strict=True)
                if node.grad is not None
            ]
            ours, theirs = np.array(pairs).T
            size = np.abs(theirs).max()
            assert np.allclose(ours, theirs, rtol=1e-12, atol=1e-12 * size)
    assert used == {"", *OPERATIONS}
    assert ways > 50  # shared sub-expressions came up


def test_kinks_and_powers_of_zero():
    a = Tensor(0.0, True, name="a")
    for loss, slope in ((a**0, 0), (a**1, 1), (a**2, 0), (a.relu(), 0)):
        (state,) = in_javascript(
            GraphStepper._esm, f"data.map({STATE})", data([loss * 3])
        )
        assert state["gradients"][0] == 3 * slope


def test_every_node_has_a_place_of_its_own_right_of_its_parents(expressions):
    losses = [*expressions[:60], section_4_2(), shared()]
    for some in batches(losses):
        script = """data.map(({nodes}) => {
            const {spots, edges} = m.layout(nodes);
            const plain = ({depth, lane}) => [depth, lane];
            return {
                spots: spots.map(plain), ways: edges.map(({way}) => way.map(plain)),
            };
        })"""
        given = data(some)
        for graph, plan in zip(
            given, in_javascript(GraphStepper._esm, script, given), strict=True
        ):
            places = plan["spots"]
            for (depth, lane), node in zip(places, graph["nodes"], strict=True):
                assert depth >= 0
                assert lane >= 0
                assert all(places[parent][0] < depth for parent in node["parents"])
            for (depth, lane), (other, beside) in combinations(places, 2):
                assert depth != other or abs(lane - beside) > 0.99
            for way in plan["ways"]:  # an edge passes each column between, once
                assert all(b[0] == a[0] + 1 for a, b in pairwise(way))


def described(loss: Tensor) -> list[str]:
    script = f"""data.map((graph) => m.steps(graph.nodes).map(
        (_, at) => m.describe(graph.nodes, {STATE}(graph), at)))"""
    (lines,) = in_javascript(GraphStepper._esm, script, data([loss]))
    return [" ".join(line.split()) for line in lines]


def test_each_step_is_told_as_arithmetic():
    lines = described(section_4_2())
    assert lines[2] == "a = σ(z) = σ(0.6000) = 0.6457"
    assert lines[5] == "v₂ = v₁ ** 2 = (−1.4520) ** 2 = 2.1082"
    assert lines[12] == "∂L/∂a = ∂L/∂ŷ · ∂ŷ/∂a = −1.4520 × (−0.7000) = 1.0164"
    assert lines[-1] == "∂L/∂w₁ = ∂L/∂z · ∂z/∂w₁ = 0.2325 × 1.5000 = 0.3488"


def test_contributions_by_several_ways_add_up():
    to_a = [line for line in described(shared()) if line.startswith("∂L/∂a ")]
    assert to_a == [
        "∂L/∂a 有 3 条路，先走第 1 条：∂L/∂v₃ · ∂v₃/∂a = 0.3661 × 1.0000 = 0.3661",
        "∂L/∂a 的第 2 条路，加上去：0.3661 + ∂L/∂v₂ · ∂v₂/∂a"
        " = 0.3661 + 0.2913 × 1.0000 = 0.6574",
        "∂L/∂a 的第 3 条路，加上去：0.6574 + ∂L/∂v₁ · ∂v₁/∂a"
        " = 0.6574 + 0.2913 × (−0.5000) = 0.5117，齐了",
    ]


def test_names_are_text_and_numbers_are_readable():
    nodes = GraphStepper(Tensor(1.0, True, name="<b>w_12") * Tensor(-0.5)).nodes
    assert in_javascript(GraphStepper._esm, "m.labels(data)", nodes) == [
        "&#60;b&#62;w₁₂",
        "−0.5",
        "L",
    ]
    numbers = [0.0, -0.0, -1.23456, 0.000012345, 123.456, -1e7]
    script = "[...data, NaN, -Infinity].map(m.show)"
    assert in_javascript(GraphStepper._esm, script, numbers) == [
        *("0.0000", "0.0000", "−1.2346", "1.23e−5", "123.5", "−1.00e+7"),
        *("无定义", "−∞"),
    ]


def used_up() -> Tensor:
    loss = section_4_2()
    loss.backward()
    return loss


def deep() -> Tensor:
    value = Tensor(0.5, True)
    for _ in range(25):
        value = value.tanh()
    return value


w = Tensor(0.5, True, name="w")
BAD = {
    "one finite number": [
        lambda: (Tensor([1.0, 2.0], True, name="W") ** 2).sum(),
        lambda: w * Tensor([[1.0, 2.0]]),
        lambda: w / 1e-320,
    ],
    "'W' of shape (2,)": [lambda: Tensor([1.0, 2.0], True, name="W").sum()],
    "'gelu'; accepted: + − × ÷ ** neg exp log tanh sigmoid relu": [lambda: w.gelu()],
    "'sum'; accepted: +": [lambda: w.sum()],
    "has 26 nodes; at most 25": [deep],
    "has no history": [used_up, lambda: Tensor(1.0) * 2, lambda: used_up() + w],
    "is itself a leaf": [lambda: w, lambda: Tensor(3.0)],
}


@pytest.mark.parametrize(
    ("words", "make"), [(words, make) for words, many in BAD.items() for make in many]
)
def test_what_cannot_be_shown_is_named(words, make):
    with np.errstate(over="ignore"):
        loss = make()
    with pytest.raises(ValueError, match=re.escape(words)):
        GraphStepper(loss)


def test_the_state_in_a_notebook_suffices():
    stepper = GraphStepper(section_4_2(), step=9, learning_rate=0.5)
    names = ("nodes", "leaves", "step", "learning_rate", "losses")
    state = json.loads(json.dumps({n: stepper.get_state()[n] for n in names}))
    assert state == {name: getattr(stepper, name) for name in names}
    (found,) = in_javascript(GraphStepper._esm, f"[{STATE}(data)]", state)
    assert found["values"][-1] == pytest.approx(section_4_2().item(), rel=1e-12)


def test_a_result_of_mere_data_is_data():
    x = Tensor(3.0, name="x") * 2
    x.name = "2x"
    first, second, _ = GraphStepper(w * x).nodes
    assert (first["name"], second["name"], second["op"]) == ("w", "2x", "")


def test_a_kernel_can_set_and_is_checked():
    stepper = GraphStepper(section_4_2())
    stepper.step = 3
    stepper.leaves = [0.0] * len(stepper.leaves)
    for name, value in (
        ("leaves", [1.0]),
        ("leaves", [float("nan")] * len(stepper.leaves)),
        ("step", -1),
        ("learning_rate", 2.0),
    ):
        with pytest.raises(traitlets.TraitError):
            setattr(stepper, name, value)
