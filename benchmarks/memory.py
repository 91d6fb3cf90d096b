"""How much memory this process has had at most."""

import resource
import sys
from pathlib import Path


def peak_bytes() -> int:
    """Largest resident memory so far, in bytes.

    Linux tells it of this program alone (VmHWM, in kB).  ``ru_maxrss``, which other
    systems have, begins at what the parent process had; its unit differs.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
