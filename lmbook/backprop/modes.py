"""Two switches of the engine: whether it remembers, and whether it checks.

Taught in section 3.2.  Each is a context manager; it holds for the thread (or the
coroutine) that enters it, and until that leaves, also through an error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from numpy.typing import NDArray

_recording = ContextVar("recording", default=True)
_checking = ContextVar("checking", default=False)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without remembering how: for evaluation, and to save memory."""
    with _set(_recording, False):
        yield


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Stop at the first operation, forward or backward, that gives NaN or infinity.

    It raises ``FloatingPointError`` with the operation and the shapes involved.
    """
    with _set(_checking, True):
        yield


def is_recording() -> bool:
    """Whether operations remember their operands."""
    return _recording.get()


def is_checking() -> bool:
    """Whether results and gradients are looked at for what is not finite."""
    return _checking.get()


def require_finite(array: NDArray, what: str) -> None:
    """Raise ``FloatingPointError`` that says ``what`` holds NaN or infinity."""
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)]
        raise FloatingPointError(
            f"{what} holds {bad.flat[0]} ({bad.size} of {array.size} entries are not "
            "finite)"
        )


@contextmanager
def _set(switch: ContextVar[bool], value: bool) -> Iterator[None]:
    token = switch.set(value)
    try:
        yield
    finally:
        switch.reset(token)
