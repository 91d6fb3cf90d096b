"""Text by the name of a corpus, or from any UTF-8 file."""

import difflib
from collections.abc import Callable
from pathlib import Path

from lmbook.errors import InputError
from lmbook.text.docstrings import docstrings

CORPORA: dict[str, Callable[[], str]] = {"docstrings": docstrings}


def read_corpus(name_or_path: str | Path) -> str:
    """The text of a named corpus or of a file.

    A file must be UTF-8; a byte order mark is dropped and every line ending
    becomes ``\\n``.  Raises ``InputError`` for an unknown name, and for a file that
    cannot be read, holds no text, or is not UTF-8 (with the position of the byte).
    """
    if str(name_or_path) in CORPORA:
        return CORPORA[str(name_or_path)]()
    path = Path(name_or_path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(_no_such(str(name_or_path))) from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text: byte {error.start:,} "
            f"is 0x{data[error.start]:02x}"
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InputError(f"{path} holds no text")
    return text


def _no_such(name: str) -> str:
    close = difflib.get_close_matches(name, CORPORA, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    known = ", ".join(CORPORA)
    return f"no corpus or file named {name!r}{hint} (corpora: {known}; or a path)"
