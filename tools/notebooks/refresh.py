"""Execute again the notebooks whose code has changed: ``make notebooks``.

    python -m tools.notebooks.refresh                 the stale ones of the book
    python -m tools.notebooks.refresh FILE ...        of these, the stale ones
    python -m tools.notebooks.refresh --all           all, stale or not
    python -m tools.notebooks.refresh --normalise-only   after an edit of the prose

A notebook is saved whole, or, where a cell fails, left as it was: the exit code is
then 1, and each failing notebook, cell and error is named.  The errata boxes of the
pages are written anew from their table first.
"""

import sys
from pathlib import Path

import click
from nbformat import NotebookNode

from tools import errata
from tools.notebooks.execute import TIMEOUT, NotebookFailed, execute
from tools.notebooks.fingerprint import fingerprint
from tools.notebooks.normalise import normalise
from tools.notebooks.paths import ROOT, book_notebooks, read, write


def is_stale(notebook: NotebookNode, folder: Path, root: Path = ROOT) -> bool:
    """Whether the stored outputs belong to other code than today's, or to none."""
    stored = notebook.metadata.get("lmbook", {}).get("hash")
    return stored != fingerprint(notebook, folder, root)


def refresh(path: Path, always: bool = False, timeout: float = TIMEOUT) -> str:
    """Bring one notebook up to date; what was done, in a few words.

    Raises :class:`NotebookFailed` (the file is then unchanged) and ``ValueError``
    (not a notebook, a cell that is not Python, a data file that is not there).
    """
    notebook = read(path)
    if not always and not is_stale(notebook, path.parent):
        return "normalised" if write(normalise(notebook), path) else "up to date"
    executed, seconds = execute(notebook, path.parent, timeout)
    stamp = dict(executed.metadata.get("lmbook", {}))
    stamp["hash"] = fingerprint(executed, path.parent)
    executed.metadata["lmbook"] = stamp
    write(normalise(executed), path)
    return f"executed in {seconds:.1f} s"


def _short(path: Path) -> str:
    path = path.resolve()
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


@click.command(help=__doc__)
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--all", "always", is_flag=True, help="Execute fresh notebooks too.")
@click.option("--normalise-only", is_flag=True, help="Execute nothing.")
@click.option("--timeout", default=TIMEOUT, help="Seconds for one notebook.")
def main(
    files: tuple[Path, ...], always: bool, normalise_only: bool, timeout: float
) -> None:
    paths = list(files) or book_notebooks()
    if not files:
        errata.sync([page for page in errata.pages() if page.suffix == ".md"])
    failures = 0
    for path in paths:
        try:
            errata.sync([path])
            if normalise_only:
                changed = write(normalise(read(path)), path)
                done = "normalised" if changed else "unchanged"
            else:
                done = refresh(path, always, timeout)
            click.echo(f"{_short(path)}: {done}")
        except (NotebookFailed, ValueError) as error:
            failures += 1
            click.echo(f"{_short(path)}: NOT SAVED, {error}", err=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
