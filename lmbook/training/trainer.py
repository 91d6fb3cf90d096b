"""Train a recurrent language model on one long text.  Taught in section 5.2."""

import math
import time
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from lmbook import metrics
from lmbook.errors import InputError
from lmbook.models.lstm import LSTMLanguageModel, State, detach
from lmbook.text import ContiguousBatches, LanguageData
from lmbook.training.devices import best_device, one_thread

# Validation windows: long, since no gradient is kept.
EVALUATION_SEQ_LEN = 256


class Diverged(ArithmeticError):
    """The loss is no longer a finite number."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train; each limit that is None does not limit."""

    batch_size: int = 64
    seq_len: int = 5
    learning_rate: float = 6e-3  # at the start; it falls to a tenth along a cosine
    clip_norm: float = 1.0
    epochs: int | None = 2
    max_steps: int | None = None
    max_minutes: float | None = None
    evaluations: int = 10  # how often on the way the validation part is read
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "device" and value is not None and not value > 0:
                raise InputError(f"{name} must be greater than 0, got {value}")
        if self.epochs is None and self.max_steps is None and self.max_minutes is None:
            raise InputError(
                "one of epochs, max_steps and max_minutes must end training"
            )

    def progress(self, step: int, seconds: float, steps_per_epoch: int) -> float:
        """How far training has come, from 0 to 1, by the limit that comes first."""
        shares = [0.0]
        if self.epochs is not None:
            shares.append(step / (self.epochs * steps_per_epoch))
        if self.max_steps is not None:
            shares.append(step / self.max_steps)
        if self.max_minutes is not None:
            shares.append(seconds / 60 / self.max_minutes)
        return min(1.0, max(shares))

    def is_due(self, before: float, progress: float) -> bool:
        """Whether an evaluation falls between these two points of progress."""
        passed = (int(p * self.evaluations + 1e-9) for p in (before, progress))
        return len(set(passed)) > 1


@dataclass
class History:
    """What was measured on the way: one record an evaluation, the last at the end.

    A record holds ``step``, ``tokens`` (trained on so far), ``seconds``,
    ``tokens_per_second`` (of training alone, without evaluations), ``train_nats``
    (mean since the record before) and ``valid_nats``, both in nats per token.
    """

    records: list[dict[str, float]] = field(default_factory=list)

    @property
    def last(self) -> dict[str, float]:
        return self.records[-1]

    def column(self, name: str) -> list[float]:
        return [record[name] for record in self.records]


def train(
    model: LSTMLanguageModel, data: LanguageData, config: TrainConfig | None = None
) -> History:
    """Train ``model`` in place on ``data.train``; return what was measured.

    Truncated back-propagation through time: the text is read window by window; the
    state goes on from window to window, the gradient does not.  Adam, with the norm
    of the gradient clipped and the rate falling along a cosine.  Raises ``Diverged``
    when the loss is no longer finite, ``InputError`` where :func:`cut` does.
    """
    config = config or TrainConfig()
    device = best_device(config.device)
    batches = cut(data, config)
    model.to(device).train()
    # Fused: one pass over the weights instead of one for each operation.
    optimizer = torch.optim.Adam(model.parameters(), config.learning_rate, fused=True)

    log, progress = _Log(), 0.0
    windows = iter(batches)
    state: State | None = None
    look = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
    with tqdm(total=100, desc="train", bar_format=look, leave=False) as bar:
        while progress < 1:
            window = next(windows, None)
            if window is None:  # the text begins again, and so does the memory
                windows, state = iter(batches), None
                continue
            optimizer.param_groups[0]["lr"] = config.learning_rate * _cosine(progress)
            ids, targets = (torch.from_numpy(part).to(device) for part in window)
            loss, state = train_step(
                model, optimizer, ids, targets, state, config.clip_norm
            )
            log.add(loss, targets.numel())
            if not math.isfinite(loss):
                raise Diverged(
                    f"the loss became {loss} at step {log.step}; "
                    f"a learning rate below {config.learning_rate:g} may help"
                )

            before = progress
            progress = config.progress(log.step, log.seconds, len(batches))
            bar.update(round(100 * progress) - bar.n)
            if config.is_due(before, progress):
                valid_nats = log.evaluate(model, data.valid)
                shown = f"{metrics.perplexity(valid_nats):.1f}"
                bar.set_postfix(step=log.step, valid_perplexity=shown)
    return log.history


def train_step(
    model: LSTMLanguageModel,
    optimizer: torch.optim.Optimizer,
    ids: Tensor,
    targets: Tensor,
    state: State | None,
    clip_norm: float,
) -> tuple[float, State]:
    """Predict every next word of one window, and let the weights learn from it.

    ``ids`` and ``targets`` are (batch, seq_len).  Returns the mean loss in nats and
    the state after the window.
    """
    loss, state = model.loss(ids, targets, state)

    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()

    # Detached: the memory goes on, the gradient stops here.
    return loss.item(), detach(state)


class _Log:
    """Counts what was trained on and keeps the history."""

    def __init__(self) -> None:
        self.history = History()
        self.step = self.tokens = 0
        self._losses: list[float] = []  # since the last record
        self._start = time.perf_counter()
        self._evaluating = 0.0  # seconds of it

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._start

    def add(self, loss: float, tokens: int) -> None:
        self.step += 1
        self.tokens += tokens
        self._losses.append(loss)

    def evaluate(self, model: LSTMLanguageModel, valid: NDArray[np.int64]) -> float:
        """Write a record; return its ``valid_nats``."""
        seconds = self.seconds
        valid_nats = evaluate(model, valid)
        record = {
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "tokens_per_second": self.tokens / (seconds - self._evaluating),
            "train_nats": float(np.mean(self._losses)),
            "valid_nats": valid_nats,
        }
        self.history.records.append(record)
        self._evaluating += record["seconds"] - seconds
        self._losses.clear()
        return valid_nats


def cut(data: LanguageData, config: TrainConfig) -> ContiguousBatches:
    """The training part in batches.

    Raises ``InputError`` if it is too short for one, or the validation part too
    short to predict anything: now, and not after an hour of training.
    """
    batches = ContiguousBatches(data.train, config.batch_size, config.seq_len)
    if len(data.valid) < 2:
        raise InputError(
            "the validation part needs at least 2 tokens; "
            f"the text leaves {len(data.valid)} for it"
        )
    return batches


@torch.no_grad()
def evaluate(model: LSTMLanguageModel, ids: NDArray[np.int64]) -> float:
    """Mean nats per token over ``ids``, read once from beginning to end.

    The state is carried through the whole text; the first token, which nothing
    precedes, is given, every other is predicted.  Raises ``Diverged`` where the
    mean is not a finite number.
    """
    was_training = model.training
    device = next(model.parameters()).device
    model.eval()
    total, state = 0.0, None
    batches = ContiguousBatches(ids, 1, EVALUATION_SEQ_LEN)
    for window in batches:
        inputs, targets = (torch.from_numpy(part).to(device) for part in window)
        with one_thread():
            hidden, state = model.hidden(inputs, state)
        logits = model.output(hidden)
        total += cross_entropy(logits[0], targets[0], reduction="sum").item()
    model.train(was_training)
    if not math.isfinite(total):
        raise Diverged(f"the loss on this text is {total}: the weights are unusable")
    return total / batches.steps


def _cosine(progress: float) -> float:
    """From 1 down to 0.1 as progress goes from 0 to 1."""
    return 0.1 + 0.45 * (1 + math.cos(math.pi * progress))
