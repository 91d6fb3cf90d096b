"""What is recorded and shown."""

import time

from lmbook.training import History
from lmbook.training.progress import Bar


def test_history_finds_its_best():
    history = History([{"valid_nats": v, "step": s} for s, v in enumerate("bac")])
    assert history.best == {"valid_nats": "a", "step": 1}
    assert history.last == {"valid_nats": "c", "step": 2}
    assert history.column("step") == [0, 1, 2]


def test_the_bar_shows_loss_perplexity_speed_and_time_left(capsys):
    with Bar(0.25, shown=True) as bar:
        time.sleep(0.15)
        bar.step(0.5, 2.0, 12345.6)
        bar.evaluated({"valid_nats": 3.0})
        time.sleep(0.15)
        bar.step(0.75, 4.0, 20000.0)
    shown = capsys.readouterr().err.split("\r")
    first = next(line for line in shown if "50%" in line)
    assert "loss=2.000, perplexity=7.4, tokens_per_s=12,346" in first
    second = next(line for line in shown if "75%" in line)
    # A running mean: 0.95 * 2 + 0.05 * 4.
    assert "loss=2.100, perplexity=8.2, tokens_per_s=20,000" in second
    assert "valid_perplexity=20.1" in second
    assert "<00:00" in second  # a quarter takes as long as the last did


def test_where_it_is_not_shown_nothing_is(capsys):
    with Bar(0.0, shown=False) as bar:
        bar.step(0.5, 2.0, 12345.6)
        bar.evaluated({"valid_nats": 3.0})
    assert capsys.readouterr().err == ""
