"""Tensors in a safetensors file: what can go wrong with one, said in a line."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lmbook.errors import InputError
from lmbook.files import atomic_write

# The system's error number, in the words of safetensors.
ERROR_NUMBER = re.compile(r"(?:os error|code:) (\d+)")


class NotFinite(ArithmeticError):
    """Numbers that were to be saved are no longer finite: training has diverged."""


def write_tensors(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    metadata: dict[str, str] | None = None,
) -> None:
    """Write ``tensors`` whole or not at all, and ``metadata`` into the file's head.

    They may lie on a GPU, need not be contiguous, and may share memory: each is
    written in full.  Raises ``NotFinite`` for a NaN or an infinity among them, before
    anything is written; ``OSError`` (a full disk) names ``path``.
    """
    if (name := _not_finite(tensors)) is not None:
        raise NotFinite(
            f"{path} is not written: {name} holds numbers that are not finite; "
            "a lower learning rate may help"
        )
    ready, taken = {}, set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        storage = tensor.untyped_storage().data_ptr()
        ready[name] = tensor.clone() if storage in taken else tensor
        taken.add(storage)
    try:
        with atomic_write(path) as temporary:
            save_file(ready, temporary, metadata)
    except SafetensorError as error:
        number = ERROR_NUMBER.search(str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(path)) from None


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file, on the CPU.

    Nothing in such a file is code.  ``InputError`` where it is no safetensors file, is
    cut short, or holds a NaN or an infinity, or floating-point numbers of 8 bits.
    """
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is damaged: {error}") from None
    for small, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.itemsize == 1:
            raise InputError(
                f"{path}: {small} is {tensor.dtype}; accepted: float16, bfloat16, "
                "float32 and float64"
            )
    if (name := _not_finite(tensors)) is not None:
        raise InputError(f"{path} is damaged: {name} holds numbers that are not finite")
    return tensors


def _not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Name of the first tensor that holds a NaN or an infinity."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            return name
    return None
