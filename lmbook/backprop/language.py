r"""Two small language models on our own tensors.  Taught in section 3.2.

Both give logits for the next word and are trained with ``cross_entropy``; they differ
in how they read the words before it.
"""

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from lmbook.backprop.functions import embedding, layer_norm, softmax
from lmbook.backprop.layers import MLP, Layer, Module, Seed, normal
from lmbook.backprop.tensor import Tensor


class NeuralLanguageModel(Module):
    r"""The neural probabilistic language model of Bengio et al. (2003), equation (1).

    :math:`z = b + U \tanh(d + H x)` with :math:`x = (C_{w_{t-n}}, \dots, C_{w_{t-1}})`,
    the vectors of the n words before, one after the other.  Words that are used alike
    get vectors that are alike, so what was learnt about one holds for the others.
    The paper's optional direct connections from x to z are left out, as in its
    better-generalising variant.

    ``model(ids)``: ids (batch, context_size) give logits (batch, vocab_size).
    """

    def __init__(
        self,
        vocab_size: int,
        context_size: int = 4,
        embedding_size: int = 60,
        hidden_size: int = 100,
        *,
        seed: Seed = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.context_size = context_size
        self.embedding = normal((vocab_size, embedding_size), 0.1, rng, dtype)
        joined = context_size * embedding_size
        self.hidden = Layer(joined, hidden_size, "tanh", seed=rng, dtype=dtype)
        self.output = Layer(hidden_size, vocab_size, "identity", seed=rng, dtype=dtype)

    def __call__(self, ids: ArrayLike) -> Tensor:
        ids = np.asarray(ids)
        if ids.ndim != 2 or ids.shape[1] != self.context_size:
            raise ValueError(
                f"this model reads ids of shape (batch, {self.context_size}), "
                f"got {ids.shape}"
            )
        x = embedding(self.embedding, ids)  # (batch, context_size, embedding_size)
        x = x.reshape(len(ids), -1)  # (batch, context_size * embedding_size)
        return self.output(self.hidden(x))  # (batch, vocab_size)


class LayerNorm(Module):
    """Layer normalisation with a weight and a bias for each feature."""

    def __init__(self, size: int, dtype: DTypeLike = np.float32) -> None:
        self.weight = Tensor(np.ones(size, dtype), requires_grad=True)
        self.bias = Tensor(np.zeros(size, dtype), requires_grad=True)

    def __call__(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.weight, self.bias)


class CausalAttention(Module):
    r"""Multi-head self-attention in which no position sees a later one.

    For each head :math:`\operatorname{softmax}(QK^\top / \sqrt{d} + M)\,V`, where M is
    0 on and below the diagonal and minus infinity above it (Vaswani et al. 2017,
    equation (1)); the heads' results are joined and mixed by a last matrix.

    ``attention(x)``: (batch, seq_len, width) to the same shape.
    """

    def __init__(
        self,
        width: int,
        num_heads: int = 1,
        *,
        seed: Seed = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        if width % num_heads:
            raise ValueError(
                f"num_heads must divide the width; got width {width} and "
                f"{num_heads} heads"
            )
        rng = np.random.default_rng(seed)
        self.num_heads = num_heads
        self.query, self.key, self.value, self.output = (
            Layer(width, width, "identity", seed=rng, dtype=dtype) for _ in range(4)
        )

    def weights(self, x: Tensor) -> Tensor:
        """How much each position takes from each: (batch, heads, seq_len, seq_len)."""
        seq_len = x.shape[1]
        q, k = self._split(self.query(x)), self._split(self.key(x))
        scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
        later = np.triu(np.full((seq_len, seq_len), -np.inf, x.dtype), 1)
        return softmax(scores + later)

    def __call__(self, x: Tensor) -> Tensor:
        heads = self.weights(x) @ self._split(self.value(x))
        return self.output(heads.swapaxes(1, 2).reshape(*x.shape))

    def _split(self, x: Tensor) -> Tensor:
        """(batch, seq_len, width) to (batch, heads, seq_len, width / heads)."""
        batch, seq_len, _ = x.shape
        return x.reshape(batch, seq_len, self.num_heads, -1).swapaxes(1, 2)


class AttentionLanguageModel(Module):
    r"""A decoder with one Transformer block.

    Each position begins as word vector plus position vector.  The block adds to it
    what attention gathers from the positions before, then what a two-layer network
    makes of that; both read it normalised (pre-norm).  The word vectors are used once
    more as output weights.  Every position predicts its next word, so one window of
    text teaches ``seq_len`` times.

    ``model(ids)``: ids (batch, seq_len up to context_size) give logits
    (batch, seq_len, vocab_size).
    """

    def __init__(
        self,
        vocab_size: int,
        context_size: int = 16,
        width: int = 64,
        num_heads: int = 4,
        *,
        seed: Seed = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.embedding = normal((vocab_size, width), 0.1, rng, dtype)
        self.positions = normal((context_size, width), 0.1, rng, dtype)
        self.attention = CausalAttention(width, num_heads, seed=rng, dtype=dtype)
        self.mlp = MLP([width, 4 * width, width], "gelu", seed=rng, dtype=dtype)
        self.norms = [LayerNorm(width, dtype) for _ in range(3)]
        self.bias = Tensor(np.zeros(vocab_size, dtype), requires_grad=True)

    def __call__(self, ids: ArrayLike) -> Tensor:
        ids = np.asarray(ids)
        context_size = len(self.positions)
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= context_size:
            raise ValueError(
                f"this model reads ids of shape (batch, 1 to {context_size}), "
                f"got {ids.shape}"
            )
        x = embedding(self.embedding, ids) + self.positions[: ids.shape[1]]
        x = x + self.attention(self.norms[0](x))
        x = x + self.mlp(self.norms[1](x))
        return self.norms[2](x) @ self.embedding.T + self.bias
