"""What test_distributed.py has each of several processes do, under torchrun or alone.

Every process writes what it saw to a file of its own.
"""

import dataclasses
import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from lmbook.errors import InputError
from lmbook.models.lstm import LSTMConfig
from lmbook.training import Interrupted, TrainConfig, distributed, train, trainer
from lmbook.training.presets import new_model

CONFIG = LSTMConfig(vocab_size=11, embedding_size=6, hidden_size=8, num_layers=2)
TRAIN = TrainConfig(
    batch_size=5,  # 2 rows for one process, 3 for the other
    seq_len=7,
    optimizer="adamw",
    learning_rate=0.02,
    activation=2.0,
    slowness=1.0,
    evaluations=5,
    epochs=None,
    max_steps=50,
    device="cpu",
)
RANK = distributed.rank()


class Folder:
    """Lies in the first process's memory; full after so many checkpoints."""

    def __init__(self, room=10**9):
        self.path, self.state, self.room = Path("memory"), None, room

    def save(self, tensors, facts):
        assert RANK == 0, "only the first process writes"
        if self.room == 0:
            raise OSError(28, "No space left on device", "state-5.safetensors")
        self.room -= 1
        copies = {name: t.detach().clone() for name, t in tensors.items()}
        self.state = copies, json.loads(json.dumps(facts))

    finish = save

    def log(self, records):
        assert RANK == 0, "only the first process writes"


def text():
    ids = [1, 2]
    while len(ids) < 3000:
        ids.append((ids[-1] * 3 + ids[-2]) % 10 + 1)
    array = np.array(ids, np.int64)
    return SimpleNamespace(train=array[:2600], valid=array[2600:])


def run(at=lambda step: None, folder=None, model=CONFIG, **options):
    """Train; what each step's loss was, what was recorded, the weights."""
    losses, step = [], trainer.train_step

    def noted(run, rate):
        at(run.place.step)
        losses.append(step(run, rate))
        return losses[-1]

    network = new_model(model, seed=0)
    trainer.train_step = noted
    try:
        folder = folder if RANK == 0 else None
        config = dataclasses.replace(TRAIN, **options)
        history = train(network, text(), config, folder=folder)
    finally:
        trainer.train_step = step
    weights = torch.cat([w.detach().flatten() for w in network.parameters()])
    return {
        "losses": losses,
        "valid": history.column("valid_nats"),
        "weights": weights.tolist(),
    }


def caught(kind, **options):
    """The error in this process."""
    try:
        run(**options)
    except kind as error:
        return {"error": str(error), "code": getattr(error, "exit_code", None)}
    return {"error": None}


def dies_at(number, ranks=(0, 1)):
    def at(step):
        if step == number and RANK in ranks:
            raise RuntimeError("dies here")

    return at


def asks_to_stop(step):
    if step == 20 and RANK == 1:
        os.kill(os.getpid(), signal.SIGTERM)


def resumed(dropping):
    """A run stopped in one process, then killed in all, then gone on with."""
    folder = Folder()
    stopped = caught(Interrupted, at=asks_to_stop, folder=folder, model=dropping)
    step = folder.state[1]["step"] if RANK == 0 else None
    killed = caught(
        RuntimeError,
        at=dies_at(30),
        folder=folder,
        model=dropping,
        save_minutes=1e-9,
    )
    return {
        "stopped": stopped,
        "step": step,
        "killed": killed,
        "at the end": run(folder=folder, model=dropping),
    }


def everything():
    dropping = dataclasses.replace(CONFIG, dropout_hidden=0.3, locked=True)
    return {
        "plain": run(),
        "in parts": run(accumulate=2),
        "one row each": run(batch_size=2, max_steps=9),
        "too few rows": caught(InputError, batch_size=1),
        "too many parts": caught(InputError, accumulate=3),
        "for two seconds": run(max_steps=None, max_minutes=2 / 60),
        "dropping": run(model=dropping),
        "resumed": resumed(dropping),
        "full": caught(OSError, folder=Folder(room=4), save_minutes=1e-9),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    task, out = sys.argv[1:]
    if task == "one dies":
        run(at=dies_at(10, ranks=(1,)))
    elif task == "plain":
        result = {"plain": run(), "one row each": run(batch_size=2, max_steps=9)}
    else:
        result = everything()
    Path(out, f"{RANK}.json").write_text(json.dumps(result))
