"""The book's terms, book/glossary.csv, and a linter that holds the prose to them.

A row gives a term in Chinese, in English, its abbreviation, its definition, the
label of the section that introduces it, and the variants that the book avoids.

    python -m tools.glossary        every use of a variant, with its page
"""

import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.errata import BOX, LABEL, markdown, pages
from tools.notebooks.paths import BOOK, ROOT

TABLE = BOOK / "glossary.csv"
OUTLINE = BOOK / "outline.csv"
COLUMNS = ["chinese", "english", "abbreviation", "definition", "label", "avoid"]
# Code, formulas and quotations are not the book's own words.
NOT_PROSE = re.compile(
    r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|“[^”\n]*”|\{\w+\}`[^`]*`", re.DOTALL
)
HEADING = re.compile(r"^#+ +(?:\d+(?:\.\d+)* +)?(.+)$", re.MULTILINE)


def _rows(path: Path, columns: list[str]) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != columns:
            raise ValueError(f"{path.name}: columns must be {', '.join(columns)}")
        return list(reader)


def load(path: Path = TABLE) -> list[dict[str, str]]:
    """The terms.  Raises ``ValueError`` naming the row that is not right."""
    rows = _rows(path, COLUMNS)
    seen: set[str] = set()
    for row in rows:
        term = row["chinese"]
        if not (term and row["english"] and row["definition"].endswith("。")):
            raise ValueError(f"{path.name}: {term!r} lacks a field or a full stop")
        if term in seen:
            raise ValueError(f"{path.name}: {term!r} stands twice")
        if not LABEL.fullmatch(row["label"]):
            raise ValueError(f"{path.name}: {term!r} has a malformed label")
        seen.add(term)
    clash = seen & {variant for row in rows for variant in row["avoid"].split()}
    if clash:
        raise ValueError(f"{path.name}: {clash.pop()!r} is a term and to be avoided")
    return rows


def mirrored_headings() -> set[str]:
    """Headings taken over word for word from the source article."""
    return {row["heading"] for row in _rows(OUTLINE, ["number", "heading"])}


def prose(text: str) -> str:
    """A page's own words: no code, formulas, quotations, errata, mirrored headings."""
    mirrored = mirrored_headings()
    text = NOT_PROSE.sub(" ", BOX.sub("", text))
    return HEADING.sub(lambda h: "" if h[1].strip() in mirrored else h[0], text)


def misuses(text: str) -> Iterator[tuple[str, str]]:
    """Each (variant, term to use) that occurs in a page's own words."""
    own = prose(text)
    for row in load():
        for variant in row["avoid"].split():
            if variant in own:
                yield variant, row["chinese"]


def main() -> int:
    found = 0
    for path in pages():
        for variant, term in misuses(markdown(path)):
            found += 1
            print(f"{path.relative_to(ROOT)}: {variant} → {term}")
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
