"""A folder with a model in the Hugging Face layout: config.json and safetensors."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lmbook.errors import InputError
from lmbook.files import atomic_write
from lmbook.models.tensor_files import read_tensors, write_tensors

CONFIG, WEIGHTS = "config.json", "model.safetensors"
INDEX = "model.safetensors.index.json"  # of weights in several files


def is_published(folder: str | Path) -> bool:
    """Whether the folder's config.json names a model type, as Hugging Face's do."""
    path = Path(folder) / CONFIG
    return path.exists() and "model_type" in _read_object(path)


def read_config(folder: str | Path) -> dict[str, Any]:
    """The object in config.json; ``InputError`` where there is none."""
    return _read_object(Path(folder) / CONFIG)


def end_of(folder: str | Path) -> int | None:
    """The token at which a text is over, the first of several, if there is one."""
    ends = read_config(folder).get("eos_token_id")
    end = ends[0] if isinstance(ends, list) and ends else ends
    return end if isinstance(end, int) and not isinstance(end, bool) else None


def read_weights(folder: str | Path) -> dict[str, Tensor]:
    """All tensors of the folder, on the CPU, in the types that the files have.

    From model.safetensors or the files that the index names.  ``InputError`` names
    the file that is missing or damaged; files that are pickles are not read.
    """
    folder = Path(folder)
    if (folder / WEIGHTS).exists():
        return _read(folder / WEIGHTS)
    if not (folder / INDEX).exists():
        raise InputError(
            f"{folder} holds neither {WEIGHTS} nor {INDEX}; weights in other formats, "
            "such as pytorch_model.bin, are not read: they may run code"
        )
    file_of = _read_object(folder / INDEX).get("weight_map")
    if not isinstance(file_of, dict) or not file_of:
        raise InputError(f"{folder / INDEX} has no field 'weight_map' with tensors")
    tensors: dict[str, Tensor] = {}
    for file in sorted(set(map(str, file_of.values()))):
        if Path(file).name != file:
            raise InputError(f"{folder / INDEX} names a file elsewhere: {file!r}")
        tensors |= _read(folder / file)
    for name, file in file_of.items():
        if name not in tensors:
            raise InputError(f"{folder / str(file)} lacks the tensor {name}")
    return tensors


def write(
    folder: str | Path, config: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> None:
    """Write model.safetensors, then config.json, into a folder that is made if need
    be.  ``OSError`` names the file that could not be written."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / WEIGHTS, weights, {"format": "pt"})
    with atomic_write(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(config, indent=2) + "\n", "utf-8")


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return read_tensors(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged: it holds no JSON object")
    return content
