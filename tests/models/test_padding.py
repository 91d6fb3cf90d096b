"""Rows of unequal lengths in one tensor."""

import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.padding import Padded


def test_rows_lengths_and_mask():
    batch = Padded.of([[4, 5, 6, 7], [8], [9, 10]])
    assert batch.ids.tolist() == [[4, 5, 6, 7], [8, 0, 0, 0], [9, 10, 0, 0]]
    assert batch.lengths.tolist() == [4, 1, 2]
    assert batch.mask.long().tolist() == [[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]]


def test_backwards_with_the_padding_still_behind():
    ids = torch.tensor([[4, 5, 6, 7], [8, 1, 2, 3], [9, 10, 2, 3]])
    turned = Padded(ids, torch.tensor([4, 1, 2])).reversed()
    assert turned.ids.tolist() == [[7, 6, 5, 4], [8, 1, 2, 3], [10, 9, 2, 3]]
    assert turned.reversed().ids.equal(ids)


@pytest.mark.parametrize("rows", [[], [[]], [[1, 2], []]])
def test_nothing_is_no_row(rows):
    with pytest.raises(InputError, match="at least one token"):
        Padded.of(rows)
