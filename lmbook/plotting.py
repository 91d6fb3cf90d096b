"""One style for every figure of the book: vector, deterministic, readable by all.

``show`` draws a figure once, as SVG whose words are outlines: it looks the same on
a machine with no fonts, and the same figure gives the same bytes.  It stands on
its own white card, so that it reads in dark mode too.  The colours are those of
Okabe and Ito (2008), told apart with every common colour-blindness.
"""

import io
import re
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

    from lmbook.backprop.graph import Node

# Okabe & Ito, darkest first; their yellow is too light for a line on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#000000")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))

STYLE: Any = {
    "svg.fonttype": "path",
    "svg.hashsalt": "lmbook",
    "figure.facecolor": "white",
    "figure.figsize": (6.4, 3.4),
    "figure.constrained_layout.use": True,
    "axes.facecolor": "white",
    "axes.edgecolor": "#444444",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "font.size": 10,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
}


def subplots(nrows: int = 1, ncols: int = 1, **options: Any) -> tuple["Figure", Any]:
    """``matplotlib.pyplot.subplots`` in the book's style; returns (figure, axes).

    Lines differ in dash as well as in colour, so that they survive grey print.
    """
    import matplotlib.pyplot as plt
    from cycler import cycler

    cycle = cycler(color=COLOURS) + cycler(linestyle=LINE_STYLES)
    with plt.rc_context(STYLE | {"axes.prop_cycle": cycle}):
        return plt.subplots(nrows, ncols, **options)


def chinese(size: float | None = None) -> "FontProperties":
    """Font for Chinese words inside a figure, from the package ``mplfonts``.

    axis.set_title("词向量", fontproperties=plotting.chinese())
    """
    from matplotlib.font_manager import FontProperties

    font = resources.files("mplfonts") / "fonts" / "NotoSansCJKsc-Regular.otf"
    return FontProperties(fname=str(font), size=size)


def to_svg(figure: "Figure", alt: str) -> str:
    """The figure as deterministic SVG text that carries ``alt`` as its title."""
    import matplotlib.pyplot as plt

    if not alt.strip():
        raise ValueError("alt must say what the figure shows to one who cannot see it")
    buffer = io.StringIO()
    with plt.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": alt})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    # A path to a hundredth of a point is as fine as any screen; the rest is weight.
    return re.sub(r' d="[^"]*"', lambda path: _rounded(path[0]), svg)


def _rounded(path: str) -> str:
    return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", path)


def show(figure: "Figure", alt: str, caption: str) -> None:
    """Display the figure with its caption below, and close it.

    ``alt`` says what is drawn, ``caption`` what to see in it.
    """
    import matplotlib.pyplot as plt
    from IPython.display import Markdown, display

    if not caption.strip():
        raise ValueError("caption must say what to see in the figure")
    svg = to_svg(figure, alt)
    plt.close(figure)
    bundle = {"image/svg+xml": svg, "text/plain": f"[{alt}]"}
    metadata = {"image/svg+xml": {"alt": alt}}
    display(bundle, metadata=metadata, raw=True)
    display(Markdown(f"*{caption}*"))


def draw_graph(nodes: "Sequence[Node]") -> "Figure":
    """A computation graph from left to right, values and gradients written on it.

    ``nodes`` is what :func:`lmbook.backprop.graph.trace` returns.  A box holds the
    tensor's name and operation, its value, and below it ``∂``, its gradient where there
    is one; of an array the shape, and the root mean square of the gradient.  Leaves
    that are trained have a solid frame, other leaves a dashed one, results a round one.
    """
    places = _places(nodes)
    width, height = places.max(axis=0) + 1
    figure, axis = subplots(figsize=(1.3 * width, 0.95 * height + 0.1))
    boxes = []
    for node, place in zip(nodes, places, strict=True):
        frame = {
            "boxstyle": "round,pad=0.5" if node.op else "square,pad=0.4",
            "linestyle": "-" if node.requires_grad or node.op else "--",
            "facecolor": "white",
            "edgecolor": COLOURS[0] if node.requires_grad else "#777777",
        }
        text = axis.text(
            *place, _label(node), ha="center", va="center", size=9, bbox=frame
        )
        boxes.append(text.get_bbox_patch())
    for child, node in enumerate(nodes):
        for nth, parent in enumerate(node.parents):
            arrow = {"arrowstyle": "-|>", "color": "#777777", "shrinkA": 0}
            arrow |= {"patchA": boxes[parent], "patchB": boxes[child]}
            bend = _bend(places[parent], places[child], height)
            if node.parents.count(parent) > 1:
                bend = 0.3 if nth else -0.3  # used twice: two arrows, side by side
            arrow["connectionstyle"] = f"arc3,rad={bend}"
            axis.annotate("", places[child], places[parent], arrowprops=arrow)
    axis.set_xlim(-0.5, width - 0.5)
    axis.set_ylim(height - 0.4, -0.6)
    axis.axis("off")
    return figure


def _bend(start: np.ndarray, end: np.ndarray, height: float) -> float:
    """A long arrow bows away from the middle, past the boxes on its way."""
    if end[0] - start[0] < 2:
        return 0.0
    below = start[1] + end[1] >= height - 1
    return 0.25 if below else -0.25


def _places(nodes: "Sequence[Node]") -> np.ndarray:
    """(column, row) of each node: just left of the first that uses it."""
    children: list[list[int]] = [[] for _ in nodes]
    for index, node in enumerate(nodes):
        for parent in node.parents:
            children[parent].append(index)
    to_the_end = [0] * len(nodes)
    for index in reversed(range(len(nodes))):
        steps = [to_the_end[child] + 1 for child in children[index]]
        to_the_end[index] = max(steps, default=0)
    columns = [max(to_the_end) - steps for steps in to_the_end]
    places = np.zeros((len(nodes), 2))
    tallest = max(columns.count(column) for column in columns)
    for column in sorted(set(columns), reverse=True):
        members = [index for index, at in enumerate(columns) if at == column]
        wanted = {
            i: np.mean([places[c, 1] for c in children[i] or [i]]) for i in members
        }
        members.sort(key=lambda i: wanted[i])
        top = (tallest - len(members)) / 2
        for row, index in enumerate(members):
            places[index] = column, top + row
    return places


def _label(node: "Node") -> str:
    def brief(array: np.ndarray) -> str:
        return f"{array.item():.4g}".replace("-", "−")

    operation = f"({node.op})" if node.name and node.op else node.op
    value = brief(node.data) if node.data.size == 1 else f"{node.data.shape}"
    lines = [f"{node.name} {operation}".strip(), value]
    if node.grad is not None:
        size = np.sqrt(np.mean(np.square(node.grad)))
        scalar = node.grad.size == 1
        lines.append(f"∂ {brief(node.grad if scalar else size)}{' rms' * (not scalar)}")
    return "\n".join(filter(None, lines))
