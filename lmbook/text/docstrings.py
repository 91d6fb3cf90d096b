"""A corpus that every reader already has: the prose of NumPy's and SciPy's docs.

The sources of the two installed packages are read with ``ast`` (nothing is
imported), their docstrings cut into paragraphs, and only running text is kept:
no code examples, parameter lists, formulas, references, tests or repetitions.
Used in section 5.2 and chapter 3.
"""

import ast
import hashlib
import importlib.metadata
import importlib.util
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("numpy", "scipy")
# What the numbers in the book were computed on.
VERSIONS = {"numpy": "2.4.6", "scipy": "1.17.1"}
SHA256 = "0800e36895e4c4086f429dd2d7062c8b9e782e3a743687bd528887915445e900"

FEWEST_WORDS = 4
LEAST_LETTERS = 0.6  # share of a paragraph's characters that stand in words
UNDERLINE = re.compile(r"^\s*([-=~^*#]{3,})\s*$")
PARAMETER = re.compile(r"^[\w*`'\"{][^.]{0,60}? ?: \S|^[\w*, `]{1,40}$")
ROLE = re.compile(r":[\w:+.-]+:`~?([^`<]+?)(?: *<[^>`]*>)?`")
QUOTED = re.compile(r"``?([^`]+)``?_{0,2}")
CITATION = re.compile(r"\s*\[[\w*#]+\]_")
EMPHASIS = re.compile(r"(?<![\w*])\*{1,2}([^*\s][^*]*?)\*{1,2}(?![\w*])")
NOT_PROSE = re.compile(r">>>|\|\s*\||\\[a-z]+\{|^\.\. |^[|+]|={2,}|\w\(.*\) *=|;$")


def docstrings() -> str:
    """The corpus, one paragraph a line, about 0.6 million words.

    Files come in an order fixed by the hash of their names, so that the parts
    before and after any cut are alike, and no file stands in two parts.
    Warns if the installed packages are not those of the book.
    """
    text = "\n".join(_paragraphs()) + "\n"
    if hashlib.sha256(text.encode("utf-8")).hexdigest() != SHA256:
        found = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in PACKAGES)
        book = ", ".join(f"{p} {v}" for p, v in VERSIONS.items())
        warnings.warn(
            f"this text comes from {found}, the book's from {book}: "
            "expect other numbers than those printed",
            stacklevel=2,
        )
    return text


def _paragraphs() -> Iterator[str]:
    seen = set()
    for path in _sources():
        for doc in _docs(ast.parse(path.read_bytes())):
            for paragraph in _prose(doc):
                if paragraph not in seen:
                    seen.add(paragraph)
                    yield paragraph


def _sources() -> list[Path]:
    found = []
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        root = Path(spec.origin).parent
        for path in root.rglob("*.py"):
            name = path.relative_to(root.parent).as_posix()
            if "/tests/" not in name and not path.name.startswith(("test_", "_test")):
                found.append((hashlib.sha256(name.encode()).digest(), path))
    return [path for _, path in sorted(found)]


def _docs(tree: ast.Module) -> Iterator[str]:
    """Docstrings, and the texts that NumPy attaches with add_newdoc(...)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            doc = ast.get_docstring(node)
            if doc:
                yield doc
        elif isinstance(node, ast.Call) and _name(node.func).endswith("newdoc"):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def _name(function: ast.expr) -> str:
    return getattr(function, "id", getattr(function, "attr", ""))


def _prose(doc: str) -> Iterator[str]:
    """Paragraphs of running text in one docstring, markup removed."""
    for block in re.split(r"\n\s*\n", doc):
        lines = block.expandtabs().split("\n")
        if any(UNDERLINE.match(line) for line in lines) or NOT_PROSE.search(block):
            lines = _after_heading(lines)
        for run in _runs(lines):
            text = _plain(run)
            words = re.findall(r"[A-Za-z]{2,}", text)
            if (
                len(words) >= FEWEST_WORDS
                and text[-1] in ".!?:"
                and not NOT_PROSE.search(text)
                and sum(map(len, words)) > LEAST_LETTERS * len(text)
            ):
                yield text


def _after_heading(lines: list[str]) -> list[str]:
    """The lines below an underlined title, or none where there is no title."""
    for index, line in enumerate(lines):
        if UNDERLINE.match(line):
            return lines[index + 1 :]
    return lines


def _runs(lines: list[str]) -> Iterator[str]:
    """Split a block where indentation changes: a parameter, then its description."""
    run: list[str] = []
    indent = None
    for line in lines:
        here = len(line) - len(line.lstrip())
        opens = PARAMETER.match(line.strip()) and not line.rstrip().endswith(".")
        if run and (here != indent or opens):
            yield " ".join(run)
            run = []
        if opens and not run:
            indent = None
            continue
        indent = here
        run.append(line.strip())
    if run:
        yield " ".join(run)


def _plain(text: str) -> str:
    text = CITATION.sub("", ROLE.sub(r"\1", text))
    text = EMPHASIS.sub(r"\1", QUOTED.sub(r"\1", text))
    return re.sub(r"\s+", " ", text).lstrip("-* ").rstrip().replace("::", ":")
