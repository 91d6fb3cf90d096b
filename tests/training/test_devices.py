"""Which device, and how exactly it computes."""

from types import SimpleNamespace

import pytest
import torch

from lmbook.errors import InputError
from lmbook.training import best_device
from lmbook.training.devices import exact_float32, one_thread, seeded, uses_bf16
from tests.precision import CPU_HAS_BF16

CPU = torch.device("cpu")


def test_devices():
    assert best_device("cpu").type == "cpu"
    assert best_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(InputError, match="auto, cpu, cuda, mps; got 'gpu'"):
        best_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match=r"no cuda device; it has: .*cpu"):
            best_device("cuda")


@pytest.mark.parametrize("has_it", [True, False])
def test_bf16_where_it_was_asked_for_or_is_quick(monkeypatch, has_it):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has_it)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_it)
    found = {
        (precision, kind): uses_bf16(precision, torch.device(kind))
        for precision in ("auto", "fast", "float32", "bf16")
        for kind in ("cpu", "cuda")
        if CPU_HAS_BF16 or (precision, kind) != ("bf16", "cpu")
    }
    # Whether oneDNN may use it depends on this machine and its environment.
    on_cpu = has_it and CPU_HAS_BF16
    assert found == {
        ("auto", "cpu"): False,
        ("auto", "cuda"): has_it,
        ("fast", "cpu"): on_cpu,
        ("fast", "cuda"): has_it,
        ("float32", "cpu"): False,
        ("float32", "cuda"): False,
        ("bf16", "cuda"): True,
    } | ({("bf16", "cpu"): True} if CPU_HAS_BF16 else {})


def test_bf16_on_a_cpu_that_does_not_compute_in_it(monkeypatch):
    without = SimpleNamespace(_is_mkldnn_bf16_supported=lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", without)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    with pytest.raises(InputError, match="takes AVX-512.*auto, fast, float32"):
        uses_bf16("bf16", CPU)
    assert not uses_bf16("fast", CPU)


def test_draws_from_a_seed_and_gives_the_generator_back():
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with seeded(9, CPU):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(2), expected)
    torch.manual_seed(9)
    assert torch.equal(inside, torch.rand(3))


def test_settings_are_put_back():
    before = torch.backends.cudnn.allow_tf32
    with exact_float32(), one_thread():
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.enabled
        assert torch.get_num_threads() == 1
    assert torch.backends.cudnn.allow_tf32 == before
