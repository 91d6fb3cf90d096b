"""The loss of a model on a text.  Taught in sections 5.2 and 5.3."""

import math
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lmbook.models.gpt import GPT
from lmbook.models.language_model import LanguageModel
from lmbook.models.lstm import LSTMLanguageModel, State
from lmbook.text import ContiguousBatches
from lmbook.training.devices import one_thread

# Windows are long, since no gradient is kept; rows are long, so that few are guessed
# wrong, and enough for the matrix products to be quick.
WINDOW, ROW, MOST_ROWS = 256, 2048, 64
MEMORY = 512  # tokens from which the memory at a row's end is guessed
MOST_TOKENS = 2**14  # that a Transformer reads at once


class Diverged(ArithmeticError):
    """The loss is no longer a finite number."""


@torch.no_grad()
def evaluate(model: LanguageModel, ids: NDArray[np.int64]) -> float:
    """Mean nats per token over ``ids``, read once from beginning to end.

    The state is carried through the whole text; the first token, which nothing
    precedes, is given, every other is predicted.  Raises ``Diverged`` where the
    mean is not a finite number.
    """
    was_training = model.training
    model.eval()
    nats = _in_windows(model, ids) if isinstance(model, GPT) else _in_rows(model, ids)
    model.train(was_training)
    if not math.isfinite(nats):
        raise Diverged(f"the loss on this text is {nats}: the weights are unusable")
    return nats / (len(ids) - 1)


def _in_windows(model: GPT, ids: NDArray[np.int64]) -> float:
    """Nats of all predictions of a model that sees so much of a text at a time.

    Read on token by token, it forgets the older half whenever its context is full.
    So the text falls into windows of the context's length, each of which begins with
    the newer half of the one before, where nothing is predicted anew.
    """
    length, known = model.context_length, model.context_length // 2
    step = length - known
    nats = _of_windows(model, ids[None, : known + 1])
    count = max(0, (len(ids) - 1 - length) // step + 1)  # of whole windows
    starts = step * np.arange(count)[:, None]
    rows = max(1, MOST_TOKENS // length)
    for first in range(0, count, rows):
        places = starts[first : first + rows] + np.arange(length + 1)
        nats += _of_windows(model, ids[places], known)
    rest = ids[step * count :]
    if len(rest) > known + 1:
        nats += _of_windows(model, rest[None], known)
    return nats


def _of_windows(model: GPT, windows: NDArray[np.int64], known: int = 0) -> float:
    """Nats of predictions in windows (rows, tokens), the first ``known`` left out."""
    device = next(model.parameters()).device
    tokens = torch.tensor(windows, device=device)
    hidden, _ = model.hidden(tokens[:, :-1])
    return model.score(hidden[:, known:], tokens[:, known + 1 :], "sum").item()


def _in_rows(model: LSTMLanguageModel, ids: NDArray[np.int64]) -> float:
    """Nats of all predictions of a model that remembers.

    One row after the other would be slow.  So the text is cut into rows that are
    read side by side, each from where the row before ends.  What a model remembers
    there is not known yet: it is guessed by reading the end of each row alone.  Then
    all rows are read, again and again until every row ends as the next one began.  As
    an LSTM forgets what is long past, once is mostly enough; n rows always agree
    after n times.
    """
    rows = min(max(1, (len(ids) - 1) // ROW), MOST_ROWS)
    batches = ContiguousBatches(ids, rows, WINDOW)
    begins: State | None = None
    if rows > 1:
        _, ends = _read(model, batches, None, since=max(0, batches.steps - MEMORY))
        begins = _shifted(ends)
    while True:
        nats, ends = _read(model, batches, begins)
        if begins is None or _agree(begins, _shifted(ends)):
            break
        begins = _shifted(ends)
    rest = ids[rows * batches.steps :]  # fewer tokens than rows
    if len(rest) > 1:
        last = tuple((h[:, -1:], c[:, -1:]) for h, c in ends)
        more, _ = _read(model, ContiguousBatches(rest, 1, WINDOW), last)
        nats += more
    return nats


def _read(
    model: LSTMLanguageModel,
    batches: ContiguousBatches,
    state: State | None,
    since: int = 0,
) -> tuple[float, State]:
    """Nats of all predictions from a column on, and the states at the end.

    A reading that does not begin at 0 is for the states: its nats are not counted.
    """
    device = next(model.parameters()).device
    total = 0.0
    for start in range(since, batches.steps, WINDOW):
        window = batches.window(start, min(start + WINDOW, batches.steps))
        ids, targets = (torch.from_numpy(part).to(device) for part in window)
        with one_thread() if len(ids) == 1 else nullcontext():
            hidden, state = model.hidden(ids, state)
        if since == 0:
            total += model.score(model.dropped(hidden), targets, "sum").item()
    assert state is not None
    return total, state


def _shifted(ends: State) -> State:
    """Each row's end as the beginning of the next; the first has no memory."""

    def shift(x: Tensor) -> Tensor:  # (1, rows, units)
        return torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], dim=1)

    return tuple((shift(h), shift(c)) for h, c in ends)


def _agree(one: State, other: State) -> bool:
    """Whether two states are the same to a hundredth (or both not numbers).

    A slow cell may still differ by so much; what comes of it fades as well.  On
    characters, cells off by 0.9 at the beginning of rows of 2,000 changed the mean by
    4e-8 nats.
    """
    pairs = zip(one, other, strict=True)
    return all(
        torch.allclose(a, b, rtol=1e-2, atol=1e-2, equal_nan=True)
        for before, after in pairs
        for a, b in zip(before, after, strict=True)
    )
