"""Open the book in JupyterLab, as a reader should meet it: ``make lab``.

    python -m tools.lab [--no-browser] [--port 9000] [any option of jupyter lab]

The book's notebooks are trusted (JupyterLab draws their figures only then), the
kernel is the Python that runs this, and the interface is Chinese unless the reader
has chosen another language: ``tools/jupyter`` holds defaults, and the reader's own
settings stay theirs.
"""

import argparse
import os
import socket
import sys
import webbrowser
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary

from tools.notebooks.paths import BOOK, ROOT, book_notebooks
from tools.notebooks.student import STUDENT

DEFAULTS = ROOT / "tools" / "jupyter"
START = "/lab/tree/book/index.md"


def trust(paths: Iterable[Path]) -> None:
    """Sign notebooks, as ``jupyter trust`` does."""
    notary = NotebookNotary()
    for path in paths:
        notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
        if not notary.check_signature(notebook):
            notary.sign(notebook)


def is_free(ip: str, port: int) -> bool:
    """Whether a server can listen there."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.bind((ip, port))
        except OSError:
            return False
    return True


def has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def options(arguments: list[str]) -> list[str]:
    """The command line of ``jupyter lab``.  Ends the program on a port in use."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--port", "--ServerApp.port", type=int)
    parser.add_argument("--ip", "--ServerApp.ip", default="localhost")
    parser.add_argument("--no-browser", action="store_true")
    given = parser.parse_known_args(arguments)[0]
    if given.port and not is_free(given.ip, given.port):
        print(
            f"error: cannot listen on port {given.port} of {given.ip}; try another "
            f'one: make lab LAB="--port {given.port + 1}"',
            file=sys.stderr,
        )
        sys.exit(2)
    ours = [
        f"--ServerApp.root_dir={ROOT}",
        f"--LabApp.default_url={START}",
        f"--LabApp.workspaces_dir={ROOT / '.jupyter' / 'workspaces'}",
        "--KernelSpecManager.allowed_kernelspecs=python3",
        "--ServerApp.log_level=WARN",
        "--LabApp.log_level=WARN",
        "-y",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # In a container everyone is root; the server listens to this machine only.
        ours.append("--allow-root")
    if not given.no_browser and not has_browser():
        print("No browser found: open the address below in one.", flush=True)
        ours.append("--no-browser")
    return ours + arguments


def main(arguments: list[str]) -> None:
    command = options(arguments)
    trust(book_notebooks(BOOK) + book_notebooks(STUDENT))
    paths = [str(DEFAULTS), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, paths))
    # The kernel of this environment goes before one of the same name elsewhere.
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ.pop("MPLBACKEND", None)
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(command)


if __name__ == "__main__":
    main(sys.argv[1:])
