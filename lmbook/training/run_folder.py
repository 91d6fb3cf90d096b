"""A training run in its folder: begun, gone on with after a kill, finished."""

import json
import re
import shutil
import warnings
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmbook.errors import InputError
from lmbook.files import locked, sha256, write_sealed
from lmbook.text.tokenizers import AnyTokenizer
from lmbook.training import checkpoint, run_files
from lmbook.training.run_files import LOCK, RUN, SETTINGS

# What a run may be gone on with that it was not begun with.
MAY_CHANGE = ("device", "save_minutes")
# Names that atomic_write and safetensors give to a file until it is whole.
LEFTOVER = re.compile(r"\.\w+\.(json|jsonl|safetensors)\.\w+|\.tmp\w{6}")


class RunFolder:
    """The folder of one run, held against other processes while it is open.

        with RunFolder("my-model", settings, tokenizer, resume=True) as folder:
            train(model, data, config, folder=folder)

    ``settings`` are what the run's result depends on: "model" and "train" (the two
    configurations as dicts), "data" (:func:`lmbook.training.checkpoint.fingerprint`),
    and whatever else shall be kept.  Opening a new run makes the folder, which must
    be empty.  Opening with ``resume`` goes on: :attr:`state` is what :meth:`save`
    got last, None if nothing was saved; :attr:`finished` says that nothing is left to
    do.  Other settings, another text, a damaged file, and a folder in use are each an
    ``InputError``.
    """

    def __init__(
        self,
        folder: str | Path,
        settings: dict[str, Any],
        tokenizer: AnyTokenizer,
        resume: bool = False,
    ) -> None:
        self.path = Path(folder)
        self.state: tuple[dict[str, Tensor], dict[str, Any]] | None = None
        self.finished = False
        self._settings = json.loads(json.dumps(settings))  # tuples become lists
        self._tokenizer, self._resume = tokenizer, resume
        self._number = 0  # of the last good checkpoint
        self._held = ExitStack()

    def __enter__(self) -> "RunFolder":
        if not self._resume:
            require_new(self.path)
        with ExitStack() as held:
            if not self._is_finished():
                self._require_own()
                self._hold(held)
                self._require_own()  # no other process was quicker
                self._open()
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def save(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Keep all that changes in the run; the checkpoint before stays as well.

        Raises ``NotFinite`` for a NaN among the tensors, ``OSError`` naming the file
        when the disk is full; the last good checkpoint stays.
        """
        # First, so that no more than two are ever on the disk.
        run_files.remove_others(self.path, self._number)
        run_files.write_checkpoint(self.path, self._number + 1, tensors, facts)
        self._number += 1

    def log(self, records: Iterable[dict[str, Any]]) -> None:
        """Write metrics.jsonl anew, for those who look on."""
        checkpoint.write_records(self.path, records)

    def finish(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Leave the finished model, and of the run nothing but its settings."""
        run_files.remove_others(self.path, self._number)
        weights = checkpoint.weights_of(tensors, facts["weights"])
        checkpoint.write_records(self.path, facts["records"])
        checkpoint.save_weights(self.path, weights, self._tokenizer, **self._settings)
        shutil.rmtree(self.path / RUN)
        self.finished = True

    def _is_finished(self) -> bool:
        config = checkpoint.read_config(self.path)
        if config is None:
            return False
        require_same(self.path, config, self._settings)
        shutil.rmtree(self.path / RUN, ignore_errors=True)  # killed before it could
        self.finished = True
        return True

    def _require_own(self) -> None:
        """``InputError`` if the folder holds no run, but something else."""
        if not self.path.is_dir() or run_files.read_settings(self.path) is not None:
            return
        for path in self.path.iterdir():
            ours = path.name in (RUN, checkpoint.TOKENIZER)
            if not ours and not LEFTOVER.fullmatch(path.name):
                raise InputError(f"folder {self.path} is not empty and holds no run")

    def _hold(self, held: ExitStack) -> None:
        """Make the folder, and lock it."""
        run = run_files.require_inside(self.path, self.path / RUN)
        try:
            run.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(run / LOCK, f"folder {self.path}"))
        except OSError as error:
            raise InputError(
                f"cannot write to folder {self.path}: {error.strerror}"
            ) from None

    def _open(self) -> None:
        for path in self.path.iterdir():
            if LEFTOVER.fullmatch(path.name):
                path.unlink()
        before = run_files.read_settings(self.path)
        if before is None:
            self._begin()
        else:
            self._go_on(before)

    def _begin(self) -> None:
        """Write what the run begins with, the settings last."""
        if self._resume:
            warnings.warn(f"{self.path} holds no run yet: it begins now", stacklevel=2)
        self._tokenizer.save(self.path / checkpoint.TOKENIZER)
        sums = {checkpoint.TOKENIZER: sha256(self.path / checkpoint.TOKENIZER)}
        settings = {**self._settings, "files": sums, "computed": _circumstances()}
        write_sealed(self.path / RUN / SETTINGS, settings)

    def _go_on(self, before: dict[str, Any]) -> None:
        require_same(self.path, before, self._settings)
        run_files.require_intact(self.path, before["files"])
        for name, now in _circumstances().items():
            if before["computed"][name] != now:
                warnings.warn(
                    f"the run began with {name} {before['computed'][name]}, goes on "
                    f"with {now}: its last bits may differ",
                    stacklevel=2,
                )
        found = run_files.last_checkpoint(self.path)
        if found is None:
            warnings.warn(
                f"the run in {self.path} had saved nothing yet: it begins again",
                stacklevel=2,
            )
            return
        weights = checkpoint.weights_of(found.tensors, "model")
        checkpoint.require_fit(self.path, self._settings["model"], weights)
        self._number = found.number
        self.state = found.tensors, found.facts


def require_new(folder: str | Path) -> None:
    """``InputError`` unless ``folder`` is empty or not there; it is not made yet."""
    folder = Path(folder)
    try:
        names = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"cannot write to folder {folder}: {error.strerror}") from None
    if checkpoint.CONFIG in names:
        raise InputError(f"folder {folder} holds a finished model; choose another")
    if (folder / RUN / SETTINGS).exists():
        raise InputError(
            f"folder {folder} holds a run that is not finished; "
            "go on with it (--resume), or choose another"
        )
    if names:
        raise InputError(f"folder {folder} is not empty; choose another")


def require_same(
    folder: str | Path, before: dict[str, Any], settings: dict[str, Any]
) -> None:
    """``InputError`` names the first setting in which a run is not the one begun."""
    if "data" not in before:
        raise InputError(f"folder {folder} holds a model, but not the run that made it")
    for part, new in settings["data"].items():
        old = before["data"].get(part)
        if new != old:
            raise InputError(
                f"the text is not the one that the run in {folder} began with: "
                f"its {part} was {old}, is {new}"
            )
    for kind in ("model", "train"):
        for name in sorted(before[kind].keys() | settings[kind].keys()):
            old, new = before[kind].get(name), settings[kind].get(name)
            if old != new and name not in MAY_CHANGE:
                raise InputError(
                    f"{name} is {new}, the run in {folder} began with {old}; "
                    "a run keeps its settings to the end"
                )


def _circumstances() -> dict[str, Any]:
    """What the last bits of a result depend on besides the settings."""
    return {"torch": str(torch.__version__), "threads": torch.get_num_threads()}
