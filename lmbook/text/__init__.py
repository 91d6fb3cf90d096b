"""Text: corpora, vocabularies, batches (sections 3.3, 3.7, 5.2)."""

from lmbook.text.batches import ContiguousBatches
from lmbook.text.data import LanguageData, load_data, load_text
from lmbook.text.vocabulary import Vocabulary, split_words

__all__ = [
    "ContiguousBatches",
    "LanguageData",
    "Vocabulary",
    "load_data",
    "load_text",
    "split_words",
]
