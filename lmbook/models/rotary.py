r"""Rotary positions: a query and a key are turned by angles that grow with the place.

Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding" (2021).  At
position m the features :math:`(x_i, x_{i+d/2})` of a head are turned in their plane,

.. math::
    x'_i &= x_i \cos m\theta_i - x_{i+d/2} \sin m\theta_i\\
    x'_{i+d/2} &= x_{i+d/2} \cos m\theta_i + x_i \sin m\theta_i,
    \qquad \theta_i = \theta^{-2i/d}, \quad 0 \le i < d/2.

A product of two vectors depends on the difference of their angles alone, and so on
how far apart they are.  The paper turns :math:`(x_{2i}, x_{2i+1})`; published weights
are laid out for the pairs used here, which is the same but for the features' order.
Taught in section 3.6.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from lmbook.errors import InputError

# Cosines and sines of the angles, each (seq_len, head_dim / 2).
Rotation = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Llama3Scaling:
    r"""How Llama 3.1 stretched what was trained on a short context to a long one.

    A plane whose wavelength :math:`2\pi/\theta_i` is above c / ``low_freq_factor``,
    with the short context c = ``original_context_length``, turns ``factor`` times
    more slowly; below c / ``high_freq_factor`` it turns as before; between the two
    it is interpolated.  Field names are those of ``rope_type: llama3``.
    """

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_context_length: int

    def __post_init__(self) -> None:
        if not (
            self.factor > 0
            and 0 < self.low_freq_factor < self.high_freq_factor
            and self.original_context_length > 0
        ):
            raise InputError(
                "rotary_scaling needs numbers above 0 and low_freq_factor below "
                f"high_freq_factor, got {self}"
            )


@lru_cache
def frequencies(
    head_dim: int,
    theta: float,
    scaling: Llama3Scaling | None,
    device: torch.device,
) -> Tensor:
    r""":math:`\theta_i` in radians per position, (head_dim / 2,), float32."""
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim
    turns = 1.0 / theta**exponents
    if scaling is not None:
        wavelengths = 2 * math.pi / turns
        low, high = scaling.low_freq_factor, scaling.high_freq_factor
        # 0 from the long wavelengths on, 1 from the short ones on
        kept = (scaling.original_context_length / wavelengths - low) / (high - low)
        kept = kept.clamp(0, 1)
        turns = (1 - kept) * turns / scaling.factor + kept * turns
    return turns.to(device)


def rotation(turns: Tensor, start: int, seq_len: int) -> Rotation:
    """The rotation of positions ``start`` to ``start + seq_len``, not included."""
    positions = torch.arange(start, start + seq_len, device=turns.device)
    angles = positions[:, None] * turns  # (seq_len, head_dim / 2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, by: Rotation) -> Tensor:
    """Turn queries or keys (batch, heads, seq_len, head_dim), each by its position."""
    cos, sin = (part.to(x.dtype) for part in by)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
