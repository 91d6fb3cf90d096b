"""Training: loops, configuration, what they record (sections 3.5, 5.2 and 5.3)."""

from lmbook.training.config import TrainConfig
from lmbook.training.devices import best_device
from lmbook.training.evaluation import Diverged, evaluate
from lmbook.training.finetuning import FineTunedModel
from lmbook.training.pretraining import PretrainedModel
from lmbook.training.progress import History
from lmbook.training.run import Run
from lmbook.training.signals import Interrupted
from lmbook.training.trainer import train, train_step

__all__ = [
    "Diverged",
    "FineTunedModel",
    "History",
    "Interrupted",
    "PretrainedModel",
    "Run",
    "TrainConfig",
    "best_device",
    "evaluate",
    "train",
    "train_step",
]
