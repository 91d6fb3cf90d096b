"""Files fetched once, checked against their SHA-256, kept in a cache folder.

``LMBOOK_DATA`` names the cache folder (default: the user's cache, as pooch has it).
``LMBOOK_MIRROR`` names the one place to look in instead of the files' own addresses:
``https://host/path``, ``file:///path`` or a folder, such as a teacher's USB stick;
a copy of a full cache folder is a mirror.

A file appears in the cache whole and checked, or not at all.
"""

import os
import shutil
import sys
import time
import urllib.parse
import urllib.request
import warnings
from pathlib import Path
from typing import BinaryIO

from lmbook.errors import InputError
from lmbook.files import atomic_write, sha256
from lmbook.text import archives
from lmbook.text.datasets import Dataset, File

WAITS = (0.5, 2.0)  # seconds before the second and the third try
TIMEOUT = 30.0  # seconds without a byte


class DownloadError(InputError):
    """A file could not be fetched; says why, and how to get it in another way."""


def cache_folder() -> Path:
    """Where fetched files are kept."""
    given = os.environ.get("LMBOOK_DATA")
    if given:
        return Path(given).expanduser()
    import pooch

    return Path(pooch.os_cache("lmbook"))


def read_parts(dataset: Dataset, names: list[str] | None = None) -> dict[str, bytes]:
    """The bytes of these parts (all) of a data set, fetched where they must be."""
    wanted = {name: dataset.parts[name] for name in names or dataset.parts}
    found = {}
    for file in dict.fromkeys(part.file for part in wanted.values()):
        path = fetch(file, dataset)
        mine = {name: part.member for name, part in wanted.items() if part.file == file}
        if archives.is_archive(file.name):
            contents = archives.read_members(path, mine.values())
            found.update({name: contents[member] for name, member in mine.items()})
        else:
            found.update(dict.fromkeys(mine, path.read_bytes()))
    return {name: found[name] for name in wanted}


def fetch(file: File, dataset: Dataset) -> Path:
    """The path of a checked file of a data set in the cache, fetched if it must be.

    A file that changes with time has no SHA-256 that could be known before.  That of
    the first version to arrive is written beside it (``NAME.sha256``), with a
    warning, and holds from then on.  Raises :class:`DownloadError`.
    """
    target = cache_folder() / file.name
    record = target.with_name(f"{file.name}.sha256")
    try:
        expected = file.sha256 or _recorded(record)
        there = target.is_file()
        if not there or expected not in ("", sha256(target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            _download(file, dataset, target, expected)
        elif not expected:  # put there by hand
            _check(file, dataset, target, "")
        if not expected:
            _record(target, record)
    except OSError as error:
        raise DownloadError(
            f"cannot use the cache folder {target.parent}: {error.strerror}; "
            "set LMBOOK_DATA to a folder that can be written to"
        ) from None
    return target


def _recorded(record: Path) -> str:
    return record.read_text("ascii", "replace")[:64] if record.exists() else ""


def _record(target: Path, record: Path) -> None:
    found = sha256(target)
    with atomic_write(record) as temporary:  # in the layout of sha256sum
        temporary.write_text(f"{found}  {target.name}\n", "ascii")
    warnings.warn(
        f"{target.name} changes with time; this version (SHA-256 {found}) is kept "
        "from now on, and the numbers in the book may belong to another",
        stacklevel=2,
    )


def _download(file: File, dataset: Dataset, target: Path, expected: str) -> None:
    failures = []
    if target.is_file():
        failures.append(f"{target} is not the expected file")
    for source in _sources(file):
        try:
            with atomic_write(target) as temporary:
                if isinstance(source, Path):
                    _copy(source, temporary)
                else:
                    _get(source, file, temporary)
                _check(file, dataset, temporary, expected)
            return
        except InputError as error:
            failures.append(f"{source}: {error}")
    digest = f" (SHA-256 {expected})" if expected else ""
    if expected and not file.sha256:
        digest += f", or delete {target.name}.sha256 to take another version"
    raise DownloadError(
        f"cannot get {file.name}: {'; '.join(failures)}. Set LMBOOK_MIRROR to a folder "
        f"or an address that has it, or put it into {target.parent} by hand{digest}"
    )


def _sources(file: File) -> list[str | Path]:
    """The mirror if one is set, and it alone; else the file's own addresses."""
    mirror = os.environ.get("LMBOOK_MIRROR")
    if not mirror:
        return list(file.urls)
    if "://" not in mirror:
        return [Path(mirror).expanduser() / file.name]
    address = urllib.parse.urlsplit(mirror)
    if address.scheme == "file":
        return [Path(urllib.request.url2pathname(address.path)) / file.name]
    if address.scheme in ("http", "https") and address.netloc:
        return [f"{mirror.rstrip('/')}/{file.name}"]
    raise DownloadError(
        f"LMBOOK_MIRROR must be a folder or begin with http://, https:// or file://, "
        f"got {mirror!r}"
    )


def _copy(source: Path, temporary: Path) -> None:
    try:
        shutil.copyfile(source, temporary)
    except OSError as error:
        raise DownloadError(f"cannot copy it: {error.strerror or error}") from None


def _get(url: str, file: File, temporary: Path) -> None:
    """Fetch over HTTP; what may pass (no connection, 5xx) is tried three times."""
    import pooch
    import requests
    from tqdm import tqdm

    for wait in (*WAITS, None):
        try:
            with (
                open(temporary, "wb") as output,
                tqdm(
                    total=file.size,
                    desc=file.name,
                    unit="B",
                    unit_scale=True,
                    leave=False,
                    disable=not (sys.stderr.isatty() or "ipykernel" in sys.modules),
                ) as bar,
            ):
                get = pooch.HTTPDownloader(bar, chunk_size=2**13, timeout=TIMEOUT)
                get(url, _Bounded(output, file.size), None)
            return
        except requests.RequestException as error:
            if wait is None or not _may_pass(error):
                raise DownloadError(_reason(error)) from None
            time.sleep(wait)


class _Bounded:
    """A file that takes so many bytes and no more: a server could go on for ever."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self.file, self.limit = file, limit
        self.flush = file.flush

    def write(self, data: bytes) -> None:
        if self.file.tell() + len(data) > self.limit:
            raise DownloadError(f"it sends more than the {self.limit:,} bytes expected")
        self.file.write(data)


def _may_pass(error: Exception) -> bool:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code >= 500 or error.response.status_code == 429
    passing = (requests.ConnectionError, requests.Timeout)
    return isinstance(error, (*passing, requests.exceptions.ChunkedEncodingError))


def _reason(error: BaseException) -> str:
    """What a failed request comes down to, in a few words."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TimeoutError | requests.Timeout):
            return f"no answer within {TIMEOUT:g} s"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error).partition("\n")[0][:200]


def _check(file: File, dataset: Dataset, path: Path, expected: str) -> None:
    """Compare the checksum; read what is wanted of an archive, to see that it can."""
    found = sha256(path)
    if expected and found != expected:
        size = path.stat().st_size
        raise DownloadError(
            f"{size:,} bytes with SHA-256 {found} are not the file expected"
        )
    if archives.is_archive(file.name):
        members = [p.member for p in dataset.parts.values() if p.file == file]
        archives.read_members(path, members, file.name)
