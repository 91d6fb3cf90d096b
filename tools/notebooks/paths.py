"""Where the book's notebooks lie, and how one is read and written."""

import json
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lmbook.files import atomic_write

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"


def book_notebooks(book: Path = BOOK) -> list[Path]:
    """Every notebook of the book, in the order of its folders and file names."""
    found = book.rglob("*.ipynb")
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def read(path: Path) -> NotebookNode:
    """The notebook at ``path``; ``ValueError`` where the file is not one."""
    try:
        text = path.read_text("utf-8")
        content = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is not a notebook: {error}") from error
    if not isinstance(content, dict) or content.get("nbformat") != 4:
        raise ValueError(f"{path} is not a notebook of format 4")
    return nbformat.v4.reads(text)


def to_text(notebook: NotebookNode) -> str:
    """The one way a notebook is laid out on disk: sorted keys, a final newline."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def write(notebook: NotebookNode, path: Path) -> bool:
    """Save whole or not at all; False where the file already held just this."""
    text = to_text(notebook)
    if path.exists() and path.read_bytes() == text.encode("utf-8"):
        return False
    with atomic_write(path) as temporary:
        temporary.write_text(text, "utf-8", newline="\n")
    return True


def first_line(source: str) -> str:
    """A cell's first line that is not empty: how messages name the cell."""
    return next((line for line in source.splitlines() if line.strip()), "(empty cell)")
