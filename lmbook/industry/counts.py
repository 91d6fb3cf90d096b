r"""Parameters and floating-point operations of a Transformer and of an LSTM.

A matrix of m × n numbers, multiplied with a vector, is :math:`2mn` operations: a
multiplication and an addition for each.  Norms, activations, softmax and looking up an
embedding are left out, as in Kaplan et al. 2020 (arXiv:2001.08361), section 2.1.
"""

from dataclasses import dataclass

from lmbook.errors import InputError
from lmbook.industry import facts
from lmbook.industry.arguments import at_least, flag, one_of, whole

FLAGS = ("gated", "tied", "biases", "qk_norm", "embedding_norm")


@dataclass(frozen=True)
class TransformerShape:
    """Sizes of a decoder-only Transformer, from which everything else is counted.

    ``num_kv_heads`` below ``num_heads`` is grouped-query attention (Ainslie et al.
    2023); ``gated`` has three matrices in the feed-forward layer, as in SwiGLU
    (Shazeer 2020); ``positions`` are learned position vectors.  A layer norm has two
    vectors, "rms" one.  None: as many key heads as heads, ``hidden_size / num_heads``,
    and four times the hidden size.  The defaults are those of GPT-2, 124 M.
    """

    vocab_size: int = 50_257
    hidden_size: int = 768
    num_layers: int = 12
    num_heads: int = 12
    num_kv_heads: int | None = None
    head_dim: int | None = None
    ffn_size: int | None = None
    gated: bool = False
    tied: bool = True
    positions: int = 0
    biases: bool = True
    norm: str = "layer"
    qk_norm: bool = False
    embedding_norm: bool = False

    def __post_init__(self) -> None:
        sizes = ("vocab_size", "hidden_size", "num_layers", "num_heads")
        optional = ("num_kv_heads", "head_dim", "ffn_size")
        whole(**{name: getattr(self, name) for name in sizes})
        given = {name: getattr(self, name) for name in optional}
        whole(**{name: value for name, value in given.items() if value is not None})
        at_least(0, positions=self.positions)
        if self.positions:
            whole(positions=self.positions)
        flag(**{name: getattr(self, name) for name in FLAGS})
        one_of(("layer", "rms"), norm=self.norm)
        if self.head_dim is None and self.hidden_size % self.num_heads:
            raise InputError(
                f"num_heads must divide hidden_size {self.hidden_size} unless head_dim "
                f"is given, got {self.num_heads}"
            )
        if self.num_heads % self.kv_heads:
            raise InputError(
                f"num_kv_heads must divide num_heads {self.num_heads}, "
                f"got {self.num_kv_heads}"
            )

    @property
    def kv_heads(self) -> int:
        return self.num_heads if self.num_kv_heads is None else self.num_kv_heads

    @property
    def dim(self) -> int:
        """Width of one head."""
        return self.head_dim or self.hidden_size // self.num_heads

    @property
    def ffn(self) -> int:
        return self.ffn_size or 4 * self.hidden_size


def shape_of(architecture: str) -> TransformerShape:
    """The shape of a published model, a row of the table ``architectures``."""
    row = facts.load("architectures")[architecture]
    if row.params is None:
        raise InputError(f"of {architecture} only the cache's sizes are known")
    values = {name: row[name] for name in TransformerShape.__dataclass_fields__}
    return TransformerShape(**(values | {name: row[name] == "yes" for name in FLAGS}))


def _matrices_of_a_layer(shape: TransformerShape) -> int:
    """Entries of the matrices of one layer: Q and O, K and V, feed-forward."""
    width, queries = shape.hidden_size, shape.num_heads * shape.dim
    attention = 2 * width * queries + 2 * width * shape.kv_heads * shape.dim
    return attention + (3 if shape.gated else 2) * width * shape.ffn


def transformer_parameters(shape: TransformerShape) -> int:
    r"""Trainable parameters of a decoder-only Transformer.

    With width d, L layers, H heads of size a, G key heads, feed-forward size f:

    .. math:: N = V d\,(1 \text{ or } 2) + P d + L\,[2dHa + 2dGa + (2 \text{ or } 3) d f
              + \text{biases} + \text{norms}] + \text{last norm}

    Kaplan et al. 2020, Table 1, with what it leaves out: embeddings, biases, norms.
    """
    width = shape.hidden_size
    queries, keys = shape.num_heads * shape.dim, shape.kv_heads * shape.dim
    norm = (2 if shape.norm == "layer" else 1) * width
    layer = _matrices_of_a_layer(shape) + 2 * norm
    if shape.biases:
        layer += queries + 2 * keys + width  # Q, K and V, output
        layer += (2 if shape.gated else 1) * shape.ffn + width
    if shape.qk_norm:
        layer += 2 * shape.dim
    vectors = shape.vocab_size * (1 if shape.tied else 2) + shape.positions
    norms = norm * (2 if shape.embedding_norm else 1)
    return vectors * width + shape.num_layers * layer + norms


def transformer_flops(shape: TransformerShape, attended: float = 0) -> float:
    r"""Operations of one forward pass, per token.

    .. math:: C = 2\,(L\,m + V d) + 4 L H a\,n

    where m counts the matrices' entries of one layer, and n, ``attended``, is how many
    positions a token looks at, itself too: (T + 1)/2 on the average over a text of T
    tokens.  The second term is QKᵀ and the sum of the values (Kaplan et al. 2020, Table
    1; Chowdhery et al. 2022, appendix B).
    """
    at_least(0, attended=attended)
    matrices = shape.num_layers * _matrices_of_a_layer(shape)
    matrices += shape.vocab_size * shape.hidden_size  # the output, tied or not
    heads = shape.num_heads * shape.dim
    return 2 * matrices + 4 * shape.num_layers * heads * attended


def _lstm_layers(
    embedding_size: int, hidden_size: int, num_layers: int, tied: bool
) -> list[tuple[int, int]]:
    """(inputs, units) of every layer; a tied output wants vectors' size of the last."""
    whole(embedding_size=embedding_size, hidden_size=hidden_size, num_layers=num_layers)
    flag(tied=tied)
    last = embedding_size if tied else hidden_size
    units = [hidden_size] * (int(num_layers) - 1) + [last]
    return list(zip([embedding_size, *units], units, strict=False))


def lstm_parameters(
    vocab_size: int,
    embedding_size: int,
    hidden_size: int,
    num_layers: int = 1,
    tied: bool = False,
) -> int:
    r"""Trainable parameters of an LSTM language model, as PyTorch lays them out.

    :math:`V e + \sum_l 4 h_l (n_l + h_l + 2) + (h_L + 1) V`: two biases a gate; a tied
    output adds only its V biases.  Section 5.2.
    """
    whole(vocab_size=vocab_size)
    layers = _lstm_layers(embedding_size, hidden_size, num_layers, tied)
    gates = sum(4 * units * (inputs + units + 2) for inputs, units in layers)
    output = vocab_size if tied else (layers[-1][1] + 1) * vocab_size
    return vocab_size * embedding_size + gates + output


def lstm_flops(
    vocab_size: int,
    embedding_size: int,
    hidden_size: int,
    num_layers: int = 1,
    tied: bool = False,
) -> int:
    r"""Operations of one forward pass of an LSTM language model, per token.

    :math:`C = 2 \sum_l 4 h_l (n_l + h_l) + 2 h_L V`.  It doesn't grow with the text.
    """
    whole(vocab_size=vocab_size)
    layers = _lstm_layers(embedding_size, hidden_size, num_layers, tied)
    gates = sum(4 * units * (inputs + units) for inputs, units in layers)
    return 2 * (gates + layers[-1][1] * vocab_size)
