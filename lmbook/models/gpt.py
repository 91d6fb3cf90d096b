r"""A decoder-only Transformer: GPT-2, Llama and Qwen3 are choices of one model.

Every token becomes a vector, and L blocks add to it what they find:

.. math::
    x &\leftarrow x + \mathrm{Attention}(\mathrm{Norm}(x))
        \quad\text{what the tokens before say}\\
    x &\leftarrow x + \mathrm{FeedForward}(\mathrm{Norm}(x))
        \quad\text{what follows from it}

then a last norm, and the product with each token's vector: its logit.  The norms stand
where Radford et al., "Language Models are Unsupervised Multitask Learners" (2019,
section 2.3), put them: before each part, and at the end.  Taught in section 3.6.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu, silu

from lmbook.errors import InputError
from lmbook.models import hf_configs, hf_folder, hf_layouts
from lmbook.models.attention import fused_attention
from lmbook.models.gpt_config import GPTConfig
from lmbook.models.kv_cache import KVCache
from lmbook.models.linear import Linear
from lmbook.models.losses import linear_cross_entropy
from lmbook.models.rotary import Rotation, frequencies, rotate, rotation

__all__ = ["GPT", "Block", "FeedForward", "GPTConfig", "Reading", "SelfAttention"]


@dataclass(frozen=True)
class Reading:
    """What a model has read: the ids (batch, seq_len), and each layer's cache."""

    ids: Tensor
    caches: tuple[KVCache, ...]


# What a model carries from call to call; () where nothing was read.
State = Reading | tuple[()]


class SelfAttention(nn.Module):
    """Queries, keys and values of every position, attention, and a mix of its heads."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        hidden, sizes = config.hidden_size, config.qkv_sizes
        self.qkv = Linear(hidden, sum(sizes), config.bias)
        self.output = Linear(sizes[0], hidden, config.bias)
        if config.qk_norm:
            self.q_norm = _norm(config, config.head_dim)
            self.k_norm = _norm(config, config.head_dim)

    def forward(
        self, x: Tensor, turn: Rotation | None, cache: KVCache | None
    ) -> tuple[Tensor, KVCache]:
        """What is to be added to x (batch, seq_len, hidden_size), and the cache with
        these positions in it."""
        q, k, v = self.project(x, turn)
        cache = KVCache.of(k, v) if cache is None else cache.append(k, v)
        p = self.config.dropout if self.training else 0.0
        mixed = fused_attention(q, cache.keys, cache.values, p)
        mixed = mixed.transpose(1, 2).flatten(2)  # (batch, seq_len, heads · head_dim)
        return self.output(mixed), cache

    def project(
        self, x: Tensor, turn: Rotation | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (batch, num_heads, seq_len, head_dim), and keys and values, both
        (batch, num_kv_heads, seq_len, head_dim)."""
        parts = self.qkv(x).split(self.config.qkv_sizes, dim=-1)
        heads = (part.unflatten(-1, (-1, self.config.head_dim)) for part in parts)
        q, k, v = (part.transpose(1, 2) for part in heads)
        if self.config.qk_norm:  # under autocast as well in the weights' precision
            exact = self.qkv.weight.dtype
            q = self.q_norm(q.to(exact)).to(v.dtype)
            k = self.k_norm(k.to(exact)).to(v.dtype)
        if turn is not None:
            q, k = rotate(q, turn), rotate(k, turn)
        return q, k, v


class FeedForward(nn.Module):
    r"""Two layers for each position by itself, or three.

    "gelu": :math:`W_2\,\mathrm{gelu}(W_1 x)`; "swiglu", where one half opens the
    other: :math:`W_2\,(\mathrm{silu}(W_g x) \odot W_1 x)`.  :math:`W_1` is ``up``,
    :math:`W_2` ``down``, :math:`W_g` ``gate``; biases left out here.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        hidden, inner = config.hidden_size, config.feed_forward_size
        self.is_gated = config.feed_forward == "swiglu"
        if self.is_gated:
            self.gate = Linear(hidden, inner, config.bias)
        self.up = Linear(hidden, inner, config.bias)
        self.down = Linear(inner, hidden, config.bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.is_gated:
            return self.down(silu(self.gate(x)) * self.up(x))
        return self.down(gelu(self.up(x), approximate="tanh"))


class Block(nn.Module):
    """One layer: attention and feed-forward, each adding to the residual stream."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.attention_norm = _norm(config, config.hidden_size)
        self.attention = SelfAttention(config)
        self.feed_forward_norm = _norm(config, config.hidden_size)
        self.feed_forward = FeedForward(config)

    def forward(
        self, x: Tensor, turn: Rotation | None, cache: KVCache | None
    ) -> tuple[Tensor, KVCache]:
        found, cache = self.attention(self.attention_norm(x), turn, cache)
        x = x + dropout(found, self.dropout, self.training)
        found = self.feed_forward(self.feed_forward_norm(x))
        return x + dropout(found, self.dropout, self.training), cache


class GPT(nn.Module):
    """A decoder-only Transformer.

    ``model(ids, state)`` takes token numbers (batch, seq_len) and gives logits (batch,
    seq_len, vocab_size) and the state after the last token, to be handed to the next
    call; None where a text begins.  A state is a value: several texts may go on from
    one.  A token that follows a state costs one token, however long the text is.

    A text may be longer than the context.  Whenever that is full, its older half is
    forgotten, and the newer half is read anew from position 0: every token sees the
    last context_length / 2 to context_length ones, wherever a text is cut into calls.

    In training each call stands alone, takes at most context_length tokens, and the
    state that comes back is empty.  There is no padding: rows are equally long.

    Weights begin normal with standard deviation ``init_std``; those whose result is
    added to the residual stream, 2 a layer, divided by :math:`\\sqrt{2L}` (Radford et
    al. 2019, section 2.3); biases 0.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        if config.position == "learned":
            self.positions = nn.Embedding(config.context_length, config.hidden_size)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm = _norm(config, config.hidden_size)
        self.output = Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tied:
            self.output.weight = self.embedding.weight
        self._initialize()

    def _initialize(self) -> None:
        std, added = self.config.init_std, (2 * self.config.num_layers) ** -0.5
        for name, parameter in self.named_parameters():
            if name.endswith(("attention.output.weight", "down.weight")):
                nn.init.normal_(parameter, std=std * added)
            elif parameter.ndim > 1:
                nn.init.normal_(parameter, std=std)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    @property
    def context_length(self) -> int:
        """The most tokens that are seen at a time."""
        return self.config.context_length

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        hidden, state = self.hidden(ids, state)  # (batch, seq_len, hidden_size)
        return self.output(hidden), state

    def hidden(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """What the output layer sees: (batch, seq_len, hidden_size), and the state."""
        if ids.ndim != 2 or not ids.shape[1]:
            raise InputError(
                f"ids must be (batch, seq_len) with a token in each row, got shape "
                f"{tuple(ids.shape)}"
            )
        if self.training:
            if ids.shape[1] > self.context_length:
                raise InputError(
                    f"in training at most context_length tokens, {self.context_length}"
                    f", are read at once, got {ids.shape[1]}"
                )
            return self._read(ids, ())[0], ()
        parts = []
        while ids.shape[1]:
            state = self._with_room(state or ())
            new = ids[:, : self.context_length - _length(state)]
            x, state = self._read(new, state)
            parts.append(x)
            ids = ids[:, new.shape[1] :]
        assert state is not None
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1), state

    def _with_room(self, state: State) -> State:
        """The same, or, where the context is full, its newer half alone."""
        if not state or _length(state) < self.context_length:
            return state
        newer = state.ids[:, -(self.context_length // 2) :]
        return self._read(newer, ())[1]

    def _read(self, ids: Tensor, state: State) -> tuple[Tensor, Reading]:
        """Read on, within the context."""
        start, seq_len = _length(state), ids.shape[1]
        x = self.embedding(ids)  # (batch, seq_len, hidden_size)
        if self.config.position == "learned":
            x = x + self.positions.weight[start : start + seq_len]
        x = dropout(x, self.config.dropout, self.training)
        turn = self._turn(start, seq_len, x.device)
        before = state.caches if state else [None] * len(self.blocks)
        after = []
        for block, cache in zip(self.blocks, before, strict=True):
            x, cache = block(x, turn, cache)
            after.append(cache)
        read = torch.cat([state.ids, ids], dim=1) if state else ids
        return self.norm(x), Reading(read, tuple(after))

    def _turn(self, start: int, seq_len: int, device: torch.device) -> Rotation | None:
        """How queries and keys are turned; None where positions are learned."""
        config = self.config
        if config.position != "rotary":
            return None
        theta, scaling = config.rotary_theta, config.rotary_scaling
        turns = frequencies(config.head_dim, theta, scaling, device)
        return rotation(turns, start, seq_len)

    def select_state(self, state: State, rows: Tensor) -> State:
        """The state of these rows of the batch, in this order, repetitions allowed."""
        if not state:
            return state
        caches = tuple(cache.select(rows) for cache in state.caches)
        return Reading(state.ids.index_select(0, rows), caches)

    def dropped(self, hidden: Tensor) -> Tensor:
        """``hidden`` as the output layer sees it: the same."""
        return hidden

    def loss(
        self,
        ids: Tensor,
        targets: Tensor,
        state: State | None = None,
        reduction: str = "mean",
    ) -> tuple[Tensor, State]:
        """Cross-entropy in nats, "mean" or "sum" over all positions, and the state.

        ``ids`` and ``targets`` are (batch, seq_len).  The logits of only some
        positions are held at a time.
        """
        hidden, state = self.hidden(ids, state)
        return self.score(hidden, targets, reduction), state

    def score(self, hidden: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
        """Cross-entropy of (batch, seq_len) targets, given what the output layer sees.

        ``loss`` in a second step, for those who need :meth:`hidden` in between.
        """
        weight = self.output.weight
        no_bias = weight.new_zeros(len(weight))
        return linear_cross_entropy(
            hidden.flatten(0, 1), weight, no_bias, targets.flatten(), reduction
        )

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, dtype: torch.dtype = torch.float32
    ) -> Self:
        """The model of a folder in the Hugging Face layout: GPT-2, Llama or Qwen3.

        It holds config.json and model.safetensors, or the latter in parts with an
        index.  The model is on the CPU, its weights of type ``dtype``.  ``InputError``
        names what is missing, damaged, or not implemented here; nothing in the folder
        is run.
        """
        content = hf_folder.read_config(folder)
        config = hf_configs.config_of(content)
        with torch.device("meta"):  # shapes alone: takes no memory
            model = cls(config)
        shapes = {name: tuple(w.shape) for name, w in model.named_parameters()}
        theirs = hf_folder.read_weights(folder)
        weights = hf_layouts.weights_of(content["model_type"], config, shapes, theirs)
        weights = {name: w.to(dtype) for name, w in weights.items()}
        model.load_state_dict(weights, strict=False, assign=True)
        if config.tied:
            model.output.weight = model.embedding.weight
        return model.eval()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors in the Hugging Face layout.

        ``transformers`` loads them, and so does :meth:`from_pretrained`.  Raises
        ``InputError`` where no layout has this model's choices.
        """
        if any(name.endswith("lora_a") for name, _ in self.named_parameters()):
            raise InputError(
                "LoRA's change has no place in this layout: merge_lora and remove_lora "
                "first, or FineTunedModel.save"
            )
        content = hf_configs.content_of(self.config)
        weights = {name: w.detach() for name, w in self.named_parameters()}
        theirs = hf_layouts.their_weights(content["model_type"], self.config, weights)
        hf_folder.write(folder, content, theirs)


def _norm(config: GPTConfig, size: int) -> nn.Module:
    if config.norm == "rmsnorm":
        return nn.RMSNorm(size, config.norm_eps)
    return nn.LayerNorm(size, config.norm_eps, bias=config.bias)


def _length(state: State) -> int:
    return state.ids.shape[1] if state else 0
