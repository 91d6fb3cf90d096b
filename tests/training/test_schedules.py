"""The learning rate at hand-computed points."""

import pytest

from lmbook.training import TrainConfig
from lmbook.training.schedules import learning_rate


@pytest.mark.parametrize(
    ("options", "progress", "share"),
    [
        ({"schedule": "cosine", "final": 0.1}, 0.0, 1.0),
        ({"schedule": "cosine", "final": 0.1}, 0.5, 0.55),
        ({"schedule": "cosine", "final": 0.1}, 1.0, 0.1),
        ({"schedule": "cosine", "final": 0.2}, 1 / 3, 0.2 + 0.8 * 0.75),
        ({"schedule": "linear", "final": 0.1}, 0.5, 0.55),
        ({"schedule": "linear", "final": 0.0}, 0.75, 0.25),
        ({"schedule": "constant", "final": 0.1}, 0.9, 1.0),
        ({"schedule": "linear", "final": 0.0, "warmup": 0.2}, 0.05, 0.25),
        ({"schedule": "linear", "final": 0.0, "warmup": 0.2}, 0.2, 1.0),
        ({"schedule": "linear", "final": 0.0, "warmup": 0.2}, 0.6, 0.5),
        ({"schedule": "constant", "warmup": 1.0}, 0.5, 0.5),
    ],
)
def test_by_progress(options, progress, share):
    config = TrainConfig(learning_rate=0.5, **options)
    assert learning_rate(config, progress, epoch=3) == pytest.approx(0.5 * share)


def test_zaremba_stays_then_divides_before_each_epoch():
    config = TrainConfig(
        schedule="step", learning_rate=8.0, constant_epochs=4, decay=2.0
    )
    rates = [learning_rate(config, 0.3, epoch) for epoch in range(7)]
    assert rates == [8.0, 8.0, 8.0, 8.0, 4.0, 2.0, 1.0]
