"""Stands in for a Python: tells its version, makes venvs, "installs" with pip.

Run as ``fake_python.py SELF HOME ARGUMENTS``: HOME is the folder of a fake venv,
or ``-`` for the system's Python.  FAKE_VERSION is what it claims to be, FAKE_PIP how
its pip ends, FAKE_MISSING a module that it lacks, FAKE_LOG where its calls go.
"""

import json
import os
import runpy
import signal
import sys
import time
from pathlib import Path

REAL = sys.executable
LAUNCHER = '#!/bin/sh\nexec "{python}" -S "{script}" "$0" "{home}" "$@"\n'


def launcher(path, home="-"):
    """Write a fake Python to ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = LAUNCHER.format(python=REAL, script=__file__, home=home)
    path.write_text(text, "utf-8")
    path.chmod(0o755)


def pip(home, arguments):
    ending = os.environ.get("FAKE_PIP", "good")
    if ending == "slow":
        time.sleep(1)
    if ending == "killed" and "-r" in arguments:
        os.kill(os.getppid(), signal.SIGKILL)
    if ending == "offline" and "--editable" not in arguments:
        print("WARNING: Retrying after connection broken")
        print("ERROR: No matching distribution found for this")
        print("[notice] A new release of pip is available")
        sys.exit(1)
    if "-r" in arguments:
        lock = Path(arguments[-1]).read_text("utf-8")
        pins = dict(line.split("==") for line in lock.splitlines() if "==" in line)
        (home / "packages.json").write_text(json.dumps(pins))


def main():
    sys.executable, home, *arguments = sys.argv[1:]
    version = os.environ.get("FAKE_VERSION", "3.11")
    if home != "-":
        home = Path(home)
        version = (home / "version.txt").read_text()
    sys.version_info = (*map(int, version.split(".")), 1)
    with open(os.environ["FAKE_LOG"], "a", encoding="utf-8") as log:
        place = "system" if home == "-" else "venv"
        shown = [a for a in arguments if "distributions" not in a]
        log.write(" ".join([place, os.environ.get("PYTHONPATH", ""), *shown]) + "\n")
    if missing := os.environ.get("FAKE_MISSING"):
        sys.modules[missing] = None
    match arguments:
        case ["-c", code] if "distributions" in code:
            found = json.loads((home / "packages.json").read_text())
            print(json.dumps([version, found]))
        case ["-c", _]:
            pass
        case ["-m", "venv", folder]:
            launcher(Path(folder) / "bin" / "python", folder)
            (Path(folder) / "version.txt").write_text(version)
            (Path(folder) / "packages.json").write_text("{}")
        case ["-m", "pip", "install", *rest]:
            pip(home, rest)
        case ["-m", *_]:
            pass
        case [script]:
            sys.argv = [script]
            runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
