"""The slider lab of section 3.2: what its sliders compute and show."""

import numpy as np
import pytest

from lmbook.backprop import SGD
from lmbook.widgets import descent


@pytest.fixture(autouse=True)
def agg(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")


def test_plain_descent_shrinks_each_direction_by_its_own_factor():
    places = descent.path(SGD([descent.start()], 0.03), 7)
    assert places.shape == (8, 2)
    factors = 1 - 0.03 * descent.CURVATURE
    expected = descent.START * factors ** np.arange(8)[:, None]
    assert np.allclose(places, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("momentum", "bound"), [(0.0, 0.1), (0.4, 0.14)])
def test_beyond_the_bound_it_diverges(momentum, bound):
    """The bound is 2 (1 + momentum) over the largest curvature."""
    ends = [
        np.abs(descent.path(SGD([descent.start()], rate, momentum), 3000)[-1]).max()
        for rate in (0.99 * bound, 1.01 * bound)
    ]
    assert ends[0] < 1e-6
    assert ends[1] > 1e6


def test_the_sliders_move_the_path():
    lab = descent.DescentLab(steps=5)
    learning_rate, momentum, _, said = lab.children
    assert "5 步之后损失" in said.value
    first = said.value
    learning_rate.value = 0.05
    second = said.value
    momentum.value = 0.5
    assert len({first, second, said.value}) == 3
    loss = float(said.value.split()[-1])
    places = descent.path(SGD([descent.start()], 0.05, 0.5), 5)
    assert loss == pytest.approx(descent.valley_height(places[-1]), rel=0.01)


def test_a_page_without_a_kernel_gets_the_picture():
    lab = descent.DescentLab(steps=5)
    bundle, metadata = lab._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"]
    before = bundle["image/svg+xml"]
    assert before.startswith("<svg")
    assert metadata["image/svg+xml"]["alt"] == descent.ALT
    lab.momentum.value = 0.5
    assert lab._repr_mimebundle_()[0]["image/svg+xml"] != before
