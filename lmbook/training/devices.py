"""Where to compute."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lmbook.errors import InputError

DEVICES = ("auto", "cpu", "cuda", "mps")


def best_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes an NVIDIA GPU, else Apple's, else CPU.

    Raises ``InputError`` for another name or a device that this machine lacks.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, present in available.items() if present)
    if name not in available:
        raise InputError(f"device must be one of {', '.join(DEVICES)}; got {name!r}")
    if not available[name]:
        present = ", ".join(device for device, here in available.items() if here)
        raise InputError(f"this machine has no {name} device; it has: {present}")
    return torch.device(name)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread of the CPU.

    An LSTM that reads a single row does many tiny products one after the other;
    handing each to several threads takes over ten times as long as doing it.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
