"""Write requirements.txt: the complete lock, from the ranges in pyproject.toml.

pip itself resolves (``pip install --dry-run --report``), so what it locks is what
it will install.  Only public versions are written: a CPU build of torch calls
itself ``2.13.0+cpu``, which no public index has, and the nvidia packages that the
CUDA build adds follow from torch on the machines that want them.

    make lock        (or: .venv/bin/python -m tools.lock)
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# The lock: every package that the book and its tests run on, at one version.
# Made from pyproject.toml by `make lock`; do not edit by hand.
"""
PLATFORM_ONLY = re.compile(r"^(nvidia-|cuda-|triton$)")


def resolved() -> list[str]:
    """Resolve lmbook with its dev extra from nothing; sorted ``name==version``."""
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"),
        *("--ignore-installed", "--report", "-", f"{ROOT}[dev]"),
    ]
    report = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    pins = []
    for item in json.loads(report.stdout)["install"]:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        version = item["metadata"]["version"].partition("+")[0]
        if name != "lmbook" and not PLATFORM_ONLY.match(name):
            pins.append(f"{name}=={version}")
    return sorted(pins)


def main() -> None:
    pins = resolved()
    (ROOT / "requirements.txt").write_text(HEADER + "\n".join(pins) + "\n", "utf-8")
    print(f"requirements.txt: {len(pins)} packages")


if __name__ == "__main__":
    main()
