r"""LoRA: fine-tuning by a small change beside each matrix, which itself stays.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021), equation (3),
with the scale of its section 4.1:

.. math:: h = W_0 x + \tfrac{\alpha}{r} B A x

W is (outputs, inputs), A (r, inputs), B (outputs, r): of a matrix with n · m numbers,
r (n + m) are trained.  B begins as 0, so at first nothing is changed.  Taught in
section 3.5.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from lmbook.errors import InputError
from lmbook.models.linear import Linear


@dataclass(frozen=True)
class LoRAConfig:
    """Which layers are changed, and how much.

    ``targets``: last names of the linear layers, such as "qkv" or "down".  ``rank`` r
    at least 1; ``alpha`` above 0; ``dropout`` of x on its way to A, from 0 up to but
    not 1.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ("qkv",)

    def __post_init__(self) -> None:
        if not isinstance(self.rank, int) or self.rank < 1:
            raise InputError(
                f"rank must be a whole number of at least 1, got {self.rank!r}"
            )
        if not self.alpha > 0:
            raise InputError(f"alpha must be above 0, got {self.alpha}")
        if not 0 <= self.dropout < 1:
            raise InputError(
                f"dropout must be at least 0 and below 1, got {self.dropout}"
            )


class LoRALinear(Linear):
    """A linear layer whose own weights are frozen, with A and B beside them.

    A begins as ``torch.nn.Linear`` does, from the range of :math:`1/\\sqrt{inputs}`.
    """

    def __init__(self, layer: nn.Linear, config: LoRAConfig) -> None:
        super().__init__(
            layer.in_features, layer.out_features, layer.bias is not None, "meta"
        )
        self.weight, self.bias = layer.weight, layer.bias
        self.requires_grad_(False)
        self.scale, self.dropout = config.alpha / config.rank, config.dropout
        new = layer.weight.new_empty
        self.lora_a = nn.Parameter(new(config.rank, layer.in_features))
        self.lora_b = nn.Parameter(new(layer.out_features, config.rank))
        nn.init.kaiming_uniform_(self.lora_a, math.sqrt(5))
        nn.init.zeros_(self.lora_b)
        self._before: Tensor | None = None  # the weights, while they are merged

    def forward(self, x: Tensor) -> Tensor:
        found = super().forward(x)
        if self._before is not None:
            return found
        x = dropout(x, self.dropout, self.training)
        # h = W x + (α / r) B A x
        return found + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    @torch.no_grad()
    def merge(self) -> None:
        """Add :math:`\\tfrac{\\alpha}{r} B A` to W: from now on it costs nothing."""
        if self._before is None:
            self._before = self.weight.data
            self.weight.data = self._before + self.scale * self.lora_b @ self.lora_a

    def unmerge(self) -> None:
        """W as it was, to the bit: a difference of sums would not be."""
        if self._before is not None:
            self.weight.data, self._before = self._before, None

    def plain(self) -> Linear:
        """A linear layer with the weights as they are now, merged or not."""
        has_bias = self.bias is not None
        layer = Linear(self.in_features, self.out_features, has_bias, "meta")
        layer.weight = nn.Parameter(self.weight.data)
        if has_bias:
            layer.bias = nn.Parameter(self.bias.data)
        return layer


def add_lora(model: nn.Module, config: LoRAConfig) -> None:
    """Freeze the model, and put A and B beside every layer that is a target.

    A target is the end of a layer's name: "output" are all that are called so,
    "attention.output" those of attention.  ``InputError`` if one names no linear
    layer, or a layer that shares its matrix with the embedding.
    """
    kinds = nn.Linear, Linear  # and no layer that is one in part
    found = {
        name: m
        for name, m in model.named_modules()
        if isinstance(m, nn.Linear) and type(m) in kinds
    }
    chosen: dict[str, nn.Linear] = {}
    for target in config.targets:
        named = {n: m for n, m in found.items() if f".{n}".endswith(f".{target}")}
        if not named:
            chosen = {}
            break
        chosen |= named
    if not chosen:
        names = sorted({name.split(".")[-1] for name in found})
        raise InputError(
            f"targets must be names of linear layers, {', '.join(names)}; "
            f"got {config.targets}"
        )
    shared = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    for name, layer in chosen.items():
        if id(layer.weight) in shared:
            raise InputError(
                f"LoRA can't change {name}, whose matrix is the embedding's too (tied)"
            )
    model.requires_grad_(False)
    for name, layer in chosen.items():
        model.set_submodule(name, LoRALinear(layer, config))


def merge_lora(model: nn.Module) -> None:
    """Merge every layer that :func:`add_lora` has changed."""
    for _, layer in _changed(model):
        layer.merge()


def unmerge_lora(model: nn.Module) -> None:
    """Take back what :func:`merge_lora` did, to the bit."""
    for _, layer in _changed(model):
        layer.unmerge()


def remove_lora(model: nn.Module) -> None:
    """Linear layers again, in which what was merged stays; all weights can learn."""
    for name, layer in list(_changed(model)):
        model.set_submodule(name, layer.plain())
    model.requires_grad_(True)


def _changed(model: nn.Module) -> Iterator[tuple[str, LoRALinear]]:
    for name, module in model.named_modules():
        if isinstance(module, LoRALinear):
            yield name, module
