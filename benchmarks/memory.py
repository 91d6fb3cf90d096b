"""How much memory this process has had at most."""

import resource
import sys


def peak_bytes() -> int:
    """Largest resident memory so far, in bytes (the unit of ru_maxrss differs)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
