r"""Sequence to sequence without recurrence: the Transformer as it was published.

Vaswani et al., "Attention Is All You Need" (2017), section 3.1.  The encoder's blocks
let every place look at all places; the decoder's let a token look at those before it,
and then at the source:

.. math::
    x &\leftarrow x + \mathrm{SelfAttention}(\mathrm{Norm}(x))\\
    x &\leftarrow x + \mathrm{CrossAttention}(\mathrm{Norm}(x),\; \text{memory})
        \quad\text{in the decoder}\\
    x &\leftarrow x + \mathrm{FeedForward}(\mathrm{Norm}(x))

Two choices are later than the paper and the same as in :mod:`lmbook.models.gpt`: the
norms stand before each part, and once more at the end (Xiong et al. 2020), and
positions are rotary, for which no length is too long.  Taught in section 3.6.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, scaled_dot_product_attention

from lmbook.errors import InputError
from lmbook.models.encoder_decoder import Encoded, SequenceDecoder, SequenceEncoder
from lmbook.models.gpt import FeedForward, SelfAttention
from lmbook.models.gpt_config import GPTConfig
from lmbook.models.kv_cache import KVCache
from lmbook.models.padding import Padded
from lmbook.models.rotary import Rotation, frequencies, rotation

# Keys and values of a source, both (batch, num_heads, S, head_dim).
Source = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class TransformerState:
    """What a decoder has written, and the source: both as keys and values."""

    caches: tuple[KVCache | None, ...]  # of each layer; None where nothing is written
    sources: tuple[Source, ...]  # of each layer
    mask: Tensor  # (batch, S)

    @property
    def length(self) -> int:
        """How many tokens are written."""
        first = self.caches[0]
        return 0 if first is None else first.length


class CrossAttention(nn.Module):
    """Queries of the target, keys and values of the source."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        size = config.hidden_size
        self.query = nn.Linear(size, size, config.bias)
        self.key_value = nn.Linear(size, 2 * size, config.bias)
        self.output = nn.Linear(size, size, config.bias)

    def source(self, memory: Tensor) -> Source:
        """Keys and values of the places (batch, S, size): once for a source."""
        keys, values = self.key_value(memory).chunk(2, dim=-1)
        return self._heads(keys), self._heads(values)

    def weights(self, x: Tensor, source: Source, mask: Tensor) -> Tensor:
        """How much each position looks at each place: (batch, num_heads, T, S)."""
        q, k = self._heads(self.query(x)), source[0]
        scores = q @ k.mT / math.sqrt(self.config.head_dim)
        return scores.masked_fill(~mask[:, None, None], -torch.inf).softmax(-1)

    def forward(self, x: Tensor, source: Source, mask: Tensor) -> Tensor:
        """What is to be added to x (batch, T, size)."""
        q, (k, v) = self._heads(self.query(x)), source
        p = self.config.dropout if self.training else 0.0
        return self.output(_mixed(q, k, v, mask, p))

    def _heads(self, x: Tensor) -> Tensor:
        """(batch, seq_len, size) as (batch, num_heads, seq_len, head_dim)."""
        return x.unflatten(-1, (-1, self.config.head_dim)).transpose(1, 2)


class EncoderBlock(nn.Module):
    """One layer of the encoder: every place looks at all that are no padding."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.attention_norm = nn.LayerNorm(config.hidden_size, config.norm_eps)
        self.attention = SelfAttention(config)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size, config.norm_eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, turn: Rotation | None, mask: Tensor) -> Tensor:
        p = self.dropout if self.training else 0.0
        q, k, v = self.attention.project(self.attention_norm(x), turn)
        x = x + dropout(self.attention.output(_mixed(q, k, v, mask, p)), p)
        return x + dropout(self.feed_forward(self.feed_forward_norm(x)), p)


class DecoderBlock(nn.Module):
    """One layer of the decoder: it looks at what is written, then at the source."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.attention_norm = nn.LayerNorm(config.hidden_size, config.norm_eps)
        self.attention = SelfAttention(config)
        self.cross_norm = nn.LayerNorm(config.hidden_size, config.norm_eps)
        self.cross = CrossAttention(config)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size, config.norm_eps)
        self.feed_forward = FeedForward(config)

    def forward(
        self,
        x: Tensor,
        turn: Rotation | None,
        cache: KVCache | None,
        source: Source,
        mask: Tensor,
    ) -> tuple[Tensor, KVCache, Tensor]:
        """x after this layer, the cache, and what asked the source."""
        p = self.dropout if self.training else 0.0
        found, cache = self.attention(self.attention_norm(x), turn, cache)
        x = x + dropout(found, p)
        asked = self.cross_norm(x)
        x = x + dropout(self.cross(asked, source, mask), p)
        x = x + dropout(self.feed_forward(self.feed_forward_norm(x)), p)
        return x, cache, asked


class _Stack(nn.Module):
    """What an encoder and a decoder share: blocks one after another, and a norm."""

    block: type[EncoderBlock] | type[DecoderBlock]

    def __init__(
        self,
        vocab_size: int,
        size: int = 128,
        num_layers: int = 2,
        num_heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(vocab_size, size)  # of a SequenceEncoder or SequenceDecoder
        self.config = GPTConfig(
            vocab_size,
            hidden_size=size,
            num_layers=num_layers,
            num_heads=num_heads,
            position="rotary",
            dropout=dropout,
        )
        self.blocks = nn.ModuleList(self.block(self.config) for _ in range(num_layers))
        self.norm = nn.LayerNorm(size, self.config.norm_eps)
        _initialize(self)


class TransformerEncoder(_Stack, SequenceEncoder):
    """Reads a source with ``num_layers`` blocks of ``num_heads`` heads."""

    block = EncoderBlock

    def forward(self, source: Padded) -> Encoded:
        x = self.embedding(source.ids)  # (batch, seq_len, size)
        x = dropout(x, self.config.dropout, self.training)
        turn = _turn(self.config, 0, x)
        for block in self.blocks:
            x = block(x, turn, source.mask)
        return Encoded(self.norm(x), source.mask)


class TransformerDecoder(_Stack, SequenceDecoder):
    """Writes a target with ``num_layers`` blocks of ``num_heads`` heads.

    What is written is kept as keys and values, so a token costs one token.
    """

    block = DecoderBlock

    def __init__(
        self,
        vocab_size: int,
        size: int = 128,
        num_layers: int = 2,
        num_heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(vocab_size, size, num_layers, num_heads, dropout)
        self.output = nn.Linear(size, vocab_size)
        _initialize(self.output)

    def start(self, encoded: Encoded) -> TransformerState:
        size = encoded.memory.shape[-1]
        if size != self.embedding.embedding_dim:
            raise InputError(
                f"the decoder needs vectors of size {self.embedding.embedding_dim} "
                f"from the encoder, got {size}"
            )
        sources = tuple(cross.source(encoded.memory) for cross in self._crosses)
        return TransformerState((None,) * len(self.blocks), sources, encoded.mask)

    def hidden(
        self, ids: Tensor, state: TransformerState
    ) -> tuple[Tensor, TransformerState]:
        hidden, state, _ = self._read(ids, state)
        return hidden, state

    def attention_weights(self, ids: Tensor, encoded: Encoded) -> Tensor:
        state = self.start(encoded)
        _, _, asked = self._read(ids, state)
        layers = [
            cross.weights(x, source, encoded.mask)
            for cross, x, source in zip(
                self._crosses, asked, state.sources, strict=True
            )
        ]
        return torch.stack(layers, dim=1)

    def select_state(self, state: TransformerState, rows: Tensor) -> TransformerState:
        caches = tuple(c if c is None else c.select(rows) for c in state.caches)
        sources = tuple(
            (k.index_select(0, rows), v.index_select(0, rows)) for k, v in state.sources
        )
        return TransformerState(caches, sources, state.mask.index_select(0, rows))

    @property
    def _crosses(self) -> list[CrossAttention]:
        """The layers' attention to the source, in order."""
        return [m for m in self.modules() if isinstance(m, CrossAttention)]

    def _read(
        self, ids: Tensor, state: TransformerState
    ) -> tuple[Tensor, TransformerState, list[Tensor]]:
        """Hidden vectors, the state, and what asked the source in each layer."""
        x = self.embedding(ids)  # (batch, seq_len, size)
        x = dropout(x, self.config.dropout, self.training)
        turn = _turn(self.config, state.length, x)
        caches, queries = [], []
        parts = zip(self.blocks, state.caches, state.sources, strict=True)
        for block, cache, source in parts:
            x, cache, asked = block(x, turn, cache, source, state.mask)
            caches.append(cache)
            queries.append(asked)
        after = TransformerState(tuple(caches), state.sources, state.mask)
        return self.norm(x), after, queries


def _mixed(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, p: float) -> Tensor:
    """The values of the places that are no padding, averaged: (batch, T, size)."""
    mixed = scaled_dot_product_attention(
        q, k, v, attn_mask=mask[:, None, None], dropout_p=p
    )
    return mixed.transpose(1, 2).flatten(2)


def _turn(config: GPTConfig, start: int, x: Tensor) -> Rotation:
    turns = frequencies(config.head_dim, config.rotary_theta, None, x.device)
    return rotation(turns, start, x.shape[1])


def _initialize(model: nn.Module) -> None:
    """Matrices after Glorot & Bengio (2010), as ``nn.Transformer`` has them."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
