"""What must hold of every notebook of the book, seen without running it.

Each check yields one line for each fault.  ``CHECKS`` are about one notebook,
``contents`` about the book's table of contents.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml
from nbformat import NotebookNode

from tools.notebooks import names
from tools.notebooks.compare import ADDRESS, Rule
from tools.notebooks.fingerprint import parse_cell
from tools.notebooks.normalise import normalise
from tools.notebooks.paths import ROOT, book_notebooks, first_line, read, to_text
from tools.notebooks.refresh import is_stale

# A call of one of these at a cell's top level leaves an output.
PRINTS = {"print", "display", "show", "show_source"}
HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
SECTION_FILE = re.compile(r"^ch(\d+)_\w+/s(\d+)_\w+\.ipynb$")
CAPTION = re.compile(r"caption=\s*\(?\s*f?\"(?:图 (\d+(?:\.\d+)*))?")
MENTION = re.compile(r"图 ?(\d+(?:\.\d+)+)")
CHAPTER_FILE = re.compile(r"(?:^|/)ch(\d+)_\w+\.ipynb$")


@dataclass
class Page:
    """A notebook and where it lies."""

    path: Path
    root: Path = ROOT

    @cached_property
    def notebook(self) -> NotebookNode:
        return read(self.path)

    @property
    def code_cells(self) -> list[NotebookNode]:
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

    @property
    def code(self) -> list[str]:
        return [cell.source for cell in self.code_cells]

    @property
    def prose(self) -> list[str]:
        return [c.source for c in self.notebook.cells if c.cell_type == "markdown"]

    def headings(self, level: int) -> list[str]:
        text = FENCE.sub("", "\n\n".join(self.prose))
        return [title for marks, title in HEADING.findall(text) if len(marks) == level]

    def tagged(self, tag: str) -> list[NotebookNode]:
        cells = self.notebook.cells
        return [cell for cell in cells if tag in cell.metadata.get("tags", [])]


def stale(page: Page) -> Iterator[str]:
    """The outputs belong to today's code, lmbook, data and package versions."""
    if is_stale(page.notebook, page.path.parent, page.root):
        yield "stale: its code or what it imports has changed; run make notebooks"


def not_normalised(page: Page) -> Iterator[str]:
    """The file is in its committed form: no execution counts, times or warnings."""
    wanted = to_text(normalise(page.notebook)).splitlines()
    stored = page.path.read_text("utf-8").splitlines()
    if wanted != stored:
        pairs = zip(wanted, stored, strict=False)
        line = next((i for i, (a, b) in enumerate(pairs, 1) if a != b), 0)
        yield f"not normalised (line {line}); run make notebooks"


def errors(page: Page) -> Iterator[str]:
    """No cell has stored an error."""
    for cell in page.code_cells:
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"error output, {output.ename}: {first_line(cell.source)}"


def missing_outputs(page: Page) -> Iterator[str]:
    """A cell that prints or draws at its top level has an output."""
    for cell in page.code_cells:
        if not cell.outputs and PRINTS & set(_calls(cell.source)):
            yield f"no stored output: {first_line(cell.source)}"


def memory_addresses(page: Page) -> Iterator[str]:
    """No output shows where an object lay in memory."""
    for cell in page.code_cells:
        for output in cell.outputs:
            text = output.get("text", "") or output.get("data", {}).get(
                "text/plain", ""
            )
            if address := ADDRESS.search(text):
                yield f"memory address {address[0]}: {first_line(cell.source)}"


def figures(page: Page) -> Iterator[str]:
    """Each figure has alt text, and a cell shows at most one."""
    for cell in page.code_cells:
        alts = [
            output.metadata.get(mime, {}).get("alt", "").strip()
            for output in cell.outputs
            for mime in output.get("data", {})
            if mime.startswith("image/")
        ]
        if len(alts) > 1:
            yield f"{len(alts)} figures in one cell: {first_line(cell.source)}"
        if not all(alts):
            yield f"figure without alt text: {first_line(cell.source)}"


def comparison_rules(page: Page) -> Iterator[str]:
    """What a cell says about its comparison makes sense."""
    for cell in page.code_cells:
        try:
            Rule.of(cell)
        except ValueError as error:
            yield f"{error}: {first_line(cell.source)}"


def out_of_order(page: Page) -> Iterator[str]:
    """No cell uses a name before the cell that defines it."""
    yield from names.used_too_early(page.code)


def redefinitions(page: Page) -> Iterator[str]:
    """Nothing is written again that lmbook holds."""
    yield from names.redefined(page.code, page.root)


def unknown_names(page: Page) -> Iterator[str]:
    """Every ``lmbook.`` name exists, in code and in prose."""
    yield from names.missing(page.code, page.prose, page.root)


def section_number(page: Page) -> Iterator[str]:
    """``ch04_…/s1_….ipynb`` is titled 4.1, and its numbered headings are 4.1.n."""
    inside = page.path.relative_to(page.root / "book").as_posix()
    titles = page.headings(1)
    if len(titles) != 1:
        yield f"{len(titles)} headings of level 1; a section has one"
        return
    if found := SECTION_FILE.match(inside):
        number = f"{int(found[1])}.{int(found[2])}"
        if not titles[0].startswith(f"{number} "):
            yield f"the title is {titles[0]!r}; the file's name says {number}"
        for title in page.headings(2):
            if title[0].isdigit() and not re.match(
                rf"{re.escape(number)}\.\d+ ", title
            ):
                yield f"the heading {title!r} does not belong to section {number}"
    elif found := CHAPTER_FILE.search(inside):
        if not titles[0].startswith(f"第 {int(found[1])} 章 "):
            yield f"the title is {titles[0]!r}; the file is chapter {int(found[1])}"
    else:
        yield f"{inside} is named neither chNN_name/sN_name.ipynb nor chNN_name.ipynb"


def exercises(page: Page) -> Iterator[str]:
    """A section asks at least one exercise, and each has its solution after it."""
    tags = [
        tag
        for cell in page.notebook.cells
        for tag in cell.metadata.get("tags", [])
        if tag in ("exercise", "solution")
    ]
    if not tags:
        yield "no cell is tagged exercise"
    elif tags != ["exercise", "solution"] * (len(tags) // 2):
        yield f"exercises and solutions do not alternate: {', '.join(tags)}"


Check = Callable[[Page], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    *(stale, not_normalised, errors, missing_outputs, memory_addresses, figures),
    *(comparison_rules, out_of_order, redefinitions, unknown_names),
    *(section_number, exercises),
)


def contents(root: Path = ROOT) -> Iterator[str]:
    """``_toc.yml`` names every notebook of the book, and nothing that is not there."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    listed = list(_entries(toc))
    for name in listed:
        if not any(
            (root / f"{name}{suffix}").is_file() for suffix in (".ipynb", ".md")
        ):
            yield f"_toc.yml lists {name}, which has no .ipynb or .md file"
    for path in book_notebooks(root / "book"):
        name = path.relative_to(root).with_suffix("").as_posix()
        if name not in listed:
            yield f"{name} is not in _toc.yml"


def figure_numbers(root: Path = ROOT) -> Iterator[str]:
    """Figures are 图 n.m.1, n.m.2 … through section n.m; those mentioned exist."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    counts: dict[str, int] = {}
    mentions: list[tuple[str, str]] = []
    for name in _entries(toc):
        path, found = root / f"{name}.ipynb", SECTION_FILE.match(f"{name[5:]}.ipynb")
        if not path.is_file():
            continue
        page = Page(path, root)
        mentions += [(name, it) for text in page.prose for it in MENTION.findall(text)]
        for number in (it for code in page.code for it in CAPTION.findall(code)):
            section = f"{int(found[1])}.{int(found[2])}" if found else name
            counts[section] = counts.get(section, 0) + 1
            wanted = f"{section}.{counts[section]}"
            if number != wanted:
                yield f"{name}: the caption says 图 {number}, it is 图 {wanted}"
    for name, number in mentions:
        section, _, last = number.rpartition(".")
        if not 1 <= int(last) <= counts.get(section, 0):
            yield f"{name}: there is no 图 {number}"


def _entries(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("root", "file"):
                yield str(value).removesuffix(".ipynb").removesuffix(".md")
            else:
                yield from _entries(value)
    elif isinstance(node, list):
        for value in node:
            yield from _entries(value)


def _calls(source: str) -> Iterator[str]:
    """Names of the functions that a cell's top level calls for their output."""
    for statement in parse_cell(source).body:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
                yield name
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name))):
                yield name
