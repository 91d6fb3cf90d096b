"""What must hold of the repository's files, whatever they are about."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LMBOOK = sorted((ROOT / "lmbook").rglob("*.py"))
# Folders of one machine, and hosts that serve packages.  (In pieces: this file is
# looked through as well.)
MACHINE = r"/(?:work|root|home/[a-z]+|Users/[a-z]+|tmp|opt)/" + r"[\w.]"
HOSTS = (
    *("pypi" + r"\.org", "python" + r"hosted\.org", "npmjs" + r"\.(?:org|com)"),
    *("download" + r"\.pytorch", "npm" + "mirror", "anaconda" + r"\.org"),
    *("tsinghua" + r"\.edu", "aliyun" + r"\.com", "file:" + "///opt"),
)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def tracked() -> list[Path]:
    """The files under version control, or all that a copy without git holds."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize(
    "command", ["ruff check .", "ruff format --check .", "mypy"], ids=lambda c: c
)
def test_linters_are_clean(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("pattern", [MACHINE, *HOSTS])
def test_no_file_names_a_machine_or_a_registry(pattern: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        for match in re.finditer(rf"(?<![\w.]){pattern}", text(path))
    ]
    assert found == []


def test_lmbook_can_be_read_in_the_time_there_is() -> None:
    lengths = {path: len(text(path).splitlines()) for path in LMBOOK}
    # The artificial world, the tokenizers, the vectors and the loaders took more than
    # the 7,000 lines first thought of; runs that survive a kill, several processes and
    # generation took 4,200 again; facts and costs of the industry, which stand apart,
    # 1,600; a GPT with the layouts of published models, their tokenizers and LoRA as
    # many; pre-training, fine-tuning, preferences, and questions answered 1,180;
    # sequence to sequence in three architectures, its trainer and the translator 1,700;
    # growth, scaling laws fitted and the figures of history alive in the page 490; the
    # map of the industry, its calculators and the story's company 340; the viewer of
    # attention, whole words for the translator, a bill's uncertainty, and what 6.4
    # measures with 710; Muon, and a reader of stories with the FAQ for passages, 270;
    # a large matrix times few rows, 80; what is refused by name, 180.
    assert sum(lengths.values()) <= 21_660
    assert {path.name: n for path, n in lengths.items() if n > 350} == {}


def test_init_files_hold_no_logic() -> None:
    for path in LMBOOK:
        if path.name == "__init__.py":
            _docstring, *rest = ast.parse(text(path)).body
            logic = [n for n in rest if not isinstance(n, ast.ImportFrom | ast.Assign)]
            assert logic == [], path


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_sound(path: Path) -> None:
    workflow = yaml.safe_load(text(path))
    assert set(workflow["permissions"].items()) == {("contents", "read")}
    targets = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.MULTILINE))
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            used, ran = step.get("uses", ""), step.get("run", "")
            assert bool(used) != bool(ran)
            assert not used or re.fullmatch(r"actions/[a-z-]+@v\d+", used)
            assert set(re.findall(r"(?:make|\.ci/run) ([a-z-]+)", ran)) <= targets
            for module in re.findall(r"-m (tools[\w.]*)", ran):
                assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
