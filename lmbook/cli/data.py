"""``lmbook data``: the corpora that have a name."""

import click

from lmbook.cli.report import json_option, report


@click.command()
@click.argument("name", required=False)
@json_option
def data(name: str | None, as_json: bool) -> None:
    """List the corpora, or fetch the one called NAME and say where it lies.

    LMBOOK_DATA names the folder that keeps what is fetched, LMBOOK_MIRROR a folder or
    an address to take it from.
    """
    from lmbook.text import corpora

    if name is not None:
        characters = len(corpora.read_corpus(name))
        paths = [str(path) for path in corpora.files(name)]
        if as_json:
            report({"name": name, "paths": paths, "characters": characters}, True)
            return
        for path in paths or ["(made from installed packages)"]:
            click.echo(path)
        click.echo(f"{characters:,} characters")
        return
    listed = corpora.listing()
    if as_json:
        report({"corpora": listed}, True)
        return
    for row in listed:
        size = f"{row['bytes'] / 1e6:.1f} MB" if row["bytes"] else "-"
        columns = f"{row['name']:17} {row['status']:15} {size:>8}  {row['licence']:19}"
        click.echo(f"{columns} {row['about']}")
