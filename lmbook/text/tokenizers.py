"""Three ways to cut a text into tokens: characters, words, pieces between the two.

All have ``X.train(text, vocab_size)``, ``encode(text)``, ``decode(ids)``,
``save(path)`` and ``X.load(path)``.  Taught in section 3.7.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Self

from lmbook.errors import InputError
from lmbook.text.bpe import BPETokenizer
from lmbook.text.tokenizer_base import (
    Tokenizer,
    checked,
    layout,
    listed,
    read_json,
    refuse_unless,
    texts,
)
from lmbook.text.vocabulary import END, UNKNOWN, Vocabulary, split_words

__all__ = ["BPETokenizer", "CharTokenizer", "WordTokenizer", "load_tokenizer"]


class _ListTokenizer(Tokenizer[str]):
    """Tokens are looked up in a list; what is not in it becomes ``<unk>``."""

    FIELDS: ClassVar[dict[str, Any]]  # of the file: the library's nearest to ``split``

    def __init__(self, tokens: Iterable[str]) -> None:
        self.vocabulary = Vocabulary(tokens)
        self.tokens = self.vocabulary.tokens

    @staticmethod
    def split(text: str) -> list[str]:
        """The text's tokens, known or not."""
        raise NotImplementedError

    @classmethod
    def train(cls, text: str | Iterable[str], vocab_size: int | None = None) -> Self:
        """``<unk>`` and the commonest tokens, ties in order of the text.

        ``vocab_size`` counts ``<unk>``; None keeps every token.  ``InputError`` if
        the text has fewer.
        """
        found = Counter(chain.from_iterable(map(cls.split, texts(text))))
        size = len(found) + 1 if vocab_size is None else vocab_size
        return cls(Vocabulary.build(found.elements(), size).tokens)

    def encode(self, text: str) -> list[int]:
        """The ids of a text; a token that was not seen in training is ``<unk>``."""
        return self.vocabulary.encode(self.split(checked(text))).tolist()

    def to_json(self) -> dict[str, Any]:
        """The layout of Hugging Face's tokenizer.json: model WordLevel."""
        vocab = {token: i for i, token in enumerate(self.tokens)}
        model = {"type": "WordLevel", "vocab": vocab, "unk_token": UNKNOWN}
        return layout(model=model, **self.FIELDS)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The tokenizer of a file that :meth:`save` wrote."""
        accepted = {field: [value] for field, value in layout(**cls.FIELDS).items()}
        accepted |= {"model.type": ["WordLevel"], "model.unk_token": [UNKNOWN]}
        refuse_unless(accepted, content)
        return cls(listed(content["model"].get("vocab")))


class CharTokenizer(_ListTokenizer):
    """One token a character (Unicode code point); unseen ones become ``<unk>``.

    ``decode(encode(text)) == text`` if every character was seen in training.  The
    library gives the same ids from the saved file.
    """

    FIELDS: ClassVar = {
        "pre_tokenizer": {
            **{"type": "Split", "pattern": {"Regex": r"[\s\S]"}},
            **{"behavior": "Isolated", "invert": False},
        },
        "decoder": {"type": "Fuse"},
    }

    @staticmethod
    def split(text: str) -> list[str]:
        """The characters."""
        return list(text)

    def decode(self, ids: Iterable[int]) -> str:
        """The characters one after another."""
        return "".join(self.pieces_of(ids))


class WordTokenizer(_ListTokenizer):
    """One token a word as :func:`lmbook.text.split_words` cuts them.

    Capitals and spacing are lost: ``decode`` puts one space between words and a line
    end for ``<eos>``, and ``encode`` of that gives the same ids again if all words
    are known.  The library, which does not know this way of splitting, gives the same
    ids from the saved file for words that are already split:
    ``encode(split_words(text), is_pretokenized=True)``.
    """

    FIELDS: ClassVar = {"pre_tokenizer": {"type": "WhitespaceSplit"}}
    split = staticmethod(split_words)

    def decode(self, ids: Iterable[int]) -> str:
        """The words with spaces between them, a line end for each ``<eos>``."""
        lines = " ".join(self.pieces_of(ids)).split(END)
        return "\n".join(line.strip(" ") for line in lines)


CLASSES: dict[object, type[BPETokenizer] | type[_ListTokenizer]] = {
    "ByteLevel": BPETokenizer,
    "Split": CharTokenizer,
    "WhitespaceSplit": WordTokenizer,
}


def load_tokenizer(path: str | Path) -> BPETokenizer | CharTokenizer | WordTokenizer:
    """The tokenizer, of whichever kind, that a tokenizer.json describes."""
    pre_tokenizer = read_json(path).get("pre_tokenizer")
    kind = pre_tokenizer.get("type") if isinstance(pre_tokenizer, dict) else None
    if kind not in CLASSES:
        raise InputError(
            f"{path}: field 'pre_tokenizer.type' is {kind!r}; accepted: "
            + ", ".join(map(repr, CLASSES))
        )
    return CLASSES[kind].load(path)  # type: ignore[return-value]
