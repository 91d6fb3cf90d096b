"""An artificial world whose texts' probabilities are known exactly (sections 5, 6)."""

from lmbook.text.microworld.relations import relations
from lmbook.text.microworld.world import MicroWorld, Pair, Text, microworld_text

__all__ = ["MicroWorld", "Pair", "Text", "microworld_text", "relations"]
