r"""From gradients to better parameters.  Taught in section 3.2.

Back-propagation says which way the loss rises; an optimiser decides how far to go the
other way.  Momentum and Adam remember something of the gradients before.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from lmbook.backprop.layers import Module
from lmbook.backprop.tensor import Tensor

Array = NDArray[np.floating]


def compute_gradient(model: Module, error: Tensor) -> list[Array]:
    r"""Step 3 of training: :math:`\partial L / \partial w` for each parameter.

    One array for each of ``model.parameters()``, of the same shape; zeros where the
    error does not depend on it.  Section 3.2.2.
    """
    parameters = model.parameters()
    for parameter in parameters:
        parameter.grad = None
    error.backward()
    return [np.zeros_like(p.data) if p.grad is None else p.grad for p in parameters]


def update_model_parameters(
    model: Module, gradient: Sequence[Array], learning_rate: float
) -> None:
    r"""Step 4 of training: :math:`w \leftarrow w - \eta\, \partial L/\partial w`.

    ``gradient`` is what :func:`compute_gradient` returned.  Raises ``ValueError``, and
    changes nothing, if an array does not fit its parameter.  Section 3.2.2.
    """
    parameters = model.parameters()
    shapes = [parameter.shape for parameter in parameters]
    if [np.shape(part) for part in gradient] != shapes:
        raise ValueError(
            f"the model's parameters have shapes {shapes}; "
            f"the gradient has {[np.shape(part) for part in gradient]}"
        )
    for parameter, part in zip(parameters, gradient, strict=True):
        parameter.data -= learning_rate * part


class Optimizer(ABC):
    """What all optimisers share: the parameters, and forgetting old gradients."""

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float) -> None:
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError("an optimiser needs at least one parameter")
        if not learning_rate >= 0:
            raise ValueError(f"learning_rate must be at least 0, got {learning_rate}")
        self.learning_rate = learning_rate

    @abstractmethod
    def step(self) -> None:
        """Move every parameter that has a gradient."""

    def zero_grad(self) -> None:
        """Forget the gradients; the next ``backward()`` starts from nothing."""
        for parameter in self.parameters:
            parameter.grad = None

    def with_gradients(self) -> list[tuple[int, Tensor, Array]]:
        """(index, parameter, gradient) of those that the last loss depended on."""
        return [
            (index, parameter, parameter.grad)
            for index, parameter in enumerate(self.parameters)
            if parameter.grad is not None
        ]


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum if asked for.

    :math:`v \leftarrow \mu v + g, \; w \leftarrow w - \eta v`: with :math:`\mu` = 0
    plain descent; otherwise Polyak's heavy ball (1964), in PyTorch's form.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float,
        momentum: float = 0.0,
    ) -> None:
        super().__init__(parameters, learning_rate)
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, got {momentum}")
        self.momentum = momentum
        self._velocity = [np.zeros_like(p.data) for p in self.parameters]

    def step(self) -> None:
        """Move every parameter against its gradient."""
        for index, parameter, gradient in self.with_gradients():
            if self.momentum:
                velocity = self._velocity[index]
                velocity *= self.momentum
                velocity += gradient
                gradient = velocity
            parameter.data -= self.learning_rate * gradient


class Adam(Optimizer):
    r"""Adam (Kingma & Ba 2015, algorithm 1).

    :math:`m \leftarrow \beta_1 m + (1-\beta_1) g`,
    :math:`v \leftarrow \beta_2 v + (1-\beta_2) g^2`,
    :math:`w \leftarrow w - \eta\, \hat m / (\sqrt{\hat v} + \epsilon)`, where
    :math:`\hat m = m/(1-\beta_1^t)` and :math:`\hat v = v/(1-\beta_2^t)` undo the
    start from zero.  Every parameter moves by about :math:`\eta` at first, however
    large its gradient.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, learning_rate)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be at least 0 and below 1, got {betas}")
        self.betas = betas
        self.eps = eps
        self._first = [np.zeros_like(p.data) for p in self.parameters]
        self._second = [np.zeros_like(p.data) for p in self.parameters]
        self._steps = [0] * len(self.parameters)

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        beta1, beta2 = self.betas
        for index, parameter, gradient in self.with_gradients():
            self._steps[index] += 1
            first, second = self._first[index], self._second[index]
            first += (1 - beta1) * (gradient - first)
            second += (1 - beta2) * (gradient * gradient - second)
            t = self._steps[index]
            size = np.sqrt(second / (1 - beta2**t)) + self.eps
            parameter.data -= self.learning_rate / (1 - beta1**t) * first / size
