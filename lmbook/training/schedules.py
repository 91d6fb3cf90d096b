"""The learning rate on the way.  Taught in section 5.3."""

import math

from lmbook.training.config import TrainConfig


def learning_rate(config: TrainConfig, progress: float, epoch: int) -> float:
    r"""The rate at a point of the training.

    With p the progress, w the share of warm-up and f the final share, let
    :math:`s = (p - w) / (1 - w)`.  The rate is ``config.learning_rate`` times

    - :math:`p / w` while :math:`p < w`, whatever the schedule; then
    - "cosine": :math:`f + (1 - f)\,(1 + \cos \pi s) / 2`;
    - "linear": :math:`1 - (1 - f)\,s`;
    - "constant": 1;
    - "step": :math:`d^{-\max(0,\; e + 1 - n)}` in epoch e = 0, 1, …, with d
      ``config.decay`` and n ``config.constant_epochs`` (Zaremba et al. 2014).

    Progress is what it goes by, not the number of steps: so the rate ends where it
    should when training is limited by time.
    """
    if progress < config.warmup:
        return config.learning_rate * progress / config.warmup
    rest = (progress - config.warmup) / max(1 - config.warmup, 1e-12)
    if config.schedule == "cosine":
        share = config.final + (1 - config.final) * (1 + math.cos(math.pi * rest)) / 2
    elif config.schedule == "linear":
        share = 1 - (1 - config.final) * rest
    elif config.schedule == "step":
        share = config.decay ** -max(0, epoch + 1 - config.constant_epochs)
    else:
        share = 1.0
    return config.learning_rate * share
