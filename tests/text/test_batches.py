import numpy as np
import pytest

from lmbook.errors import InputError
from lmbook.text import ContiguousBatches


@pytest.mark.parametrize(
    ("length", "batch_size", "seq_len"), [(103, 4, 7), (100, 3, 5)]
)
def test_rows_read_on_and_targets_are_one_ahead(length, batch_size, seq_len):
    ids = np.arange(length)
    batches = ContiguousBatches(ids, batch_size, seq_len)
    inputs = np.concatenate([x for x, _ in batches], axis=1)
    targets = np.concatenate([y for _, y in batches], axis=1)
    assert len(list(batches)) == len(batches)
    assert (targets == inputs + 1).all()
    assert (np.diff(inputs, axis=1) == 1).all()  # each row is one stretch of text
    assert inputs.shape == (batch_size, (length - 1) // batch_size)
    assert length - 1 - inputs.size < batch_size  # all that can be used is used


def test_a_window_of_some_rows():
    batches = ContiguousBatches(np.arange(103), 4, 7)
    inputs, targets = batches.window(5, 9, slice(1, 3))
    whole = np.arange(100).reshape(4, 25)
    assert (inputs == whole[1:3, 5:9]).all()
    assert (targets == whole[1:3, 5:9] + 1).all()


def test_jittered_windows_are_awd_lstms():
    """Normal around 70 with a deviation of 5; around 35 once in twenty times."""
    batches = ContiguousBatches(np.arange(500_001), 1, 70)
    cuts = batches.jittered_cuts(np.random.default_rng(5))
    assert (cuts[0], cuts[-1]) == (0, 500_000)
    lengths = np.diff(cuts)[:-1]
    short = lengths < 53
    assert short.mean() == pytest.approx(0.05, abs=0.01)
    # int() cuts off half a token on average.
    assert lengths[~short].mean() == pytest.approx(69.5, abs=0.3)
    assert lengths[~short].std() == pytest.approx(5, abs=0.3)
    assert lengths[short].mean() == pytest.approx(34.5, abs=1)


def test_no_jittered_window_is_shorter_than_five_but_the_last():
    batches = ContiguousBatches(np.arange(1002), 1, 3)
    lengths = np.diff(batches.jittered_cuts(np.random.default_rng(5)))
    assert lengths[:-1].min() == 5
    assert lengths.sum() == 1001
    again = np.diff(batches.jittered_cuts(np.random.default_rng(5)))
    assert (lengths == again).all()


def test_what_cannot_be_batched_is_named():
    with pytest.raises(InputError, match="at least 11 tokens; the text has 10"):
        ContiguousBatches(np.arange(10), batch_size=10, seq_len=3)
    with pytest.raises(InputError, match="at least 1, got 0 and 3"):
        ContiguousBatches(np.arange(10), batch_size=0, seq_len=3)
