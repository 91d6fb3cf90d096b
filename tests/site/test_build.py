"""A broken book does not build: not at first, and not when built again."""

import shutil
from pathlib import Path

import nbformat
import pytest

from tests.site.conftest import ROOT
from tools.site.build import BuildError, build

PAGE = "(sec-1-1)=\n# 1.1 一页\n\n见 {ref}`sec-1-1` 与 {cite}`gers2000`：$x^2$。\n"


@pytest.fixture
def small_book(tmp_path: Path) -> Path:
    """A book of one page and one notebook, in a folder whose name has a space."""
    root = tmp_path / "a book"
    (root / "book" / "_static").mkdir(parents=True)
    for name in ("_config.yml", "tools", "requirements.txt"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, root / name)
    shutil.copy(ROOT / "book" / "references.bib", root / "book")
    for name in ("lmbook.css", "favicon.svg"):
        shutil.copy(ROOT / "book" / "_static" / name, root / "book" / "_static")
    (root / "node_modules").symlink_to(ROOT / "node_modules")
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n"
        "  - file: book/cell\n  - file: book/references\n"
    )
    (root / "book" / "index.md").write_text(PAGE, "utf-8")
    references = "# 文献\n\n```{bibliography}\n```\n"
    (root / "book" / "references.md").write_text(references, "utf-8")
    put_cell(root, nbformat.v4.new_output("stream", text="你好\n"))
    return root


def put_cell(root: Path, output: nbformat.NotebookNode) -> None:
    cell = nbformat.v4.new_code_cell("print('你好')", outputs=[output])
    title = nbformat.v4.new_markdown_cell("# 1.2 一格代码")
    python = {"language_info": {"name": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[title, cell], metadata=python)
    nbformat.write(notebook, root / "book" / "cell.ipynb")


def append(text: str):
    def plant(root: Path) -> None:
        with open(root / "book" / "index.md", "a", encoding="utf-8") as file:
            file.write(text)

    return plant


def error_output(root: Path) -> None:
    error = nbformat.v4.new_output("error", ename="NameError", evalue="load_data")
    put_cell(root, error)


def test_the_small_book_builds_twice(small_book):
    first = build(small_book)
    assert "一页" in first.read_text("utf-8")
    assert build(small_book) == first
    put_cell(small_book, nbformat.v4.new_output("stream", text="再见\n"))
    build(small_book)
    assert "再见" in (first.parent / "cell.html").read_text("utf-8")
    for name in ("index", "cell"):
        text = (first.parent / f"{name}.html").read_text("utf-8")
        assert text.count('rel="stylesheet"') == 1
    assert (first.parent / "index.html").read_text("utf-8").count("<mjx-container") == 1


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (error_output, "book/cell.ipynb, cell 1: NameError"),
        (append("\n见 {ref}`sec-9-9`。\n"), "sec-9-9"),
        (append("\n见 {cite}`nobody1999`。\n"), "nobody1999"),
        (append("\n```{no-such-box}\n```\n"), "no-such-box"),
        (append("\n![图](missing.png)\n"), "missing.png"),
        (append("\n$$\\fraction{1}{2}$$\n"), r"book/index.html: .*\\fraction"),
    ],
    ids=["error output", "cross-reference", "citation", "directive", "image", "TeX"],
)
def test_a_fault_is_named_cold_and_warm(small_book, plant, message):
    build(small_book)
    plant(small_book)
    for _ in range(2):
        with pytest.raises(BuildError, match=message):
            build(small_book)


def test_links_follow_a_fork(small_book, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/their-copy")
    page = build(small_book).with_name("cell.html").read_text("utf-8")
    assert "https://github.com/someone/their-copy/edit/main/book/cell.ipynb" in page
