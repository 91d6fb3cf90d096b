"""Bytes of the keys and values that a model remembers of a text."""

from lmbook.errors import InputError
from lmbook.industry import facts
from lmbook.industry.arguments import positive, whole


def kv_cache_bytes(
    tokens: float,
    num_layers: int,
    num_kv_heads: int,
    head_dim: int,
    bytes_per_number: float = 2,
) -> float:
    r"""Multi-head or grouped: :math:`2 \cdot L \cdot G \cdot a` numbers a token.

    A key and a value for each of G key heads of width a in L layers: with as many as
    there are heads it is multi-head attention, with 1 multi-query (Shazeer 2019;
    Ainslie et al. 2023; Pope et al. 2022, arXiv:2211.05102, section 3.3).  ``tokens``
    of all texts of the batch together.
    """
    positive(tokens=tokens, bytes_per_number=bytes_per_number)
    whole(num_layers=num_layers, num_kv_heads=num_kv_heads, head_dim=head_dim)
    return tokens * 2 * num_layers * num_kv_heads * head_dim * bytes_per_number


def latent_cache_bytes(
    tokens: float,
    num_layers: int,
    kv_latent: int,
    rope_dim: int,
    bytes_per_number: float = 2,
) -> float:
    r"""Latent attention: :math:`L (d_c + d_R)` numbers a token.

    One latent of width :math:`d_c` for all heads, and one rotated key of width
    :math:`d_R` (DeepSeek-AI 2024, arXiv:2405.04434, section 2.1 and Table 1).
    """
    positive(tokens=tokens, bytes_per_number=bytes_per_number)
    whole(num_layers=num_layers, kv_latent=kv_latent, rope_dim=rope_dim)
    return tokens * num_layers * (kv_latent + rope_dim) * bytes_per_number


def cache_of(architecture: str, tokens: float, bytes_per_number: float = 2) -> float:
    """Bytes for a published model, a row of the table ``architectures``."""
    row = facts.load("architectures")[architecture]
    if row.kv_latent is not None:
        sizes = row.num_layers, row.kv_latent, row.rope_dim
        return latent_cache_bytes(tokens, *sizes, bytes_per_number)
    sizes = row.num_layers, row.num_kv_heads, row.head_dim
    if None in sizes:
        raise InputError(f"the cache's sizes of {architecture} are not published")
    return kv_cache_bytes(tokens, *sizes, bytes_per_number)
