"""Train a sequence-to-sequence model on pairs.  Taught in section 3.4."""

import math
import time
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lmbook.errors import InputError
from lmbook.models.padding import Padded
from lmbook.models.translation_model import Seq2Seq
from lmbook.text.pair_batches import IdPair, PairData, bucketed, num_batches
from lmbook.training.config import TrainConfig
from lmbook.training.devices import (
    best_device,
    exact_float32,
    seed_generators,
    seeded,
    uses_bf16,
)
from lmbook.training.evaluation import Diverged
from lmbook.training.optimizers import Average, build_optimizer, copy_of, put
from lmbook.training.progress import Bar, History
from lmbook.training.schedules import learning_rate

# What a configuration says about one long text or about saved runs.
MEANINGLESS = (
    *("seq_len", "seq_jitter", "accumulate", "non_monotone"),
    *("activation", "slowness", "save_minutes"),
)


def train_pairs(
    model: Seq2Seq, data: PairData, config: TrainConfig | None = None
) -> History:
    """Train ``model`` in place on ``data.train``; return what was measured.

    An epoch takes every pair once, in batches of near lengths
    (:func:`lmbook.text.pair_batches.bucketed`).  In the end the model has the
    weights of the best evaluation, or their running mean where ``config.average`` is
    "ema".  Order and dropout depend on ``config.seed`` alone; on a CPU the weights
    are then the same to the bit, unless a limit in minutes ends the training.

    The fields of ``config`` that speak of one long text must stand at their defaults:
    ``seq_len seq_jitter accumulate non_monotone activation slowness save_minutes``,
    and ``average`` cannot be "nt-asgd".  Raises ``InputError`` for these and where a
    part has no pairs, ``Diverged`` when the loss is no longer finite.
    """
    config = config or TrainConfig()
    _check(data, config)
    device = best_device(config.device)
    with seeded(config.seed, device), exact_float32():
        return _Run(model, data, config, device).finished()


@torch.no_grad()
def evaluate_pairs(
    model: Seq2Seq, pairs: Sequence[IdPair], batch_size: int = 256
) -> float:
    """Mean nats per token of the targets, their ends included; begins are given.

    Raises ``Diverged`` where that is not a finite number.
    """
    was_training, device = model.training, model.decoder.output.weight.device
    model.eval()
    nats, count = 0.0, 0
    for batch in bucketed(pairs, batch_size, np.random.default_rng(0)):
        found, tokens = model.loss(*_padded(batch, device), reduction="sum")
        nats, count = nats + found.item(), count + tokens
    model.train(was_training)
    if not math.isfinite(nats):
        raise Diverged(f"the loss on these pairs is {nats}: the weights are unusable")
    return nats / count


class _Run:
    """A model, its optimiser, and how far they have come."""

    def __init__(
        self, model: Seq2Seq, data: PairData, config: TrainConfig, device: torch.device
    ) -> None:
        self.model, self.data = model.to(device).train(), data
        self.config, self.device = config, device
        self.optimizer = build_optimizer(model, config)
        self.average = Average(
            model, config.horizon if config.average == "ema" else None
        )
        self.history = History()
        self.best: dict[str, Tensor] = {}
        self.steps = num_batches(len(data.train), config.batch_size)  # of an epoch
        self.step, self.tokens, self.rate = 0, 0, 0.0
        self.nats, self.since = 0.0, 0  # and their tokens, since the last record
        self.evaluated, self.waited = 0.0, 0
        self.began, self.evaluating = time.perf_counter(), 0.0

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    @property
    def epochs(self) -> float:
        return self.step / self.steps

    @property
    def progress(self) -> float:
        return self.config.progress(self.epochs, self.step, self.seconds)

    @property
    def is_over(self) -> bool:
        patience = self.config.patience
        is_patience_over = patience is not None and self.waited >= patience
        return self.progress >= 1 or is_patience_over

    def finished(self) -> History:
        """Epoch after epoch until the end."""
        with Bar(0.0, shown=True) as bar:
            while not self.is_over:
                self._epoch(bar)
        if self.since:
            self._evaluate(self.progress)
        put(self.model, self.best)
        self.model.eval()
        return self.history

    def _epoch(self, bar: Bar) -> None:
        epoch = self.step // self.steps
        rng = np.random.default_rng((self.config.seed, epoch))
        for batch in bucketed(self.data.train, self.config.batch_size, rng):
            progress = self.progress
            self.rate = learning_rate(self.config, progress, epoch)
            nats = self._learn(batch)
            progress = self.progress
            bar.step(progress, nats, self.tokens / (self.seconds - self.evaluating))
            if self.config.is_due(self.evaluated, progress):
                bar.evaluated(self._evaluate(progress))
            if self.is_over:
                break

    def _learn(self, batch: list[IdPair]) -> float:
        """Let the weights learn from a batch; its loss in nats per token."""
        config, model = self.config, self.model
        # Dropout's masks depend on the step, not on what was drawn before it.
        entropy = np.random.SeedSequence((config.seed, self.step))
        seed_generators(int(entropy.generate_state(1)[0]), self.device)
        bf16 = uses_bf16(config.precision, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            loss, count = model.loss(*_padded(batch, self.device))
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm).item()
        nats = loss.item()
        if not math.isfinite(nats) or not math.isfinite(norm):
            raise Diverged(
                f"the loss became {nats:g}, its gradient {norm:g} at step "
                f"{self.step + 1}; a learning rate below {config.learning_rate:g} "
                "may help"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        self.optimizer.step()
        if config.average == "ema":
            self.average.update()
        self.step, self.tokens = self.step + 1, self.tokens + count
        self.nats, self.since = self.nats + nats * count, self.since + count
        return nats

    def _evaluate(self, progress: float) -> dict[str, Any]:
        """Measure the held-out pairs, and keep the weights if none were better."""
        began = self.seconds
        earlier = self.history.column("valid_nats")
        self.waited += 1
        with self.average.applied():
            valid_nats = evaluate_pairs(self.model, self.data.valid)
            if not earlier or valid_nats < min(earlier):
                self.best, self.waited = copy_of(self.model), 0
        record = {
            "step": self.step,
            "epoch": self.epochs,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "tokens_per_second": self.tokens / (began - self.evaluating),
            "learning_rate": self.rate,
            "train_nats": self.nats / self.since,
            "valid_nats": valid_nats,
        }
        self.nats, self.since, self.evaluated = 0.0, 0, progress
        self.evaluating += self.seconds - began
        self.history.records.append(record)
        return record


def _padded(batch: list[IdPair], device: torch.device) -> tuple[Padded, Padded]:
    sources, targets = zip(*batch, strict=True)
    return Padded.of(sources, device), Padded.of(targets, device)


def _check(data: PairData, config: TrainConfig) -> None:
    if not data.train or not data.valid:
        raise InputError(
            "training needs pairs to learn from and pairs held out, got "
            f"{len(data.train)} and {len(data.valid)}"
        )
    usual = {field.name: field.default for field in fields(TrainConfig)}
    for name in MEANINGLESS:
        if getattr(config, name) != usual[name]:
            raise InputError(
                f"{name} means nothing for pairs: leave it at {usual[name]!r}"
            )
    if config.average == "nt-asgd":
        raise InputError('average must be None or "ema" for pairs, got "nt-asgd"')
