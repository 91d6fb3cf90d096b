"""Training on a GPU: speed, share of its peak, the CPU's losses, one long run.

``make bench-gpu`` (or ``python -m benchmarks.gpu``) on a machine with an NVIDIA GPU.
Every preset trains on the same text with its own sizes, batches and windows; a
token's arithmetic is counted as six operations for each weight that is multiplied,
and the peak is that of a large product of matrices, measured in the same process.
"""

import argparse
import dataclasses
import time
from typing import Any

import numpy as np
import torch

from benchmarks import record
from lmbook.errors import InputError
from lmbook.models.lstm import LSTMConfig
from lmbook.text import LanguageData, load_data
from lmbook.training import TrainConfig, evaluate, train
from lmbook.training.devices import best_device
from lmbook.training.presets import PRESETS, new_model

SEED = 0
SPEED_OF = ("article", "zaremba-medium", "zaremba-large", "awd-lstm")
LONG_RUN = "awd-lstm"
PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}


def multiplied_weights(config: LSTMConfig) -> int:
    """Weights that a token is multiplied with: all but looked-up vectors and biases."""
    layers = sum(4 * h * (n + h) for n, h in config.layer_sizes)
    return layers + config.layer_sizes[-1][1] * config.vocab_size


def product_rate(
    device: torch.device, dtype: torch.dtype, size: int = 8192, repeats: int = 10
) -> float:
    """Floating-point operations per second of a (size, size) product."""
    a, b = torch.ones(2, size, size, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(repeats + 1):  # the first loads what it needs; it's never the best
        start = time.perf_counter()
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def tokens_per_second(
    sizes: LSTMConfig, config: TrainConfig, data: LanguageData, steps: int
) -> float:
    """Speed of training, evaluations left out and a first short run not counted."""
    short = dataclasses.replace(data, valid=data.valid[:2])
    config = dataclasses.replace(config, epochs=None, evaluations=1, average=None)
    for count in (5, steps):
        model = new_model(sizes, SEED)
        history = train(model, short, dataclasses.replace(config, max_steps=count))
    return history.last["tokens_per_second"]


def speed(
    name: str, data: LanguageData, device: torch.device, steps: int, cpu_steps: int
) -> dict[str, Any]:
    """One preset: tokens per second in float32 and bfloat16, and on the CPU."""
    sizes = dataclasses.replace(PRESETS[name].model, vocab_size=len(data.tokenizer))
    config = dataclasses.replace(PRESETS[name].train, device=device.type)
    weights = multiplied_weights(sizes)
    row: dict[str, Any] = {"preset": name, "parameters": sizes.num_parameters}
    for precision, dtype in PRECISIONS.items():
        exact = dataclasses.replace(config, precision=precision)
        rate = tokens_per_second(sizes, exact, data, steps)
        share = 6 * weights * rate / product_rate(device, dtype, *_small(device))
        row[precision] = {
            "tokens_per_second": round(rate),
            "share_of_peak": round(share, 3),
        }
    on_cpu = dataclasses.replace(config, device="cpu", precision="float32")
    rate = tokens_per_second(sizes, on_cpu, data, cpu_steps)
    row["cpu_tokens_per_second"] = round(rate)
    row["times_the_cpu"] = round(row["float32"]["tokens_per_second"] / rate, 1)
    return row


def agreement(
    data: LanguageData, device: torch.device, steps: int = 100
) -> dict[str, float]:
    """Losses at a step on both devices: the article's preset, float32, one seed."""
    article = PRESETS["article"]
    sizes = dataclasses.replace(article.model, vocab_size=len(data.tokenizer))
    held_out = dataclasses.replace(data, valid=data.valid[:20_000])
    losses = []
    for name in ("cpu", device.type):
        config = dataclasses.replace(
            article.train,
            **{"epochs": None, "max_steps": steps, "evaluations": 1},
            **{"device": name, "precision": "float32"},
        )
        history = train(new_model(sizes, SEED), held_out, config)
        losses.append(history.last["valid_nats"])
    difference = abs(losses[0] - losses[1])
    return {"step": steps, "cpu": losses[0], "gpu": losses[1], "difference": difference}


def long_run(
    name: str, data: LanguageData, device: torch.device, minutes: float
) -> dict[str, Any]:
    """Train a preset for some minutes; its curve, and the test part read once."""
    preset = PRESETS[name]
    sizes = dataclasses.replace(preset.model, vocab_size=len(data.tokenizer))
    config = dataclasses.replace(
        preset.train, max_minutes=minutes, evaluations=40, device=device.type
    )
    model = new_model(sizes, SEED)
    history = train(model, data, config)
    columns = ("step", "epoch", "seconds", "train_nats", "valid_nats")
    return {
        "preset": name,
        "parameters": sizes.num_parameters,
        "tokens_in_the_text": len(data.train),
        "tokens_per_second": round(history.last["tokens_per_second"]),
        "curve": [{c: round(r[c], 4) for c in columns} for r in history.records],
        "test_nats": evaluate(model, data.test),
    }


def run(
    text: str = "docstrings",
    minutes: float = 20.0,
    device: str = "cuda",
    steps: int = 200,
    cpu_steps: int = 10,
) -> dict[str, Any]:
    """All of it; ``InputError`` where this machine lacks the device."""
    where = best_device(device)
    data = load_data(text, vocab_size=10_000, at_most=True)
    rows = [speed(name, data, where, steps, cpu_steps) for name in SPEED_OF]
    return {
        "what": "training on a GPU: tokens per second, share of the rate of a large "
        "product in the same precision, ratio to this machine's CPU",
        "device": torch.cuda.get_device_name(where) if device == "cuda" else device,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "seed": SEED,
        "text": text,
        "speed": rows,
        "agreement": agreement(data, where),
        "long_run": long_run(LONG_RUN, data, where, minutes),
        "ratio": float(np.median([row["times_the_cpu"] for row in rows])),
    }


def _small(device: torch.device) -> tuple[int, ...]:
    """A smaller product where there is no GPU."""
    return () if device.type == "cuda" else (512, 3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--text", default="docstrings", help="a corpus by name, a file")
    parser.add_argument("--minutes", type=float, default=20.0, help="of the long run")
    options = parser.parse_args()
    try:
        results = run(options.text, options.minutes)
    except InputError as error:
        parser.error(str(error))
    path = record.write("gpu", results)
    print(f"gpu: {results['ratio']} times the CPU, recorded in results/{path.name}")
