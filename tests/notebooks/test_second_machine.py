"""The second machine of the long tests does compute other bits than this one.

Were it not so, the notebooks' second run would prove nothing.
"""

import json
import subprocess
import sys
from collections.abc import Mapping

import numpy as np
import pytest

from tools.notebooks.execute import kernel_environment
from tools.notebooks.paths import ROOT

pytestmark = pytest.mark.full

COMPUTE = """
import json
import numpy as np
import torch

rng = np.random.default_rng(0)
a, b = rng.normal(size=(300, 513)), rng.normal(size=(513, 200))
torch.manual_seed(0)
lstm = torch.nn.LSTM(256, 128, num_layers=2, batch_first=True)
lstm(torch.randn(64, 10, 256))[0].square().sum().backward()
results = {
    "a float32 product": a.astype("float32") @ b.astype("float32"),
    "np.exp": np.exp(a),
    "an LSTM step's gradient": lstm.weight_hh_l0.grad,
}
print(json.dumps({name: np.ravel(x).tolist() for name, x in results.items()}))
"""


def compute(extra: Mapping[str, str]) -> dict[str, np.ndarray]:
    with kernel_environment(extra) as environment:
        result = subprocess.run(
            [sys.executable, "-c", COMPUTE],
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
        )
    return {name: np.array(x) for name, x in json.loads(result.stdout).items()}


def test_other_bits_and_the_same_numbers(second_machine: Mapping[str, str]):
    features = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    if not {"X86_V4", "AVX512F", "AVX512_SKX"} & {*features}:
        pytest.skip("this processor has no AVX-512: it is itself the second machine")
    here, there = compute({}), compute(second_machine)
    for name, values in here.items():
        gap = np.abs(values - there[name]).max()
        assert gap < 1e-5 * np.abs(values).max(), name
        assert gap > 0, f"{name} has the same bits"


def test_the_same_machine_computes_the_same_bits_twice():
    first, second = compute({}), compute({})
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
