"""Words and their numbers.  Taught in section 5.2."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmbook.errors import InputError
from lmbook.files import atomic_write

UNKNOWN, END = "<unk>", "<eos>"
HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# The mark that corpora have for a rare word; a word or a programmer's name (array_like,
# x0) with its apostrophe, a number, one other sign, one Chinese character.
WORD = re.compile(
    rf"{UNKNOWN}|[^\W\d{HAN}][^\W{HAN}]*(?:['’][^\W\d_{HAN}]+)?|\d+|[^\s\w]|[{HAN}]"
)


def split_words(text: str) -> list[str]:
    """Lower-case words and punctuation; every line ends with ``<eos>``.

    Names as programs have them (``array_like``) stay whole.  Chinese, which writes no
    spaces, is split into single characters.

    >>> split_words("Don't use x_0!\\n你好")
    ["don't", 'use', 'x_0', '!', '<eos>', '你', '好', '<eos>']
    """
    words: list[str] = []
    for line in text.lower().splitlines():
        found = WORD.findall(line)
        if found:
            words += found
            words.append(END)
    return words


class Vocabulary:
    """A fixed list of words, the commonest first; ``<unk>`` stands for the rest."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens = list(tokens)
        self._id_of = {token: index for index, token in enumerate(self.tokens)}
        if len(self._id_of) != len(self.tokens) or UNKNOWN not in self._id_of:
            raise InputError(f"a vocabulary needs {UNKNOWN!r} and no token twice")
        self.unknown_id = self._id_of[UNKNOWN]

    @classmethod
    def build(cls, words: Iterable[str], size: int) -> "Vocabulary":
        """The ``size - 1`` commonest words and ``<unk>``; ties in order of the text.

        Raises ``InputError`` if the text has fewer distinct words.
        """
        counts = Counter(words)
        available = len(counts) + (UNKNOWN not in counts)
        if not 2 <= size <= available:
            raise InputError(
                f"vocab_size must be between 2 and {available:,}, the number of "
                f"distinct words in the text; got {size:,}"
            )
        counts.pop(UNKNOWN, None)
        common = [word for word, _ in counts.most_common(size - 1)]
        return cls([UNKNOWN, *common])

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._id_of

    def encode(self, words: Iterable[str]) -> NDArray[np.int64]:
        """Word numbers; a word that is not in the list becomes ``<unk>``."""
        unknown = self.unknown_id
        return np.fromiter((self._id_of.get(w, unknown) for w in words), np.int64)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The words with these numbers."""
        return [self.tokens[i] for i in ids]

    def save(self, path: str | Path) -> None:
        """Write the list as JSON."""
        with atomic_write(path) as temporary:
            text = json.dumps(self.tokens, ensure_ascii=False, indent=0)
            temporary.write_text(text, "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Vocabulary":
        """Read what :meth:`save` wrote."""
        tokens = json.loads(Path(path).read_text("utf-8"))
        if not isinstance(tokens, list) or not all(isinstance(t, str) for t in tokens):
            raise InputError(f"{path} is not a vocabulary: expected a list of words")
        return cls(tokens)
