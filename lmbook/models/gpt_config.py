"""The sizes and choices of a decoder-only Transformer, and what they cost."""

from dataclasses import dataclass

from lmbook.errors import InputError
from lmbook.models.rotary import Llama3Scaling

LEAST = {
    **dict.fromkeys(["vocab_size", "hidden_size", "num_layers", "num_heads"], 1),
    **dict.fromkeys(["num_kv_heads", "head_dim", "feed_forward_size"], 0),
    "context_length": 2,
}
CHOICES = {
    "position": ("learned", "rotary"),
    "norm": ("layernorm", "rmsnorm"),
    "feed_forward": ("gelu", "swiglu"),
}


@dataclass(frozen=True)
class GPTConfig:
    """Sizes and choices; the defaults are those of the smallest GPT-2.

    ``position``: a learned vector for each place (GPT-2), or "rotary" with base
    ``rotary_theta`` (:mod:`lmbook.models.rotary`), stretched by ``rotary_scaling``.
    ``norm``: "layernorm" (Ba et al. 2016) or "rmsnorm" (Zhang & Sennrich 2019).
    ``feed_forward``: "gelu" in its tanh approximation (Hendrycks & Gimpel 2016) or
    "swiglu" (Shazeer 2020).  ``num_kv_heads`` below ``num_heads``: so many heads of
    keys and values, each shared by several of queries (Ainslie et al. 2023).
    ``qk_norm``: queries and keys are normalised, each head by itself, as in Qwen3
    (after Dehghani et al. 2023).  ``bias``: of all linear layers but the output and of
    "layernorm".  ``tied``: the output layer shares the embedding's matrix.
    ``dropout``: of the embedding, of attention's weights, and of what attention and
    feed-forward layers add, in training.  ``init_std``: of the weights at the start.

    Sizes of 0 become what is usual: ``num_kv_heads`` as many as ``num_heads``,
    ``head_dim`` hidden_size / num_heads, ``feed_forward_size`` 4 · hidden_size.
    """

    vocab_size: int = 50_257
    context_length: int = 1024
    hidden_size: int = 768
    num_layers: int = 12
    num_heads: int = 12
    num_kv_heads: int = 0
    head_dim: int = 0
    feed_forward_size: int = 0
    position: str = "learned"
    rotary_theta: float = 10_000.0
    rotary_scaling: Llama3Scaling | None = None
    norm: str = "layernorm"
    norm_eps: float = 1e-5
    feed_forward: str = "gelu"
    qk_norm: bool = False
    bias: bool = True
    tied: bool = True
    dropout: float = 0.0
    init_std: float = 0.02

    def __post_init__(self) -> None:
        if isinstance(self.rotary_scaling, dict):  # as JSON has it
            self._set("rotary_scaling", Llama3Scaling(**self.rotary_scaling))
        for name, least in LEAST.items():
            if not getattr(self, name) >= least:
                raise InputError(
                    f"{name} must be at least {least}, got {getattr(self, name)}"
                )
        for name, accepted in CHOICES.items():
            if (value := getattr(self, name)) not in accepted:
                choices = " or ".join(map(repr, accepted))
                raise InputError(f"{name} must be {choices}, got {value!r}")
        for name in ("rotary_theta", "norm_eps", "init_std"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise InputError(
                f"dropout must be at least 0 and below 1, got {self.dropout}"
            )
        self._set_usual_sizes()

    def _set_usual_sizes(self) -> None:
        heads, hidden = self.num_heads, self.hidden_size
        if self.head_dim == 0 and hidden % heads:
            raise InputError(
                "num_heads must divide hidden_size where head_dim is not given, "
                f"got {heads} and {hidden}"
            )
        self._set("num_kv_heads", self.num_kv_heads or heads)
        self._set("head_dim", self.head_dim or hidden // heads)
        self._set("feed_forward_size", self.feed_forward_size or 4 * hidden)
        if heads % self.num_kv_heads:
            raise InputError(
                "num_kv_heads must divide num_heads, "
                f"got {self.num_kv_heads} and {heads}"
            )
        if self.position == "rotary" and self.head_dim % 2:
            raise InputError(
                f"rotary positions need an even head_dim, got {self.head_dim}"
            )

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def qkv_sizes(self) -> tuple[int, int, int]:
        """Numbers in a position's queries, keys and values, all heads together."""
        shared = self.num_kv_heads * self.head_dim
        return self.num_heads * self.head_dim, shared, shared

    @property
    def num_parameters(self) -> int:
        r"""Trainable parameters, by formula.

        .. math::
            (V + C)h + L\,\bigl(\underbrace{2hd(H + G)}_{\text{attention}} +
            \underbrace{m h f}_{\text{feed-forward}} +
            \underbrace{2nh}_{\text{norms}}\bigr) + nh

        with vocabulary V, context C (only of learned positions), hidden size h, L
        layers, H heads and G of keys and values of size d, feed-forward size f, m = 2
        for "gelu" and 3 for "swiglu", n = 2 for "layernorm" with bias and else 1.
        Biases add d(H + 2G) + h and (m - 1) f + h a layer, QK norm adds 2nd, an
        output layer that is not tied Vh.
        """
        h, f, d = self.hidden_size, self.feed_forward_size, self.head_dim
        qkv = sum(self.qkv_sizes)
        m = 3 if self.feed_forward == "swiglu" else 2
        n = 2 if self.norm == "layernorm" and self.bias else 1
        layer = h * (qkv + self.num_heads * d) + m * h * f + 2 * n * h
        layer += self.bias * (qkv + h + (m - 1) * f + h) + self.qk_norm * 2 * n * d
        vectors = self.vocab_size * (1 if self.tied else 2)
        vectors += self.context_length * (self.position == "learned")
        return vectors * h + self.num_layers * layer + n * h

    def forward_flops(self, seq_len: int) -> int:
        r"""Floating-point operations of the matrix products for ``seq_len`` tokens.

        .. math:: 2T\bigl(L\,(2hd(H + G) + mhf) + hV\bigr) + 4LT^2Hd

        A multiplication and an addition count as two; the T tokens are read at once,
        every logit is computed, and so are the scores that the causal mask then
        hides.  The rest is small beside them.  Forward and backward pass together
        take about three times as much.
        """
        t, h = seq_len, self.hidden_size
        queries = self.num_heads * self.head_dim
        m = 3 if self.feed_forward == "swiglu" else 2
        weights = h * (sum(self.qkv_sizes) + queries) + m * h * self.feed_forward_size
        products = self.num_layers * weights + h * self.vocab_size
        return 2 * t * products + 4 * self.num_layers * t * t * queries
