"""Accelerators by name: how fast they calculate, remember and draw power."""

from dataclasses import dataclass

from lmbook.errors import InputError
from lmbook.industry import facts

BITS = {"fp32": 32, "fp16": 16, "bf16": 16, "fp8": 8, "fp4": 4}


@dataclass(frozen=True)
class Device:
    """A row of the table ``hardware`` in base units: FLOP/s, bytes, bytes/s, watts.

    ``peaks`` has the dense peak of each precision that the device computes in.  What
    is not published is None, and asking :meth:`needs` for it is an ``InputError``.
    """

    name: str
    generation: str
    peaks: dict[str, float]
    memory: float | None
    bandwidth: float | None
    watts: float | None

    def peak(self, precision: str) -> float:
        """Dense peak in FLOP/s; ``InputError`` where it doesn't compute in that."""
        if precision not in self.peaks:
            raise InputError(
                f"{self.name} has no published peak in {precision!r}; "
                f"it has {', '.join(self.peaks) or 'none'}"
            )
        return self.peaks[precision]

    @property
    def half(self) -> str:
        """The precision of 16 bits that it is best trained in: "bf16", else "fp16"."""
        return "bf16" if "bf16" in self.peaks else "fp16"

    @property
    def peak_16bit(self) -> float:
        """Peak in that precision: what MFU is a share of."""
        return self.peak(self.half)

    def needs(self, quantity: str) -> float:
        """``memory``, ``bandwidth`` or ``watts``, which must be known."""
        value = getattr(self, quantity)
        if value is None:
            raise InputError(f"{quantity} of {self.name} is not published")
        return value


def device(name: str) -> Device:
    """A device by its name in the table ``hardware``."""
    row = facts.load("hardware")[name]
    peaks = {p: row[f"peak_{p}_tflops"] for p in BITS}
    return Device(
        name=name,
        generation=row.generation,
        peaks={p: value * 1e12 for p, value in peaks.items() if value is not None},
        memory=_times(row.memory_gb, 1e9),
        bandwidth=_times(row.bandwidth_tb_s, 1e12),
        watts=row.tdp_w,
    )


def _times(value: float | None, unit: float) -> float | None:
    return None if value is None else value * unit
