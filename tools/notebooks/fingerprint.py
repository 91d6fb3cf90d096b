"""What a notebook's outputs depend on, as one hash.

Its code cells, the lmbook modules that they import (and what those import, at the
top or inside a function), the data files that lie beside these modules, the data
that the notebook declares, and the locked versions of the numerical packages.
Nothing is imported or run: everything is read from the syntax tree.  Prose is not
part of it, so a corrected sentence never makes a notebook stale.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from tools.notebooks.paths import ROOT

PACKAGE = "lmbook"
LOCKED = ("numpy", "scipy", "torch", "numba", "matplotlib")
COMMAND = re.compile(rf"(^|-m ){PACKAGE}(\s|$)")


def fingerprint(notebook: NotebookNode, folder: Path, root: Path = ROOT) -> str:
    """SHA-256 of all that the outputs of a notebook in ``folder`` depend on.

    Raises ``ValueError`` for a code cell that is not Python and for a declared
    data file that does not exist.
    """
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    parts = {f"cell {i}": cell.encode("utf-8") for i, cell in enumerate(cells)}
    for path in _module_files(cells, root):
        parts[path.relative_to(root).as_posix()] = path.read_bytes()
    for name in notebook.metadata.get("lmbook", {}).get("data", []):
        if not (folder / name).is_file():
            raise ValueError(f"declared data file does not exist: {name}")
        parts[f"data {name}"] = (folder / name).read_bytes()
    for name, version in locked_versions(root).items():
        parts[f"package {name}"] = version.encode("utf-8")
    digests = {
        name: hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()
        for name, content in parts.items()
    }
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def locked_versions(root: Path = ROOT) -> dict[str, str]:
    """Version of each numerical package that requirements.txt locks."""
    lock = (root / "requirements.txt").read_text("utf-8")
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))
    return {name: pins[name] for name in LOCKED if name in pins}


def parse_cell(source: str) -> ast.Module:
    """Syntax tree of a code cell, IPython's own lines (%, !) turned into calls."""
    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError as error:
        raise ValueError(f"a code cell is not Python: {error}\n{source}") from error


def imported(tree: ast.Module, package: str = "") -> Iterator[str]:
    """Dotted names that ``tree`` may import, wherever the import stands.

    ``from a import b`` gives ``a.b`` too, since b may be a module.  ``package`` is
    where the code lives, for relative imports.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: 1 - node.level or None] if node.level else []
            origin = ".".join([*parts, *filter(None, [node.module])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def commanded(tree: ast.Module) -> Iterator[str]:
    """The entry point, if a string of a cell is a command line of lmbook's.

    In a module it is a docstring or a message: nothing is run there.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and COMMAND.search(str(node.value)):
            yield from (f"{PACKAGE}.__main__", f"{PACKAGE}.cli")


def _module_files(cells: list[str], root: Path) -> list[Path]:
    """Source and data files of all lmbook modules that the cells reach."""
    files: set[Path] = set()
    trees = [parse_cell(cell) for cell in cells]
    waiting = [name for tree in trees for name in (*imported(tree), *commanded(tree))]
    while waiting:
        for path in _files_on_the_way(waiting.pop(), root):
            if path not in files:
                files.add(path)
                package = ".".join(path.relative_to(root).parent.parts)
                tree = ast.parse(path.read_text("utf-8"))
                waiting.extend(imported(tree, package))
    data = [beside for path in files for beside in _data_files(path)]
    return sorted(files.union(data))


def _files_on_the_way(name: str, root: Path) -> Iterator[Path]:
    """``lmbook.text.batches``: both ``__init__`` files above it, and itself."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return
    for depth in range(1, len(parts) + 1):
        module = root.joinpath(*parts[:depth])
        for path in (module / "__init__.py", module.with_suffix(".py")):
            if path.is_file():
                yield path


def _data_files(module: Path) -> Iterator[Path]:
    """Data that is packaged beside a module.

    A file with the stem of a module, or with more after it and "_", belongs to that
    module (``sampler.js`` and ``sampler_model.js`` to ``sampler.py``), any other to
    each module of its folder.  A folder that holds no Python is data of the folder
    above.
    """
    modules = {path.stem for path in module.parent.glob("*.py")}
    for path in module.parent.iterdir():
        if path.is_dir() and path.name != "__pycache__" and not any(path.glob("*.py")):
            yield from (file for file in path.rglob("*") if file.is_file())
        elif path.is_file() and path.suffix != ".py":
            owners = {m for m in modules if f"{path.stem}_".startswith(f"{m}_")}
            if not owners or module.stem in owners:
                yield path
