"""Text from a language model: sampling, beam search, streaming (section 6.1)."""

from lmbook.generation.beam import Hypothesis, beam_search, select_state
from lmbook.generation.decoding import UnusableLogits, generate, stream
from lmbook.generation.sampling import GREEDY, Sampling, probabilities

__all__ = [
    "GREEDY",
    "Hypothesis",
    "Sampling",
    "UnusableLogits",
    "beam_search",
    "generate",
    "probabilities",
    "select_state",
    "stream",
]
