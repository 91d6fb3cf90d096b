"""The lock: what is written into requirements.txt."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import lock

ROOT = Path(__file__).resolve().parents[2]
PINS = dict(
    line.split("==")
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def item(name, version):
    return {"metadata": {"name": name, "version": version}}


def test_pins_are_public_versions_of_every_platform():
    items = [
        *(item("torch", "2.13.0+cpu"), item("Jupyter_Book", "1.0.4.post1")),
        *(item("nvidia-cublas", "13.1"), item("triton", "3.5"), item("lmbook", "0.1")),
    ]
    assert lock.pins({"install": items}) == [
        "jupyter-book==1.0.4.post1",
        "torch==2.13.0",
    ]


@pytest.mark.parametrize("name", sorted(PINS))
def test_every_line_is_one_package_at_one_public_version(name):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert re.fullmatch(r"[0-9a-z.!]+", PINS[name])


def test_the_lock_is_within_the_ranges():
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    for line in wanted:
        requirement = Requirement(line)
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert requirement.specifier.contains(PINS[name], prereleases=True), line


def test_no_solution_is_told_in_one_line_and_changes_nothing(tmp_path):
    (tmp_path / "tools").mkdir()
    script = tmp_path / "tools" / "lock.py"
    script.write_text((ROOT / "tools" / "lock.py").read_text("utf-8"), "utf-8")
    (tmp_path / "requirements.txt").write_text("before")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert (tmp_path / "requirements.txt").read_text() == "before"
