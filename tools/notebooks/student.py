"""Write student/: the book's notebooks without solutions (``make student``).

A solution cell becomes an empty one to write in; all else is as in the book.  What
was edited in student/ since it was written is never overwritten: it stays as it
is and is named, so that a fresh copy can be had by moving it away.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import nbformat
from nbformat import NotebookNode

from lmbook.files import atomic_write, sha256
from tools.notebooks.normalise import normalise
from tools.notebooks.paths import BOOK, ROOT, book_notebooks, read, to_text

STUDENT = ROOT / "student"
# SHA-256 of each file as it was written, by its path in student/.
RECORD = ".written.json"
CODE_PLACEHOLDER = "# 在这里写你的答案"
PROSE_PLACEHOLDER = "*在这里写你的答案。*"
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")


def without_solutions(notebook: NotebookNode) -> NotebookNode:
    """The notebook with every cell tagged ``solution`` emptied, open to write in."""
    notebook = nbformat.from_dict(notebook)
    notebook.metadata.get("lmbook", {}).pop("hash", None)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "solution" not in tags:
            continue
        cell.metadata = nbformat.from_dict({"tags": ["answer"]})
        if cell.cell_type == "code":
            cell.source, cell.outputs = CODE_PLACEHOLDER, []
        else:
            cell.source = PROSE_PLACEHOLDER
    return normalise(notebook)


def write_student(book: Path = BOOK, student: Path = STUDENT) -> tuple[int, list[Path]]:
    """Write all of student/; (how many files were written, those that were kept).

    Kept are the files that were edited, or were there before and not by us.
    """
    record_path = student / RECORD
    written = json.loads(record_path.read_text("utf-8")) if record_path.exists() else {}
    count, kept = 0, []
    student.mkdir(parents=True, exist_ok=True)
    for name, content in _files(book):
        target = student / name
        digest = hashlib.sha256(content).hexdigest()
        if target.exists() and sha256(target) not in (digest, written.get(name)):
            kept.append(target)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(target) as temporary:
            temporary.write_bytes(content)
        count += 1
        written[name] = digest
        # At once: killed half-way, what was written is still known as ours.
        with atomic_write(record_path) as temporary:
            temporary.write_text(json.dumps(written, indent=1, sort_keys=True), "utf-8")
    return count, kept


def _files(book: Path) -> Iterator[tuple[str, bytes]]:
    """(path below student/, content): the notebooks, and what they read and show."""
    beside: set[Path] = set()
    for path in book_notebooks(book):
        notebook = read(path)
        needed = list(notebook.metadata.get("lmbook", {}).get("data", []))
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                needed += IMAGE.findall(cell.source)
        beside |= {(path.parent / name).resolve() for name in needed}
        text = to_text(without_solutions(notebook))
        yield path.relative_to(book).as_posix(), text.encode("utf-8")
    for path in sorted(beside):
        if path.is_relative_to(book.resolve()) and path.is_file():
            yield path.relative_to(book.resolve()).as_posix(), path.read_bytes()


@click.command(help=__doc__)
def main() -> None:
    count, kept = write_student()
    click.echo(f"{STUDENT}: {count} files written")
    for path in kept:
        click.echo(f"kept as edited: {path} (move it away for a fresh one)")


if __name__ == "__main__":
    main()
