"""One style for every figure of the book: vector, deterministic, readable by all.

``show`` draws a figure once, as SVG whose words are outlines: it looks the same on
a machine with no fonts, and the same figure gives the same bytes.  It stands on
its own white card, so that it reads in dark mode too.  The colours are those of
Okabe and Ito (2008), told apart with every common colour-blindness.
"""

import io
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

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
