"""What a training run saves on its way, in ``run/`` of its folder, and goes on from.

``settings.json`` says what the run was begun with.  Checkpoint n is two files:
``state-n.safetensors`` and, written after it, ``checkpoint-n.json`` with the facts
and the SHA-256 of both.  Two checkpoints are kept, so that one that is damaged has
another behind it.  A file appears whole or not at all
(:func:`lmbook.files.atomic_write`), so a kill at any moment leaves a folder
that can be read.  Nothing in it is code.
"""

import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from lmbook.errors import InputError
from lmbook.files import read_sealed, sha256, write_sealed
from lmbook.models.tensor_files import read_tensors, write_tensors

RUN, SETTINGS, LOCK = "run", "settings.json", "lock"
NUMBERED = re.compile(r"checkpoint-(\d+)\.json")


class Checkpoint(NamedTuple):
    """All that changes in a run, as it was after some step."""

    number: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def read_settings(folder: str | Path) -> dict[str, Any] | None:
    """What the run in ``folder`` was begun with; None if it holds none."""
    path = Path(folder) / RUN / SETTINGS
    if not path.exists():
        return None
    return read_sealed(require_inside(folder, path))


def write_checkpoint(
    folder: str | Path, number: int, tensors: dict[str, Tensor], facts: dict[str, Any]
) -> None:
    """Write checkpoint ``number``; raises what :func:`write_tensors` raises."""
    run = Path(folder) / RUN
    state = run / f"state-{number}.safetensors"
    write_tensors(state, tensors)
    sealed = {"facts": facts, "files": {state.name: sha256(state)}}
    write_sealed(run / f"checkpoint-{number}.json", sealed)


def last_checkpoint(folder: str | Path) -> Checkpoint | None:
    """The newest checkpoint that is whole; None if none was written yet.

    Nothing is changed.  A damaged one is named in a warning, and the one before it
    taken: that loses some minutes, and changes nothing at the end.  ``InputError``
    if no other is left.
    """
    names = (path.name for path in (Path(folder) / RUN).glob("checkpoint-*.json"))
    found = filter(None, map(NUMBERED.fullmatch, names))
    numbers = sorted((int(match[1]) for match in found), reverse=True)
    for number in numbers:
        try:
            return _read(folder, number)
        except InputError as error:
            if number == numbers[-1]:
                raise
            warnings.warn(f"{error}; going on from the one before it", stacklevel=2)
    return None


def remove_others(folder: str | Path, number: int) -> None:
    """Remove what ``run/`` holds except its settings and checkpoint ``number``.

    That is older checkpoints, damaged ones, and what killed processes left.
    """
    kept = {SETTINGS, LOCK, f"checkpoint-{number}.json", f"state-{number}.safetensors"}
    # checkpoint-k.json before state-k.safetensors: it must never stand alone.
    for path in sorted((Path(folder) / RUN).iterdir()):
        if path.name not in kept:
            path.unlink()


def require_intact(folder: str | Path, sums: dict[str, str]) -> None:
    """``InputError`` names the first file whose SHA-256 is not the one noted."""
    for name, expected in sums.items():
        path = require_inside(folder, Path(folder) / name)
        if not path.is_file():
            raise InputError(f"{path} is missing")
        if sha256(path) != expected:
            raise InputError(f"{path} is damaged: its bytes are not those once written")


def require_inside(folder: str | Path, path: Path) -> Path:
    """``path``; ``InputError`` if it (or a link on the way) leads out of ``folder``."""
    if not path.resolve().is_relative_to(Path(folder).resolve()):
        raise InputError(f"{path} leads out of its folder")
    return path


def _read(folder: str | Path, number: int) -> Checkpoint:
    run = Path(folder) / RUN
    path = require_inside(folder, run / f"checkpoint-{number}.json")
    content = read_sealed(path)
    state = f"state-{number}.safetensors"
    if set(content) != {"facts", "files"} or set(content["files"]) != {state}:
        raise InputError(f"{path} is damaged: it is no checkpoint of ours")
    require_intact(run, content["files"])
    return Checkpoint(number, read_tensors(run / state), content["facts"])
