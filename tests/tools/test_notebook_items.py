"""The notebooks' own tests, run on a small book with known faults."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat import v4

from tools.notebooks.execute import execute
from tools.notebooks.normalise import normalise
from tools.notebooks.paths import ROOT, write

CLOSE = {"lmbook": {"compare": "close", "rtol": 0.1}}
OWN = {"lmbook": {"compare": "own", "reason": "现场计时"}}
SLIDER = "import ipywidgets as w\na = w.IntSlider(3)\nw.HBox([a])"
INTERACT = """\
from tqdm.auto import tqdm
out = w.Output()
with out:
    print("在里面")
    for _ in tqdm(range(2)):
        pass
display(out)
print("在外面")"""
# Each code cell, its metadata, and what to change in the file once it is stored.
GOOD = [
    ("print({'甲', '乙', '丙'})", {}, None),
    ("import time\nprint(f'用了 {time.time()} 秒')", OWN, None),
    ("print('困惑度 100.0')", CLOSE, ("困惑度 100.0\\n", "困惑度  99.0\\n")),
    (SLIDER, {}, None),
    (INTERACT, {}, None),
    ("a.value = 4\nimport sys\nprint('警告', file=sys.stderr)", {}, None),
]
BAD = [
    ("print('一')", {}, ("一\\n", "二\\n")),
    ("print('困惑度 100.0')", CLOSE, ("困惑度 100.0\\n", "困惑度 80.0\\n")),
    (SLIDER, {}, ('"value": 3', '"value": 5')),
    ("print('后')", {}, None),
    ("x = 1\nassert x == 1", {}, ("assert x == 1", "assert x == 2, x")),
    ("print('再后')", {}, None),
]


def make(path: Path, cells: list) -> None:
    """Execute, store, and then change what is stored."""
    code = [v4.new_code_cell(source, metadata=data) for source, data, _ in cells]
    executed, _ = execute(v4.new_notebook(cells=code), path.parent)
    write(normalise(executed), path)
    text = path.read_text("utf-8")
    for _, _, change in cells:
        if change:
            assert change[0] in text
            text = text.replace(*change)
    path.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("a project")
    (root / "book").mkdir()
    make(root / "book" / "good.ipynb", GOOD)
    make(root / "book" / "bad.ipynb", BAD)
    for name in ("lmbook", "tools", "tests/notebooks"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def run_tests(project: Path, *options: str, **environment: str) -> str:
    command = [sys.executable, "-m", "pytest", "-v", "--color=no", *options]
    return subprocess.run(
        [*command, "tests/notebooks/test_outputs.py"],
        cwd=project,
        env=dict(os.environ, **environment),
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


@pytest.fixture(scope="module")
def report(project: Path) -> str:
    return run_tests(project, "-m", "not full")


def outcomes(report: str, notebook: str) -> list[str]:
    pattern = rf"^{re.escape(notebook)}::cell \d+ ([A-Z]+)"
    return re.findall(pattern, report, re.MULTILINE)


def test_a_good_notebook_passes(report: str):
    assert outcomes(report, "book/good.ipynb") == ["PASSED"] * 6


def test_each_fault_fails_at_its_cell(report: str):
    assert outcomes(report, "book/bad.ipynb") == [
        # Cell 2's widget would be compared after the last cell, had it run.
        *("FAILED", "FAILED", "PASSED", "PASSED", "FAILED", "SKIPPED")
    ]


def test_the_message_names_cell_expected_and_got(report: str):
    assert "book/bad.ipynb, cell 0: print('一')" in report
    assert "\n- 二\n+ 一\n" in report
    assert "expected 80.0, got 100.0" in report
    assert "assert x == 2" in report
    assert "\x1b" not in report


def test_the_summary_counts_and_times(report: str):
    assert "7 cells compared exactly, 2 within tolerance, 1 own" in report
    assert re.search(r"\d\.\d s  book/good\.ipynb", report)


def test_a_widget_that_differs_fails(project: Path):
    cells = [cell for cell in BAD if cell[0] == SLIDER]
    make(project / "book" / "widget.ipynb", cells)
    report = run_tests(project, "-m", "not full", "-k", "widget.ipynb")
    assert outcomes(report, "book/widget.ipynb") == ["FAILED"]
    assert '-   "value": 5' in report
    (project / "book" / "widget.ipynb").unlink()


def test_a_widget_of_its_own_is_not_compared(project: Path):
    make(
        project / "book" / "widget.ipynb", [(SLIDER, OWN, ('"value": 3', '"value": 5'))]
    )
    report = run_tests(project, "-m", "not full", "-k", "widget.ipynb")
    assert outcomes(report, "book/widget.ipynb") == ["PASSED"]
    (project / "book" / "widget.ipynb").unlink()


def test_other_versions_execute_and_compare_nothing(project: Path):
    report = run_tests(project, "-m", "not full", LMBOOK_EXECUTE_ONLY="1")
    assert outcomes(report, "book/bad.ipynb").count("FAILED") == 1
    assert "cells executed, none compared" in report
