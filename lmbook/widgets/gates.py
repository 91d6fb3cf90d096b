"""One memory cell under the reader's hand: each gate on or off (section 5.2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from lmbook.errors import InputError

HERE = Path(__file__).parent


class GateExplorer(anywidget.AnyWidget):
    r"""Switch the gates of one cell, :math:`c' = f c + i v`, :math:`h' = o c'`.

    ``values``, ``write`` and ``ask`` are as long as the stream: the number that comes
    in at each step, 1 where it is to be remembered, 1 where the memory is wanted.
    :math:`f = \sigma(b)` with b the ``forget_bias``.  With ``input_gate`` i is
    ``write``, without it 1 - f (a leaky unit); with ``forget_gate`` f is 0 where
    something is written; with ``output_gate`` o is ``ask``, without it 1.
    No kernel is needed.  Raises ``InputError`` if the lengths differ.
    """

    _esm = (HERE / "gates.js").read_text("utf-8")
    _css = (HERE / "explorer.css").read_text("utf-8")

    values = traitlets.List(traitlets.Float()).tag(sync=True)
    write = traitlets.List(traitlets.Float()).tag(sync=True)
    ask = traitlets.List(traitlets.Float()).tag(sync=True)
    forget_bias = traitlets.Float(2.2, min=-2, max=8).tag(sync=True)
    input_gate = traitlets.Bool(False).tag(sync=True)
    forget_gate = traitlets.Bool(False).tag(sync=True)
    output_gate = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        values: Sequence[float],
        write: Sequence[float],
        ask: Sequence[float],
        **options: Any,
    ) -> None:
        if not len(values) == len(write) == len(ask) > 1:
            raise InputError(
                "values, write and ask must be of one length of at least 2, "
                f"got {len(values)}, {len(write)} and {len(ask)}"
            )
        streams = (list(map(float, stream)) for stream in (values, write, ask))
        names = ("values", "write", "ask")
        super().__init__(**dict(zip(names, streams, strict=True)), **options)
