import numpy as np
import pytest

from lmbook.calibration import reliability
from lmbook.errors import InputError


def test_by_hand():
    found = reliability([0.95, 0.85, 0.82, 1.0, 0.15], [1, 1, 0, 1, 0], bins=10)
    assert found.counts.tolist() == [1, 2, 2]
    assert found.confidence == pytest.approx([0.15, 0.835, 0.975])
    assert found.accuracy == pytest.approx([0, 0.5, 1])
    by_hand = (0.15 + 2 * 0.335 + 2 * 0.025) / 5
    assert found.error == pytest.approx(by_hand)


def test_honest_and_boastful():
    rng = np.random.default_rng(0)
    true = rng.random(50_000)
    right = rng.random(50_000) < true
    assert reliability(true, right).error < 0.01
    assert reliability(true**0.5, right).error == pytest.approx(1 / 6, abs=0.01)


def test_always_the_base_rate_is_calibrated_and_useless():
    right = np.arange(100) < 30
    assert reliability(np.full(100, 0.3), right).error == pytest.approx(0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5], [1, 0]), r"of one length, at least 1: got shapes \(1,\) and \(2,\)"),
        (([], []), "at least 1"),
        (([1.5], [1]), "confidence must be from 0 to 1"),
        (([np.nan], [1]), "confidence must be from 0 to 1"),
        (([0.5], [0.5]), "true and false only"),
        (([0.5], [1], 0), "bins must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_sorted(arguments, message):
    with pytest.raises(InputError, match=message):
        reliability(*arguments)
