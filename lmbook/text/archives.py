"""Members of zip and tar archives, read into memory; nothing is ever unpacked.

An archive from the network may name a file ``../x``, hold a link to elsewhere or
swell to gigabytes.  Such a one is refused as a whole, before a member is read.
"""

import io
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from lmbook.errors import InputError

LIMIT = 512 * 1024**2  # bytes, of all members together
SUFFIXES = (".zip", ".tgz", ".tar.gz", ".tar")
UNSAFE = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\0")
# What the two modules raise on bytes that no program wrote; RuntimeError is a password
# or an unknown compression.
DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error),
    *(EOFError, OSError, ValueError, RuntimeError),
)


def is_archive(name: str) -> bool:
    """Whether a file of this name is read as an archive."""
    return name.endswith(SUFFIXES)


def read_members(
    path: str | Path, members: Iterable[str], name: str = ""
) -> dict[str, bytes]:
    """The contents of these members; ``name`` is the archive's, where path differs.

    Raises ``InputError`` for a damaged archive, a missing file, and an archive
    that holds a path outside itself, a link, a device, or more than ``LIMIT`` bytes.
    """
    name = name or Path(path).name
    read = _read_zip if name.endswith(".zip") else _read_tar
    data = io.BytesIO(Path(path).read_bytes())
    try:
        return read(data, list(members))
    except InputError as error:
        raise InputError(f"{name} is refused: {error}") from None
    except DAMAGE as error:
        raise InputError(f"{name} is no readable archive ({error})") from None


def _read_zip(data: io.BytesIO, members: list[str]) -> dict[str, bytes]:
    with zipfile.ZipFile(data) as archive:
        total = 0
        for info in archive.infolist():
            total += info.file_size
            kind = stat.S_IFMT(info.external_attr >> 16)
            plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
            _check(info.orig_filename, plain, total)
        found = {}
        for member in members:
            if member not in archive.namelist():
                raise InputError(f"it lacks the file {member!r}")
            found[member] = archive.read(member)  # at most file_size, CRC compared
        return found


def _read_tar(data: io.BytesIO, members: list[str]) -> dict[str, bytes]:
    with tarfile.open(fileobj=data) as archive:
        total = 0
        for info in archive:
            total += info.size
            _check(info.name, info.isreg() or info.isdir(), total)
        found = {}
        for member in members:
            file = None
            if member in archive.getnames():
                file = archive.extractfile(member)
            if file is None:  # a folder
                raise InputError(f"it lacks the file {member!r}")
            found[member] = file.read()
        return found


def _check(name: str, plain: bool, total: int) -> None:
    if UNSAFE.search(name):
        raise InputError(f"the member {name!r} points outside the archive")
    if not plain:
        raise InputError(f"the member {name!r} is a link or a device")
    if total > LIMIT:
        raise InputError(f"it unpacks to more than {LIMIT:,} bytes")
