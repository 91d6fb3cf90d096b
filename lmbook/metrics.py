r"""What a language model's loss means: nats, bits, perplexity.

The loss of a model on a text of T tokens is the mean negative log-likelihood,

.. math:: L = -\frac1T \sum_{t=1}^{T} \ln p(x_t \mid x_{<t}),

in nats per token.  Everything else is this number in another unit, and every
module of the book converts it here.  Taught in section 4.1.6.
"""

import math


def perplexity(nats: float) -> float:
    r"""Perplexity, :math:`e^L`: as unsure as a fair choice among this many tokens.

    ``inf`` where it does not fit a float (a loss above 709 nats).
    """
    try:
        return math.exp(_checked(nats))
    except OverflowError:
        return math.inf


def bits(nats: float) -> float:
    r"""The same loss in bits, :math:`L / \ln 2`."""
    return _checked(nats) / math.log(2)


def nats_per_char(nats_per_token: float, num_tokens: int, num_chars: int) -> float:
    """Loss per character of the text that the tokens spell out.

    It is what compares models with different tokenisers: the total,
    ``nats_per_token * num_tokens``, is shared among ``num_chars`` characters.  With a
    token a character the two are equal, to the last bit.
    """
    if num_tokens < 1 or num_chars < 1:
        raise ValueError(
            "num_tokens and num_chars must be at least 1, "
            f"got {num_tokens} and {num_chars}"
        )
    return _checked(nats_per_token) * (num_tokens / num_chars)


def bits_per_char(nats_per_token: float, num_tokens: int, num_chars: int) -> float:
    """The same in bits: what compression counts, and results on text8 are given in."""
    return bits(nats_per_char(nats_per_token, num_tokens, num_chars))


def _checked(nats: float) -> float:
    if not nats >= 0:
        raise ValueError(f"a mean negative log-likelihood is at least 0, got {nats}")
    return nats
