"""The 勘误 boxes: one table, book/errata.csv, and a box wherever a fault is put right.

A box is an ordinary admonition, so that JupyterLab and GitHub show it too.  Its
author writes the frame; the text comes from the table and is kept in step:

    (errata-E41)=
    :::{admonition} 勘误 E41
    :class: errata
    :::

    python -m tools.errata        write every box anew, list what has none yet
"""

import csv
import re
from dataclasses import dataclass, fields
from pathlib import Path

from tools.notebooks.paths import BOOK, ROOT, book_notebooks, read, write

TABLE = BOOK / "errata.csv"
KINDS = {
    "H": "史实",
    "D": "概念",
    "M": "数学",
    "O": "打印结果",
    "C": "代码",
    "E": "代码解释",
    "G": "图",
    "T": "工具与课程",
    "R": "参考文献",
    "S": "范围与结构",
}
VERIFIED = ("运行", "文献", "未核实")
IDS = [f"E{n:02}" for n in range(1, 100)] + [f"M{n:02}" for n in range(1, 15)]
LABEL = re.compile(r"(ch-\d+|sec(-\d+){2,3}|cover)")
BOX = re.compile(
    r"(?P<head>^:::\{admonition\} 勘误 (?P<ids>[^\n]+)\n:class: errata\n)"
    r"(?P<body>.*?)^:::$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Erratum:
    """One fault of the source article, or one thing it leaves out (ids M..)."""

    id: str
    kind: str
    article_section: str
    says: str
    correct: str
    source: str
    verified: str
    label: str


def load(path: Path = TABLE) -> dict[str, Erratum]:
    """The table by id.  Raises ``ValueError`` naming the row that is not right."""
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        names = [f.name for f in fields(Erratum)]
        if reader.fieldnames != names:
            raise ValueError(f"{path.name}: columns must be {', '.join(names)}")
        rows = [Erratum(**row) for row in reader]
    for row in rows:
        empty = [name for name in names if not getattr(row, name)]
        if empty:
            raise ValueError(f"{path.name}: {row.id or row} has no {empty[0]}")
        if row.kind not in KINDS or row.verified not in VERIFIED:
            raise ValueError(f"{path.name}: {row.id} has an unknown kind or verified")
        if not LABEL.fullmatch(row.label):
            raise ValueError(f"{path.name}: {row.id} has a malformed label {row.label}")
    if [row.id for row in rows] != IDS:
        raise ValueError(f"{path.name}: ids must be E01 to E99, M01 to M14, in order")
    return {row.id: row for row in rows}


def body(row: Erratum) -> str:
    """What stands in the box: what the article says, what is right, the source."""
    lead = "原文缺" if row.id.startswith("M") else "原文"
    doubt = "（这一条尚未核实。）" if row.verified == "未核实" else ""
    return (
        f"**{row.id}** {lead}（{row.article_section}）：{row.says}\n\n"
        f"{row.correct}{doubt}\n\n出处：{row.source}\n"
    )


def in_step(text: str, table: dict[str, Erratum]) -> str:
    """The Markdown with every box as the table has it."""

    def renewed(box: re.Match[str]) -> str:
        ids = re.split(r"[、,\s]+", box["ids"].strip())
        unknown = [i for i in ids if i not in table]
        if unknown:
            raise ValueError(f"no erratum {unknown[0]} in {TABLE.name}")
        bodies = "\n".join(body(table[i]) for i in ids)
        return f"{box['head']}{bodies}:::"

    return BOX.sub(renewed, text)


def sync(paths: list[Path]) -> list[Path]:
    """Bring the boxes of these notebooks and Markdown files into step."""
    table, changed = load(), []
    for path in paths:
        if path.suffix == ".ipynb":
            notebook = read(path)
            for cell in notebook.cells:
                if cell.cell_type == "markdown":
                    cell.source = in_step(cell.source, table)
            if write(notebook, path):
                changed.append(path)
        else:
            text = path.read_text("utf-8")
            renewed = in_step(text, table)
            if renewed != text:
                path.write_text(renewed, "utf-8")
                changed.append(path)
    return changed


def pages() -> list[Path]:
    """Every page of the book: notebooks and Markdown."""
    return [*book_notebooks(), *sorted(BOOK.rglob("*.md"))]


def markdown(path: Path) -> str:
    """The prose of a page, cells joined by blank lines."""
    if path.suffix != ".ipynb":
        return path.read_text("utf-8")
    cells = (c.source for c in read(path).cells if c.cell_type == "markdown")
    return "\n\n".join(cells)


def placed() -> dict[str, Path]:
    """Which page holds the box of which erratum, by its label ``(errata-E41)=``."""
    found = {}
    for path in pages():
        for match in re.finditer(r"^\(errata-([EM]\d\d)\)=$", markdown(path), re.M):
            found[match[1]] = path
    return found


def main() -> None:
    for path in sync(pages()):
        print(f"{path.relative_to(ROOT)}: errata boxes written")
    missing = [i for i in load() if i not in placed()]
    print(f"{len(placed())} of {len(IDS)} have their box; not yet: {' '.join(missing)}")


if __name__ == "__main__":
    main()
