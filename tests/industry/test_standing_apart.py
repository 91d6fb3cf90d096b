"""``lmbook.industry`` needs the standard library, errors and files, nothing else."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import lmbook.industry
from lmbook.industry import costs

FOLDER = Path(lmbook.industry.__file__).parent
ALLOWED = {"numpy", "lmbook.errors", "lmbook.files"}


def test_imports():
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.ImportFrom():
                    names = [node.module]
                case ast.Import():
                    names = [alias.name for alias in node.names]
                case _:
                    continue
            for name in names:
                own = name.startswith("lmbook.industry")
                standard = name.split(".")[0] in sys.stdlib_module_names
                assert own or standard or name in ALLOWED, f"{path.name}: {name}"


def test_importing_it_loads_neither_torch_nor_numpy():
    code = "import sys, lmbook.industry; print({'torch', 'numpy'} & {*sys.modules})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_every_calculator_is_documented():
    assert costs.__all__ == sorted(costs.__all__)
    for name in costs.__all__:
        assert len(inspect.getdoc(getattr(costs, name))) > 30, name
