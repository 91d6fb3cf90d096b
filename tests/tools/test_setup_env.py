"""Setting up .venv: what it does, and the one line it says when it cannot."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tools.fake_python import launcher

ROOT = Path(__file__).resolve().parents[2]
SETUP = ("__init__.py", "setup_env.py", "environment.py")


class Tree:
    """A copy of what set-up needs, in a folder with a space, with fake Pythons."""

    def __init__(self, folder):
        self.folder = folder / "一本 书"
        self.log = folder / "calls.txt"
        self.fakes = folder / "my bin"
        (self.folder / "tools").mkdir(parents=True)
        for name in SETUP:
            shutil.copy(ROOT / "tools" / name, self.folder / "tools")
        shutil.copy(ROOT / "Makefile", self.folder)
        (self.folder / "pyproject.toml").write_text("[project]\n")
        self.lock("numpy==2.4.1", "torch==2.13.0")
        launcher(self.fakes / "python3.11")

    @property
    def venv(self):
        return self.folder / ".venv"

    def lock(self, *pins):
        (self.folder / "requirements.txt").write_text("\n".join(["# lock", *pins]))

    def environment(self, **fake):
        clean = {k: v for k, v in os.environ.items() if k[:4] not in ("PIP_", "MAKE")}
        clean["FAKE_LOG"] = str(self.log)
        return clean | {f"FAKE_{name}": value for name, value in fake.items()}

    def command(self):
        return [str(self.fakes / "python3.11"), "tools/setup_env.py"]

    def set_up(self, **fake):
        """Run set-up; (exit code, its lines, the calls of Python that it made)."""
        self.log.write_text("")
        done = subprocess.run(
            self.command(),
            cwd=self.folder,
            env=self.environment(**fake),
            capture_output=True,
            text=True,
        )
        calls = self.log.read_text("utf-8").splitlines()
        return done.returncode, done.stderr.splitlines(), calls[1:]

    def packages(self):
        return json.loads((self.venv / "packages.json").read_text())


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def fails(result, *words):
    code, lines, _ = result
    assert code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]
    return True


def test_everything_is_installed_and_the_second_time_nothing_is_done(tree):
    code, lines, calls = tree.set_up()
    assert (code, lines) == (0, [])
    assert tree.packages() == {"numpy": "2.4.1", "torch": "2.13.0"}
    assert sum("--editable" in call for call in calls) == 1
    seconds = []
    for _ in range(3):
        start = time.monotonic()
        assert tree.set_up() == (0, [], [])
        seconds.append(time.monotonic() - start)
    assert min(seconds) < 1


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.10", "3.14"])
def test_another_python_is_told_which_one_is_needed(tree, version):
    assert fails(tree.set_up(VERSION=version), version, "3.11, 3.12 or 3.13")
    assert not tree.venv.exists()


def test_the_first_file_can_be_read_by_an_old_python():
    text = (ROOT / "tools" / "setup_env.py").read_text("ascii")
    tree = ast.parse(text, feature_version=(3, 4))
    new = (ast.JoinedStr, ast.NamedExpr, ast.Match, ast.AnnAssign, ast.Starred)
    assert not [node for node in ast.walk(tree) if isinstance(node, new)]


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_what_to_install(tree, module):
    assert fails(tree.set_up(MISSING=module), "venv module", "python3.11-venv")


def test_without_network_it_says_so_and_goes_on_later(tree):
    result = tree.set_up(PIP="offline")
    assert fails(result, "no network?", "No matching distribution found for this")
    assert sum("pip install" in call for call in result[2]) == 1
    code, _, calls = tree.set_up()
    assert code == 0
    assert not any("-m venv" in call for call in calls)
    assert tree.packages()["torch"] == "2.13.0"


def test_an_old_venv_survives_a_new_lock_without_network(tree):
    tree.set_up()
    tree.lock("numpy==2.4.2", "torch==2.13.0")
    assert fails(tree.set_up(PIP="offline"), "no network?")
    assert tree.packages()["numpy"] == "2.4.1"
    code, _, calls = tree.set_up()
    assert code == 0
    assert not any("-m venv" in call for call in calls)
    assert tree.packages()["numpy"] == "2.4.2"


def test_what_needs_no_package_needs_no_network(tree):
    tree.set_up()
    (tree.folder / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    assert tree.set_up(PIP="offline")[0] == 0


def test_an_interrupted_set_up_starts_again(tree):
    assert tree.set_up(PIP="killed")[0] != 0
    code, lines, calls = tree.set_up()
    assert (code, lines) == (0, [])
    assert any("-m venv" in call for call in calls)


def test_ctrl_c_ends_in_one_line_and_the_next_run_starts_again(tree):
    tree.log.write_text("")
    process = subprocess.Popen(
        tree.command(),
        cwd=tree.folder,
        env=tree.environment(PIP="slow"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    deadline = time.monotonic() + 30
    while "--dry-run" not in tree.log.read_text("utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert fails((process.returncode, said.splitlines(), []), "interrupted")
    code, _, calls = tree.set_up()
    assert code == 0
    assert any("-m venv" in call for call in calls)


def test_a_venv_made_by_hand_is_kept(tree):
    arguments = [*tree.command()[:1], "-m", "venv", str(tree.venv)]
    subprocess.run(arguments, env=tree.environment(), check=True)
    found = {"numpy": "2.4.1", "Torch": "2.13.0+cpu", "mine": "1"}
    (tree.venv / "packages.json").write_text(json.dumps(found))
    code, _, calls = tree.set_up()
    assert code == 0
    assert not any("-m venv" in call or "-r " in call for call in calls)
    assert tree.packages() == found


@pytest.mark.parametrize("change", ["moved", "another Python", "Python gone"])
def test_a_venv_that_cannot_work_is_made_anew(tree, change):
    tree.set_up()
    version = "3.11"
    if change == "moved":
        tree.folder = tree.folder.rename(tree.folder.with_name("another place"))
    elif change == "another Python":
        version = "3.12"
    else:
        (tree.venv / "bin" / "python").unlink()
    code, _, calls = tree.set_up(VERSION=version)
    assert code == 0
    assert any("-m venv" in call for call in calls)
    assert tree.set_up(VERSION=version)[2] == []


def test_two_at_once_do_the_work_once(tree):
    tree.log.write_text("")
    both = [
        subprocess.Popen(
            tree.command(),
            cwd=tree.folder,
            env=tree.environment(PIP="slow"),
            stdout=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    assert [process.wait(60) for process in both] == [0, 0]
    calls = tree.log.read_text("utf-8").splitlines()
    assert sum("-m venv" in call for call in calls) == 1


def test_the_modules_of_another_environment_do_not_count(tree, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    _, _, calls = tree.set_up()
    assert calls
    assert not any("/elsewhere" in call for call in calls)


def test_a_real_pip_without_an_index_ends_in_one_line(tree):
    """No fake: this Python's own venv and pip, with nothing to install from."""
    done = subprocess.run(
        [sys.executable, "tools/setup_env.py"],
        cwd=tree.folder,
        env=tree.environment() | {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
    )
    lines = done.stderr.splitlines()
    assert fails((done.returncode, lines, []), "no network?", "numpy==2.4.1")


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_a_copy_of_the_tracked_files_sets_itself_up_and_builds(tmp_path):
    """Everything real: the packages are downloaded and the book is built."""
    copy = tmp_path / "一本 书"
    names = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    for name in filter(None, names.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    subprocess.run(["make", "book"], cwd=copy, check=True, stdin=subprocess.DEVNULL)
    assert (copy / "_build" / "html" / "index.html").is_file()
    check = "import lmbook, torch; print(lmbook.__file__)"
    command = [".venv/bin/python", "-P", "-c", check]
    found = subprocess.check_output(command, cwd=copy, text=True).strip()
    assert Path(found).is_relative_to(copy)
