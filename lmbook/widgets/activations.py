"""The activation functions under the reader's hand (section 4.1)."""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class ActivationExplorer(anywidget.AnyWidget):
    """Choose a function, move x, read f(x) and f'(x); no kernel is needed."""

    _esm = (HERE / "activations.js").read_text("utf-8")
    _css = (HERE / "explorer.css").read_text("utf-8")

    function = traitlets.Enum(
        ["sigmoid", "tanh", "relu", "leaky_relu", "gelu", "silu"], "silu"
    ).tag(sync=True)
    x = traitlets.Float(-1.3, min=-5, max=5).tag(sync=True)
    negative_slope = traitlets.Float(0.1, min=0, max=0.5).tag(sync=True)
