"""Two vectors under the reader's hand: cosine against Pearson (section 4.3)."""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


def _vector(*components: float) -> traitlets.List:
    float_trait = traitlets.Float(min=-6, max=6)
    return traitlets.List(float_trait, list(components), minlen=3, maxlen=3)


class VectorExplorer(anywidget.AnyWidget):
    """Move six components, read both similarities; no kernel is needed."""

    _esm = (HERE / "vectors.js").read_text("utf-8")
    _css = (HERE / "explorer.css").read_text("utf-8")

    a = _vector(1, 2, 3).tag(sync=True)
    b = _vector(6, 5, 1).tag(sync=True)
