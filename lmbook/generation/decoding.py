"""Token after token from any model that carries its state.

A model is called as ``model(ids, state) -> (logits, state)`` with ids (batch,
seq_len), logits (batch, seq_len, vocab_size) and a state of None at the beginning.
The state stands for all that was read, so a new token costs one token, however long
the text is.  A model with ``hidden(ids, state)``, what its layer ``output`` sees, and
the state, is asked for the logits of the last position alone.  Taught in section 6.1.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lmbook.errors import InputError
from lmbook.generation.sampling import Sampling, probabilities, whole

# Tokens of a prompt that are read at once: bounds the memory that its logits take.
PROMPT_CHUNK = 256
# Multiplications from which a step is shared among threads of the CPU.
WORTH_SHARING = 1 << 22

Prompts = Sequence[Sequence[int]]


class UnusableLogits(ArithmeticError):
    """The model's logits are no numbers to draw a token from."""


def generate(
    model: nn.Module,
    prompts: Prompts,
    length: int,
    sampling: Sampling | None = None,
    seed: int = 0,
    end: int | None = None,
) -> list[list[int]]:
    """``length`` new tokens for each prompt, fewer where ``end`` comes (and is last).

    Row i draws from ``seed + i``, independently of other rows and of PyTorch's and
    NumPy's global generators: alone, with that seed, it would get the same tokens
    (rounding apart).  Raises ``InputError`` for no or an empty prompt, an unknown id
    or a length or seed below 0, :class:`UnusableLogits` where the model fails.
    """
    found: list[list[int]] = [[] for _ in prompts]
    for step in stream(model, prompts, length, sampling, seed, end):
        for tokens, new in zip(found, step, strict=True):
            tokens += [] if new is None else [new]
    return found


def stream(
    model: nn.Module,
    prompts: Prompts,
    length: int,
    sampling: Sampling | None = None,
    seed: int = 0,
    end: int | None = None,
) -> Iterator[list[int | None]]:
    """The same, step by step: each row's new token, None where it has none.

    The prompts, which need not be equally long, are read side by side: a row whose
    prompt is over goes on with its own tokens while others are still reading.
    """
    length, seed = whole("length", length), whole("seed", seed)
    if length < 0 or seed < 0:
        raise InputError(f"length and seed must not be negative, got {length}, {seed}")
    rows = [check_prompt(prompt) for prompt in prompts]
    if not rows:
        raise InputError("no prompt given")
    return _steps(model, rows, length, sampling or Sampling(), seed, end)


def _steps(
    model: nn.Module,
    rows: list[list[int]],
    length: int,
    sampling: Sampling,
    seed: int,
    end: int | None,
) -> Iterator[list[int | None]]:
    randoms = [np.random.default_rng(seed + i) for i in range(len(rows))]
    left = [length] * len(rows)
    read = min(map(len, rows))
    if not length:
        return
    logits, state = read_prompt(model, [row[:read] for row in rows])
    if max(map(max, rows)) >= logits.shape[1]:
        raise _unknown_id(rows)
    seen = torch.zeros_like(logits, dtype=torch.bool)
    for row, prompt in zip(seen, rows, strict=True):
        row[prompt[:read]] = True
    while True:
        with _one_thread():
            check_usable(logits)
            probs = probabilities(logits, sampling, seen).cpu().numpy()
        following: list[int] = []
        new: list[int | None] = []
        for i, row in enumerate(rows):
            draws = read >= len(row) and left[i] > 0
            token = draw(probs[i], randoms[i].random()) if draws else None
            if token is not None:
                left[i] = 0 if token == end else left[i] - 1
            new.append(token)
            # A row that is finished reads its last token again; nobody looks.
            given = row[min(read, len(row) - 1)]
            following.append(given if token is None else token)
        yield new
        if not any(left):
            return
        read += 1
        ids = torch.tensor(following, device=logits.device)[:, None]
        seen.scatter_(1, ids, True)
        logits, state = next_logits(model, ids, state)


def draw(probs: np.ndarray, u: float) -> int:
    r"""The token of a uniform random number: the least i with
    :math:`p_0 + \dots + p_i > u`; never one of probability 0."""
    cumulative = probs.cumsum()
    place = int(cumulative.searchsorted(u * cumulative[-1], side="right"))
    return min(place, int(probs.nonzero()[0][-1]))


@torch.no_grad()
def next_logits(model: nn.Module, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
    """Logits (batch, vocab_size) after ids (batch, seq_len), and the state; the
    model computes as in evaluation (no dropout) and is left in its own mode."""
    was_training = model.training
    if was_training:
        model.eval()
    try:
        with _one_thread() if _is_little_work(model, ids) else nullcontext():
            return _last_logits(model, ids, state)
    finally:
        if was_training:
            model.train()


def _last_logits(model: Any, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
    """Of the last position alone: nobody asks for the logits of a prompt's others."""
    if hasattr(model, "hidden"):
        hidden, state = model.hidden(ids, state)
        return model.output(hidden[:, -1]), state
    logits, state = model(ids, state)
    return logits[:, -1].clone(), state


def _is_little_work(model: nn.Module, ids: Tensor) -> bool:
    """Whether these ids times the model's weights are too few products to share."""
    products = 0
    for weight in model.parameters():
        products += ids.numel() * weight.numel()
        if products >= WORTH_SHARING:
            return False
    return True


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: a token of a small model is so little work that sharing
    it among threads of the CPU takes longer than doing it on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def read_prompt(model: nn.Module, rows: Prompts) -> tuple[Tensor, Any]:
    """Logits and state after rows of equal length, read a chunk at a time."""
    ids = torch.tensor(rows, device=next(model.parameters()).device)
    logits, state = None, None
    try:
        for chunk in ids.split(PROMPT_CHUNK, dim=1):
            logits, state = next_logits(model, chunk, state)
    except IndexError:
        raise _unknown_id(rows) from None
    assert logits is not None
    return logits, state


def _unknown_id(rows: Prompts) -> InputError:
    highest = max(map(max, rows))
    return InputError(f"the model does not know the id {highest:,} of a prompt")


def check_prompt(prompt: Sequence[int]) -> list[int]:
    """A prompt's ids; ``InputError`` if it has none."""
    ids = [whole("an id of the prompt", i) for i in prompt]
    if not ids or min(ids) < 0:
        raise InputError(f"a prompt is at least one id, none negative; got {ids[:20]}")
    return ids


def check_usable(logits: Tensor) -> None:
    """``UnusableLogits`` if a row has NaN, positive infinity or nothing finite."""
    if not torch.isfinite(logits.logsumexp(-1)).all():
        raise UnusableLogits(
            "the model's logits hold NaN or infinity: its weights are unusable"
        )
