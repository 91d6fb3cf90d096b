"""Whole words of two languages as tokens, and bytes for what is no known word.

For a small closed world this is a better vocabulary than byte pairs
(:mod:`lmbook.text.pair_tokens`): no token is half a word, and a word is one token
wherever it stands.  Taught in section 6.2.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

from lmbook.errors import InputError
from lmbook.text.pieces import pieces
from lmbook.text.tokenizer_base import (
    Tokenizer,
    checked,
    layout,
    listed,
    refuse_unless,
)
from lmbook.text.vocabulary import HAN

# An English word with the space before it, Chinese writing, any other character.
CHUNK = re.compile(rf" ?[A-Za-z]+|[{HAN}]+|(?s:.)")
UPPER = "<|upper|>"  # the next word begins with a capital
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
KIND = "PairWords"


class PairWords(Tokenizer[str]):
    """A list of words; what none of them is, is read byte by byte.

    English words carry the space before them, and a text begins as if it had one.  A
    capital is a token of its own where the word is known without it, so "The" and
    "the" are one word.  Chinese, which writes no spaces, is cut from the left, each
    time the longest word that fits (forward maximum matching).  Nothing is lost:
    ``decode(encode(text)) == text``.

    >>> words = PairWords.train(["The cat sleeps.", "A cat, the cat."], [["猫", "睡"]])
    >>> words.pieces("The cat")
    ['<|upper|>', ' the', ' cat']
    >>> words.pieces("猫睡")
    ['猫', '睡']

    The file is laid out like a tokenizer.json, but of a type of its own: Hugging
    Face's library has no such model.
    """

    BOUNDARY = re.compile(r"(?<=\n)")

    def __init__(
        self, words: Iterable[str], special_tokens: Sequence[str] = ()
    ) -> None:
        self.tokens = [*special_tokens, *BYTES, UPPER, *words]
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self._ids) != len(self.tokens):
            twice = [t for t, n in Counter(self.tokens).items() if n > 1]
            raise InputError(f"a vocabulary has no token twice, got {twice[0]!r} again")
        self.special_tokens = {token: self._ids[token] for token in special_tokens}
        self._first_byte, self._upper = len(special_tokens), self._ids[UPPER]
        self._words = {
            token: i for token, i in self._ids.items() if i > self._ids[UPPER]
        }
        self._longest = max(map(len, self._words), default=1)

    @classmethod
    def train(
        cls,
        english: Iterable[str],
        chinese: Iterable[Sequence[str]],
        special_tokens: Sequence[str] = (),
    ) -> Self:
        """The words of English texts and of Chinese sentences that are cut into words.

        The commonest come first.  A word with a capital is one of its own, such as a
        name, only where it is never written without.
        """
        found: Counter[str] = Counter()
        for text in english:
            found.update(CHUNK.findall(_begun(checked(text))))
        for sentence in chinese:
            found.update(sentence)
        words = [w for w, _ in found.most_common() if _lowered(w) not in found]
        return cls(words, special_tokens)

    def encode(self, text: str) -> list[int]:
        return [i for ids in self._encode_pieces(text) for i in ids]

    def _encode_pieces(self, text: str) -> Iterator[list[int]]:
        for number, piece in enumerate(pieces(checked(text), self.BOUNDARY)):
            yield self._encode(piece if number else _begun(piece))

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for chunk in CHUNK.findall(text):
            lowered = _lowered(chunk)
            if chunk in self._words:
                ids.append(self._words[chunk])
            elif lowered in self._words:
                ids += [self._upper, self._words[lowered]]
            else:
                ids += self._cut(chunk)
        return ids

    def _cut(self, chunk: str) -> Iterator[int]:
        """The longest words from the left, bytes where there is none.

        English words are whole or not known: "cats" is not "cat" and an s.
        """
        start, longest = 0, 0 if chunk.isascii() else self._longest
        while start < len(chunk):
            for end in range(min(start + longest, len(chunk)), start, -1):
                if chunk[start:end] in self._words:
                    yield self._words[chunk[start:end]]
                    start = end
                    break
            else:
                for byte in chunk[start].encode():
                    yield self._first_byte + byte
                start += 1

    def decode(self, ids: Iterable[int]) -> str:
        """The text; bytes that are no character become U+FFFD."""
        found: list[bytes] = []
        is_upper = False
        for i, token in self._numbered(ids):
            if i == self._upper:
                is_upper = True
                continue
            if self._first_byte <= i < self._first_byte + 256:
                found.append(bytes([i - self._first_byte]))
            else:
                found.append((_raised(token) if is_upper else token).encode())
            is_upper = False
        text = b"".join(found).decode(errors="replace")
        return text[1:] if _begun(text[1:]) == text else text

    def _numbered(self, ids: Iterable[int]) -> Iterator[tuple[int, str]]:
        numbers = list(ids)
        return zip(numbers, self.pieces_of(numbers), strict=True)

    def to_json(self) -> dict[str, Any]:
        vocab = {token: i for i, token in enumerate(self.tokens)}
        special = list(self.special_tokens)
        return layout(model={"type": KIND, "vocab": vocab, "special": special})

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        refuse_unless({"model.type": [KIND]}, content)
        special = content["model"].get("special")
        tokens = listed(content["model"].get("vocab"))
        if not isinstance(special, list) or tokens[: len(special)] != special:
            raise InputError("field 'model.special' must be the first tokens")
        words = tokens[len(special) + len(BYTES) + 1 :]
        found = cls(words, special)
        if found.tokens != tokens:
            raise InputError("field 'model.vocab' lacks the bytes, or a token")
        return found


def _begun(text: str) -> str:
    """The text, with a space before it where a word or a space comes first."""
    return " " + text if re.match("[ A-Za-z]", text) else text


def _lowered(word: str) -> str:
    """A word with its capital gone; "" where it begins with none."""
    at = word[:1] == " "
    first = word[at : at + 1]
    if not (first.isascii() and first.isupper()):
        return ""
    return word[:at] + first.lower() + word[at + 1 :]


def _raised(word: str) -> str:
    """A word with a capital."""
    at = word[:1] == " "
    return word[:at] + word[at : at + 1].upper() + word[at + 1 :]
