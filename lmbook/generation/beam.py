"""Beam search: the most probable continuation that a bounded search finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lmbook.errors import InputError
from lmbook.generation import decoding
from lmbook.generation.sampling import suppress, whole


@dataclass(frozen=True)
class Hypothesis:
    r"""A continuation y: its ids, :math:`\ln p(y)`, and that over
    :math:`|y|^{\alpha}`, by which hypotheses are compared."""

    ids: tuple[int, ...]
    log_prob: float
    score: float


def select_state(state: Any, rows: Tensor) -> Any:
    """The state of these rows of a batch, in this order, repetitions allowed.

    ``state`` is a tensor or a nested tuple of them, batch on axis 1 as in an LSTM's
    (1, batch, hidden_size).  A model with another layout has a method of this name.
    """
    if isinstance(state, Tensor):
        return state.index_select(1, rows)
    return tuple(select_state(part, rows) for part in state)


def beam_search(
    model: nn.Module,
    prompt: Sequence[int],
    length: int,
    beams: int = 4,
    length_penalty: float = 1.0,
    end: int | None = None,
    avoid: Sequence[int] = (),
) -> list[Hypothesis]:
    r"""The ``beams`` best continuations found of at most ``length`` tokens, best first.

    At every step each of the ``beams`` most probable beginnings is extended by every
    token, and the ``beams`` most probable of these are kept.  One that draws ``end``
    is complete, and so is one of full length.  Complete ones are ranked by

    .. math:: \frac{\ln p(y)}{|y|^{\alpha}}, \qquad \alpha = \text{length\_penalty,}

    as in ``transformers``: the larger :math:`\alpha`, the longer they may be (0: by
    probability alone, which favours short ones).  The search ends early once no
    beginning can overtake the complete ones.  With one beam it is greedy decoding.
    Raises what :func:`lmbook.generation.generate` raises.
    """
    length, beams = whole("length", length), whole("beams", beams)
    if length < 0 or beams < 1 or not 0 <= length_penalty < float("inf"):
        raise InputError(
            "beam search needs length at least 0, beams at least 1 and length_penalty "
            f"at least 0, got {length}, {beams} and {length_penalty}"
        )
    ids = decoding.check_prompt(prompt)
    if length == 0:
        return [Hypothesis((), 0.0, 0.0)]
    logits, state = decoding.read_prompt(model, [ids])
    select = getattr(model, "select_state", select_state)
    alive: list[tuple[int, ...]] = [()]
    log_probs = torch.zeros(1, dtype=torch.float64, device=logits.device)
    complete: list[Hypothesis] = []

    for step in range(1, length + 1):
        decoding.check_usable(logits)
        following = suppress(logits, avoid).double().log_softmax(-1)
        vocab_size = following.shape[1]
        total = (log_probs[:, None] + following).flatten()  # (beams · vocab_size,)
        # Twice as many: at most one in each beam ends, so enough of them go on.  But
        # one beam alone is over where its most probable token ends it.
        width = 2 * beams if beams > 1 else 1
        best = total.topk(min(width, len(total)))
        rows: list[int] = []
        tokens: list[int] = []
        kept: list[float] = []
        for log_prob, place in zip(*(x.tolist() for x in best), strict=True):
            row, token = divmod(place, vocab_size)
            if log_prob == -torch.inf:
                continue
            if token == end or step == length:
                found = (*alive[row], token)
                score = log_prob / step**length_penalty
                complete.append(Hypothesis(found, log_prob, score))
            elif len(rows) < beams:
                rows.append(row)
                tokens.append(token)
                kept.append(log_prob)
        complete = sorted(complete, key=lambda y: -y.score)[:beams]
        if not rows:
            break
        # Probabilities only fall: the best that the best beginning can still reach.
        bound = max(kept) / length**length_penalty
        if len(complete) == beams and complete[-1].score >= bound:
            break
        alive = [(*alive[row], token) for row, token in zip(rows, tokens, strict=True)]
        log_probs = torch.tensor(kept, dtype=torch.float64, device=logits.device)
        chosen = torch.tensor(rows, device=logits.device)
        new = torch.tensor(tokens, device=logits.device)[:, None]
        logits, state = decoding.next_logits(model, new, select(state, chosen))
    return complete
