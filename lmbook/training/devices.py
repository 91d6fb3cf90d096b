"""Where to compute, and how exactly."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lmbook.errors import InputError
from lmbook.training.config import DEVICES


def best_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes an NVIDIA GPU, else Apple's, else CPU.

    Raises ``InputError`` for another name or a device that this machine lacks.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, present in available.items() if present)
    if name not in available:
        raise InputError(f"device must be one of {', '.join(DEVICES)}; got {name!r}")
    if not available[name]:
        present = ", ".join(device for device, here in available.items() if here)
        raise InputError(f"this machine has no {name} device; it has: {present}")
    return torch.device(name)


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Whether products are computed in bfloat16.

    "auto" does so on a GPU that has the instructions, "fast" on a CPU that has them
    too, where results then differ from those of another CPU; without them bfloat16
    is slower than float32.  "bf16" raises ``InputError`` on a CPU whose vectors have
    fewer than 512 bits: PyTorch has no LSTM in bfloat16 there, and slow products.
    """
    if precision in ("auto", "fast") and device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    if device.type == "cpu" and precision in ("fast", "bf16"):
        # What environment variables forbid to use is not there.
        can = torch.ops.mkldnn._is_mkldnn_bf16_supported()
        if precision == "bf16" and not can:
            raise InputError(
                "this CPU does not compute in bfloat16 (that takes AVX-512); here "
                "precision must be one of auto, fast, float32"
            )
        return can and (precision == "bf16" or torch.cpu._is_avx512_bf16_supported())
    return precision == "bf16"


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from ``seed`` inside; give the generators back as they were."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        seed_generators(seed, device)
        yield


def seed_generators(seed: int, device: torch.device) -> None:
    """What ``torch.manual_seed`` does, for two generators and in 4 µs."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


@contextmanager
def exact_float32() -> Iterator[None]:
    """Let cuDNN's LSTM keep all 24 bits of float32, which it rounds to 11 else."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread of the CPU.

    An LSTM that reads a single row does many tiny products one after the other;
    handing each to several threads takes over ten times as long as doing it.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
