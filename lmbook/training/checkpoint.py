"""A trained model in a folder: weights, configuration, tokenizer, what was measured.

``model.safetensors`` holds the weights, ``tokenizer.json`` how a text is cut,
``metrics.jsonl`` one record an evaluation, and ``config.json``, written last, the
sizes and the SHA-256 of the other three and of itself.  While training goes on the
folder holds ``run/`` instead (:mod:`lmbook.training.run_files`).  Nothing in it is
code, so loading one runs none.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lmbook.errors import InputError
from lmbook.files import atomic_write, read_sealed, sha256, write_sealed
from lmbook.models.language_model import (
    LanguageModel,
    ModelConfig,
    build,
    config_from,
    sizes_of,
)
from lmbook.models.tensor_files import read_tensors, write_tensors
from lmbook.text import LanguageData
from lmbook.text.tokenizers import AnyTokenizer, load_tokenizer
from lmbook.training import run_files

WEIGHTS, CONFIG, TOKENIZER, METRICS = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "metrics.jsonl",
)


class Savable(Protocol):
    """A tokenizer, of which only this is needed to keep it beside the weights."""

    def save(self, path: str | Path) -> None: ...


def save_model(
    folder: str | Path,
    model: LanguageModel,
    tokenizer: AnyTokenizer,
    records: Iterable[dict[str, Any]] = (),
    **settings: Any,
) -> None:
    """Write the four files of a finished model; ``settings`` go into config.json.

    Raises ``OSError`` naming the file that could not be written.
    """
    write_records(folder, records)
    weights = dict(model.named_parameters())
    settings["model"] = sizes_of(model.config)
    save_weights(folder, weights, tokenizer, **settings)


def save_weights(
    folder: str | Path,
    weights: Mapping[str, Tensor],
    tokenizer: Savable,
    **settings: Any,
) -> None:
    """What :func:`save_model` does, once the records are written; "model" among the
    settings is the model's configuration as a dict.
    """
    folder = Path(folder)
    write_tensors(folder / WEIGHTS, weights)
    tokenizer.save(folder / TOKENIZER)
    sums = {name: sha256(folder / name) for name in (WEIGHTS, TOKENIZER, METRICS)}
    write_sealed(folder / CONFIG, {**settings, "files": sums})


def write_records(folder: str | Path, records: Iterable[dict[str, Any]]) -> None:
    """Write metrics.jsonl: a record a line."""
    with atomic_write(Path(folder) / METRICS) as temporary:
        lines = (json.dumps(record, allow_nan=False) + "\n" for record in records)
        temporary.write_text("".join(lines), "utf-8")


def read_records(folder: str | Path) -> list[dict[str, Any]]:
    """The records of a finished model."""
    lines = (Path(folder) / METRICS).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def read_config(folder: str | Path) -> dict[str, Any] | None:
    """The config.json of a finished model, all its files found intact; else None."""
    folder = Path(folder)
    if not (folder / CONFIG).exists():
        return None
    content = read_sealed(run_files.require_inside(folder, folder / CONFIG))
    run_files.require_intact(folder, content["files"])
    return content


def load(folder: str | Path) -> tuple[LanguageModel, AnyTokenizer]:
    """The model of a folder, on the CPU, and its tokenizer.

    Of a run that is not finished, the model of its last checkpoint.  Raises
    ``InputError`` naming the file that is missing, damaged, or does not fit the
    others.
    """
    folder = Path(folder)
    try:
        config = read_config(folder)
        if config is not None and "model" not in config:
            raise InputError(f"{folder} holds no language model, but another kind")
        if config is not None:
            sizes, weights = config["model"], read_tensors(folder / WEIGHTS)
        else:
            sizes, weights = _of_unfinished_run(folder)
        tokenizer = load_tokenizer(folder / TOKENIZER)
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from None
    except (KeyError, TypeError, AttributeError):
        raise InputError(
            f"the model in {folder} is damaged: a field is wrong"
        ) from None
    with torch.random.fork_rng(devices=[]):
        model = build(require_fit(folder, sizes, weights))
    model.load_state_dict(weights, strict=False)  # of a tied pair one is enough
    if len(tokenizer) != model.config.vocab_size:
        raise InputError(
            f"the model in {folder} is damaged: {len(tokenizer):,} tokens in "
            f"{TOKENIZER}, vocab_size {model.config.vocab_size:,}"
        )
    return model.eval(), tokenizer


def weights_of(tensors: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """Of a run's tensors those named "model.…", or "best.…", under names without it.

    A run says in ``facts["weights"]`` which kind is to be used.
    """
    return {
        name.removeprefix(f"{kind}."): tensor
        for name, tensor in tensors.items()
        if name.startswith(f"{kind}.")
    }


def require_fit(
    folder: str | Path, sizes: dict[str, Any], weights: dict[str, Tensor]
) -> ModelConfig:
    """The configuration of these sizes; ``InputError`` unless the weights are its."""
    try:
        config = config_from(sizes)
        with torch.device("meta"):  # shapes alone: takes no memory
            _require_shapes(build(config), weights)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"the model in {folder} is damaged: {reason}") from None
    return config


def fingerprint(data: LanguageData) -> dict[str, Any]:
    """What tells one text, cut and numbered, from another."""
    parts = {"training": data.train, "validation": data.valid}
    found: dict[str, Any] = {
        f"{name} part": f"{len(ids):,} tokens, SHA-256 {_digest(ids)}"
        for name, ids in parts.items()
    }
    content = json.dumps(data.tokenizer.to_json()).encode()
    return {**found, "tokenizer": hashlib.sha256(content).hexdigest()}


def _digest(ids: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(ids).data).hexdigest()[:16]


def _of_unfinished_run(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    settings = run_files.read_settings(folder)
    if settings is None:
        raise InputError(f"{folder} holds no trained model: {CONFIG} is missing")
    run_files.require_intact(folder, settings["files"])
    found = run_files.last_checkpoint(folder)
    if found is None:
        raise InputError(f"the run in {folder} has saved nothing yet")
    return settings["model"], weights_of(found.tensors, found.facts["weights"])


def _require_shapes(model: LanguageModel, weights: dict[str, Tensor]) -> None:
    accepted = {name: p.shape for name, p in model.state_dict().items()}
    needed = {name for name, _ in model.named_parameters()}
    for name in sorted(needed | weights.keys()):
        given = weights[name].shape if name in weights else None
        if given != accepted.get(name):
            shapes = [s if s is None else tuple(s) for s in (accepted.get(name), given)]
            raise InputError(f"{name} should have shape {shapes[0]}, has {shapes[1]}")
