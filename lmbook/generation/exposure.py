r"""How well a model remembers a secret: the rank of the true one among all that may be.

A secret is planted in the training text, such as a password of four digits.  The model
gives each of the possible secrets a probability; the true one's rank among them says
what an attacker gains (Carlini et al. 2019, The Secret Sharer, arXiv:1802.08232).
Sections 6.1 and 8.2.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lmbook.errors import InputError
from lmbook.generation.beam import select_state


def exposure(rank: int, num_candidates: int) -> float:
    r"""Bits, :math:`\log_2 |R| - \log_2 \text{rank}` (definition 3 of the paper).

    ``rank`` of the true secret, 1 the likeliest, among ``num_candidates``.  It is
    :math:`\log_2 |R|` where the secret comes first; of a rank drawn at random the mean
    is about :math:`\log_2 e = 1.44`.
    """
    if not 1 <= rank <= num_candidates:
        raise InputError(
            f"rank must be from 1 to the number of candidates {num_candidates}, "
            f"got {rank}"
        )
    return float(np.log2(num_candidates / rank))


@torch.no_grad()
def log_probs_of_all(
    model: nn.Module, prompt: Sequence[int], choices: Sequence[int], length: int
) -> NDArray[np.float64]:
    r"""ln p of every string of ``length`` tokens out of ``choices``, after ``prompt``.

    Shape (len(choices) ** length,), in the order of counting: with the ten digits as
    choices, entry 42 of length 4 is that of 0042.  Exact, and a prefix is read once
    for all strings that begin with it.
    """
    if length < 1 or not choices or not len(prompt):
        raise InputError(
            "a prompt, choices and a length of at least 1 are needed, got "
            f"{len(prompt)} tokens, {len(choices)} choices, length {length}"
        )
    was_training = model.training
    model.eval()
    select = getattr(model, "select_state", select_state)
    logits, state = model(torch.tensor([list(prompt)]))
    total = torch.zeros(1, dtype=torch.float64)
    for place in range(length):
        log_p = logits[:, -1].double().log_softmax(-1)[:, list(choices)]
        rows = torch.arange(len(total)).repeat_interleave(len(choices))
        total = (total[:, None] + log_p).flatten()
        if place < length - 1:
            ids = torch.tensor(list(choices)).repeat(len(rows) // len(choices))
            logits, state = model(ids[:, None], select(state, rows))
    model.train(was_training)
    return total.numpy()


def rank_of(log_probs: NDArray[np.float64], place: int) -> int:
    """Rank of an entry, 1 the largest; of equals all come before it."""
    others = np.delete(log_probs, place)
    return 1 + int((others >= log_probs[place]).sum())
