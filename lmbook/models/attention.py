r"""Attention: every position takes from those before it what it asks for.

Vaswani et al., "Attention Is All You Need" (2017), equation (1); with grouped heads,
Ainslie et al., "GQA" (2023).  Taught in section 3.6.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from lmbook.errors import InputError


def attention_weights(q: Tensor, k: Tensor, causal: bool = True) -> Tensor:
    r"""How much each query looks at each key: rows that are at least 0 and sum to 1.

    .. math:: A = \mathrm{softmax}\Bigl(\frac{Q K^\top}{\sqrt d} + M\Bigr), \qquad
        M_{ij} = \begin{cases} 0 & j \le i + S - T \\ -\infty & \text{else} \end{cases}

    ``q`` is (batch, num_heads, T, d), ``k`` (batch, num_kv_heads, S, d), the result
    (batch, num_heads, T, S).  The queries are those of the last T of S positions;
    with ``causal`` none of them sees what comes after it (without, M is 0).  Products
    of d numbers of variance 1 have variance d: hence :math:`\sqrt d`.  Consecutive
    query heads share a key head.  ``InputError`` unless num_kv_heads divides
    num_heads and, with ``causal``, T is at most S.
    """
    _require_fit(q, k, causal)
    k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)  # (batch, heads, S, d)
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # (batch, num_heads, T, S)
    if causal:
        scores = scores.masked_fill(~_visible(q, k), -torch.inf)
    return scores.softmax(-1)


def attention(q: Tensor, k: Tensor, v: Tensor, causal: bool = True) -> Tensor:
    r""":math:`A V`: the values, averaged with the weights of each query.

    ``v`` is (batch, num_kv_heads, S, d), the result (batch, num_heads, T, d); the
    rest is described at :func:`attention_weights`.
    """
    v = v.repeat_interleave(q.shape[1] // v.shape[1], dim=1)
    return attention_weights(q, k, causal) @ v


def fused_attention(q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
    """The causal :func:`attention` in one operation of PyTorch, which need not hold
    all weights at a time.  ``dropout`` is the share of them that is left out."""
    _require_fit(q, k, causal=True)
    seq_len, key_len = q.shape[2], k.shape[2]
    mask = None
    if 1 < seq_len < key_len:  # is_causal would align the first query with key 0
        mask = _visible(q, k)
    return scaled_dot_product_attention(
        q,
        k,
        v,
        attn_mask=mask,
        dropout_p=dropout,
        is_causal=seq_len == key_len > 1,
        enable_gqa=q.shape[1] != k.shape[1],
    )


def _visible(q: Tensor, k: Tensor) -> Tensor:
    """Which key each query may look at: bool (T, S), lower triangular at the right."""
    seq_len, key_len = q.shape[2], k.shape[2]
    ones = torch.ones(seq_len, key_len, dtype=torch.bool, device=q.device)
    return ones.tril(key_len - seq_len)


def _require_fit(q: Tensor, k: Tensor, causal: bool) -> None:
    if q.shape[1] % k.shape[1]:
        raise InputError(
            f"num_kv_heads must divide num_heads, got {k.shape[1]} and {q.shape[1]}"
        )
    if causal and q.shape[2] > k.shape[2]:
        raise InputError(
            f"{q.shape[2]} queries are more than {k.shape[2]} keys: the first would "
            "see nothing"
        )
