"""Parallel corpora: sentences and their translations.  Sections 3.4 and 6.2."""

from pathlib import Path

from lmbook.errors import InputError
from lmbook.text.datasets import DATASETS
from lmbook.text.downloads import read_parts
from lmbook.text.reading import decode, read_text
from lmbook.text.uistrings import uistrings

Pairs = list[tuple[str, str]]


def read_pairs(name_or_path: str | Path) -> Pairs:
    """The pairs (English, Chinese) of ``uistrings``, ``tatoeba-zh-en`` or a file.

    A file holds a pair a line, its two sides separated by a tab; further columns
    (Tatoeba's attribution) are left out, and so are empty lines.  A sentence with
    several translations stands in several pairs.  Raises ``InputError`` with the
    number of a line that is no pair.
    """
    name = str(name_or_path)
    if name == "uistrings":
        return uistrings()
    if name in DATASETS and DATASETS[name].kind == "pairs":
        [data] = read_parts(DATASETS[name]).values()
        return _parse(decode(data, name), name)
    if name in DATASETS:
        raise InputError(f"{name} holds no pairs; uistrings and tatoeba-zh-en do")
    try:
        return _parse(read_text(name_or_path), name)
    except FileNotFoundError:
        raise InputError(
            f"no pairs and no file named {name!r} "
            "(corpora: uistrings, tatoeba-zh-en; or a path)"
        ) from None


def _parse(text: str, name: str) -> Pairs:
    pairs = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        english, *others = (column.strip() for column in line.split("\t"))
        if not (english and others and others[0]):
            raise InputError(
                f"{name}, line {number:,}: expected two texts separated by a tab, "
                f"got {line[:60]!r}"
            )
        pairs.append((english, others[0]))
    return pairs
