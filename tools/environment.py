"""Make .venv hold what requirements.txt locks, and lmbook itself, editable.

Run by the system's Python through tools/setup_env.py: the standard library only.

A stamp inside .venv says what was installed; while it is right, this returns at
once.  A .venv that works is brought up to date where it stands, so nothing is lost
when there is no network, and one that was made by hand (with another build of
torch, say) is kept.  One that was interrupted, moved, or belongs to another Python
is made anew.  Each failure is one line and exit code 2.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.txt"
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "lmbook-ready"
UNFINISHED = VENV / "lmbook-unfinished"
VERSION = "{}.{}".format(*sys.version_info)
# Settings of other environments that would lead modules or installs astray.
ASTRAY = "PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT".split()
# What pip's lines begin with that tell how far it is.
PROGRESS = ("Collecting", "Downloading", "Installing")
ABOUT = """
import json, sys
from importlib.metadata import distributions
found = {str(d.metadata["Name"]): d.version for d in distributions()}
print(json.dumps(["{}.{}".format(*sys.version_info), found]))
"""


class SetupError(Exception):
    """.venv cannot be made ready; the message is the one line to show."""


def make_ready() -> None:
    """Set .venv up where it is not ready; end the program where that cannot be."""
    try:
        if not is_ready():
            alone(install)
    except (SetupError, OSError) as error:
        problem = str(error)
    except KeyboardInterrupt:
        problem = "set-up interrupted; the next run starts it again"
    else:
        return
    print(f"error: {problem}", file=sys.stderr)
    sys.exit(2)


def wanted() -> list[str]:
    """The lines in the stamp of a finished .venv: Python, folder, what it holds."""
    content = LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    return [f"Python {VERSION}", str(ROOT), hashlib.sha256(content).hexdigest()]


def stamp() -> list[str]:
    """The lines of the stamp in .venv; none where it was not finished by this."""
    return STAMP.read_text("utf-8").split("\n") if STAMP.exists() else []


def is_ready() -> bool:
    """Whether .venv holds what is wanted, by its stamp alone."""
    return PYTHON.exists() and stamp() == wanted()


def alone(action: Callable[[], None]) -> None:
    """Run ``action`` when no other set-up of this folder does (not on Windows)."""
    try:
        import fcntl
    except ImportError:
        return action()
    with LOCK.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another set-up of this folder to end ...", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
            if is_ready():
                return None
        except OSError:
            pass  # a file system without locks
        return action()


def install() -> None:
    """Bring .venv into the state that the stamp promises."""
    found = installed()
    if found is None:
        print(f"Setting up .venv with Python {VERSION} ...", flush=True)
        create()
        found = {}
    STAMP.unlink(missing_ok=True)
    UNFINISHED.touch()
    pins = missing(found)
    if pins:
        print(f"Installing {len(pins)} packages (some minutes) ...", flush=True)
        try:
            # One package, without retries: where there is no network, say so at once.
            probe = ("--dry-run", "--no-deps", "--retries=0", "--timeout=15", pins[0])
            pip("cannot get packages (no network?)", *probe)
            pip("could not install requirements.txt", "-r", str(LOCK))
        except SetupError:
            # pip itself has put back what it changed: the next run can go on.
            UNFINISHED.unlink()
            raise
    here = ("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    pip("could not install lmbook itself", *here)
    STAMP.write_text("\n".join(wanted()), "utf-8")
    UNFINISHED.unlink()


def installed() -> dict[str, str] | None:
    """{package: version} in .venv; None where .venv must be made anew."""
    moved = stamp()[1:2] not in ([], [str(ROOT)])
    if UNFINISHED.exists() or not PYTHON.exists() or moved:
        return None
    code, lines = run([str(PYTHON), "-c", ABOUT])
    if code:
        return None
    version, found = json.loads(lines[-1])
    return _canonical(found) if version == VERSION else None


def _canonical(found: dict[str, str]) -> dict[str, str]:
    return {re.sub(r"[-_.]+", "-", name).lower(): v for name, v in found.items()}


def missing(found: dict[str, str]) -> list[str]:
    """The pins that are not satisfied; ``1.2+cpu`` satisfies ``==1.2``, as in pip."""
    have = {f"{name}=={version.partition('+')[0]}" for name, version in found.items()}
    lines = LOCK.read_text("utf-8").splitlines()
    return [line for line in lines if "==" in line and line not in have]


def create() -> None:
    """Make an empty .venv in place of what is there."""
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise SetupError(
            f"Python {VERSION} at {sys.executable} has no venv module "
            f"(on Debian and Ubuntu: apt install python{VERSION}-venv)"
        )
    if VENV.exists():
        shutil.rmtree(VENV)
    code, lines = run([sys.executable, "-m", "venv", str(VENV)])
    if code:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(f"cannot make .venv: {(lines or ['no reason given'])[-1]}")


def pip(problem: str, *arguments: str) -> None:
    """``pip install`` with these arguments; SetupError with its last error."""
    command = [str(PYTHON), "-m", "pip", "install", "--no-input"]
    code, lines = run([*command, "--disable-pip-version-check", *arguments])
    if code:
        errors = [line for line in lines if line.startswith("ERROR: ")]
        reason = (errors or lines or ["no reason given"])[-1]
        raise SetupError(f"pip {problem}: {reason.removeprefix('ERROR: ')}")


def run(command: list[str]) -> tuple[int, list[str]]:
    """Exit code and printed lines; on a terminal, what pip is at stands in one line."""
    lines = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k not in ASTRAY},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            lines.append(line.strip())
            if sys.stdout.isatty() and lines[-1].startswith(PROGRESS):
                print(f"\r\033[K{lines[-1][:70]}", end="", flush=True)
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)
    return process.returncode, lines
