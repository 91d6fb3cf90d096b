"""The tables: typed by their schema, with sources that open; names asked wrong."""

import csv
import datetime
import operator
from urllib.parse import urlparse

import pytest

from lmbook.errors import InputError
from lmbook.industry import facts
from lmbook.industry.schema import FOLDER, Column, read_rows, read_schema

TABLES = sorted(facts.tables())
ROWS = [row for table in TABLES for row in facts.load(table)]
UNITS = {
    *("1", "h", "t", "B", "W", "GB", "USD", "MWh", "1/s", "GB/s", "TB/s", "TFLOP/s"),
    *("FLOPs", "tokens", "parameters", "10^6 parameters", "models", "kg/kWh"),
    *("", "as in the row", "nats/token"),
}
KINDS = {"text", "number", "count", "integer", "date", "url", "reasons"}


def named(row):
    return f"{row.table}/{row.name}"


def test_every_file_is_a_table_and_every_table_a_file():
    assert (
        sorted(path.stem for path in FOLDER.glob("*.csv") if path.stem != "schema")
        == TABLES
    )


@pytest.mark.parametrize("table", TABLES)
def test_tables_fit_their_schema(table):
    about, columns = read_schema()
    assert about[table]
    rows = list(read_rows(table, columns[table]))
    assert len(rows) == len(facts.load(table)) > 5
    for column in columns[table].values():
        assert column.unit in UNITS, column
        assert column.kind in KINDS or "|" in column.kind
        quantity = column.kind in ("number", "count")
        assert not quantity or column.unit, f"{table}.{column.name} has no unit"


@pytest.mark.parametrize("table", TABLES)
def test_numbers_are_plausible_in_their_unit(table):
    columns = facts.load(table).columns
    for row in facts.load(table):
        for name, column in columns.items():
            value = row[name]
            if value is None or column.kind not in ("number", "count", "integer"):
                continue
            assert value >= 0, named(row)
            if name == "year":
                assert 1900 < value <= row.checked.year
            if name == "month":
                assert 1 <= value <= 12
            if name == "pue":
                assert 1 <= value < 2
            if column.unit in ("tokens", "parameters"):
                assert value == int(value), named(row)


@pytest.mark.parametrize("table", TABLES)
def test_every_row_has_a_source_a_day_and_how_it_was_checked(table):
    for row in facts.load(table):
        assert row.source_url.startswith(("https://", "http://")), named(row)
        assert " " not in row.source_url, named(row)
        # A page, not a site's front door.
        place = urlparse(row.source_url)
        assert place.path.strip("/") or place.query, named(row)
        assert len(row.source) > 5, named(row)
        assert row.checked >= datetime.date(2026, 11, 23), named(row)
        assert row.verified in ("primary", "secondary", "arithmetic"), named(row)
        assert "/" not in row.name, "a fact's path is table/row/column"


def test_nothing_speaks_of_how_it_was_collected():
    for path in FOLDER.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file))
            assert not {"seen_at", "seen_kind", "verified_fields"} & set(header)
            for word in ("from memory", "archived cop"):
                assert word not in file.read().lower(), path


def test_names_point_at_rows():
    models, hardware = facts.load("models"), facts.load("hardware")
    grids, shapes = facts.load("grids"), facts.load("architectures")
    for row in models:
        assert row.device is None or hardware[row.device]
        assert row.grid is None or grids[row.grid]
    for row in facts.load("throughput"):
        assert models[row.model]
        assert row.device is None or hardware[row.device]
    for row in facts.load("sizes"):
        assert row.architecture is None or shapes[row.architecture]


def test_what_belongs_together_is_there_together():
    for row in facts.load("models"):
        counted = row.train_flops is not None and "train_flops" not in row.apart
        assert counted == (row.flops_rule is not None), named(row)
        assert (row.energy_mwh is None) == (row.energy_scope is None), named(row)
        if row.params_active and row.params_total:
            assert row.params_active < row.params_total, named(row)
        assert set(row.apart) <= set(facts.load("models").columns)
        for column in row.apart:
            assert row[column] is not None, f"{named(row)}: {column} isn't published"
    for row in facts.load("scaling"):
        assert (row.low is None) == (row.high is None)
        if row.low is not None and row.approach[0] != "1":
            assert row.low - 0.006 <= row.value <= row.high + 0.006, named(row)


def test_look_ups():
    assert facts.load("models")["GPT-3"].params_total == 174_600_000_000
    assert facts.load("models")["GPT-3"]["year"] == 2020
    assert facts.fact("models/GPT-3/train_flops") == 3.14e23
    assert facts.load("models") is facts.load("models")
    assert facts.load("models")["GPT-4"].params_total is None
    assert facts.load("models")["GPT-3"].checked == datetime.date(2026, 11, 23)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: facts.load("model"), "no table named 'model'; did you mean 'models'"),
        (lambda: facts.load("zzz"), "there are models, hardware"),
        (lambda: facts.load("models")["GPT-33"], "did you mean 'GPT-3'"),
        (lambda: facts.load("models")["GPT-3"]["yeer"], "did you mean 'year'"),
        (lambda: facts.fact("models/GPT-3"), "table/row/column"),
        (
            lambda: facts.fact("models/GPT-3/params"),
            "no column of models named 'params'",
        ),
    ],
)
def test_unknown_names_are_said(ask, message):
    with pytest.raises(InputError, match=message):
        ask()


def test_an_unknown_attribute_is_an_attribute_error():
    row = facts.load("models")["GPT-3"]
    assert not hasattr(row, "yeer")
    with pytest.raises(AttributeError, match="did you mean 'year'"):
        operator.attrgetter("yeer")(row)


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("number", "1.5e3", 1500.0),
        ("count", "1.746e11", 174_600_000_000),
        ("count", "405853388800", 405_853_388_800),
        ("integer", "7", 7),
        ("date", "2026-11-29", datetime.date(2026, 11, 29)),
        ("url", "https://a.org/b", "https://a.org/b"),
        ("yes|no", "no", "no"),
        ("reasons", "a: b: c; d: e", {"a": "b: c", "d": "e"}),
    ],
)
def test_cells_are_read_by_type(kind, cell, value):
    parsed = Column("it", kind, "", False, "").parse(cell)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("number", "many"),
        ("count", "1.5"),
        ("date", "29.11.2026"),
        ("url", "arxiv"),
        ("yes|no", "maybe"),
        ("reasons", "no colon"),
    ],
)
def test_a_cell_of_another_type_is_an_error(kind, cell):
    with pytest.raises(InputError, match=f"it: '{cell}' is not of"):
        Column("it", kind, "", True, "").parse(cell)


def test_empty_cells():
    assert Column("it", "number", "B", True, "").parse("") is None
    assert Column("it", "reasons", "", True, "").parse("") == {}
    with pytest.raises(InputError, match="it must not be empty"):
        Column("it", "text", "", False, "").parse("")


def test_rows_are_stale_after_a_year_and_not_before():
    first = min(row.checked for row in ROWS)
    assert facts.stale(first.replace(year=first.year + 1)) == []
    day_after = first.replace(year=first.year + 1) + datetime.timedelta(1)
    old = facts.stale(day_after)
    assert old
    assert {row.checked for row in old} == {first}
    assert len(facts.stale(datetime.date(2100, 1, 1))) == len(ROWS)
