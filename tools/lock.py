"""Write requirements.txt: the complete lock, from the ranges in pyproject.toml.

    make lock        (or: python3.11 tools/lock.py)

pip itself resolves (``pip install --dry-run --report``), so what it locks is what
it will install.  Only public versions are written: a CPU build of torch calls
itself ``2.13.0+cpu``, which no public index has, and the nvidia packages that the
CUDA build adds follow from torch on the machines that want them.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = """\
# The lock: every package that the book and its tests run on, at one version.
# Made from pyproject.toml by `make lock`; do not edit by hand.
"""
# The oldest Python that pyproject.toml allows: what it resolves, the others run too.
LOCKED_ON = (3, 11)
PLATFORM_ONLY = re.compile(r"^(nvidia-|cuda-|triton$)")


def resolved() -> list[str]:
    """Resolve lmbook with its dev extra from nothing; sorted ``name==version``.

    Raises ``ValueError`` with pip's last error where there is no solution.
    """
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"),
        *("--ignore-installed", "--no-input", "--report", "-", f"{ROOT}[dev]"),
    ]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        errors = [line for line in lines if line.startswith("ERROR: ")] or lines
        raise ValueError(f"pip finds no solution: {errors[-1].removeprefix('ERROR: ')}")
    return pins(json.loads(done.stdout))


def pins(report: dict) -> list[str]:
    """The lines of the lock, from the report of pip's resolver."""
    found = []
    for item in report["install"]:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        version = item["metadata"]["version"].partition("+")[0]
        if name != "lmbook" and not PLATFORM_ONLY.match(name):
            found.append(f"{name}=={version}")
    return sorted(found)


def main() -> None:
    try:
        if sys.version_info[:2] != LOCKED_ON:
            raise ValueError("the lock is made with Python {}.{}".format(*LOCKED_ON))
        lines = resolved()
        new = ROOT / "requirements.txt.new"
        new.write_text(HEADER + "\n".join(lines) + "\n", "utf-8")
        os.replace(new, ROOT / "requirements.txt")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"requirements.txt: {len(lines)} packages")


if __name__ == "__main__":
    main()
