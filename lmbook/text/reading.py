"""A file of the user's, read as text: what is accepted, and what is wrong otherwise."""

import re
import stat
from pathlib import Path

from lmbook.errors import InputError

MAGIC = {
    b"\x1f\x8b": "a gzip file; unpack it first",
    b"PK\x03\x04": "a zip archive (or an Office document); unpack it first",
    b"%PDF-": "a PDF; save its text first",
}
UTF16 = (b"\xff\xfe", b"\xfe\xff")
SAMPLE = 2**16  # bytes looked at to guess another encoding
CHINESE = re.compile(r"[\u2010-\u2030\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file.

    A byte order mark is dropped and every line ending becomes ``\\n``.  Raises
    ``InputError`` for what is no regular file (a pipe could wait for ever), for a
    file that cannot be read, holds no text or is not UTF-8, and for a NUL byte: it
    belongs to binary files and to UTF-16, and no vocabulary should learn it.
    A file that does not exist is a ``FileNotFoundError``.
    """
    if not str(path) or "\0" in str(path):
        raise FileNotFoundError(path)
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InputError(f"cannot read {path}: not a regular file")
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    text = decode(data, path)
    if not text or text.isspace():
        raise InputError(f"{path} holds no text")
    return text


def decode(data: bytes, name: str | Path) -> str:
    """UTF-8 bytes as text; ``name`` says in an error what they are."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not UTF-8 text: byte {error.start:,} "
            f"is 0x{data[error.start]:02x}{_guess(data)}"
        ) from None
    nul = data.find(0)
    if nul >= 0:
        hint = _guess(data) or "; if it is stray, delete it: tr -d '\\000' < old > new"
        raise InputError(f"{name} is not plain text: byte {nul:,} is NUL{hint}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _guess(data: bytes) -> str:
    """A hint at what the bytes are, or nothing."""
    for magic, what in MAGIC.items():
        if data.startswith(magic):
            return f"; it looks like {what}"
    encoding = ""
    if data.startswith(UTF16):
        encoding = "UTF-16"
    elif data[:SAMPLE:2].count(0) > len(data[:SAMPLE]) // 4:
        encoding = "UTF-16BE"
    elif data[1:SAMPLE:2].count(0) > len(data[:SAMPLE]) // 4:
        encoding = "UTF-16LE"
    elif _is_gb18030(data):
        encoding = "GB18030"
    if not encoding:
        return ""
    return (
        f"; it looks like {encoding}: "
        f"convert it with iconv -f {encoding} -t UTF-8 old > new"
    )


def _is_gb18030(data: bytes) -> bool:
    """Whether all of it decodes, and what is not ASCII comes out mostly Chinese."""
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    foreign = len(text) - len(text.encode("ascii", "ignore"))
    return len(CHINESE.findall(text)) > 0.8 * foreign > 0
