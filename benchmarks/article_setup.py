"""What the article's set-up costs: one word a window from one-hot labels.

Both ways train the same model on the same windows of 35 words with Adam, each in a
process of its own, so that its peak of memory is its own.

- ``one_hot``, as the article has it: the last state alone predicts the word after
  the window; the labels of all windows stand ready as one-hot rows of float64.
- ``indices``, as a language model is trained: every position predicts its next
  word, and a label is the word's number.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, log_softmax

from benchmarks.memory import peak_bytes
from lmbook.text import load_data
from lmbook.training.presets import PRESETS, new_model

SEED = 0
SEQ_LEN = 35
STEPS: Mapping[str, int] = {"one_hot": 60, "indices": 12}
CONFIG = PRESETS["article"]


def windows(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and next words, both (number of windows, SEQ_LEN), end to end."""
    count = (len(ids) - 1) // SEQ_LEN
    used = count * SEQ_LEN
    shape = (count, SEQ_LEN)
    return ids[:used].reshape(shape), ids[1 : used + 1].reshape(shape)


def measure(way: str, steps: int, ids_file: str) -> dict[str, float]:
    """Train for some steps; targets per second, bytes of labels, peak of memory."""
    inputs, targets = windows(np.load(ids_file))
    model = new_model(CONFIG.model, SEED)
    optimizer = torch.optim.Adam(model.parameters())
    before = peak_bytes()
    if way == "one_hot":
        labels = np.zeros((len(targets), CONFIG.model.vocab_size))
        labels[np.arange(len(targets)), targets[:, -1]] = 1
    else:
        labels = targets.copy()

    batch, done = CONFIG.train.batch_size, 0
    for step in range(steps + 1):
        if step == 1:  # the first allocates memory
            start, done = time.perf_counter(), 0
        rows = slice(step * batch, (step + 1) * batch)
        ids, goal = torch.from_numpy(inputs[rows]), torch.from_numpy(labels[rows])
        hidden, _ = model.hidden(ids)
        if way == "one_hot":
            scores = log_softmax(model.output(hidden[:, -1]), dim=-1)
            loss = -(goal * scores).sum(dim=1).mean()
            done += len(goal)
        else:
            logits = model.output(hidden)
            loss = cross_entropy(logits.flatten(0, 1), goal.flatten())
            done += goal.numel()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {
        "targets_per_second": done / (time.perf_counter() - start),
        "label_bytes": labels.nbytes,
        "targets": len(targets) * (1 if way == "one_hot" else SEQ_LEN),
        "peak_bytes_added": peak_bytes() - before,
    }


def run(rounds: int = 3, steps: Mapping[str, int] = STEPS) -> dict[str, Any]:
    """Both ways in turn, each in a fresh process."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in steps}
    with tempfile.TemporaryDirectory() as folder:
        ids_file = os.path.join(folder, "ids.npy")
        np.save(ids_file, load_data("docstrings", CONFIG.model.vocab_size).train)
        for _ in range(rounds):
            for way, count in steps.items():
                command = [sys.executable, "-m", __name__, way, str(count), ids_file]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
                found[way].append(json.loads(done.stdout))
    speed = {
        way: [result["targets_per_second"] for result in results]
        for way, results in found.items()
    }
    pairs = zip(speed["indices"], speed["one_hot"], strict=True)
    peaks = {
        way: round(median(r["peak_bytes_added"] for r in results) / 1e6)
        for way, results in found.items()
    }
    first = {way: results[0] for way, results in found.items()}
    return {
        "what": "every position from word numbers, against one word a window of "
        f"{SEQ_LEN} from one-hot float64 labels",
        "seed": SEED,
        "batch_size": CONFIG.train.batch_size,
        "targets_per_second": {w: [round(s) for s in v] for w, v in speed.items()},
        "ratio": round(median(many / one for many, one in pairs), 2),
        "targets_in_the_text": {way: r["targets"] for way, r in first.items()},
        "label_megabytes": {w: round(r["label_bytes"] / 1e6) for w, r in first.items()},
        "peak_megabytes_added": peaks,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=STEPS)
    parser.add_argument("steps", type=int)
    parser.add_argument("ids_file", help="word numbers of the text, as .npy")
    arguments = parser.parse_args()
    print(json.dumps(measure(**vars(arguments))))
