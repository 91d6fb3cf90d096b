"""Several processes train as one would."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("ranks.py")
TORCHRUN = "-m torch.distributed.run --standalone --nproc-per-node 2".split()


def start(task, out, launcher=()):
    """Its exit status and what it wrote to standard error."""
    process = subprocess.Popen(
        [sys.executable, *launcher, str(SCRIPT), task, str(out)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, errors = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # not the launcher alone
        raise
    return process.returncode, errors


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    out = tmp_path_factory.mktemp("alone")
    status, errors = start("plain", out)
    assert status == 0, errors
    return json.loads((out / "0.json").read_text())


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What two processes saw."""
    out = tmp_path_factory.mktemp("two")
    status, errors = start("everything", out, TORCHRUN)
    assert status == 0, errors
    return [json.loads((out / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize(
    ("task", "peer"),
    [("plain", "plain"), ("in parts", "plain"), ("one row each", "one row each")],
)
def test_losses_are_those_of_one_process(ranks, alone, task, peer):
    """At the same batch: 5 rows, that is 2 and 3; also divided into parts."""
    for rank in ranks:
        losses = rank[task]["losses"]
        assert len(losses) == (9 if task == "one row each" else 50)
        assert losses == pytest.approx(alone[peer]["losses"], abs=1e-5)
        assert rank[task]["valid"] == pytest.approx(alone[peer]["valid"], abs=1e-5)
    assert np.ptp(alone[peer]["losses"]) > 0.05  # it was learning


@pytest.mark.parametrize("task", ["plain", "in parts", "for two seconds", "dropping"])
def test_the_processes_have_the_same_model(ranks, task):
    assert ranks[0][task] == ranks[1][task]


def test_a_limit_of_time_ends_all_at_the_same_step(ranks):
    steps = [len(rank["for two seconds"]["losses"]) for rank in ranks]
    assert steps[0] == steps[1] > 1


def test_masks_differ_from_process_to_process_and_that_shows_in_the_loss(ranks):
    assert ranks[0]["dropping"]["losses"] != ranks[0]["plain"]["losses"]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("too few rows", "at least the number of processes, 2, got 1"),
        ("too many parts", "accumulate must be at most the rows of a process, 2"),
        ("full", "No space left on device"),
    ],
)
def test_what_is_wrong_is_raised_in_every_process(ranks, task, message):
    for rank in ranks:
        assert message in rank[task]["error"]


def test_stopped_and_killed_it_ends_in_the_same_bits(ranks):
    """A signal that one process got stops both at the same step."""
    for rank in ranks:
        found = rank["resumed"]
        assert found["stopped"]["code"] == 143
        assert "21" in found["stopped"]["error"]
        assert found["killed"]["error"] == "dies here"
        assert len(found["at the end"]["losses"]) == 20
        assert found["at the end"]["weights"] == rank["dropping"]["weights"]
        assert found["at the end"]["valid"] == rank["dropping"]["valid"]
    assert ranks[0]["resumed"]["step"] == 21


def test_when_one_process_dies_the_other_does_not_wait(tmp_path):
    before = time.monotonic()
    status, errors = start("one dies", tmp_path, TORCHRUN)
    assert status == 1
    assert "RuntimeError: dies here" in errors
    assert time.monotonic() - before < 90
