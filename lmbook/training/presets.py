"""Named set-ups: sizes of the model and how it is trained."""

from dataclasses import dataclass

import torch

from lmbook.errors import InputError
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel
from lmbook.training.config import TrainConfig


@dataclass(frozen=True)
class Preset:
    """A model's sizes and the defaults of its training, with one line about both."""

    about: str
    model: LSTMConfig
    train: TrainConfig


PRESETS = {
    "article": Preset(
        "the article's sizes: 10,000 words at most, vectors of 256, two LSTM layers "
        "of 128 units, batches of 64",
        LSTMConfig(),
        TrainConfig(),
    ),
}


def preset(name: str) -> Preset:
    """The preset of that name, or ``InputError`` listing those there are."""
    if name not in PRESETS:
        raise InputError(f"no preset named {name!r}; presets: {', '.join(PRESETS)}")
    return PRESETS[name]


def new_model(config: LSTMConfig, seed: int) -> LSTMLanguageModel:
    """A model whose initial weights are drawn from ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LSTMLanguageModel(config)
