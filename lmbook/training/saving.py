"""What of a run goes into its folder, and when: by the first process, for all."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from lmbook.errors import InputError
from lmbook.training.run import Run


class Folder(Protocol):
    """Where a run is kept: :class:`lmbook.training.run_folder.RunFolder`."""

    @property
    def path(self) -> Path: ...
    @property
    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None: ...
    def save(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None: ...
    def finish(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None: ...
    def log(self, records: list[dict[str, Any]]) -> None: ...


class Saver:
    """A run and its folder, which only the first process holds, or none.

    All processes must call the methods alike; an error of the first one's (a full
    disk) is raised in all.
    """

    def __init__(self, run: Run, folder: Folder | None) -> None:
        self._run, self._folder = run, folder
        self._is_kept = run.ranks.on_first(lambda: folder is not None)
        self._saved: tuple[float, int | None] = (time.monotonic(), None)  # when, step

    @property
    def minutes(self) -> float:
        """Since the run was saved."""
        return (time.monotonic() - self._saved[0]) / 60

    def restore(self) -> None:
        """Let the run go on from what its folder holds, if anything."""
        folder = self._folder
        state = self._run.ranks.on_first(lambda: folder.state if folder else None)
        if state is not None:
            try:
                self._run.restore(*state)
                _ = self._run.progress  # numbers that it can compute with?
            except InputError:
                raise
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                raise InputError(
                    f"the checkpoint is of another kind of run: {error!r}"
                ) from None
            self._saved = time.monotonic(), self._run.place.step

    def log(self) -> None:
        """Write down what was measured."""
        records = self._run.history.records
        self._on_first(lambda folder: folder.log(records))

    def save(self) -> None:
        """Write down the whole run."""
        if self._is_kept:
            tensors, facts = self._run.tensors(), self._run.facts()
            self._on_first(lambda folder: folder.save(tensors, facts))
        self._saved = time.monotonic(), self._run.place.step

    def finish(self) -> None:
        """Write down the model that came of it."""
        if self._is_kept:
            tensors, facts = self._run.tensors(), self._run.facts()
            self._on_first(lambda folder: folder.finish(tensors, facts))

    def where(self) -> str:
        """What can still be gone on from, said after "; "."""
        step = self._saved[1]
        if self._folder is None or step is None:
            return ""
        return f"; the checkpoint of step {step} stays in {self._folder.path}"

    def _on_first(self, work: Callable[[Folder], None]) -> None:
        folder = self._folder
        self._run.ranks.on_first(lambda: work(folder) if folder else None)
