r"""Figures in the book's prose, held to the rows of lmbook/industry/data they quote.

A figure stands literally, and after it, on the same line, a hidden comment says where
it is from:

    GPT-3 有 1750 亿个参数<!-- fact: models/GPT-3/params_total -->。

On every page the last numeral before the comment must be the row's value, rounded to
the digits that are written, in any unit of the same kind (``quantities``); of a row
that holds text, a number in it, or the text itself.
On the pages about the industry (``STRICT``) each numeral with a unit needs such a
comment, unless an output of a code cell of that page prints it, or a comment
``<!-- given: why -->`` says that it is an assumption or a definition and no fact.

    python -m tools.facts_in_prose        every fault, with its page
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from lmbook.errors import InputError
from lmbook.industry import facts
from tools.errata import BOX, markdown, pages
from tools.notebooks.paths import BOOK, ROOT, read
from tools.quantities import (
    CHINESE,
    NUMERAL,
    WITH_UNIT,
    Quantity,
    agrees,
    quantity,
    readable,
)

STRICT = re.compile(r"ch02_\w+/s[13]_\w+\.ipynb|ch0[78]_\w+(/\w+)?\.(ipynb|md)")
OURS = re.compile(r"<!--\s*(?:fact|given)\b.*?-->")
GIVEN = re.compile(r"<!--\s*given: *\S.*-->")
FACT = re.compile(r"<!--\s*fact:\s*([^/]+)/(.+)/([^/]+?)\s*-->")
HIDDEN = re.compile(r"<!--.*?-->")
TAG = re.compile(r"<[^<>]*>")
# Not prose: blocks of code and formulas, spans of code, roles, addresses.
NOT_PROSE = re.compile(
    r"^(```|~~~).*?^\1|\$\$.*?\$\$|\{[\w:-]+\}`[^`]*`|`[^`\n]*`|\]\([^)\s]*\)"
    r"|https?://[^\s)）]+",
    re.MULTILINE | re.DOTALL,
)
REACH = 24  # characters between a numeral and its comment, unit and all


def faults(text: str, outputs: str = "", strict: bool = False) -> Iterator[str]:
    """One line for each fault of a page's Markdown; ``outputs`` is what it prints."""
    text = NOT_PROSE.sub(_blank, BOX.sub(_blank, text))
    for line in text.splitlines():
        yield from _of_line(readable(line), outputs, strict)


def _of_line(line: str, outputs: str, strict: bool) -> Iterator[str]:
    if OURS.match(line.lstrip()):
        yield f"a comment can't begin a line: {line.strip()[:60]}"
        return
    spoken_of: set[int] = set()  # where the numerals begin that have a comment
    start, stop = 0, 0  # of the text that the comment speaks of
    end = 0
    for comment in OURS.finditer(line):
        if line[end : comment.start()].strip():
            start, stop = max(end, comment.start() - REACH), comment.start()
        end = comment.end()
        numerals = list(NUMERAL.finditer(line, start, stop))
        spoken_of |= {found.start() for found in numerals[-1:]}
        if found := FACT.fullmatch(comment[0]):
            if fault := _disagreement(line[start:stop], *found.groups()):
                yield fault
        elif not GIVEN.fullmatch(comment[0]):
            yield f"neither 'fact: table/row/column' nor 'given: why': {comment[0]}"
    if strict:
        yield from _unsourced(line, spoken_of, outputs)


def _disagreement(claim: str, table: str, row: str, column: str) -> str | None:
    """Why the end of ``claim`` is not what the row says; None if it is."""
    path = f"{table}/{row}/{column}"
    try:
        value = facts.fact(path)
        unit = facts.load(table).columns[column].unit
        if unit == "as in the row":
            unit = facts.fact(f"{table}/{row}/unit")
    except InputError as error:
        return f"{path}: {error}"
    if value is None:
        return f"{path} is empty: its source does not publish it"
    if isinstance(value, str) and claim.rstrip().endswith(value):
        return None
    written = list(NUMERAL.finditer(claim))
    if not written:
        return f"no numeral stands before {path}: …{claim.strip()[-20:]}"
    said = quantity(claim, written[-1])
    if isinstance(value, str):
        stated = [quantity(value, found) for found in NUMERAL.finditer(value)]
    else:
        stated = [Quantity.of(float(value), unit)]
    if any(agrees(said, it) for it in stated):
        return None
    here = claim[written[-1].start() :].strip()
    return f"{path} is {value} {unit}, the page says {here}"


def _unsourced(line: str, spoken_of: set[int], outputs: str) -> Iterator[str]:
    """Numerals with a unit that have no comment and that no code cell prints."""
    printed = [quantity(outputs, found) for found in NUMERAL.finditer(outputs)]
    visible = HIDDEN.sub(lambda comment: " " * len(comment[0]), line)
    for found in WITH_UNIT.finditer(visible):
        numeral = NUMERAL.match(visible, found.start())
        assert numeral
        said = quantity(visible, numeral)
        if found.start() in spoken_of:
            continue
        if any(agrees(said, it) or said.same_digits(it) for it in printed):
            continue
        around = visible[max(0, found.start() - 15) : found.end() + 10].strip()
        yield f"no source for {found[0]!r} in …{around}…"
    for found in CHINESE.finditer(visible):
        yield f"write {found[0]!r} in digits, with its source"


def _blank(found: re.Match[str]) -> str:
    """Lines stay, so that a line keeps its beginning."""
    return re.sub(r"[^\n]+", " ", found[0])


def printed_by(path: Path) -> str:
    """What the code cells of a page print, as plain text."""
    if path.suffix != ".ipynb":
        return ""
    texts = []
    for cell in read(path).cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            texts.append(output.get("text") or data.get("text/plain", ""))
            texts.append(data.get("text/markdown", ""))
            texts.append(TAG.sub(" ", data.get("text/html", "")))
    return "\n".join(texts)


def is_strict(path: Path) -> bool:
    return bool(STRICT.fullmatch(path.relative_to(BOOK).as_posix()))


def of_page(path: Path) -> list[str]:
    """The faults of a page of the book."""
    return list(faults(markdown(path), printed_by(path), is_strict(path)))


def main() -> int:
    found = [f"{p.relative_to(ROOT)}: {fault}" for p in pages() for fault in of_page(p)]
    print("\n".join(found) or "Every figure agrees with its row.")
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main())
