"""The industry's calculators under the reader's hand, alive in the page (2.3)."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from lmbook.errors import InputError
from lmbook.industry import arguments, company, facts
from lmbook.industry.counts import TransformerShape, shape_of
from lmbook.industry.devices import device
from lmbook.industry.memory import RECOMPUTATION, STAGES
from lmbook.industry.scaling import law

HERE = Path(__file__).parent
PLAN = company.PLAN
# What a reader may set in each calculator, and what it is at first: base units.
SETTINGS: dict[str, dict[str, Any]] = {
    "training": {
        "device": PLAN.device_name,
        "params": PLAN.params,
        "tokens": PLAN.train_tokens,
        "mfu": PLAN.mfu,
        "devices": 256,
        "usd": PLAN.usd_per_hour,
        "pue": 1.1,
    },
    "memory": {
        "model": "Llama 2 7B",
        "device": PLAN.device_name,
        "stage": 0,
        "devices": 8,
        "batch": 1,
        "seq": 4096,
        "recomputation": "selective",
    },
    "cache": {
        "model": "Llama 3 8B",
        "device": PLAN.device_name,
        "devices": 1,
        "context": 8192,
        "batch": 16,
        "bytes": 2,
    },
    "serving": {
        "model": "Llama 3 8B",
        "device": PLAN.device_name,
        "devices": 1,
        "bits": 16,
        "batch": PLAN.batch_size,
        "prompt": PLAN.prompt_tokens,
        "output": PLAN.output_tokens,
        "usd": PLAN.usd_per_hour,
        "busy": PLAN.busy,
        "price": 2.0,
    },
}
CHOICES = {
    "stage": STAGES,
    "recomputation": RECOMPUTATION,
    "bytes": (1, 2),
    "bits": (4, 8, 16),
}
SHARES = ("mfu", "busy")
WHOLE = ("devices", "batch", "seq", "context", "prompt", "output")


class Calculator(anywidget.AnyWidget):
    """One calculator: ``kind`` is "training", "memory", "cache" or "serving".

    The reader sets numbers, and the page computes hours, money, bytes and speeds with
    the formulas of :mod:`lmbook.industry` and draws them; no kernel is needed.  The
    options of a kind, with their first values, stand in :data:`SETTINGS`; money is in
    US$, everything else in base units.

    Raises ``InputError`` for an unknown kind, option, model or device, and for a number
    that the calculators do not take.
    """

    _esm = "\n".join(
        (HERE / name).read_text("utf-8")
        for name in ("calculator_model.js", "calculator.js")
    )
    _css = "\n".join(
        (HERE / name).read_text("utf-8") for name in ("explorer.css", "calculator.css")
    )

    kind = traitlets.Enum(list(SETTINGS)).tag(sync=True)
    settings = traitlets.Dict().tag(sync=True)
    devices = traitlets.List(traitlets.Dict()).tag(sync=True)
    models = traitlets.List(traitlets.Dict()).tag(sync=True)
    # Published training runs: name, parameters that a token uses, tokens.
    runs: traitlets.List = traitlets.List().tag(sync=True)
    law = traitlets.Dict().tag(sync=True)

    def __init__(self, kind: str, **options: Any) -> None:
        if kind not in SETTINGS:
            raise InputError(f"kind must be one of {', '.join(SETTINGS)}; got {kind!r}")
        for name, value in options.items():
            _check(kind, name, value)
        super().__init__(
            kind=kind,
            settings=SETTINGS[kind] | options,
            devices=_devices(kind),
            models=_models(kind),
            runs=_runs() if kind == "training" else [],
            law=vars(law()) if kind == "training" else {},
        )


def _check(kind: str, name: str, value: Any) -> None:
    known = SETTINGS[kind]
    if name not in known:
        raise InputError(f"no option {name!r}; options: {', '.join(known)}")
    if name in ("device", "model"):
        offered = [
            row["name"] for row in (_devices if name == "device" else _models)(kind)
        ]
        if value not in offered:
            raise InputError(
                f"{name} must be one of {', '.join(offered)}; got {value!r}"
            )
    elif name in CHOICES:
        arguments.one_of(CHOICES[name], **{name: value})
    elif name in SHARES:
        arguments.share(**{name: value})
    elif name == "pue":
        arguments.at_least(1, pue=value)
    elif name in WHOLE:
        arguments.whole(**{name: value})
    else:
        arguments.positive(**{name: value})


def _devices(kind: str) -> list[dict[str, Any]]:
    """Those of which everything is published that the calculator needs."""
    found = []
    for row in facts.load("hardware"):
        chip = device(row.name)
        has_peak = bool({"bf16", "fp16"} & set(chip.peaks))
        values = {
            "name": chip.name,
            "peak": chip.peak_16bit if has_peak else None,
            "memory": chip.memory,
            "bandwidth": chip.bandwidth,
            "watts": chip.watts,
        }
        needed = {
            "training": ("peak",),
            "memory": ("memory", "peak"),
            "cache": ("memory", "peak"),
            "serving": ("peak", "memory", "bandwidth"),
        }[kind]
        if all(values[name] is not None for name in needed):
            found.append(values)
    return found


def _models(kind: str) -> list[dict[str, Any]]:
    """Published shapes: for memory those that can be counted, for a cache all."""
    if kind == "training":
        return []
    found = []
    runs = facts.load("models")
    for row in facts.load("architectures"):
        if row.params is None and kind == "memory":
            continue
        run = runs[row.name] if row.name in runs.rows else None
        params = row.params or (run and run.params_total)
        if params is None and kind == "serving":
            continue
        cache = {"layers": row.num_layers, "kvHeads": row.num_kv_heads}
        cache |= {
            "headDim": row.head_dim,
            "latent": row.kv_latent,
            "rope": row.rope_dim,
        }
        entry = {"name": row.name, "params": params, "cache": cache}
        if run and run.params_active:
            entry["activeParams"] = run.params_active
        if kind == "memory":
            entry["shape"] = in_page(shape_of(row.name))
        found.append(entry)
    return found


def in_page(shape: TransformerShape) -> dict[str, Any]:
    """A shape by the page's names."""
    return {
        "vocab": shape.vocab_size,
        "hidden": shape.hidden_size,
        "layers": shape.num_layers,
        "heads": shape.num_heads,
        "kvHeads": shape.kv_heads,
        "headDim": shape.dim,
        "ffn": shape.ffn,
        "gated": shape.gated,
        "tied": shape.tied,
        "positions": shape.positions,
        "biases": shape.biases,
        "norm": shape.norm,
        "qkNorm": shape.qk_norm,
        "embeddingNorm": shape.embedding_norm,
    }


def _runs() -> list[list[Any]]:
    rows = facts.load("models")
    return [
        [row.name, row.params_active or row.params_total, row.train_tokens]
        for row in rows
        if row.train_tokens
        and row.params_total
        and row.year >= 2018
        and row.scope == "training"
    ]
