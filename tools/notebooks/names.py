"""Names in a notebook, read from its syntax trees: nothing is imported or run.

- a name used in a cell before the cell that defines it;
- a function or class defined anew that lmbook holds publicly;
- a ``lmbook.`` name that does not exist, in code and in the prose's code spans.
"""

import ast
import builtins
import re
import symtable
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager

from tools.notebooks.fingerprint import PACKAGE, parse_cell
from tools.notebooks.paths import ROOT

# What a kernel brings along.
KERNEL = {"get_ipython", "display", "In", "Out", "_", "__", "exit", "quit"}
KNOWN = KERNEL | {*dir(builtins), "__name__", "__doc__"}
SPAN = re.compile(rf"`({PACKAGE}(?:\.[A-Za-z]\w*)+)(?:\(.*?\))?`")
# Scopes that run where they stand; a function's or lambda's body runs later.
AT_ONCE = {"listcomp", "setcomp", "dictcomp", "genexpr"}


def used_too_early(cells: list[str]) -> Iterator[str]:
    """Names that no earlier cell, and nothing in the cell itself, defines.

    The body of a function may use what a later cell defines, since it runs later.
    """
    tables = [_symbols(cell) for cell in cells]
    defined = [_bound(table) for table in tables]
    everywhere = KNOWN.union(*defined)
    so_far = set(KNOWN)
    for index, (table, bound) in enumerate(zip(tables, defined, strict=True)):
        so_far |= bound
        now, later = _free(table)
        for name in sorted((now - so_far) | (later - everywhere)):
            where = "a later cell" if name in everywhere else "no cell"
            yield f"code cell {index + 1} uses {name}, which {where} defines"


def redefined(cells: list[str], root: Path = ROOT) -> Iterator[str]:
    """Functions and classes that the notebook writes again instead of importing.

    Another name for the same thing (``relu = activations.relu``) is not a copy; an
    imported function that is assigned something else is lost to the cells below.
    """
    held = {name: module for module in _modules(root) for name in _own(module, root)}
    trees = [parse_cell(cell) for cell in cells]
    imports = {
        alias.asname or alias.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and _is_ours(node.module)
        for alias in node.names
    }
    for tree in trees:
        for name, value in _written(tree):
            copied = name in held and isinstance(value, (*_DEFINITIONS, ast.Lambda))
            lost = name in imports and not isinstance(value, ast.Attribute)
            if copied or lost:
                yield f"{name} is redefined; {held.get(name, PACKAGE)} holds it"


def missing(cells: list[str], prose: list[str], root: Path = ROOT) -> Iterator[str]:
    """Names of lmbook that the notebook uses and lmbook does not have."""
    aliases: dict[str, str] = {}
    trees = [parse_cell(cell) for cell in cells]
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_ours(alias.name):
                    yield from _unless_exists(alias.name, root)
                    bound = alias.asname or PACKAGE
                    aliases[bound] = alias.name if alias.asname else PACKAGE
        elif isinstance(node, ast.ImportFrom) and _is_ours(node.module):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield from _unless_exists(full, root)
                aliases[alias.asname or alias.name] = full
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Attribute) and (chain := _dotted(node)):
            first, _, rest = chain.partition(".")
            if first in aliases:
                yield from _unless_exists(f"{aliases[first]}.{rest}", root)
    for text in prose:
        for name in SPAN.findall(text):
            yield from _unless_exists(name, root)


def _symbols(source: str) -> symtable.SymbolTable:
    code = TransformerManager().transform_cell(source)
    return symtable.symtable(code, "cell", "exec")


def _bound(table: symtable.SymbolTable) -> set[str]:
    """Names that a cell's top level assigns, imports or defines."""
    bound = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    }
    for child in table.get_children():
        declared = (s for s in child.get_symbols() if s.is_declared_global())
        bound |= {symbol.get_name() for symbol in declared if symbol.is_assigned()}
    return bound


def _free(table: symtable.SymbolTable) -> tuple[set[str], set[str]]:
    """Global names that a scope reads (when it runs, in functions called later)."""
    outermost = table.get_type() == "module"
    now = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (outermost or symbol.is_global())
    }
    later: set[str] = set()
    for child in table.get_children():
        child_now, child_later = _free(child)
        if child.get_type() == "class" or child.get_name() in AT_ONCE:
            now |= child_now
        else:
            later |= child_now
        later |= child_later
    return now, later


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _written(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """(name, what it becomes) outside of classes: definitions and assignments."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _DEFINITIONS):
            yield node.name, node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        if not isinstance(node, ast.ClassDef):
            yield from _written(node)


def _is_ours(module: str | None) -> bool:
    return (module or "").split(".")[0] == PACKAGE


def _dotted(node: ast.expr) -> str:
    """``a.b.c`` as text; empty where it does not start with a plain name."""
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value)
        return base and f"{base}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _unless_exists(name: str, root: Path) -> Iterator[str]:
    if not _exists(name, root):
        yield f"{name} does not exist"


def _exists(name: str, root: Path) -> bool:
    """Modules first; below a module its top-level names, and no further."""
    parts = name.split(".")
    depth = 1
    while depth <= len(parts) and _source(".".join(parts[:depth]), root):
        depth += 1
    if depth > len(parts):
        return True
    module = ".".join(parts[: depth - 1])
    wanted = parts[depth - 1]
    return not wanted.startswith("_") and wanted in _top_level(module, root)


def _source(module: str, root: Path) -> Path | None:
    path = root.joinpath(*module.split("."))
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return None


@cache
def _modules(root: Path) -> tuple[str, ...]:
    paths = sorted((root / PACKAGE).rglob("*.py"))
    names = [".".join(path.relative_to(root).with_suffix("").parts) for path in paths]
    return tuple(name.removesuffix(".__init__") for name in names)


@cache
def _top_level(module: str, root: Path) -> frozenset[str]:
    """Every name that a module's top level binds, imported ones included."""
    path = _source(module, root)
    assert path, module
    return frozenset(_bound(symtable.symtable(path.read_text("utf-8"), module, "exec")))


@cache
def _own(module: str, root: Path) -> frozenset[str]:
    """Public functions and classes that a module defines itself."""
    path = _source(module, root)
    assert path, module
    body = ast.parse(path.read_text("utf-8")).body
    names = {node.name for node in body if isinstance(node, _DEFINITIONS)}
    return frozenset(name for name in names if not name.startswith("_"))
