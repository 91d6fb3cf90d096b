"""Ways to cut a text into tokens: characters, words, pieces between the two.

All have ``X.train(text, vocab_size)``, ``encode(text)``, ``decode(ids)``,
``save(path)`` and ``X.load(path)``.  Taught in section 3.7.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, product
from pathlib import Path
from typing import Any, ClassVar, Self

from lmbook.errors import InputError
from lmbook.text.bpe import BPETokenizer
from lmbook.text.pieces import pieces
from lmbook.text.tokenizer_base import (
    Tokenizer,
    checked,
    layout,
    listed,
    read_json,
    refuse_unless,
    texts,
)
from lmbook.text.vocabulary import END, HAN, UNKNOWN, Vocabulary, split_words

__all__ = [
    "AnyTokenizer",
    "BPETokenizer",
    "CharTokenizer",
    "WhitespaceTokenizer",
    "WordTokenizer",
    "load_tokenizer",
]


class _ListTokenizer(Tokenizer[str]):
    """Tokens are looked up in a list; what is not in it becomes ``<unk>``."""

    FIELDS: ClassVar[dict[str, Any]]  # of the file: the library's nearest to ``split``

    def __init__(self, tokens: Iterable[str]) -> None:
        self.vocabulary = Vocabulary(tokens)
        self.tokens = self.vocabulary.tokens
        self.unknown_id = self.vocabulary.unknown_id

    @staticmethod
    def split(text: str) -> Sequence[str]:
        """The text's tokens, known or not."""
        raise NotImplementedError

    @classmethod
    def split_long(cls, text: str) -> Iterator[Sequence[str]]:
        """The tokens of :meth:`split`, some at a time."""
        return map(cls.split, pieces(text, cls.BOUNDARY))

    @classmethod
    def train(cls, text: str | Iterable[str], vocab_size: int | None = None) -> Self:
        """``<unk>`` and the commonest tokens, ties in order of the text.

        ``vocab_size`` counts ``<unk>``; None keeps every token.  ``InputError`` if
        the text has fewer.
        """
        found: Counter[str] = Counter()
        for some in chain.from_iterable(map(cls.split_long, texts(text))):
            found.update(some)
        size = len({*found, UNKNOWN}) if vocab_size is None else vocab_size
        return cls(Vocabulary.build(found, size).tokens)

    def encode(self, text: str) -> list[int]:
        """The ids of a text; a token that was not seen in training is ``<unk>``."""
        return self.vocabulary.encode(self.split(checked(text))).tolist()

    def _encode_pieces(self, text: str) -> Iterator[Iterable[int]]:
        return map(self.vocabulary.encode, self.split_long(checked(text)))

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
    BOUNDARY = re.compile("")

    @staticmethod
    def split(text: str) -> str:
        """The characters: a text is a sequence of them."""
        return text

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
    # After a line; within one, between words: at a space, beside a Chinese character.
    BOUNDARY = re.compile(rf"(?<=\n)|(?<=\S)(?= \S)|(?<=[{HAN}])(?=[{HAN}])")
    split = staticmethod(split_words)

    @classmethod
    def split_long(cls, text: str) -> Iterator[list[str]]:
        """The words of :meth:`split`, some at a time."""
        left = len(text)
        for piece in pieces(text, cls.BOUNDARY):
            words = split_words(piece)
            left -= len(piece)
            cut_within_a_line = left and not piece.endswith("\n")
            yield words[:-1] if cut_within_a_line else words  # its <eos> is to come

    def decode(self, ids: Iterable[int]) -> str:
        """The words with spaces between them, a line end for each ``<eos>``."""
        return _lines(self.pieces_of(ids))


class WhitespaceTokenizer(_ListTokenizer):
    """For a text that is published in tokens, such as PTB: they stay as they are.

    Tokens stand between white space; every line end, of a blank line too, is
    ``<eos>``.  So do the programs count whose perplexities are published (data.lua of
    Zaremba et al. 2014; data.py of Merity et al. 2018).  ``encode(decode(ids))``
    gives the same ids, and so does the library from the saved file.
    """

    FIELDS: ClassVar = {
        "normalizer": {
            **{"type": "Replace", "pattern": {"String": "\n"}},
            **{"content": f" {END} "},
        },
        "pre_tokenizer": {"type": "WhitespaceSplit"},
    }
    BOUNDARY = re.compile(r"(?=\s)")

    @staticmethod
    def split(text: str) -> list[str]:
        """The tokens of the text, a line end as ``<eos>``."""
        return text.replace("\n", f" {END} ").split()

    def decode(self, ids: Iterable[int]) -> str:
        """The tokens with spaces between them, a line end for each ``<eos>``."""
        return _lines(self.pieces_of(ids))


def _lines(tokens: list[str]) -> str:
    text = " ".join("\n" if token == END else token for token in tokens)
    return "\n".join(line.strip(" ") for line in text.split("\n"))


AnyTokenizer = BPETokenizer | CharTokenizer | WordTokenizer | WhitespaceTokenizer
# By the types of a file's normalizer and pre_tokenizer.
CLASSES: dict[tuple, type[AnyTokenizer]] = {
    **dict.fromkeys(product([None, "NFC"], ["ByteLevel", "Sequence"]), BPETokenizer),
    (None, "Split"): CharTokenizer,
    (None, "WhitespaceSplit"): WordTokenizer,
    ("Replace", "WhitespaceSplit"): WhitespaceTokenizer,
}


def load_tokenizer(path: str | Path) -> AnyTokenizer:
    """The tokenizer, of whichever kind, that a tokenizer.json describes."""
    content = read_json(path)
    fields = (content.get("normalizer"), content.get("pre_tokenizer"))
    kind = tuple(f.get("type") if isinstance(f, dict) else None for f in fields)
    if kind not in CLASSES:
        raise InputError(
            f"{path}: the types of 'normalizer' and 'pre_tokenizer' are {kind}; "
            "accepted: " + ", ".join(map(str, CLASSES))
        )
    return CLASSES[kind].load(path)
