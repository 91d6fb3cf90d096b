"""What the models of the book are used for (chapter 6)."""

from lmbook.applications.text_generation import TextGenerator
from lmbook.applications.translation import Translator

__all__ = ["TextGenerator", "Translator"]
