"""The gates that the page computes are those of the equations."""

import numpy as np
import pytest
import traitlets

from lmbook.errors import InputError
from lmbook.widgets.gates import GateExplorer
from tests.widgets.test_explorers import in_javascript

VALUES = [0.3, 0.8, -0.4, 0.1, -0.6, 0.2, 0.5]
WRITE = [0, 1, 0, 0, 1, 0, 0]
ASK = [0, 0, 0, 1, 0, 0, 1]


def by_hand(bias, with_input, with_forget, with_output):
    f, c, memory, output = 1 / (1 + np.exp(-bias)), 0.0, [], []
    for v, write, ask in zip(VALUES, WRITE, ASK, strict=True):
        kept = 0.0 if with_forget and write else f
        c = kept * c + (write if with_input else 1 - f) * v
        memory.append(c)
        output.append(c * (ask if with_output else 1))
    return memory, output


@pytest.mark.parametrize("gates", range(8))
def test_memory_and_output(gates):
    on = [bool(gates & bit) for bit in (1, 2, 4)]
    names = ("input", "forget", "output")
    settings = {"bias": 1.7, **dict(zip(names, on, strict=True))}
    script = "m.carry(...data)"
    data = [VALUES, WRITE, ASK, settings]
    found = in_javascript(GateExplorer._esm, script, data)
    memory, output = by_hand(1.7, *on)
    assert np.allclose(found["memory"], memory, atol=1e-12)
    assert np.allclose(found["output"], output, atol=1e-12)


def test_errors_are_told_apart():
    output = [0.1, 0.8, -0.2, 0.5, -0.6, 0.0, -0.1]
    script = "m.errors(...data)"
    found = in_javascript(GateExplorer._esm, script, [VALUES, WRITE, ASK, output])
    assert found == {
        "first": pytest.approx(0.3),
        "later": pytest.approx(0.5),
        "silent": pytest.approx(0.8),
    }


def test_what_a_kernel_sets_is_checked():
    explorer = GateExplorer(VALUES, WRITE, ASK, input_gate=True)
    assert (explorer.input_gate, explorer.forget_gate) == (True, False)
    assert explorer.values == VALUES
    with pytest.raises(traitlets.TraitError):
        explorer.forget_bias = 9.0
    with pytest.raises(InputError, match="7, 7 and 6"):
        GateExplorer(VALUES, WRITE, ASK[:-1])
