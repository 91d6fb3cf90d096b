"""How to train: every number that a training run depends on.  Taught in 5.2 and 5.3."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lmbook.errors import InputError

OPTIMIZERS = ("adamw", "adam", "sgd", "muon")
SCHEDULES = ("cosine", "linear", "constant", "step")
AVERAGES = (None, "ema", "nt-asgd")
PRECISIONS = ("auto", "fast", "float32", "bf16")
DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class TrainConfig:
    """How to train; the defaults are those of the article's set-up.

    Training ends at whichever of ``epochs``, ``max_steps`` and ``max_minutes`` comes
    first (None does not limit); its *progress* goes from 0 to 1 by that limit.
    """

    # What one step reads.
    batch_size: int = 64  # rows, over all processes and accumulated parts
    seq_len: int = 5  # tokens that the gradient goes back through
    seq_jitter: bool = False  # windows of varying length, as AWD-LSTM
    accumulate: int = 1  # parts of a batch, one after the other, to save memory

    # How the weights move.
    optimizer: str = "adam"
    learning_rate: float = 6e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float = 1.0  # of the gradient of the mean loss in nats per token
    schedule: str = "cosine"
    warmup: float = 0.0  # share of the training in which the rate rises from 0
    final: float = 0.1  # the rate at the end as a share of learning_rate
    constant_epochs: int = 1  # "step": the rate stays for so many epochs,
    decay: float = 2.0  # then is divided by this before each epoch

    # Weights that are evaluated and kept: the mean of those on the way, if any.
    average: str | None = None
    horizon: int = 100  # "ema": steps that it looks back
    non_monotone: int = 5  # "nt-asgd": evaluations without progress that start it

    # Penalties on what the last layer gives (AWD-LSTM): its size, its change.
    activation: float = 0.0
    slowness: float = 0.0

    # How long.
    epochs: int | None = 2
    max_steps: int | None = None
    max_minutes: float | None = None
    evaluations: int = 10  # how often on the way the validation part is read
    patience: int | None = None  # evaluations without a new best that end training

    precision: str = "auto"  # bf16 on a GPU that has it; "fast": on such a CPU too
    save_minutes: float = 5.0  # between checkpoints
    device: str = "auto"
    seed: int = 0  # of dropout's masks and the windows' lengths

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            accepted, test = _ACCEPTED[name]
            if not test(value):
                raise InputError(f"{name} must be {accepted}, got {value!r}")
        object.__setattr__(self, "betas", tuple(self.betas))  # JSON has only lists
        if self.epochs is None and self.max_steps is None and self.max_minutes is None:
            raise InputError(
                "one of epochs, max_steps and max_minutes must end training"
            )

    def progress(self, epochs: float, steps: int, seconds: float) -> float:
        """How far training has come, from 0 to 1, by the limit that comes first."""
        shares = [0.0]
        if self.epochs is not None:
            shares.append(epochs / self.epochs)
        if self.max_steps is not None:
            shares.append(steps / self.max_steps)
        if self.max_minutes is not None:
            shares.append(seconds / 60 / self.max_minutes)
        return min(1.0, max(shares))

    def is_due(self, before: float, progress: float) -> bool:
        """Whether an evaluation falls between these two points of progress."""
        passed = (int(p * self.evaluations + 1e-9) for p in (before, progress))
        return len(set(passed)) > 1


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and 0 < value < math.inf


def _one_of(names: tuple[str | None, ...]) -> tuple[str, Callable[[Any], bool]]:
    return f"one of {', '.join(map(str, names))}", lambda value: value in names


def _or_none(
    rule: tuple[str, Callable[[Any], bool]],
) -> tuple[str, Callable[[Any], bool]]:
    words, test = rule
    return f"{words}, or None", lambda value: value is None or test(value)


_COUNT = ("a whole number greater than 0", lambda v: _is_whole(v) and v > 0)
_POSITIVE = ("a number greater than 0", _is_positive)
_NOT_NEGATIVE = ("a number of at least 0", lambda v: v == 0 or _is_positive(v))
_SHARE = ("a number from 0 to 1", lambda v: _is_number(v) and 0 <= v <= 1)
_BETAS = (
    "two numbers, each at least 0 and below 1",
    lambda v: (
        isinstance(v, (tuple, list))
        and len(v) == 2
        and all(_is_number(b) and 0 <= b < 1 for b in v)
    ),
)
_SEED = (
    "a whole number from 0 to 2^63 - 1",
    lambda v: _is_whole(v) and 0 <= v < 2**63,
)
_YES_NO = ("True or False", lambda v: isinstance(v, bool))

_ACCEPTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "batch_size": _COUNT,
    "seq_len": _COUNT,
    "seq_jitter": _YES_NO,
    "accumulate": _COUNT,
    "optimizer": _one_of(OPTIMIZERS),
    "learning_rate": _POSITIVE,
    "betas": _BETAS,
    "eps": _POSITIVE,
    "weight_decay": _NOT_NEGATIVE,
    "clip_norm": _POSITIVE,
    "schedule": _one_of(SCHEDULES),
    "warmup": _SHARE,
    "final": _SHARE,
    "constant_epochs": _COUNT,
    "decay": _POSITIVE,
    "average": _one_of(AVERAGES),
    "horizon": _COUNT,
    "non_monotone": _COUNT,
    "activation": _NOT_NEGATIVE,
    "slowness": _NOT_NEGATIVE,
    "epochs": _or_none(_COUNT),
    "max_steps": _or_none(_COUNT),
    "max_minutes": _or_none(_POSITIVE),
    "evaluations": _COUNT,
    "patience": _or_none(_COUNT),
    "precision": _one_of(PRECISIONS),
    "save_minutes": _POSITIVE,
    "device": _one_of(DEVICES),
    "seed": _SEED,
}
