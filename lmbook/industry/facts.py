"""Public figures of the industry, each with its source and the day it was checked.

``facts.load("models")["GPT-3"].params_total`` is a number; ``facts.load("models")``
goes through the rows.  Tables lie in data/, described by data/schema.csv.  A figure
that its source doesn't publish, or that was not seen there, is None.  Section 2.3.
"""

import datetime
import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from lmbook.errors import InputError
from lmbook.industry.schema import Column, read_rows, read_schema


@dataclass(frozen=True)
class Row:
    """One row: ``row.year`` or ``row["year"]``."""

    table: str
    values: Mapping[str, Any]

    def __getitem__(self, column: str) -> Any:
        if column not in self.values:
            raise _unknown(f"column of {self.table}", column, self.values)
        return self.values[column]

    def __getattr__(self, column: str) -> Any:
        if column.startswith("__"):
            raise AttributeError(column)
        try:
            return self[column]
        except InputError as error:
            raise AttributeError(str(error)) from None


@dataclass(frozen=True)
class Table:
    """The rows of a table in order; one of them by name; what the columns hold."""

    name: str
    about: str
    columns: dict[str, Column]
    rows: dict[str, Row]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.values())

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> Row:
        if not isinstance(name, str) or name not in self.rows:
            raise _unknown(f"row of {self.name}", name, self.rows)
        return self.rows[name]


def tables() -> dict[str, str]:
    """The tables' names, and what each is about."""
    return dict(_schema()[0])


def load(table: str) -> Table:
    """A table by name, every cell of the type that the schema gives its column."""
    if not isinstance(table, str) or table not in _schema()[0]:
        raise _unknown("table", table, _schema()[0])
    return _read(table)


@cache
def _read(table: str) -> Table:
    about, columns = _schema()
    rows: dict[str, Row] = {}
    for values in read_rows(table, columns[table]):
        if values["name"] in rows:
            raise InputError(f"{table}.csv has two rows named {values['name']!r}")
        rows[values["name"]] = Row(table, values)
    return Table(table, about[table], columns[table], rows)


def fact(path: str) -> Any:
    """One figure by its path, as in ``fact("models/GPT-3/params_total")``."""
    parts = path.split("/") if isinstance(path, str) else []
    if len(parts) != 3:
        raise InputError(f"a fact is table/row/column, got {path!r}")
    table, name, column = parts
    return load(table)[name][column]


def stale(today: datetime.date) -> list[Row]:
    """Rows whose last check is more than 12 months before ``today``, oldest first."""
    rows = [row for table in tables() for row in load(table)]
    old = [row for row in rows if _a_year_later(row.checked) < _triple(today)]
    return sorted(old, key=lambda row: row.checked)


@cache
def _schema() -> tuple[dict[str, str], dict[str, dict[str, Column]]]:
    return read_schema()


def _triple(day: datetime.date) -> tuple[int, int, int]:
    return day.year, day.month, day.day


def _a_year_later(day: datetime.date) -> tuple[int, int, int]:
    return day.year + 1, day.month, day.day  # 29 February too


def _unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    known = list(known)
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
    return InputError(f"no {what} named {name!r}; {hint}")
