"""What every tokenizer does: text to ids and back, a ``tokenizer.json`` to keep it."""

import json
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from lmbook.errors import InputError
from lmbook.files import atomic_write

Token = TypeVar("Token", str, bytes)


class Tokenizer(ABC, Generic[Token]):
    """A vocabulary, ``tokens[id]``, and the way to cut a text into its tokens."""

    BOUNDARY: ClassVar[re.Pattern[str]]  # where a long text may be cut in two
    tokens: Sequence[Token]
    unknown_id: int | None = None  # of ``<unk>``, where there is one

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """The ids of a text; ``InputError`` names the place of a lone surrogate."""

    @abstractmethod
    def _encode_pieces(self, text: str) -> Iterable[Iterable[int]]:
        """The ids that :meth:`encode` gives, some at a time."""

    def encode_array(self, text: str) -> NDArray[np.int64]:
        """What :meth:`encode` gives as an array; a long text needs little memory.

        At most about 12 bytes a token beyond the text: 4 on the way, 8 in the end.
        """
        found = [np.zeros(0, np.int32)]
        found += [np.fromiter(ids, np.int32) for ids in self._encode_pieces(text)]
        return np.concatenate(found, dtype=np.int64)

    def unknown_share(self, ids: NDArray[np.int64]) -> float:
        """Share of these ids that are ``<unk>``."""
        if self.unknown_id is None or len(ids) == 0:
            return 0.0
        return float(np.mean(ids == self.unknown_id))

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids; ``InputError`` names an unknown one."""

    def pieces(self, text: str) -> list[Token]:
        """The tokens of a text instead of their ids."""
        return self.pieces_of(self.encode(text))

    def pieces_of(self, ids: Iterable[int]) -> list[Token]:
        """The tokens of these ids; ``InputError`` names an unknown one."""
        numbers = list(map(operator.index, ids))
        for i in numbers:
            if not 0 <= i < len(self):
                last = len(self) - 1
                raise InputError(f"id {i} is unknown: accepted are 0 to {last}")
        return [self.tokens[i] for i in numbers]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def vocab_size(self) -> int:
        """How many tokens there are."""
        return len(self)

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What :meth:`save` writes: the layout of Hugging Face's tokenizer.json."""

    @classmethod
    @abstractmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The tokenizer of such a file; ``InputError`` names a field that asks for
        what is not implemented: a wrong id is worse than none."""

    def save(self, path: str | Path) -> None:
        """Write a tokenizer.json that Hugging Face's ``tokenizers`` loads too."""
        text = json.dumps(self.to_json(), ensure_ascii=False, indent=1)
        with atomic_write(path) as temporary:
            temporary.write_text(text, "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a tokenizer.json, ours or one that the library saved."""
        content = read_json(path)
        try:
            return cls.from_json(content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None


def read_json(path: str | Path) -> dict[str, Any]:
    """A tokenizer.json with a model; ``InputError`` where it is anything else."""
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise InputError(f"{path}: not a tokenizer.json, it has no field 'model'")
    return content


def layout(**fields: object) -> dict[str, Any]:
    """A tokenizer.json with these fields, the others empty."""
    empty = ("truncation", "padding", "normalizer", "post_processor", "decoder")
    return {"version": "1.0", **dict.fromkeys(empty), "added_tokens": [], **fields}


def refuse_unless(accepted: Mapping[str, Sequence[object]], content: object) -> None:
    """``InputError`` names the first field whose value is not among those accepted.

    "model.type" is the field type of the object model; a missing field is None.
    """
    for field, values in accepted.items():
        found = content
        for name in field.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if found not in values:
            shown = json.dumps(found, ensure_ascii=False)[:200]
            choices = " or ".join(map(json.dumps, values))
            raise InputError(f"field {field!r} is {shown}; accepted: {choices}")


def listed(vocab: object) -> list[str]:
    """The tokens of a field "model.vocab" in order of their ids, 0, 1, 2 ..."""
    if not isinstance(vocab, dict):
        raise InputError("field 'model.vocab' must map tokens to ids")
    of_id = {i: token for token, i in vocab.items() if type(i) is int}
    for i in range(len(vocab)):
        if i not in of_id:
            raise InputError(f"field 'model.vocab' has no token of id {i}")
    return [of_id[i] for i in range(len(vocab))]


def checked(text: str) -> str:
    """The same text; ``InputError`` unless it is a str that UTF-8 can encode."""
    if not isinstance(text, str):
        raise InputError(f"text must be a str, got {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"position {error.start} of the text is a lone surrogate, "
            f"U+{ord(text[error.start]):04X}: UTF-8 cannot encode it"
        ) from None
    return text


def texts(text: str | Iterable[str]) -> Iterable[str]:
    """One text or several, each checked."""
    return map(checked, [text] if isinstance(text, str | bytes) else text)
