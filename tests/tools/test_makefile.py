"""The targets of the Makefile, run with fake Pythons: nothing real is built."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.tools.fake_python import launcher
from tests.tools.test_setup_env import Tree

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", MAKEFILE, re.M)[1].split())
TARGETS.discard("\\")
# What people type: `assets` and `setup` are steps of the others.
FOR_PEOPLE = TARGETS - {"help", "setup", "assets"}
MODULES = set(re.findall(r"\$\(PY\) (-m [\w.]+)", MAKEFILE))


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def make(tree, *arguments, path=None, **fake):
    """Run make with only the fake Pythons on the PATH."""
    environment = tree.environment(**fake) | {"PATH": str(path or tree.fakes)}
    command = [shutil.which("make"), *arguments]
    return subprocess.run(
        command, cwd=tree.folder, env=environment, capture_output=True, text=True
    )


def calls(tree, kind):
    lines = tree.log.read_text("utf-8").splitlines()
    return [line.partition("  ")[2] for line in lines if line.startswith(kind)]


def errors(done):
    """What is said on stderr, without make's own last line."""
    return [line for line in done.stderr.splitlines() if not line.startswith("make")]


def test_help_names_every_target(tree):
    done = make(tree)
    assert done.returncode == 0
    assert set(re.findall(r"^make ([\w-]+)", done.stdout, re.M)) == FOR_PEOPLE


def test_a_target_sets_up_and_then_runs_in_a_path_with_spaces(tree):
    done = make(tree, "student")
    assert (done.returncode, done.stderr) == (0, "")
    assert calls(tree, "venv")[-1] == "-m tools.notebooks.student"
    before = len(calls(tree, "venv"))
    assert make(tree, "student").returncode == 0
    assert calls(tree, "venv")[before:] == ["-m tools.notebooks.student"]


def test_several_targets_at_once_run_one_after_another(tree):
    done = make(tree, "-j4", "book", "student", "notebooks", "lab")
    assert (done.returncode, done.stderr) == (0, "")
    ran = [call for call in calls(tree, "venv") if " tools." in call]
    assert ran == [
        *("-m tools.site.assets", "-m tools.site.build", "-m tools.notebooks.student"),
        *("-m tools.notebooks.refresh", "-m tools.lab"),
    ]
    assert sum("-m venv" in call for call in calls(tree, "system")) == 1


def test_options_reach_the_laboratory(tree):
    make(tree, "lab", "LAB=--no-browser --port 9001")
    assert calls(tree, "venv")[-1] == "-m tools.lab --no-browser --port 9001"


def test_a_python_that_does_not_run_is_passed_over(tree):
    shim = tree.fakes / "python3.11"
    shim.write_text("#!/bin/sh\nexit 127\n")
    launcher(tree.fakes / "python3.12")
    assert make(tree, "setup", VERSION="3.12").returncode == 0
    assert (tree.venv / "version.txt").read_text() == "3.12"


def test_without_any_python_it_says_so_in_one_line(tree, tmp_path):
    (tmp_path / "empty").mkdir()
    done = make(tree, "book", path=tmp_path / "empty")
    assert done.returncode == 2
    assert errors(done) == [
        "error: no Python: install Python 3.11, or name one: "
        "make book PYTHON=/path/to/python3.11"
    ]


def test_a_python_that_is_not_there_is_named(tree):
    done = make(tree, "book", "PYTHON=/no where/python")
    assert done.returncode == 2
    assert len(errors(done)) == 1
    assert "no Python at /no where/python" in errors(done)[0]


def test_a_python_that_is_too_old_ends_the_target(tree):
    (tree.fakes / "python3.11").rename(tree.fakes / "python3")
    done = make(tree, "book", VERSION="3.9")
    assert done.returncode == 2
    assert len(errors(done)) == 1
    assert "Python 3.9 at " in errors(done)[0]


def test_without_network_a_target_ends_in_one_line(tree):
    done = make(tree, "book", PIP="offline")
    assert done.returncode == 2
    assert len(errors(done)) == 1
    assert "no network?" in errors(done)[0]


def test_the_modules_of_another_environment_stay_outside(tree, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    make(tree, "student")
    lines = tree.log.read_text("utf-8").splitlines()
    # All but the search for a Python, which imports nothing.
    assert [line.split()[-1] for line in lines if "/elsewhere" in line] == ["-c"]


def test_cleaning_keeps_what_cannot_be_built_again(tree):
    shutil.copytree(ROOT / "tools", tree.folder / "tools", dirs_exist_ok=True)
    for name in ("_build", "_models", "student", ".venv", "tools/__pycache__"):
        (tree.folder / name).mkdir(exist_ok=True)
    done = make(tree, "clean", path=f"{tree.fakes}:/usr/bin:/bin")
    assert done.returncode == 0
    left = {path.name for path in tree.folder.iterdir()}
    assert {"student", ".venv", "tools"} < left
    assert not {"_build", "_models"} & left
    assert not (tree.folder / "tools" / "__pycache__").exists()


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_plain_commands_are_in_the_readme(name):
    text = (ROOT / name).read_text("utf-8")
    assert {
        f"make {target}" for target in FOR_PEOPLE if f"make {target}" not in text
    } == set()
    assert {module for module in MODULES if module not in text} == set()
