"""Where a measurement was made, and the file that keeps it."""

import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

import torch

from lmbook.files import atomic_write

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "numpy", "scipy")


def machine() -> dict[str, Any]:
    """What the numbers depend on, and nothing that names the machine."""
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if _LINUX else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": bfloat16(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def bfloat16() -> str | None:
    """The instructions that multiply bfloat16 numbers, if there are any."""
    if torch.cpu._is_amx_tile_supported():
        return "AMX"
    return "AVX512_BF16" if torch.cpu._is_avx512_bf16_supported() else None


def cpu_model() -> str:
    """The processor as the system calls it."""
    if _LINUX:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def write(name: str, results: dict[str, Any]) -> Path:
    """Write ``results`` and the machine to results/name.json."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as temporary:
        text = json.dumps({"machine": machine(), **results}, indent=2)
        temporary.write_text(text + "\n", "utf-8")
    return path


_LINUX = hasattr(os, "sched_getaffinity")
