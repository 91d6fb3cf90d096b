"""Text by the name of a corpus, or from any UTF-8 file."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmbook.errors import InputError
from lmbook.text import questions
from lmbook.text.bookmix import book_text
from lmbook.text.datasets import DATASETS, Dataset
from lmbook.text.docstrings import docstrings
from lmbook.text.downloads import cache_folder, read_parts
from lmbook.text.pairs import read_pairs
from lmbook.text.reading import decode, read_text


@dataclass(frozen=True)
class Offline:
    """A corpus that is made from what is installed."""

    about: str
    licence: str
    text: Callable[[], str]


OFFLINE = {
    "docstrings": Offline(
        "English prose of NumPy's and SciPy's documentation, 640,000 words",
        "BSD",
        docstrings,
    ),
    "uistrings": Offline(
        "JupyterLab's interface, 3,000 English-Chinese pairs",
        "BSD",
        lambda: _as_lines("uistrings"),
    ),
    "microworld": Offline(
        "Chinese sentences and stories of an artificial world, 1 M words",
        "CC BY",
        lambda: _microworld("zh"),
    ),
    "microworld-en": Offline(
        "The same world in English, 1 M words",
        "CC BY",
        lambda: _microworld("en"),
    ),
    "book": Offline(
        "The four above mixed: what the book's default model learns from, 0.9 M words",
        "BSD / CC BY",
        book_text,
    ),
}


def _microworld(language: str) -> str:
    from lmbook.text.microworld import microworld_text

    return microworld_text(language)


def names() -> list[str]:
    """The names of all corpora, those that need no network first."""
    return [*OFFLINE, *DATASETS]


def read_corpus(name_or_path: str | Path) -> str:
    """The text of a named corpus or of a file (:func:`lmbook.text.reading.read_text`).

    A corpus of several parts gives them one after the other.  Of pairs, both sides
    are the text, a pair a line with a tab between, as :func:`read_pairs` reads them;
    of questions, the paragraphs, each once, one a line.
    Raises ``InputError`` for an unknown name, a file that is no text, and (as
    ``DownloadError``) a corpus that cannot be fetched.
    """
    name = str(name_or_path)
    if name in OFFLINE:
        return OFFLINE[name].text()
    if name in DATASETS:
        kind = DATASETS[name].kind
        if kind == "pairs":
            return _as_lines(name)
        parts = _decoded(name)
        return _paragraphs(parts) if kind == "questions" else "".join(parts.values())
    try:
        return read_text(name_or_path)
    except FileNotFoundError:
        raise InputError(_no_such(name)) from None


def read_splits(name_or_path: str | Path) -> dict[str, str] | None:
    """The parts "train", "valid" and "test" of a corpus published so, else None."""
    name = str(name_or_path)
    if name in DATASETS and {"train", "valid", "test"} == set(DATASETS[name].parts):
        return _decoded(name)
    return None


def is_tokenized(name_or_path: str | Path) -> bool:
    """Whether a corpus is published as tokens with spaces between them."""
    name = str(name_or_path)
    return name in DATASETS and DATASETS[name].kind == "tokens"


def files(name_or_path: str | Path) -> list[Path]:
    """Where the files of a corpus lie (none, if it is made); a path is its own."""
    name = str(name_or_path)
    if name in OFFLINE:
        return []
    if name in DATASETS:
        return [cache_folder() / file.name for file in DATASETS[name].files]
    return [Path(name_or_path)]


def listing() -> list[dict[str, Any]]:
    """A row for each corpus: name, status, bytes (None: unknown), licence, about.

    The status is "offline" (no network needed), "cached" or "not downloaded".
    """
    rows: list[dict[str, Any]] = [
        {"name": name, "status": "offline", "bytes": None, **_terms(corpus)}
        for name, corpus in OFFLINE.items()
    ]
    for name, dataset in DATASETS.items():
        there = all(path.is_file() for path in files(name))
        fixed = all(file.sha256 for file in dataset.files)
        rows.append(
            {
                "name": name,
                "status": "cached" if there else "not downloaded",
                "bytes": sum(file.size for file in dataset.files) if fixed else None,
                **_terms(dataset),
            }
        )
    return rows


def _terms(corpus: Offline | Dataset) -> dict[str, str]:
    return {"licence": corpus.licence, "about": corpus.about}


def _decoded(name: str) -> dict[str, str]:
    found = read_parts(DATASETS[name])
    return {part: decode(data, f"{name}, {part}") for part, data in found.items()}


def _as_lines(name: str) -> str:
    return "".join(f"{one}\t{other}\n" for one, other in read_pairs(name))


def _paragraphs(parts: dict[str, str]) -> str:
    found = (
        " ".join(question.context.split())
        for part, text in parts.items()
        for question in questions.parse(text, part)
    )
    return "".join(f"{paragraph}\n" for paragraph in dict.fromkeys(found))


def _no_such(name: str) -> str:
    known = names()
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    listed = ", ".join(known)
    return f"no corpus or file named {name!r}{hint} (corpora: {listed}; or a path)"
