"""The article's own Keras model against lmbook's preset of the same sizes.

- ``keras``, as the article has it: a window of ``SEQ_LEN`` words predicts the word
  after it; labels are one-hot rows; adam, categorical_crossentropy, batches of 64.
  The article does not say what a window is; here they lie end to end.
- ``lmbook``: the article preset, in float32; ``lmbook_bf16``: the same with matrix
  products in bfloat16, where the processor has them.

Each trains on the same text for the same time in a process of its own, so that its
peak of memory is its own.  Then each predicts the same words of the validation part:
Keras each word from the ``SEQ_LEN`` before it, lmbook reading straight on.  Keras is
read after every epoch, while its clock stands still, and its best reading counts.

TensorFlow is not in the lock: ``pip install -e ".[bench]"``, or let
``LMBOOK_KERAS_PYTHON`` name a Python that has it.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import peak_bytes
from lmbook.metrics import perplexity

SEQ_LEN = 35
SECONDS = 60.0
MISSING = (
    "this benchmark needs TensorFlow: pip install -e '.[bench]', "
    "or set LMBOOK_KERAS_PYTHON to a Python that has it"
)


def windows(ids: np.ndarray, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows (count, SEQ_LEN) and the word after each, ``stride`` words apart."""
    starts = np.arange(0, len(ids) - SEQ_LEN, stride)
    return ids[starts[:, None] + np.arange(SEQ_LEN)], ids[starts + SEQ_LEN]


def train_keras(
    train: np.ndarray,
    valid: np.ndarray,
    sizes: dict[str, int],
    seconds: float,
    seed: int,
) -> dict[str, Any]:
    """Train the article's model for some seconds; see :func:`train_lmbook`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    from keras import layers
    from keras.utils import to_categorical

    class Clock(keras.callbacks.Callback):
        """Counts steps and seconds, evaluates between epochs, ends the training."""

        def on_train_begin(self, logs=None):
            self.spent, self.steps, self.readings = 0.0, 0, []
            self.began = time.perf_counter()

        @property
        def seconds(self) -> float:
            return self.spent + time.perf_counter() - self.began

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1
            if self.steps == 1:  # it traced and compiled
                self.first = self.seconds
            if self.seconds >= seconds:
                self.model.stop_training = True

        def on_epoch_end(self, epoch, logs=None):
            self.spent = self.seconds
            self.peak = peak_bytes() if epoch == 0 else self.peak
            self.readings.append(nats())
            self.began = time.perf_counter()

    def nats() -> float:
        """Mean loss over the words of ``valid`` from number SEQ_LEN on."""
        total, batch = 0.0, 512
        for start in range(0, len(targets), batch):
            rows = slice(start, start + batch)
            p = model.predict_on_batch(inputs[rows])
            total -= np.log(p[np.arange(len(p)), targets[rows]]).sum(dtype=float)
        return total / len(targets)

    keras.utils.set_random_seed(seed)
    inputs, targets = windows(valid, 1)
    x_train, y_train = windows(train, SEQ_LEN)
    vocab_size = sizes["vocab_size"]
    y_train = to_categorical(y_train, num_classes=vocab_size)
    model = keras.Sequential(
        [
            layers.Embedding(vocab_size, sizes["embedding_size"]),
            layers.LSTM(sizes["hidden_size"], return_sequences=True),
            layers.LSTM(sizes["hidden_size"]),
            layers.Dense(vocab_size, activation="softmax"),
        ]
    )
    model.compile(
        optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"]
    )
    clock, batch_size = Clock(), sizes["batch_size"]
    model.fit(
        x_train,
        y_train,
        batch_size=batch_size,
        epochs=10**6,
        callbacks=[clock],
        verbose=0,
    )
    return {
        "targets_per_second": (clock.steps - 1)
        * batch_size
        / (clock.spent - clock.first),
        "peak_bytes": clock.peak,
        "nats": min(clock.readings),
        "targets": clock.steps * batch_size,
        "epochs": clock.steps * batch_size / len(x_train),
        "version": keras.__version__,
    }


def train_lmbook(
    train: np.ndarray, valid: np.ndarray, precision: str, seconds: float, seed: int
) -> dict[str, Any]:
    """Targets a second, peak of memory, nats a word of the validation part."""
    from types import SimpleNamespace

    from lmbook.training import evaluate
    from lmbook.training import train as train_model
    from lmbook.training.presets import PRESETS, new_model

    preset = PRESETS["article"]
    model = new_model(preset.model, seed)
    config = dataclasses.replace(
        preset.train,
        epochs=None,
        max_minutes=seconds / 60,
        evaluations=1,
        precision=precision,
        device="cpu",
    )
    text = SimpleNamespace(train=train, valid=valid[:2])
    last = train_model(model, text, config).last
    return {
        "targets_per_second": last["tokens_per_second"],
        "peak_bytes": peak_bytes(),
        # The word before is given, the first that is predicted is number SEQ_LEN.
        "nats": evaluate(model, valid[SEQ_LEN - 1 :]),
        "targets": last["tokens"],
        "epochs": last["epoch"],
    }


def keras_python() -> str:
    """A Python that has Keras and TensorFlow, or SystemExit saying what to do."""
    python = os.environ.get("LMBOOK_KERAS_PYTHON", sys.executable)
    find = "import importlib.util as u, sys; sys.exit(not u.find_spec('tensorflow'))"
    if subprocess.run([python, "-c", find], check=False).returncode:
        raise SystemExit(MISSING)
    return python


def run(rounds: int = 3, seconds: float = SECONDS) -> dict[str, Any]:
    """All ways in turn, each in a fresh process; round r begins from seed r."""
    import torch

    from lmbook.text import load_data
    from lmbook.training.devices import uses_bf16
    from lmbook.training.presets import PRESETS

    python = keras_python()
    preset = PRESETS["article"]
    pythons = {"keras": python, "lmbook": sys.executable}
    if uses_bf16("fast", torch.device("cpu")):
        pythons["lmbook_bf16"] = sys.executable
    data = load_data("docstrings", preset.model.vocab_size)
    sizes = dataclasses.asdict(preset.model) | {"batch_size": preset.train.batch_size}
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in pythons}
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.npz"
        np.savez(text, train=data.train, valid=data.valid)
        for seed in range(rounds):
            for way, python in pythons.items():
                given = {"seconds": seconds, "seed": seed, "sizes": sizes}
                command = [python, "-m", __name__, way, str(text), json.dumps(given)]
                root = Path(__file__).parents[1]
                done = subprocess.run(
                    command, check=True, stdout=subprocess.PIPE, cwd=root
                )
                found[way].append(json.loads(done.stdout.splitlines()[-1]))
    return summary(found, seconds)


def summary(found: dict[str, list[dict[str, Any]]], seconds: float) -> dict[str, Any]:
    """What was found, round by round, and the medians of their ratios to Keras."""

    def column(way: str, name: str) -> list[float]:
        return [result[name] for result in found[way]]

    def against_keras(name: str) -> dict[str, float]:
        theirs = np.array(column("keras", name))
        return {
            way: round(float(np.median(column(way, name) / theirs)), 3)
            for way in found
            if way != "keras"
        }

    def rounded(name: str, unit: float = 1.0, digits: int | None = None):
        return {w: [round(x / unit, digits) for x in column(w, name)] for w in found}

    speed = against_keras("targets_per_second")
    return {
        "what": "the article's Keras model (one word a window of "
        f"{SEQ_LEN}, one-hot labels) and lmbook's article preset, {seconds:g} s each",
        "keras": found["keras"][0]["version"],
        "seconds": seconds,
        "ratio": speed["lmbook"],
        "times_the_targets_per_second": speed,
        "share_of_the_memory": against_keras("peak_bytes"),
        "targets_per_second": rounded("targets_per_second"),
        "peak_megabytes": rounded("peak_bytes", 1e6),
        "valid_perplexity": {
            way: [round(perplexity(nats), 1) for nats in column(way, "nats")]
            for way in found
        },
        "epochs": rounded("epochs", digits=2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=["keras", "lmbook", "lmbook_bf16"])
    parser.add_argument("text", help="word numbers of both parts, as .npz")
    parser.add_argument("given", help="seconds, seed and sizes, as JSON")
    way, path, given = vars(parser.parse_args()).values()
    given, parts = json.loads(given), np.load(path)
    if way == "keras":
        result = train_keras(parts["train"], parts["valid"], **given)
    else:
        del given["sizes"]
        precision = "bf16" if way == "lmbook_bf16" else "float32"
        result = train_lmbook(parts["train"], parts["valid"], precision, **given)
    print(json.dumps(result))
