"""``lmbook facts``: the book's tables of public figures, each with its source."""

import datetime
from typing import TYPE_CHECKING, Any

import click

from lmbook.cli.report import json_option, report

if TYPE_CHECKING:
    from lmbook.industry.facts import Row, Table


@click.group(no_args_is_help=False)
def facts() -> None:
    """Public figures about models, chips and the industry, with their sources."""


@facts.command("list")
@json_option
def list_tables(as_json: bool) -> None:
    """List the tables."""
    from lmbook.industry import facts as data

    rows = [
        {"table": name, "rows": len(data.load(name)), "about": about}
        for name, about in data.tables().items()
    ]
    if as_json:
        report({"tables": rows}, True)
        return
    for row in rows:
        click.echo(f"{row['table']:14} {row['rows']:4} rows  {row['about']}")


@facts.command()
@click.argument("table")
@click.argument("name", required=False)
@json_option
def show(table: str, name: str | None, as_json: bool) -> None:
    """Show the rows of TABLE, or all that the row NAME says, with units."""
    from lmbook.industry import facts as data

    chosen = data.load(table)
    rows = list(chosen) if name is None else [chosen[name]]
    if as_json:
        report({"table": table, "rows": [_filled(row) for row in rows]}, True)
    elif name is None:
        for row in rows:
            click.echo(f"{row.name:36} {row.verified:10} {row.source}")
    else:
        _show_row(chosen, rows[0])


@facts.command()
@click.option("--today", help="Another day than today, as 2026-11-30.")
@json_option
def check(today: str | None, as_json: bool) -> None:
    """Print the rows whose last check is more than 12 months old."""
    from lmbook.errors import InputError
    from lmbook.industry import facts as data

    try:
        day = datetime.date.fromisoformat(today) if today else datetime.date.today()
    except ValueError:
        raise InputError(
            f"--today must be a day like 2026-11-30, got {today!r}"
        ) from None
    old = data.stale(day)
    if as_json:
        keys = ("name", "checked", "source_url")
        rows = [{"table": r.table} | {k: str(r[k]) for k in keys} for r in old]
        report({"stale": rows}, True)
        return
    for row in old:
        click.echo(f"{row.checked}  {row.table}/{row.name}  {row.source_url}")
    click.echo(f"{len(old)} rows were last checked more than 12 months ago", err=True)


def _show_row(table: "Table", row: "Row") -> None:
    for column, value in _filled(row).items():
        unit = table.columns[column].unit
        shown = _number(value) if unit else value
        click.echo(f"{column:18} {shown}{f' {unit}' if unit not in ('', '1') else ''}")


def _number(value: float) -> str:
    """All digits as far as one can read them."""
    return f"{value:,.0f}" if value == int(value) < 1e15 else f"{value:g}"


def _filled(row: "Row") -> dict[str, Any]:
    """What stands in the row, in types that JSON has."""
    return {
        column: str(value) if isinstance(value, datetime.date) else value
        for column, value in row.values.items()
        if value not in (None, {})
    }
