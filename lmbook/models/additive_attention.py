r"""Additive attention: a small network says how well a query and a place fit.

Bahdanau, Cho & Bengio, "Neural Machine Translation by Jointly Learning to Align and
Translate" (2014), section 3.1 and appendix A.1.2.  Taught in section 3.4.
"""

import torch
from torch import Tensor, nn


class AdditiveAttention(nn.Module):
    r"""A mean of the places of a source, weighted by what is asked for.

    With queries :math:`s_1 \dots s_T` (the decoder's states) and places
    :math:`h_1 \dots h_S`,

    .. math::
        e_{tj} &= v^\top \tanh(W s_t + U h_j + b)
            \quad\text{how well they fit (A.1.2)}\\
        \alpha_{tj} &= \frac{\exp e_{tj}}{\sum_{k} \exp e_{tk}}
            \quad\text{over real places: equation (6)}\\
        c_t &= \sum_j \alpha_{tj} h_j \quad\text{the contexts: equation (5)}

    All vectors have ``size`` entries.  :math:`U h_j + b` is the same for every query:
    :meth:`keys` computes it once for a source.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(size, size, bias=False)  # W
        self.key = nn.Linear(size, size)  # U, b
        self.score = nn.Linear(size, 1, bias=False)  # v

    def keys(self, memory: Tensor) -> Tensor:
        """:math:`U h_j + b` of every place: both (batch, S, size)."""
        return self.key(memory)

    def forward(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Contexts (batch, T, size) and weights (batch, T, S) of queries (batch, T,
        size).

        ``memory`` holds the places, (batch, S, size); ``mask``, bool (batch, S), says
        which of them are no padding: the others get a weight of exactly 0.
        """
        # e_tj = v · tanh(W s_t + U h_j + b): (batch, T, S, size), then (batch, T, S)
        fit = torch.tanh(self.query(query)[:, :, None] + keys[:, None])
        scores = self.score(fit)[..., 0]
        # α = softmax(e), padding left out
        weights = scores.masked_fill(~mask[:, None], -torch.inf).softmax(-1)
        # c_t = Σ_j α_tj h_j
        return weights.to(memory.dtype) @ memory, weights
