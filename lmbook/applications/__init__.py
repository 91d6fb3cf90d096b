"""What the models of the book are used for (chapter 6)."""

from lmbook.applications.question_answering import QuestionAnswerer
from lmbook.applications.text_generation import TextGenerator
from lmbook.applications.translation import Translator

__all__ = ["QuestionAnswerer", "TextGenerator", "Translator"]
