r"""From a model's logits to the distribution that the next token is drawn from.

Each function takes logits :math:`z` (..., vocab_size) and returns logits of the same
shape; what it rules out becomes :math:`-\infty`.  :func:`process` applies them in the
order of Hugging Face's ``transformers``: repetition penalty, tokens to avoid,
temperature, top-k, top-p, min-p; so each filter sees the distribution that the ones
before it have left, renormalised.  The most probable token passes every filter, hence
something is always left.  Taught in section 6.1.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmbook.errors import InputError


def whole(name: str, value: object) -> int:
    """A whole number as an int; ``InputError`` for anything else."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{name} must be a whole number, got {value!r}") from None


def _require(name: str, value: float, low: float, high: float) -> None:
    """``InputError`` unless value is a number in the range; infinity is none."""
    try:
        inside = low <= value <= high and value < float("inf")
    except TypeError:
        inside = False
    if not inside:
        limits = f"from {low} to {high}" if high < float("inf") else f"at least {low}"
        raise InputError(f"{name} must be a number {limits}, got {value!r}")


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen; an option that is None does nothing.

    ``temperature`` at least 0, where 0 takes the most probable token (:data:`GREEDY`);
    ``top_k`` at least 1; ``top_p`` and ``min_p`` from 0 to 1; ``repetition_penalty``
    above 0, where 1 does nothing; ``avoid``: ids that are never chosen.  Raises
    ``InputError`` for anything else.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    avoid: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _require("temperature", self.temperature, 0, float("inf"))
        _require("repetition_penalty", self.repetition_penalty, 0, float("inf"))
        if self.repetition_penalty == 0:
            raise InputError("repetition_penalty must be above 0, got 0")
        if self.top_k is not None and whole("top_k", self.top_k) < 1:
            raise InputError(f"top_k must be at least 1, got {self.top_k}")
        for name in ("top_p", "min_p"):
            if getattr(self, name) is not None:
                _require(name, getattr(self, name), 0, 1)
        ids = tuple(whole("avoid", i) for i in self.avoid)
        object.__setattr__(self, "avoid", ids)


GREEDY = Sampling(temperature=0.0)


def process(logits: Tensor, sampling: Sampling, seen: Tensor | None = None) -> Tensor:
    """The logits after everything that ``sampling`` asks for, in the module's order.

    ``seen`` (same shape, bool) says which tokens stand in the text so far, the prompt
    included; only the repetition penalty needs it.
    """
    if seen is not None and sampling.repetition_penalty != 1:
        logits = penalize_repetition(logits, seen, sampling.repetition_penalty)
    if sampling.avoid:
        logits = suppress(logits, sampling.avoid)
    logits = scale_temperature(logits, sampling.temperature)
    if sampling.top_k is not None:
        logits = keep_top_k(logits, sampling.top_k)
    if sampling.top_p is not None:
        logits = keep_top_p(logits, sampling.top_p)
    if sampling.min_p is not None:
        logits = keep_min_p(logits, sampling.min_p)
    return logits


def probabilities(
    logits: Tensor, sampling: Sampling | None = None, seen: Tensor | None = None
) -> Tensor:
    """What the next token is drawn from: softmax of the processed logits, float64."""
    return process(logits.double(), sampling or Sampling(), seen).softmax(-1)


def penalize_repetition(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    r"""Make tokens that were seen less probable (Keskar et al. 2019, section 4.1).

    .. math:: z'_i = z_i / \theta \text{ if } z_i > 0, \quad z_i\,\theta
        \text{ otherwise,} \qquad i \in \text{seen}

    The paper divides every logit by :math:`\theta`, which would make tokens with a
    negative one *more* probable; ``transformers`` multiplies those, and so does this.
    The paper's value is 1.2; below 1 repetition is rewarded.
    """
    penalized = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, penalized, logits)


def suppress(logits: Tensor, ids: Sequence[int]) -> Tensor:
    r"""Rule these tokens out: :math:`z'_i = -\infty` for i in ``ids``."""
    vocab_size = logits.shape[-1]
    wrong = [i for i in ids if not 0 <= i < vocab_size]
    if wrong:
        raise InputError(f"ids to avoid must be below {vocab_size:,}, got {wrong[0]}")
    if len(set(ids)) == vocab_size:
        raise InputError("avoid rules out every token of the vocabulary")
    ruled_out = torch.tensor(ids, dtype=torch.long, device=logits.device)
    return logits.index_fill(-1, ruled_out, -torch.inf)


def scale_temperature(logits: Tensor, temperature: float) -> Tensor:
    r"""Flatten (T > 1) or sharpen (T < 1): :math:`z'_i = (z_i - \max_j z_j) / T`.

    In the limit T = 0 only the largest logit is left; of several that are equally
    large, the one with the lowest id.
    """
    largest = logits.amax(-1, keepdim=True)
    if temperature == 0:
        first = (logits == largest).int().argmax(-1, keepdim=True)
        return torch.full_like(logits, -torch.inf).scatter(-1, first, 0.0)
    # The largest is taken off, which softmax does not see, so that a tiny T makes no
    # logit infinite.
    return (logits - largest) / temperature


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the k most probable tokens (Fan et al. 2018), and those that tie with the
    last of them; all, if k is larger than the vocabulary."""
    kth = logits.topk(min(k, logits.shape[-1])).values[..., -1:]
    return logits.masked_fill(logits < kth, -torch.inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    r"""Keep the nucleus: the smallest set of tokens with
    :math:`\sum_{i \in \text{set}} p_i \ge p` (Holtzman et al. 2020, eq. 2).

    These are the most probable ones; among equals lower ids go first.  p = 0 keeps
    one token, p = 1 all.
    """
    if p == 1:
        return logits
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    enough = ordered.softmax(-1).cumsum(-1) >= p  # from the set's last token on
    outside = enough.roll(1, -1)
    outside[..., 0] = False
    return logits.masked_fill(outside.scatter(-1, order, outside), -torch.inf)


def keep_min_p(logits: Tensor, p: float) -> Tensor:
    r"""Keep tokens with :math:`p_i \ge p \cdot \max_j p_j` (Nguyen et al. 2025).

    The surer the model is of its first choice, the fewer others are kept.
    """
    probs = logits.softmax(-1)
    return logits.masked_fill(probs < p * probs.amax(-1, keepdim=True), -torch.inf)
