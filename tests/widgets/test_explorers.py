"""What the widgets compute in JavaScript is what lmbook computes in Python."""

import json
import subprocess

import numpy as np
import pytest
import traitlets

from lmbook import activations
from lmbook.similarity import cosine_similarity, pearson_correlation
from lmbook.widgets.activations import ActivationExplorer
from lmbook.widgets.vectors import VectorExplorer
from tools.site.assets import node


def in_javascript(module: str, script: str, data: object) -> list:
    """Run ``script`` in node with ``m`` the module's exports and ``data`` the input."""
    program = f"""
        const m = await import("data:text/javascript;base64,"
            + Buffer.from({json.dumps(module)}).toString("base64"));
        const data = {json.dumps(data)};
        console.log(JSON.stringify({script}));"""
    command = [node(), "--input-type=module", "-e", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_activations():
    xs = np.random.default_rng(0).uniform(-5, 5, 200)
    script = """Object.fromEntries(Object.entries(m.functions).map(
        ([name, [, f, slope]]) => [name, data.map((x) => [f(x, 0.2), slope(x, 0.2)])]
    ))"""
    found = in_javascript(ActivationExplorer._esm, script, xs.tolist())
    assert list(found) == ActivationExplorer().traits()["function"].values
    options = {"leaky_relu": {"negative_slope": 0.2}, "gelu": {"approximate": "tanh"}}
    for name, pairs in found.items():
        more = options.get(name, {})
        values, slopes = np.array(pairs).T
        assert np.allclose(values, getattr(activations, name)(xs, **more), atol=1e-12)
        expected = activations.derivative(name, **more)(xs)
        assert np.allclose(slopes, expected, atol=1e-12), name


def test_similarities():
    rng = np.random.default_rng(1)
    pairs = rng.integers(-3, 4, (300, 2, 3)).astype(float)
    script = "data.map(([a, b]) => [m.cosine(a, b), m.pearson(a, b)])"
    found = in_javascript(VectorExplorer._esm, script, pairs.tolist())
    undefined = 0
    for (a, b), row in zip(pairs, found, strict=True):
        for function, value in zip(
            (cosine_similarity, pearson_correlation), row, strict=True
        ):
            try:
                assert value == pytest.approx(function(a, b), abs=1e-12)
            except ValueError:
                assert value is None
                undefined += 1
    assert undefined > 5  # zero and constant vectors came up


def test_a_kernel_can_set_and_is_checked():
    explorer = ActivationExplorer(function="gelu", x=2.0)
    assert (explorer.function, explorer.x) == ("gelu", 2.0)
    with pytest.raises(traitlets.TraitError):
        explorer.function = "swish"
    with pytest.raises(traitlets.TraitError):
        VectorExplorer(a=[1, 2])
