"""Training loops, their configuration and what they record (section 5.2)."""

from lmbook.training.devices import best_device
from lmbook.training.trainer import (
    Diverged,
    History,
    TrainConfig,
    evaluate,
    train,
    train_step,
)

__all__ = [
    "Diverged",
    "History",
    "TrainConfig",
    "best_device",
    "evaluate",
    "train",
    "train_step",
]
