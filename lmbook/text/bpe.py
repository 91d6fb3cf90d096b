"""Byte-level byte pair encoding: how GPT-2 and its successors cut a text into tokens.

Sennrich et al. 2016 brought BPE to language; Radford et al. 2019 let it begin with the
256 bytes of UTF-8 instead of characters, so that no text is ever unknown.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
import regex

from lmbook.errors import InputError
from lmbook.text import bpe_json
from lmbook.text.bpe_kernel import MergeTable
from lmbook.text.bpe_rules import Rules
from lmbook.text.bpe_training import Merge, Pair, learn_merges
from lmbook.text.pieces import pieces
from lmbook.text.pretokenization import BOUNDARIES, pretokenize
from lmbook.text.tokenizer_base import Tokenizer, checked, texts

# Files and the training name a token by one visible character a byte (GPT-2's table):
# the printable bytes of Latin-1 are themselves, the others U+0100, U+0101 ... in order.
_VISIBLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_HIDDEN = sorted(set(range(256)) - set(_VISIBLE))
BYTE_OF = {chr(byte): byte for byte in _VISIBLE}
BYTE_OF |= {chr(0x100 + i): byte for i, byte in enumerate(_HIDDEN)}
NAME_OF = {byte: character for character, byte in BYTE_OF.items()}

CACHED_CHARACTERS = 1_000_000
# Steps of apply_merges (length of a word squared), about 0.1 s in all, from where it
# pays to wait for machine code, which takes about a second to load.
SLOW = 1_000_000


def apply_merges(ids: list[int], merges: Mapping[Pair, tuple[int, int]]) -> list[int]:
    """Merge within one word: always the pair that was learned first, leftmost first.

    ``merges`` gives each pair its rank (0: learned first) and the id that results.
    """
    ids = list(ids)
    while True:
        ranks = [
            (merges[pair][0], place)
            for place, pair in enumerate(pairwise(ids))
            if pair in merges
        ]
        if not ranks:
            return ids
        _, place = min(ranks)
        pair = ids[place], ids[place + 1]
        ids[place : place + 2] = [merges[pair][1]]


class BPETokenizer(Tokenizer[bytes]):
    """Tokens are byte strings; ids, merges and files are those of Hugging Face's.

    ``tokens[id]`` is the bytes of a token, ``merges`` the pairs of tokens in the order
    in which they were learned, ``counts`` how often each pair stood in the training
    text when it was merged (empty after :meth:`load`), ``special_tokens`` those that
    are recognised whole in a text, such as ``<|endoftext|>``, with their ids;
    ``rules`` what GPT-2's successors do in another way.  Every text that UTF-8 can
    encode comes back: ``decode(encode(text)) == text``, in its composed form (NFC)
    where the rules say so.  Taught in section 3.7.
    """

    BOUNDARY = BOUNDARIES["gpt2"]

    def __init__(
        self,
        names: Sequence[str],
        merges: Sequence[Merge],
        special_tokens: Mapping[str, int] | None = None,
        rules: Rules | None = None,
    ) -> None:
        """``names``: the tokens by id, as files write them (see ``NAME_OF``)."""
        self.special_tokens = dict(special_tokens or {})
        self.rules = rules or Rules()
        for token in self.special_tokens:
            if not token.isascii() and all(c in BYTE_OF for c in token):
                raise InputError(
                    f"special token {token!r} cannot be told from the bytes "
                    f"{token_bytes(token)!r} in a file"
                )
        self._names = list(names)
        self.tokens = [token_bytes(name) for name in names]
        id_of = {name: i for i, name in enumerate(names)}
        lacking = sum(name not in id_of for name in BYTE_OF)
        if lacking:
            raise InputError(f"the vocabulary lacks {lacking} of the 256 bytes")
        self._byte_ids = [id_of[NAME_OF[byte]] for byte in range(256)]
        self.merges = [(self.tokens[m.left], self.tokens[m.right]) for m in merges]
        self.counts = [m.frequency for m in merges if m.frequency]
        self._learned = list(merges)
        self._ranks = {
            (m.left, m.right): (rank, m.result) for rank, m in enumerate(merges)
        }
        longest_first = sorted(self.special_tokens, key=len, reverse=True)
        self._special = regex.compile(f"({'|'.join(map(regex.escape, longest_first))})")
        self._known: dict[str, list[int]] = {}
        self._known_characters = 0
        self._steps = 0

    @classmethod
    def train(
        cls,
        text: str | Iterable[str],
        vocab_size: int,
        special_tokens: Sequence[str] = (),
    ) -> Self:
        """Learn merges until there are ``vocab_size`` tokens, bytes included.

        Ids: the special tokens, the 256 bytes in order of their names ("!" first),
        the merges.  Where the text has no pair left to merge before that, the
        vocabulary is smaller: ``len`` tells.  The merges are those of Hugging Face's
        ``BpeTrainer`` with ``initial_alphabet=ByteLevel.alphabet()``.
        """
        special = {checked(token): i for i, token in enumerate(special_tokens)}
        if len(special) != len(special_tokens) or "" in special:
            raise InputError("special_tokens must be distinct and not empty")
        names = list(dict.fromkeys([*special, *sorted(BYTE_OF)]))
        if vocab_size < len(names):
            raise InputError(
                f"vocab_size must be at least {len(names)}, the 256 bytes and the "
                f"special tokens; got {vocab_size}"
            )
        words: Counter[str] = Counter()
        for part in texts(text):
            for piece in pieces(part, cls.BOUNDARY):
                words.update(pretokenize(piece))
        byte_ids = [names.index(NAME_OF[byte]) for byte in range(256)]
        counts = {word.encode(): count for word, count in words.items()}
        merges = learn_merges(counts, byte_ids, names, vocab_size)
        return cls(names, merges, special)

    def encode(self, text: str) -> list[int]:
        """The ids of a text; a special token that stands in it gets its own id.

        What a model wants before every text, ``rules.begin``, is not among them.
        ``InputError`` names the position of a lone surrogate.
        """
        checked(text)
        if not self.special_tokens:
            return self._encode_ordinary(text)
        ids = []
        for index, part in enumerate(self._special.split(text)):
            if index % 2:  # what the pattern's group has matched
                ids.append(self.special_tokens[part])
            else:
                ids += self._encode_ordinary(part)
        return ids

    def _encode_pieces(self, text: str) -> Iterator[list[int]]:
        if self.special_tokens:  # one of them might be cut
            yield self.encode(text)
            return
        for piece in pieces(checked(text), BOUNDARIES[self.rules.pattern]):
            yield self._encode_ordinary(piece)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids.

        Bytes that are no UTF-8, such as part of a Chinese character, become U+FFFD as
        they do in the library; ``b"".join(pieces_of(ids))`` has the bytes themselves.
        """
        return b"".join(self.pieces_of(ids)).decode(errors="replace")

    def _encode_ordinary(self, text: str) -> list[int]:
        words = pretokenize(self.rules.normalize(text), self.rules.pattern)
        known = self._known
        missing = [word for word in dict.fromkeys(words) if word not in known]
        if missing:
            known.update(zip(missing, self._encode_words(missing), strict=True))
            self._known_characters += sum(map(len, missing))
        ids = [i for word in words for i in known[word]]
        if self._known_characters > CACHED_CHARACTERS:
            self._known, self._known_characters = {}, 0
        return ids

    def _encode_words(self, words: list[str]) -> list[list[int]]:
        encoded = [word.encode() for word in words]
        if not self.rules.ignore_merges:
            return self._merged(encoded)
        whole = self._whole
        rest = iter(self._merged([word for word in encoded if word not in whole]))
        return [[whole[word]] if word in whole else next(rest) for word in encoded]

    def _merged(self, encoded: list[bytes]) -> list[list[int]]:
        lengths = [len(word) for word in encoded]
        self._steps += sum(length**2 for length in lengths)
        if self._steps < SLOW:
            ids = self._byte_ids
            return [apply_merges([ids[b] for b in w], self._ranks) for w in encoded]
        flat = np.frombuffer(b"".join(encoded), np.uint8)
        return self._table.apply(np.array(self._byte_ids)[flat], lengths)

    @cached_property
    def _whole(self) -> dict[bytes, int]:
        """Ids of the words that are a token as they stand."""
        special = set(self.special_tokens.values())
        return {token: i for i, token in enumerate(self.tokens) if i not in special}

    @cached_property
    def _table(self) -> MergeTable:
        return MergeTable(self._ranks)

    def to_json(self) -> dict[str, Any]:
        """The layout of Hugging Face's tokenizer.json: model BPE, ByteLevel."""
        return bpe_json.to_json(
            self._names, self._learned, self.special_tokens, self.rules
        )

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Such a file's tokenizer: the layout of GPT-2, Llama 3 or Qwen, special
        tokens included."""
        return cls(*bpe_json.from_json(content))


def token_bytes(name: str) -> bytes:
    """The bytes of a token from its name in a file.

    What is not written in visible bytes is a special token: its text in UTF-8.
    """
    if all(character in BYTE_OF for character in name):
        return bytes(BYTE_OF[character] for character in name)
    return checked(name).encode()
