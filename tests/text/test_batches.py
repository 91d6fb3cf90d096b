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


def test_what_cannot_be_batched_is_named():
    with pytest.raises(InputError, match="at least 11 tokens; the text has 10"):
        ContiguousBatches(np.arange(10), batch_size=10, seq_len=3)
    with pytest.raises(InputError, match="at least 1, got 0 and 3"):
        ContiguousBatches(np.arange(10), batch_size=0, seq_len=3)
