"""Texts from a model measured: diversity, repetition, copying, how probable they are.

A text is a sequence of token ids; where several are given they count together.
Taught in section 6.1.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lmbook.errors import InputError
from lmbook.generation.decoding import next_logits, read_prompt
from lmbook.text.overlap import match_lengths

Texts = Sequence[Sequence[int]]


def distinct(texts: Texts, n: int) -> float:
    r"""Distinct-n (Li et al. 2016): different n-grams of all texts over all n-grams,

    .. math:: \frac{|\{\text{n-grams}\}|}{\#\,\text{n-grams}},

    from above 0 to 1.  It falls as more text is measured: compare equal amounts.
    ``InputError`` if no text has n tokens.
    """
    grams = list(chain.from_iterable(_ngrams(text, n) for text in texts))
    if not grams:
        raise InputError(f"no text has {n} tokens")
    return len(set(grams)) / len(grams)


def repetition(texts: Texts, n: int) -> float:
    r"""Seq-rep-n (Welleck et al. 2020): the share of a text's n-grams that are repeats,

    .. math:: 1 - \frac{|\{\text{n-grams}\}|}{\#\,\text{n-grams}},

    each text by itself, averaged over those that have n tokens.  0: none; near 1: the
    text goes round in a circle.
    """
    shares = [1 - distinct([text], n) for text in texts if len(text) >= n]
    if not shares:
        raise InputError(f"no text has {n} tokens")
    return float(np.mean(shares))


def copied(train: Sequence[int], texts: Texts, n: int) -> float:
    """The share of the texts' n-grams that stand in the training text.

    ``InputError`` if no text has n tokens.
    """
    seen = []
    for text in texts:
        if len(text) >= n:
            seen.append(match_lengths(train, text)[: len(text) - n + 1] >= n)
    if not seen:
        raise InputError(f"no text has {n} tokens")
    return float(np.concatenate(seen).mean())


@torch.no_grad()
def surprise(model: nn.Module, prompts: Texts, texts: Texts) -> float:
    r"""Mean nats per token of the texts as continuations of their prompts.

    .. math:: -\frac{\sum_i \ln p(\text{text}_i \mid \text{prompt}_i)}
        {\sum_i |\text{text}_i|}

    Greedy text is near 0: it surprises the model less than what people write
    (Holtzman et al. 2020, section 4).  An empty text counts nothing; ``InputError``
    if all are.
    """
    total, count = 0.0, 0
    for prompt, text in zip(prompts, texts, strict=True):
        if len(text) == 0:
            continue
        logits, state = read_prompt(model, [list(prompt)])
        ids = torch.tensor(text, device=logits.device)
        for token in ids:
            total += cross_entropy(logits, token[None]).item()
            logits, state = next_logits(model, token[None, None], state)
        count += len(text)
    if not count:
        raise InputError("no text has a token")
    return total / count


def _ngrams(text: Sequence[int], n: int) -> Iterable[tuple[int, ...]]:
    if n < 1:
        raise InputError(f"n must be at least 1, got {n}")
    return zip(*(text[i:] for i in range(n)), strict=False)
