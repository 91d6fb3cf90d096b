"""What a column of a table may hold: data/schema.csv, and cells read by it."""

import csv
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmbook.errors import InputError

FOLDER = Path(__file__).parent / "data"
EVERY_TABLE = "*"


@dataclass(frozen=True)
class Column:
    """A column's type, its unit ("" if it has none), and whether cells may be empty.

    Types: ``text``, ``number`` (a float), ``count`` and ``integer`` (whole; 1.746e11 is
    too), ``date`` (ISO), ``url``, ``reasons`` ("column: reason; column: reason", a
    dict), and words separated by ``|``, of which a cell holds one.
    """

    name: str
    kind: str
    unit: str
    may_be_empty: bool
    about: str

    def parse(self, cell: str) -> Any:
        """The cell's value, None if it is empty; ``InputError`` if it doesn't fit."""
        if not cell:
            if self.may_be_empty:
                return {} if self.kind == "reasons" else None
            raise InputError(f"{self.name} must not be empty")
        try:
            return self._parsed(cell)
        except ValueError:
            wanted = self.kind.replace("|", ", ")
            raise InputError(f"{self.name}: {cell!r} is not of {wanted}") from None

    def _parsed(self, cell: str) -> Any:
        match self.kind:
            case "text":
                return cell
            case "number":
                return float(cell)
            case "integer" | "count":
                return _whole(cell)
            case "date":
                return datetime.date.fromisoformat(cell)
            case "reasons":
                return dict(part.split(": ", 1) for part in cell.split("; "))
            case "url":
                if not cell.startswith(("https://", "http://")):
                    raise ValueError
                return cell
            case words:
                if cell not in words.split("|"):
                    raise ValueError
                return cell


def read_schema() -> tuple[dict[str, str], dict[str, dict[str, Column]]]:
    """What each table is about, and its columns in order."""
    about: dict[str, str] = {}
    columns: dict[str, dict[str, Column]] = {}
    for row in _rows("schema"):
        table, name = row["table"], row["column"]
        if not name:
            about[table] = row["about"]
            columns[table] = {}
            continue
        may_be_empty = row["empty"] == "yes"
        column = Column(name, row["type"], row["unit"], may_be_empty, row["about"])
        for each in columns if table == EVERY_TABLE else [table]:
            columns[each][name] = column
    return about, columns


def read_rows(table: str, columns: dict[str, Column]) -> Iterator[dict[str, Any]]:
    """The rows of a table, typed; ``InputError`` names row and column of a bad cell."""
    for row in _rows(table):
        if list(row) != list(columns):
            raise InputError(
                f"{table}.csv has columns {list(row)}, not {list(columns)}"
            )
        try:
            yield {name: columns[name].parse(cell) for name, cell in row.items()}
        except InputError as error:
            raise InputError(f"{table}.csv, {row['name']!r}: {error}") from None


def _rows(table: str) -> Iterator[dict[str, str]]:
    with (FOLDER / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _whole(cell: str) -> int:
    value = float(cell)
    if not value.is_integer():
        raise ValueError
    return int(cell) if cell.isdecimal() else int(value)
