"""Files of word vectors: word2vec text and binary, GloVe text.

    text                         binary
    3 2                          3 2
    the 0.1 0.2                  the <8 bytes>
    ...                          ...

The first line gives the number of words and the size; GloVe's own files lack it.
Binary numbers are float32, the lowest byte first.  The original C program puts a
line feed after each binary vector, gensim does not; both are read.
"""

import gzip
import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from lmbook.errors import InputError
from lmbook.files import atomic_write

Floats = NDArray[np.float32]
BLOCK = 65_536  # rows to begin with: the first line may promise any number


def write(
    path: str | Path, words: Sequence[str], vectors: Floats, binary: bool
) -> None:
    """Write the file whole or not at all; nine digits keep every float32 exactly."""
    for word in words:
        if not word or word.split() != [word]:
            raise InputError(f"the format has no way to write the word {word!r}")
    count, size = vectors.shape
    number = " %.9g" * size + "\n"
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        file.write(b"%d %d\n" % (count, size))
        for word, vector in zip(words, vectors, strict=True):
            file.write(word.encode("utf-8"))
            if binary:
                file.write(b" " + vector.astype("<f4").tobytes())
            else:
                file.write((number % tuple(vector.tolist())).encode("ascii"))


def read(path: str | Path, limit: int | None = None) -> tuple[list[str], Floats]:
    """Words and vectors of a file in one of the three layouts, found out from it.

    Raises ``InputError`` that names the file and the line or word at fault.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1, got {limit}")
    path = Path(path)
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            return _read(cast(IO[bytes], file), limit)
    except (ValueError, EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"{path} holds no word vectors: {error}") from None


def _read(file: IO[bytes], limit: int | None) -> tuple[list[str], Floats]:
    first = file.readline()
    fields = first.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields):
        count, size = map(int, fields)
        if not count or not size:
            raise ValueError(f"its first line says {count} words of size {size}")
        promised = count if limit is None else min(limit, count)
        start = file.tell()
        is_text = _is_text(file.readline(), size)
        file.seek(start)
        entries = (_text if is_text else _binary)(file, size, promised)
    else:
        size = len(fields) - 1
        if size < 1 or not _is_text(first, size):
            raise ValueError("its first line is neither 'words size' nor a vector")
        file.seek(0)
        promised = 0
        entries = _text(file, size, limit)
    rows: dict[str, int] = {}
    found = 0
    vectors = np.empty((min(promised or BLOCK, BLOCK), size), np.float32)
    for word, vector in entries:
        found += 1
        if word in rows:
            warnings.warn(
                f"the word {word!r} again: its first vector stays", stacklevel=4
            )
            continue
        if len(rows) == len(vectors):
            vectors = np.concatenate([vectors, np.empty_like(vectors)])
        vectors[len(rows)] = vector
        rows[word] = len(rows)
    if found < promised:
        raise ValueError(f"it ends after {found:,} of {promised:,} words")
    return list(rows), vectors[: len(rows)]


def _is_text(line: bytes, size: int) -> bool:
    try:
        _numbers(line, size)
    except ValueError:
        return False
    return True


def _numbers(line: bytes, size: int) -> tuple[bytes, Floats]:
    """Split from the right: some words of GloVe's have spaces in them."""
    word, *numbers = line.rstrip().rsplit(b" ", size)
    if len(numbers) != size or not word:
        raise ValueError(f"expected a word and {size} numbers, got {line[:60]!r}")
    return word, np.array(numbers, np.float32)


def _text(
    file: IO[bytes], size: int, wanted: int | None
) -> Iterator[tuple[str, Floats]]:
    for line in islice(filter(bytes.strip, file), wanted):
        word, vector = _numbers(line, size)
        yield word.decode("utf-8"), vector


def _binary(file: IO[bytes], size: int, wanted: int) -> Iterator[tuple[str, Floats]]:
    for index in range(wanted):
        word = bytearray()
        while (char := file.read(1)) != b" ":
            if not char:
                raise ValueError(f"it ends within word {index:,}")
            if word or char != b"\n":
                word += char
        data = file.read(4 * size)
        if len(data) < 4 * size:
            raise ValueError(f"it ends within the vector of word {index:,}")
        yield word.decode("utf-8"), np.frombuffer(data, "<f4")
