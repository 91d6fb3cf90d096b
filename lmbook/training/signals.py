"""Ctrl-C and SIGTERM: a run that is asked to stop saves first."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop, and did so after a whole step."""

    def __init__(self, signal: int, step: int) -> None:
        super().__init__(f"interrupted at step {step:,}")
        self.signal, self.step = signal, step

    @property
    def exit_code(self) -> int:
        """What a shell expects: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + self.signal


@dataclass
class Stop:
    """The signal that asked the run to stop; None while it may go on."""

    signal: int | None = None


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Note SIGINT and SIGTERM instead of dying of them.

    A second Ctrl-C is a ``KeyboardInterrupt`` at once.  A SIGTERM after Ctrl-C is
    not: torchrun sends one to processes that are still saving.  Outside the main
    thread, where Python takes no signals, nothing is noted.
    """
    stop = Stop()

    def note(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and stop.signal is not None:
            raise KeyboardInterrupt
        stop.signal = stop.signal or number

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, note)
    except ValueError:  # not the main thread
        pass
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
