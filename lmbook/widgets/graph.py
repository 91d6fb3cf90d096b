"""A computation graph to step through, forward and back (sections 3.2 and 4.2)."""

from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from lmbook.backprop.graph import trace
from lmbook.backprop.tensor import Tensor

HERE = Path(__file__).parent
# What graph.js can compute.  gelu is left out: its two forms have the same name.
OPERATIONS = (
    *("+", "−", "×", "÷", "**", "neg"),
    *("exp", "log", "tanh", "sigmoid", "relu"),
)
MAX_NODES = 25


class GraphStepper(anywidget.AnyWidget):
    """Step through the graph of ``loss``, one number computed from single numbers.

    Values appear one node at a time, then gradients, one edge at a time; parameters
    and named data can be changed, and gradient descent takes steps.  No kernel is
    needed: the page computes everything anew.  A node is called by its tensor's
    ``name``, which can also be set on results: ``z = w * x; z.name = "z"``.

    Raises ``ValueError`` for a graph that cannot be shown: one of more than 25 nodes,
    with a node that holds several numbers or none that is finite, or with an operation
    other than + − × ÷ ** neg exp log tanh sigmoid relu.
    """

    _esm = (HERE / "graph.js").read_text("utf-8")
    _css = "\n".join(
        (HERE / name).read_text("utf-8") for name in ("explorer.css", "graph.css")
    )

    # Name, op, parents, value, requires_grad of each; parents before children.
    nodes = traitlets.List(traitlets.Dict()).tag(sync=True)
    # The present values of the nodes without parents, in the order of ``nodes``.
    leaves = traitlets.List(traitlets.Float()).tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    learning_rate = traitlets.Float(0.1, min=0, max=1).tag(sync=True)
    # The loss before each step of gradient descent.
    losses = traitlets.List(traitlets.Float()).tag(sync=True)

    def __init__(self, loss: Tensor, **options: Any) -> None:
        nodes = graph_data(loss)
        leaves = [node["value"] for node in nodes if not node["parents"]]
        super().__init__(**{"nodes": nodes, "leaves": leaves, **options})

    @traitlets.validate("leaves")
    def _one_for_each_leaf(self, proposal: Any) -> list[float]:
        count = sum(not node["parents"] for node in self.nodes)
        if len(proposal.value) != count or not np.isfinite(proposal.value).all():
            raise traitlets.TraitError(
                f"leaves must be {count} finite numbers, got {proposal.value}"
            )
        return proposal.value


def graph_data(loss: Tensor) -> list[dict[str, Any]]:
    """The graph behind ``loss`` as plain data, checked."""
    nodes = trace(loss)
    if len(nodes) > MAX_NODES:
        raise ValueError(f"the graph has {len(nodes)} nodes; at most {MAX_NODES} fit")
    for node in nodes:
        what = f"node {node.name or node.op or 'without a name'!r}"
        if node.data.size != 1 or not np.isfinite(node.data).all():
            raise ValueError(
                f"{what} of shape {node.data.shape} holds {node.data}; each node must "
                "hold one finite number"
            )
        if node.op and not node.parents and (node.requires_grad or len(nodes) == 1):
            raise ValueError(
                f"{what} has no history: nothing behind it has requires_grad=True, or "
                "backward() has used it up; compute it again"
            )
        if node.parents and node.op not in OPERATIONS:
            raise ValueError(
                f"{what} has operation {node.op!r}; accepted: {' '.join(OPERATIONS)}"
            )
    if len(nodes) == 1:
        raise ValueError("the result is itself a leaf: there is no graph to step in")
    return [
        {
            "name": node.name,
            "op": node.op if node.parents else "",
            "parents": list(node.parents),
            "value": node.data.item(),
            "requires_grad": node.requires_grad,
        }
        for node in nodes
    ]
