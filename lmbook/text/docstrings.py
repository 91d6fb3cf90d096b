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
import inspect
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("numpy", "scipy")
# What the numbers in the book were computed on.
VERSIONS = {"numpy": "2.4.6", "scipy": "1.17.1"}
SHA256 = "11eba72a707654435bdbc3292cebbd71446de2186c90c813ef4f399e33f632f4"

# distutils comes with NumPy on Python 3.11 alone: the text must be the same on all.
LEFT_OUT = ("tests", "distutils")
FEWEST_WORDS = 4
LEAST_LETTERS = 0.6  # share of a paragraph's characters that stand in words
# Sections of a docstring that hold no sentences.
LISTS = ("references", "see also", "methods", "routine listings")
# Directives whose body is prose; what the others hold is left out.
PROSE_DIRECTIVES = (
    *("note", "warning", "admonition", "tip", "important", "caution"),
    *("versionadded", "versionchanged", "deprecated"),
)
UNDERLINE = re.compile(r"^\s*([-=~^*#+])\1{2,}\s*$")
DIRECTIVE = re.compile(r"\.\. *(?:([\w-]+)::)?")
BULLET = re.compile(r"(?:[-*+•]|\(?(?:\d{1,2}|[a-z])[.)]) +(?=\S)")
# "name : type", or names alone, as they stand above a parameter's description.
PARAMETER = re.compile(r"[\w*`'\"{(][^.]{0,60}? ?: \S")
NAMES = re.compile(r"[\w*, `'\"]{1,40}$")
LINK = re.compile(r" *<[^<>\s]*[/.][^<>\s]*>(?=`)")
ROLE = re.compile(r":[\w:+.-]+:(?=`)")
QUOTED = re.compile(r"``?~?([^`]+)``?_{0,2}")
CITATION = re.compile(r"(\[[\w*#]+\])_")
EMPHASIS = re.compile(r"(?<![\w*])\*{1,2}([^*\s][^*]*?)\*{1,2}(?![\w*])")
# Code, tables, formulas, addresses, a bare signature.
NOT_PROSE = re.compile(
    r">>>|\|\s*\||\\[a-z]+\{|^[|+]|={2,}|\w\(.*\) *=|[;,{[(\\]$|https?:"
    r"|^\S+\(.*\)(?: ->.*)?$"
)


def docstrings() -> str:
    """The corpus, one paragraph a line, about 640,000 words and signs.

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
            left_out = any(f"/{folder}/" in name for folder in LEFT_OUT)
            if not left_out and not path.name.startswith(("test_", "_test")):
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
                    yield inspect.cleandoc(part.value)


def _name(function: ast.expr) -> str:
    return getattr(function, "id", getattr(function, "attr", ""))


def _prose(doc: str) -> Iterator[str]:
    """Paragraphs of running text in one docstring, markup removed."""
    section, hidden = "", None  # what is indented deeper than ``hidden`` is no prose
    for block in re.split(r"\n\s*\n", doc.expandtabs()):
        lines = [line for line in block.split("\n") if line.strip()]
        for above, line in enumerate(lines[1:]):
            if UNDERLINE.match(line) and not UNDERLINE.match(lines[above]):
                section, hidden = lines[above].strip().lower(), None
                lines = lines[above + 2 :]
                break
        if not lines or section in LISTS:
            continue
        if hidden is not None and _indent(lines[0]) > hidden:
            continue
        yield from filter(_is_prose, map(_plain, _runs(lines)))
        hidden = _indent(lines[-1]) if _hides(lines[-1].strip()) else None


def _hides(line: str) -> bool:
    """Whether what is indented below this line is code, a formula or a reference."""
    directive = DIRECTIVE.match(line)
    if directive:
        return directive[1] not in PROSE_DIRECTIVES
    return line.endswith("::")


def _runs(lines: list[str]) -> Iterator[str]:
    """Split a block where an item, or another indentation, begins."""
    run: list[str] = []
    indent, hidden = 0, None
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        here, text = _indent(line), line.strip()
        if text.startswith(">>>"):  # an example; what follows is its output
            break
        if hidden is not None and here > hidden:
            continue
        hidden = None
        directive = DIRECTIVE.match(text)
        if directive and _hides(text):
            hidden = here
        bullet = BULLET.match(text)
        heads = text[-1] != "." and (
            PARAMETER.match(text) or (NAMES.match(text) and _indent(below) > here)
        )
        label = directive or (heads and not bullet)
        start = here + (bullet.end() if bullet else 0)
        if run and (start != indent or bullet or label):
            yield " ".join(run)
            run = []
        if not label:
            indent = start
            run.append(text[start - here :])
    if run:
        yield " ".join(run)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _plain(text: str) -> str:
    """The text without the marks of reStructuredText."""
    text = ROLE.sub("", LINK.sub("", CITATION.sub(r"\1", text)))
    text = EMPHASIS.sub(r"\1", QUOTED.sub(r"\1", text))
    return re.sub(r"\s+", " ", text).strip().replace("::", ":")


def _is_prose(text: str) -> bool:
    """Enough words, mostly letters, and either an end or a proper beginning."""
    words = re.findall(r"[A-Za-z]{2,}", text)
    return (
        len(words) >= FEWEST_WORDS
        and (text[-1] in ".!?:" or text[0].isupper())
        and not NOT_PROSE.search(text)
        and sum(map(len, words)) > LEAST_LETTERS * len(text)
    )
