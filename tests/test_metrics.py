import math

import pytest

from lmbook import metrics


def test_three_guesses_by_hand():
    nats = -(math.log(0.5) + math.log(0.25) + math.log(0.125)) / 3
    assert metrics.bits(nats) == pytest.approx(2)
    assert metrics.perplexity(nats) == pytest.approx(4)
    assert metrics.nats_per_char(nats, 3, 12) == pytest.approx(nats / 4)
    assert metrics.bits_per_char(nats, 3, 12) == pytest.approx(0.5)


def test_a_token_a_character_changes_no_bit():
    for nats in (0.1, 1.4873, 1 / 3, 7.7):
        assert metrics.nats_per_char(nats, 111_539, 111_539) == nats


def test_edges():
    assert metrics.perplexity(0) == 1
    assert metrics.perplexity(1e4) == math.inf
    for wrong in (-0.1, math.nan):
        with pytest.raises(ValueError, match="at least 0"):
            metrics.perplexity(wrong)
    with pytest.raises(ValueError, match="at least 1, got 3 and 0"):
        metrics.nats_per_char(1.0, 3, 0)
