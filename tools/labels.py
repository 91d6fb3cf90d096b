"""Where the book's labels stand: ``(sec-4-1)=`` before a heading, or before a box.

places()["sec-4-1"].title      "4.1 神经网络中的激活函数"
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.errata import markdown, pages

LABEL = re.compile(r"^\(([\w-]+)\)=$")
HEADING = re.compile(r"^#{1,6} +(.+?) *$")


@dataclass(frozen=True)
class Place:
    """The heading that a label names, or under which the labelled box stands.

    ``text`` is the Markdown from the label to the next labelled heading.
    """

    path: Path
    title: str
    names_heading: bool
    text: str


def places(paths: Iterable[Path] | None = None) -> dict[str, Place]:
    """Every label of these pages (all of the book's by default), in their order.

    Raises ``ValueError`` naming a label that stands twice.
    """
    found: dict[str, Place] = {}
    for path in pages() if paths is None else paths:
        for label, place in in_page(path, markdown(path)):
            if label in found:
                raise ValueError(f"({label})= stands on {path} and {found[label].path}")
            found[label] = place
    return found


def in_page(path: Path, text: str) -> list[tuple[str, Place]]:
    """The labels of one page's Markdown, each with its place."""
    lines = text.splitlines()
    marks: list[tuple[int, str, str, bool]] = []  # line, label, heading, names it
    waiting: list[tuple[int, str]] = []
    heading, fenced = "", False
    for number, line in enumerate(lines):
        if line.startswith(("```", "~~~")):
            fenced = not fenced
        if fenced or not line.strip():
            continue
        if named := LABEL.match(line):
            waiting.append((number, named[1]))
            continue
        title = HEADING.match(line)
        heading = title[1] if title else heading
        marks += [(n, label, heading, bool(title)) for n, label in waiting]
        waiting = []
    ends = [n for n, _, _, names in marks if names] + [len(lines)]
    result = []
    for number, label, title_of, names in marks:
        end = next(n for n in ends if n > number and not _same(lines, number, n))
        body = "\n".join(lines[number:end])
        result.append((label, Place(path, title_of, names, body)))
    return result


def _same(lines: list[str], first: int, second: int) -> bool:
    """Do two labels name one heading: nothing but labels between them?"""
    between = (line for line in lines[first:second] if line.strip())
    return all(LABEL.match(line) for line in between)
