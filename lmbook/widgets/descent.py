r"""Learning rate and momentum under the reader's hand (section 3.2).

The loss surface is the simplest that gives plain descent trouble: a valley, twenty
times as steep across as along, :math:`L = \tfrac12(w_1^2 + 20\,w_2^2)`.  Every step is
one of :class:`lmbook.backprop.SGD` on a gradient of the book's own engine, so this
figure needs a kernel.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from IPython.display import display
from ipywidgets import (
    HTML,
    FloatLogSlider,
    FloatSlider,
    Layout,
    VBox,
    interactive_output,
)
from matplotlib.pyplot import close
from numpy.typing import NDArray

from lmbook.backprop import SGD, Tensor
from lmbook.backprop.optim import Optimizer
from lmbook.plotting import COLOURS, subplots, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVATURE = np.array([1.0, 20.0])
START = np.array([-9.0, 1.6])
ALT = "左：损失的等高线和下降的路径；右：损失随步数的变化。"


def valley(w: Tensor) -> Tensor:
    """The loss at w, (..., 2)."""
    return (w * w * CURVATURE).sum(axis=-1) * 0.5


def valley_height(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same for an array, as an array."""
    return valley(Tensor(places)).data


def path(optimizer: Optimizer, steps: int) -> NDArray[np.float64]:
    """Where ``optimizer`` takes its one parameter w, (2,): shape (steps + 1, 2)."""
    (w,) = optimizer.parameters
    places = [w.data.copy()]
    for _ in range(steps):
        optimizer.zero_grad()
        valley(w).backward()
        optimizer.step()
        places.append(w.data.copy())
    return np.array(places)


def start() -> Tensor:
    """The parameter where every path of this section begins."""
    return Tensor(START, requires_grad=True)


def draw(places: NDArray[np.float64]) -> "Figure":
    """Left: the path on the contours of the loss; right: the loss step by step."""
    figure, (left, right) = subplots(1, 2, figsize=(8, 3), width_ratios=(3, 2))
    across, up = np.meshgrid(np.linspace(-10, 10, 120), np.linspace(-2.4, 2.4, 80))
    height = valley_height(np.stack([across, up], axis=-1))
    left.contour(across, up, height, levels=np.geomspace(0.2, 100, 9), colors="#bbbbbb")
    left.plot(*places.T, "o-", color=COLOURS[1], linewidth=1, markersize=3)
    left.plot(0, 0, "*", color=COLOURS[0], markersize=10)
    left.set(xlabel="w₁", ylabel="w₂", xlim=(-10, 10), ylim=(-2.4, 2.4))
    loss = valley_height(places)
    right.semilogy(np.clip(loss, 1e-12, 1e12), color=COLOURS[1], linestyle="-")
    right.set(xlabel="step", ylabel="loss")
    return figure


class DescentLab(VBox):
    """Two sliders and the path that follows from them; without a kernel, a picture."""

    def __init__(self, steps: int = 40) -> None:
        options = {
            "style": {"description_width": "6em"},
            "layout": Layout(width="95%"),
            "continuous_update": False,
        }
        self.steps = steps
        self.learning_rate = FloatLogSlider(
            value=0.02, min=-3, max=-0.8, step=0.02, description="学习率 η", **options
        )
        self.momentum = FloatSlider(
            value=0.0, min=0, max=0.98, step=0.02, description="动量 μ", **options
        )
        self.said = HTML()
        controls = {"learning_rate": self.learning_rate, "momentum": self.momentum}
        figure = interactive_output(self._update, controls)
        super().__init__([self.learning_rate, self.momentum, figure, self.said])

    def _update(self, learning_rate: float, momentum: float) -> None:
        places = path(SGD([start()], learning_rate, momentum), self.steps)
        given = f"η = {learning_rate:.4f}，μ = {momentum:.2f}"
        loss = valley_height(places[-1])
        self.said.value = f"{given}：{self.steps} 步之后损失 {loss:.3g}"
        figure = draw(places)
        self.picture = to_svg(figure, ALT)
        close(figure)
        display({"image/svg+xml": self.picture, "text/plain": ALT}, raw=True)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        return bundle | {"image/svg+xml": self.picture}, {"image/svg+xml": {"alt": ALT}}
