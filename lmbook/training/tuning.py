"""Learning on from another model's weights: what fine-tuning and preferences share.

All weights move ("full"), or a small change beside each matrix does
(:mod:`lmbook.models.lora`).  Taught in section 3.5.2.
"""

import copy
import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from lmbook.errors import InputError
from lmbook.models.gpt import GPT
from lmbook.models.lora import (
    LoRAConfig,
    add_lora,
    merge_lora,
    remove_lora,
    unmerge_lora,
)
from lmbook.text.tokenizers import AnyTokenizer
from lmbook.training.config import TrainConfig
from lmbook.training.devices import best_device, seeded, uses_bf16
from lmbook.training.evaluation import Diverged
from lmbook.training.examples import ExampleEncoder
from lmbook.training.optimizers import build_optimizer
from lmbook.training.pretraining import require_fitted, save
from lmbook.training.schedules import learning_rate

METHODS = ("full", "lora")

Item = TypeVar("Item")


class Learned(Protocol):
    """What can be learned on from: a model and its tokenizer."""

    model: GPT
    tokenizer: AnyTokenizer


class TunedModel:
    """A model that learns on from the weights of ``start``, which stay as they are.

    ``method``: "full" or "lora", then with ``lora``, by default ``LoRAConfig()``.
    Of ``train`` count what concerns the optimiser and its rate, ``batch_size`` (here
    examples), ``precision``, ``device`` and ``seed``; what is about one long text, or
    about when to stop, does not.

    After ``fit``: ``model``, in evaluation mode (with "lora" its changed layers are
    :class:`lmbook.models.lora.LoRALinear`), ``tokenizer``, and ``losses``, the mean of
    each epoch.
    """

    RECIPES: ClassVar[dict[str, TrainConfig]]  # by method

    model: GPT
    tokenizer: AnyTokenizer
    losses: list[float]

    def __init__(
        self,
        start: Learned,
        method: str = "full",
        *,
        lora: LoRAConfig | None = None,
        train: TrainConfig | None = None,
    ) -> None:
        if method not in METHODS:
            raise InputError(f'method must be "full" or "lora", got {method!r}')
        if method == "full" and lora is not None:
            raise InputError('lora is for method="lora"')
        self.start, self.method = start, method
        self.lora, self.train = lora or LoRAConfig(), train or self.RECIPES[method]

    def merge(self) -> None:
        """Put LoRA's change into the weights: reading then costs nothing more."""
        self._require_lora()
        merge_lora(self.model)

    def unmerge(self) -> None:
        """Take back what :meth:`merge` did, to the bit."""
        self._require_lora()
        unmerge_lora(self.model)

    def save(self, folder: str | Path) -> None:
        """Write the model, LoRA's change merged, as ``PretrainedModel.load`` reads."""
        require_fitted(self)
        save(folder, plain_copy(self.model), self.tokenizer)

    def _begin(self) -> GPT:
        """A copy of the weights to start from, on the device, ready to learn."""
        model = plain_copy(self.start.model)
        if self.method == "lora":
            with seeded(self.train.seed, torch.device("cpu")):
                add_lora(model.cpu(), self.lora)
        return model.to(best_device(self.train.device)).train()

    def _finish(self, model: GPT, losses: list[float]) -> None:
        self.model, self.losses = model.eval(), losses
        self.tokenizer = self.start.tokenizer

    def _require_lora(self) -> None:
        if self.method != "lora":
            raise InputError('only method="lora" has a change to merge')
        require_fitted(self)


def encoder_of(learned: Learned) -> ExampleEncoder:
    """How a fitted model's prompts and answers become ids."""
    require_fitted(learned)
    return ExampleEncoder(learned.tokenizer, learned.model.context_length)


def plain_copy(model: GPT) -> GPT:
    """The same function with weights of its own, LoRA's change among them."""
    copied = copy.deepcopy(model)
    merge_lora(copied)
    remove_lora(copied)
    return copied


def learn_from(
    model: GPT,
    items: Sequence[Item],
    loss: Callable[[Sequence[Item]], Tensor],
    config: TrainConfig,
    epochs: int,
) -> list[float]:
    """Let ``model`` learn from batches of items, drawn anew each epoch.

    ``loss`` gives the mean loss of some items.  Returns the mean loss of each epoch's
    batches, as it was before each step.  Raises ``Diverged`` when one is not finite.
    """
    config = dataclasses.replace(config, epochs=epochs)  # a number above 0?
    device = next(model.parameters()).device
    optimizer = build_optimizer(model, config)
    drawn = np.random.default_rng(config.seed)
    batches = -(-len(items) // config.batch_size)
    steps, step, means = epochs * batches, 0, []
    bf16 = uses_bf16(config.precision, device)
    with seeded(config.seed, device), tqdm(total=steps, leave=False) as bar:
        for epoch in range(epochs):
            losses = []
            for part in np.array_split(drawn.permutation(len(items)), batches):
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                    found = loss([items[i] for i in part])
                rate = learning_rate(config, step / steps, epoch)
                _step(model, optimizer, found, rate, config)
                losses.append(found.item())
                step += 1
                bar.update()
            means.append(math.fsum(losses) / batches)
            bar.set_postfix(loss=f"{means[-1]:.3f}")
    return means


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    rate: float,
    config: TrainConfig,
) -> None:
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm).item()
    if not math.isfinite(loss.item()) or not math.isfinite(norm):
        raise Diverged(
            f"the loss became {loss.item():g}, its gradient {norm:g}; a learning rate "
            f"below {config.learning_rate:g} may help"
        )
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad()
