"""Training loops, their configuration and what they record (sections 5.2 and 5.3)."""

from lmbook.training.config import TrainConfig
from lmbook.training.devices import best_device
from lmbook.training.evaluation import Diverged, evaluate
from lmbook.training.progress import History
from lmbook.training.run import Run
from lmbook.training.signals import Interrupted
from lmbook.training.trainer import train, train_step

__all__ = [
    "Diverged",
    "History",
    "Interrupted",
    "Run",
    "TrainConfig",
    "best_device",
    "evaluate",
    "train",
    "train_step",
]
