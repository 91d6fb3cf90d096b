"""Figures: the same bytes each time, told apart by every eye, Chinese drawn."""

import itertools
import warnings
from xml.etree import ElementTree

import matplotlib.colors
import numpy as np
import pytest

from lmbook import plotting
from lmbook.backprop import MLP, Tensor, mean_squared_error
from lmbook.backprop.graph import trace


@pytest.fixture(autouse=True)
def agg(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")


def draw():
    fig, axis = plotting.subplots()
    axis.plot([0, 1, 2], [0, 1, 4], label="x²")
    axis.legend()
    return fig


def test_same_figure_same_bytes():
    first, second = (plotting.to_svg(draw(), "a parabola") for _ in range(2))
    assert first == second
    assert "a parabola" in first
    assert "<dc:date>" not in first
    assert "<text" not in first
    assert len(first) < 150_000
    ElementTree.fromstring(first)


def linear(colour):
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def test_colours_stand_out_from_the_card():
    for colour in plotting.COLOURS[:5]:
        luminance = linear(colour) @ [0.2126, 0.7152, 0.0722]
        assert 1.05 / (luminance + 0.05) >= 3, colour


# Machado, Oliveira & Fernandes 2009, severity 1.0, on linear RGB.
SIMULATED = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


@pytest.mark.parametrize("eye", SIMULATED)
def test_colours_or_dashes_differ_for_every_eye(eye):
    seen = [np.array(SIMULATED[eye]) @ linear(c) for c in plotting.COLOURS]
    for i, j in itertools.combinations(range(len(seen)), 2):
        apart = np.abs(seen[i] - seen[j]).max() > 0.04
        assert apart or plotting.LINE_STYLES[i] != plotting.LINE_STYLES[j]
    assert len({str(s) for s in plotting.LINE_STYLES}) == len(plotting.COLOURS)


def test_chinese_is_drawn_without_a_system_font():
    fig, axis = plotting.subplots()
    axis.set_title("词向量与注意力", fontproperties=plotting.chinese(14))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # "Glyph ... missing from font" is a warning
        svg = plotting.to_svg(fig, "a title")
    outlines = {p.get("d") for p in ElementTree.fromstring(svg).iter() if p.get("d")}
    assert sum(len(d) > 500 for d in outlines) >= 7  # seven words, no empty boxes


def test_words_for_the_reader_are_required():
    with pytest.raises(ValueError, match="alt"):
        plotting.to_svg(draw(), " ")
    with pytest.raises(ValueError, match="caption"):
        plotting.show(draw(), alt="a parabola", caption="")


def test_show_displays_svg_then_caption(monkeypatch):
    shown = []
    monkeypatch.setattr(
        "IPython.display.display",
        lambda *data, **options: shown.append((data, options)),
    )
    plotting.show(draw(), alt="a parabola", caption="图 1 一条抛物线。")
    (bundle,), options = shown[0]
    assert bundle["image/svg+xml"].startswith("<svg")
    assert options["metadata"]["image/svg+xml"]["alt"] == "a parabola"
    assert shown[1][0][0].data == "*图 1 一条抛物线。*"


def drawn(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_graph_shows_names_values_and_gradients():
    x = Tensor(1.5, name="x")
    w = Tensor(-0.4, requires_grad=True, name="w")
    z = w * x
    z.name = "z"
    loss = z.tanh()
    labels = drawn(plotting.draw_graph(trace(loss)))
    assert labels[:4] == ["x\n1.5", "w\n−0.4", "z (×)\n−0.6", "tanh\n−0.537"]
    loss.backward(retain_graph=True)
    labels = drawn(plotting.draw_graph(trace(loss)))
    assert labels[0] == "x\n1.5"  # nothing is trained there
    slope = 1 - np.tanh(-0.6) ** 2
    assert labels[1] == f"w\n−0.4\n∂ {1.5 * slope:.4g}"
    assert labels[3].endswith("∂ 1")


def test_of_an_array_the_shape_and_the_size_of_the_gradient():
    w = Tensor(np.ones((3, 4)), requires_grad=True, name="w")
    (w * np.arange(4.0)).sum().backward(gradient=1.0)
    labels = drawn(plotting.draw_graph(trace(w)))
    assert labels == [f"w\n(3, 4)\n∂ {np.sqrt(3.5):.4g} rms"]


def test_no_two_nodes_share_a_place_and_arrows_point_right():
    model = MLP([3, 4, 5, 2], seed=0)
    loss = mean_squared_error(model(np.ones((6, 3))), np.zeros((6, 2)))
    nodes = trace(loss * loss + loss)
    places = plotting._places(nodes)
    assert len({tuple(place) for place in places}) == len(nodes)
    assert all(
        places[parent][0] < place[0]
        for node, place in zip(nodes, places, strict=True)
        for parent in node.parents
    )
