"""Numbers that a page quotes from another page of the book, held to what stands there.

    中文要付英文的 4.20<!-- shown: sec-3-7-6 --> 倍

The numeral before the comment must stand, as it is written, in the section that the
label names: in its prose or in what its cells print.  Executed anew, a section may
print another number; then the quotation is found.

    python -m tools.shown        every quotation that does not hold, with its page
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.errata import markdown, pages
from tools.labels import in_page
from tools.notebooks.paths import ROOT, read

QUOTED = re.compile(r"(?P<before>[^\n]*?)<!--\s*shown:\s*(?P<label>[\w-]+)\s*-->")
NUMERAL = re.compile(r"\d[\d,]*(?:\.\d+)?")


def with_outputs(path: Path) -> str:
    """A page's prose and, fenced, what its cells print; without their code."""
    if path.suffix != ".ipynb":
        return path.read_text("utf-8")
    parts = []
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            printed = output.get("text") or data.get("text/plain", "")
            parts.append(f"~~~\n{printed}\n{data.get('text/markdown', '')}\n~~~")
    return "\n\n".join(parts)


def sections() -> dict[str, str]:
    """What stands in each labelled section of the book."""
    return {
        label: place.text
        for path in pages()
        for label, place in in_page(path, with_outputs(path))
        if place.names_heading
    }


def faults(text: str, shown: Mapping[str, str]) -> Iterator[str]:
    """One line for each quotation in ``text`` that does not stand where it says."""
    for found in QUOTED.finditer(text):
        label, numerals = found["label"], NUMERAL.findall(found["before"])
        if label not in shown:
            yield f"no section {label}"
        elif not numerals:
            yield f"no numeral before the quotation of {label}"
        elif not stands(numerals[-1], shown[label]):
            yield f"{label} does not show {numerals[-1]}"


def stands(numeral: str, text: str) -> bool:
    """Does the numeral stand in the text, and not as a part of a longer one?"""
    alone = rf"(?<![\d.,]){re.escape(numeral)}(?!\d|[.,]\d)"
    return re.search(alone, text) is not None


def main() -> int:
    shown, found = sections(), 0
    for path in pages():
        for fault in faults(markdown(path), shown):
            found += 1
            print(f"{path.relative_to(ROOT)}: {fault}")
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
