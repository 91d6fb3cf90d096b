"""Executing notebooks and saving them: what ``make notebooks`` does."""

import sys

import pytest
from click.testing import CliRunner
from nbformat import v4

from tools.notebooks import refresh
from tools.notebooks.execute import NotebookFailed, execute
from tools.notebooks.normalise import WIDGET_STATE
from tools.notebooks.paths import read, write


def notebook(*sources):
    return v4.new_notebook(cells=[v4.new_code_cell(source) for source in sources])


def run(folder, *sources, **options):
    return execute(notebook(*sources), folder, **options)[0]


def texts(executed):
    return ["".join(o.get("text", "") for o in c.outputs) for c in executed.cells]


def test_the_kernel_is_fixed(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    executed = run(
        tmp_path,
        "import os, sys\nprint(sys.executable)",
        "print(os.getcwd())",
        "print(os.environ.get('MPLBACKEND', 'unset').partition('://')[0])",
        "print(os.environ['PYTHONHASHSEED'], os.environ['OMP_NUM_THREADS'])",
    )
    python, folder, backend, fixed = texts(executed)
    assert python.strip() == sys.executable
    assert folder.strip() == str(tmp_path.resolve())
    # The kernel sets its own, which brings figures back to the notebook.
    assert backend.strip() != "agg"
    assert fixed == "0 2\n"


def test_two_executions_are_the_same_bytes(tmp_path):
    path = tmp_path / "a.ipynb"
    sources = (
        "import sys\nfrom tqdm.auto import tqdm\nfor _ in tqdm(range(2)): pass",
        "print({'甲', '乙', '丙'}, file=sys.stdout)\nprint(1, file=sys.stderr)",
        "import ipywidgets\nipywidgets.VBox([ipywidgets.IntSlider()])",
        "from lmbook import plotting\nfigure, axis = plotting.subplots()\n"
        "axis.plot([1, 3, 2])\nplotting.show(figure, alt='线', caption='看')",
    )
    write(notebook(*sources), path)
    refresh.refresh(path)
    first = path.read_bytes()
    assert "executed" in refresh.refresh(path, always=True)
    assert path.read_bytes() == first
    cells = read(path).cells
    assert cells[0].outputs == []
    assert len(cells[3].outputs) == 2
    assert read(path).metadata.widgets[WIDGET_STATE]["state"]


def test_the_environment_can_be_changed(tmp_path):
    source = "import os\nprint(os.environ['OMP_NUM_THREADS'])"
    assert texts(run(tmp_path, source, environment={"OMP_NUM_THREADS": "1"})) == ["1\n"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n1 / 0", r"cell 1 \(x = 1\):\n  ZeroDivisionError: division by zero"),
        ("import os\nos._exit(3)", "kernel died"),
    ],
)
def test_what_failed_is_named(tmp_path, source, message):
    with pytest.raises(NotebookFailed, match=message):
        run(tmp_path, "print(1)", source)


def test_a_notebook_that_hangs_is_stopped(tmp_path):
    with pytest.raises(NotebookFailed, match="longer than 2 s"):
        run(tmp_path, "import time", "while True: time.sleep(0.1)", timeout=2)


def test_only_what_is_stale_is_executed(tmp_path):
    path = tmp_path / "a.ipynb"
    write(notebook("print(1)"), path)
    assert "executed" in refresh.refresh(path)
    stored = path.read_bytes()
    assert refresh.refresh(path) == "up to date"
    assert path.read_bytes() == stored

    edited = read(path)
    edited.cells.insert(0, v4.new_markdown_cell("一句话"))
    write(edited, path)
    assert refresh.refresh(path) == "normalised"
    edited.cells[1].source = "print(2)"
    write(edited, path)
    assert "executed" in refresh.refresh(path)
    assert read(path).cells[1].outputs[0].text == "2\n"


def test_a_failure_leaves_the_file_and_says_so_in_a_few_lines(tmp_path):
    good, bad = tmp_path / "good.ipynb", tmp_path / "bad.ipynb"
    write(notebook("print(1)"), good)
    write(notebook("print(1)\nraise KeyError('甲')"), bad)
    before = bad.read_bytes()
    result = CliRunner().invoke(refresh.main, [str(bad), str(good)])
    assert result.exit_code == 1
    assert bad.read_bytes() == before
    assert "good.ipynb: executed in" in result.stdout
    assert result.stderr.splitlines() == [
        f"{bad}: NOT SAVED, cell 0 (print(1)):",
        "  KeyError: '甲'",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"good.ipynb", "bad.ipynb"}


def test_what_is_not_a_notebook_is_named(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text("hello", "utf-8")
    result = CliRunner().invoke(refresh.main, [str(path)])
    assert result.exit_code == 1
    assert "is not a notebook" in result.stderr


def test_prose_is_normalised_without_executing(tmp_path):
    path = tmp_path / "a.ipynb"
    write(notebook("raise SystemExit"), path)
    result = CliRunner().invoke(refresh.main, ["--normalise-only", str(path)])
    assert result.exit_code == 0
    assert result.stdout.endswith("a.ipynb: normalised\n")
    result = CliRunner().invoke(refresh.main, ["--normalise-only", str(path)])
    assert result.stdout.endswith("a.ipynb: unchanged\n")
