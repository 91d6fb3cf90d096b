"""The GPU benchmark on the CPU, with small sizes: does it measure what it says?"""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmarks import gpu
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel
from lmbook.text import LanguageData
from lmbook.text.tokenizers import WordTokenizer
from lmbook.training import TrainConfig
from lmbook.training.presets import PRESETS, Preset
from tests.precision import CPU_HAS_BF16

VOCAB, CPU = 23, torch.device("cpu")
SIZES = LSTMConfig(VOCAB, embedding_size=6, hidden_size=9, num_layers=2)
TRAIN = TrainConfig(batch_size=4, seq_len=5, max_steps=30)


@pytest.fixture
def data():
    ids = np.random.default_rng(0).integers(1, VOCAB, 3000)
    tokenizer = WordTokenizer(["<unk>", *(f"w{i}" for i in range(1, VOCAB))])
    chars = {"train": 1, "valid": 1, "test": 1}
    return LanguageData(tokenizer, ids[:2000], ids[2000:2500], ids[2500:], chars)


@pytest.fixture(autouse=True)
def small_presets(monkeypatch):
    for name in ("article", gpu.LONG_RUN):
        small = Preset("small", "word", dataclasses.replace(SIZES), TRAIN)
        monkeypatch.setitem(PRESETS, name, small)


@pytest.mark.parametrize("tied", [False, True])
def test_arithmetic_is_counted_from_the_matrices(tied):
    config = dataclasses.replace(SIZES, tied=tied)
    model = LSTMLanguageModel(config)
    matrices = [
        *(p for name, p in model.layers.named_parameters() if "weight" in name),
        model.output.weight,
    ]
    assert gpu.multiplied_weights(config) == sum(p.numel() for p in matrices)


def test_speed_of_a_preset(data, monkeypatch):
    if not CPU_HAS_BF16:
        monkeypatch.setattr(gpu, "PRECISIONS", {"float32": torch.float32})
    row = gpu.speed("article", data, CPU, steps=8, cpu_steps=4)
    assert row["parameters"] == SIZES.num_parameters
    for precision in gpu.PRECISIONS:
        assert row[precision]["tokens_per_second"] > 0
    ratio = row["float32"]["tokens_per_second"] / row["cpu_tokens_per_second"]
    assert row["times_the_cpu"] == pytest.approx(ratio, abs=0.06)


def test_both_devices_start_from_the_same_weights_and_read_the_same(data):
    found = gpu.agreement(data, CPU, steps=7)
    assert found["step"] == 7
    assert found["difference"] == 0  # here both are the CPU
    assert found["cpu"] == pytest.approx(np.log(VOCAB), abs=0.5)


def test_a_long_run_has_a_curve_and_reads_the_test_part(data):
    found = gpu.long_run(gpu.LONG_RUN, data, CPU, minutes=1.0)
    assert [point["step"] for point in found["curve"]][-1] == 30
    assert found["test_nats"] == pytest.approx(np.log(VOCAB), abs=0.5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so():
    command = [sys.executable, "-m", "benchmarks.gpu"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert "this machine has no cuda device" in result.stderr
