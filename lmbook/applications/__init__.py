"""What the models of the book are used for (chapter 6)."""

from lmbook.applications.text_generation import TextGenerator

__all__ = ["TextGenerator"]
