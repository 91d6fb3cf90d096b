"""How long one core is busy with something."""

import time
from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What ``work`` gives, computed on one thread, and the processor's seconds.

    They leave out waiting, but not that other work beside it slows a core down.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    began = time.process_time()
    try:
        return work(), time.process_time() - began
    finally:
        torch.set_num_threads(threads)
