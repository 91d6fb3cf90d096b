"""A sequence-to-sequence model whole: an encoder, a decoder, and their loss.

Three architectures behind one interface, so that they can be compared: "fixed" (one
vector, Sutskever et al. 2014), "attention" (Bahdanau et al. 2014) and "transformer"
(Vaswani et al. 2017).  Taught in sections 3.4 and 3.6.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lmbook.errors import InputError
from lmbook.models.encoder_decoder import Encoded, SequenceDecoder, SequenceEncoder
from lmbook.models.losses import linear_cross_entropy
from lmbook.models.padding import Padded
from lmbook.models.seq2seq import Decoder, Encoder
from lmbook.models.seq2seq_transformer import TransformerDecoder, TransformerEncoder

ARCHITECTURES = ("fixed", "attention", "transformer")


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Sizes and choices of an encoder and a decoder.

    ``size``: of the word vectors and of every layer.  ``num_heads`` counts in a
    "transformer" alone, ``bidirectional``, ``reverse`` and ``residual`` in the others
    (:class:`lmbook.models.seq2seq.Encoder`).  ``tied``: both vocabularies are one, and
    the source's vectors, the target's and the output layer share one matrix (Press &
    Wolf 2017; Vaswani et al. 2017, section 3.4).  ``dropout``: of word vectors and of
    what layers give, in training.
    """

    source_vocab_size: int
    target_vocab_size: int
    architecture: str = "attention"
    size: int = 128
    num_layers: int = 1
    num_heads: int = 4
    bidirectional: bool = False
    reverse: bool = False
    residual: bool = False
    tied: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise InputError(
                f"architecture must be one of {', '.join(ARCHITECTURES)}; "
                f"got {self.architecture!r}"
            )
        for name, value in vars(self).items():
            if name.endswith(("size", "layers", "heads")) and not value >= 1:
                raise InputError(f"{name} must be at least 1, got {value}")
        if not 0 <= self.dropout < 1:
            raise InputError(
                f"dropout must be at least 0 and below 1, got {self.dropout}"
            )
        for name in ("bidirectional", "reverse", "residual"):
            if getattr(self, name) and self.architecture == "transformer":
                raise InputError(f"{name} is a choice of LSTMs, not of a transformer")
        if self.tied and self.source_vocab_size != self.target_vocab_size:
            raise InputError(
                "tied vectors need one vocabulary, got sizes "
                f"{self.source_vocab_size} and {self.target_vocab_size}"
            )


class Seq2Seq(nn.Module):
    """An encoder and a decoder that are trained together.

    ``model(source, target)`` gives the logits of a target's tokens after its first,
    (batch, seq_len - 1, target_vocab_size).  A target begins with a token that is
    read and not predicted, and ends with one that says so.
    """

    encoder: SequenceEncoder
    decoder: SequenceDecoder

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.config = config
        sizes = config.size, config.num_layers
        p, v, w = config.dropout, config.source_vocab_size, config.target_vocab_size
        if config.architecture == "transformer":
            self.encoder = TransformerEncoder(v, *sizes, config.num_heads, p)
            self.decoder = TransformerDecoder(w, *sizes, config.num_heads, p)
        else:
            with_attention = config.architecture == "attention"
            choices = config.bidirectional, config.reverse, config.residual
            self.encoder = Encoder(v, *sizes, *choices, p)
            self.decoder = Decoder(w, *sizes, with_attention, p)
        if config.tied:
            self.encoder.embedding.weight = self.decoder.embedding.weight
            self.decoder.output.weight = self.decoder.embedding.weight

    @classmethod
    def seeded(cls, config: Seq2SeqConfig, seed: int) -> "Seq2Seq":
        """A model whose initial weights are drawn from ``seed`` alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(config)

    def forward(self, source: Padded, target: Padded) -> Tensor:
        return self.decoder.output(self._hidden(source, target))

    def loss(
        self, source: Padded, target: Padded, reduction: str = "mean"
    ) -> tuple[Tensor, int]:
        r"""Cross-entropy in nats, and over how many tokens it was taken.

        .. math:: -\sum_t \ln p(y_t \mid y_0 \dots y_{t-1}, x)

        with the true tokens before each (teacher forcing), :math:`t \ge 1`; "mean" or
        "sum" over all tokens of the batch that are no padding.
        """
        mask = target.mask[:, 1:]
        hidden = self._hidden(source, target)[mask]  # (tokens, size)
        output = self.decoder.output
        nats = linear_cross_entropy(
            hidden, output.weight, output.bias, target.ids[:, 1:][mask], reduction
        )
        return nats, len(hidden)

    def encode(self, source: Padded) -> Encoded:
        """What the encoder finds in a batch of sources."""
        return self.encoder(source)

    def _hidden(self, source: Padded, target: Padded) -> Tensor:
        """What the output layer sees: (batch, seq_len - 1, size)."""
        if target.ids.shape[1] < 2 or int(target.lengths.min()) < 2:
            raise InputError(
                "a target is two tokens at least: one to begin, one to end"
            )
        state = self.decoder.start(self.encode(source))
        return self.decoder.hidden(target.ids[:, :-1], state)[0]
