"""Files written whole or not at all; what tells that they still are; locks."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lmbook.errors import InputError

SEAL = "sha256"  # the last field of a sealed file


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it there when all went well.

    The file appears complete or not at all: on an error, or a kill half-way, what
    stood at ``path`` before still stands there.  Full disks and the like are an
    ``OSError`` that names ``path``.

        with atomic_write("model.json") as temporary:
            temporary.write_text(text, "utf-8")
    """
    path = Path(path)
    temporary = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        os.close(handle)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        if error.filename not in (None, str(temporary)) and temporary is not None:
            raise  # it speaks of another file
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sealed(path: str | Path, content: dict[str, Any]) -> None:
    """Write JSON that carries its own SHA-256; :func:`read_sealed` checks it."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(_sealed(content))


def read_sealed(path: str | Path) -> dict[str, Any]:
    """What :func:`write_sealed` wrote; ``InputError`` if any byte is another."""
    data = Path(path).read_bytes()
    try:
        content = json.loads(data)
        content.pop(SEAL)
        intact = _sealed(content) == data
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        intact = False
    if not intact:
        raise InputError(f"{path} is damaged: its bytes are not those once written")
    return content


@contextmanager
def locked(path: str | Path, what: str, wait: bool = False) -> Iterator[None]:
    """Hold the lock file ``path``; ``InputError`` if another process does.

    It says that ``what`` is in use.  With ``wait`` it waits instead.  The system lets
    go of a lock when the process ends, in whatever way.  Where it has no such locks
    (Windows) nothing is held.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(path, "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).strip() or "another"
            raise InputError(f"{what} is in use by process {holder}") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _sealed(content: dict[str, Any]) -> bytes:
    digest = hashlib.sha256(_to_json(content)).hexdigest()
    return _to_json({**content, SEAL: digest})


def _to_json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, allow_nan=False, indent=1) + "\n").encode()


def _sync_folder(folder: Path) -> None:
    """Make the renaming last through a power cut; Windows cannot and need not."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
