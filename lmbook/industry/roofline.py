r"""Seconds that a device needs at least: for the arithmetic, or for the bytes.

.. math:: t = \max\left(\frac{\text{operations}}{\text{peak}},
          \frac{\text{bytes}}{\text{bandwidth}}\right)

Williams, Waterman & Patterson 2009 (doi:10.1145/1498765.1498785).  Real programs reach
a share of both; the shares are arguments.
"""

from dataclasses import dataclass

from lmbook.industry.arguments import at_least, positive, share, whole
from lmbook.industry.devices import Device, device


@dataclass(frozen=True)
class Machine:
    """``num_devices`` of one kind that work as one, and what they reach of their peaks.

    ``mfu`` of the arithmetic peak in ``precision``, ``bandwidth_use`` of the memory's
    bandwidth; the defaults are near the medians of published runs (:mod:`validation
    <lmbook.industry.validation>`).  Exchange among the devices isn't counted by itself.
    """

    device_name: str
    num_devices: int = 1
    precision: str = "bf16"
    mfu: float = 0.4
    bandwidth_use: float = 0.5

    def __post_init__(self) -> None:
        whole(num_devices=self.num_devices)
        share(mfu=self.mfu, bandwidth_use=self.bandwidth_use)
        self.device.peak(self.precision)

    @property
    def device(self) -> Device:
        return device(self.device_name)

    @property
    def flops_per_second(self) -> float:
        return self.num_devices * self.device.peak(self.precision) * self.mfu

    @property
    def bytes_per_second(self) -> float:
        bandwidth = self.device.needs("bandwidth")
        return self.num_devices * bandwidth * self.bandwidth_use

    @property
    def memory(self) -> float:
        """Bytes, of all devices together."""
        return self.num_devices * self.device.needs("memory")


def roofline_seconds(flops: float, bytes_moved: float, machine: Machine) -> float:
    """The longer of the two times, in seconds."""
    at_least(0, flops=flops, bytes_moved=bytes_moved)
    arithmetic = flops / machine.flops_per_second
    return max(arithmetic, bytes_moved / machine.bytes_per_second)


def ridge(machine: Machine) -> float:
    """Operations a byte above which arithmetic, below which memory takes longer."""
    return machine.flops_per_second / machine.bytes_per_second


@dataclass(frozen=True)
class Load:
    """A model as it is served: what each token costs in arithmetic and in bytes.

    ``params`` are all that are read, ``active_params`` (None: as many) those that one
    token uses; ``weight_bytes`` a parameter; ``cache_bytes`` of keys and values a token
    (:mod:`lmbook.industry.kv_cache`).  Attention's own arithmetic, 4 L H a operations
    for each position looked at, is left out: it is small until texts are long.
    """

    params: float
    cache_bytes: float
    weight_bytes: float = 2
    active_params: float | None = None

    def __post_init__(self) -> None:
        positive(params=self.params, weight_bytes=self.weight_bytes)
        at_least(0, cache_bytes=self.cache_bytes)
        if self.active_params is not None:
            positive(active_params=self.active_params)

    @property
    def flops_per_token(self) -> float:
        return 2 * (self.params if self.active_params is None else self.active_params)

    @property
    def bytes_of_weights(self) -> float:
        return self.params * self.weight_bytes


def prefill_seconds(
    load: Load, prompt_tokens: float, machine: Machine, batch_size: int = 1
) -> float:
    """Seconds to read prompts: weights once, :math:`2N` operations a token.

    Pope et al. 2022, arXiv:2211.05102, section 2.
    """
    positive(prompt_tokens=prompt_tokens)
    whole(batch_size=batch_size)
    flops = load.flops_per_token * prompt_tokens * batch_size
    return roofline_seconds(flops, load.bytes_of_weights, machine)


def decode_seconds(
    load: Load, context: float, machine: Machine, batch_size: int = 1
) -> float:
    """Seconds to write one token of every text: all weights and caches are read.

    ``context`` is how many tokens each text has so far.  Of a mixture of experts all
    weights are read, as a large batch does; a batch of 1 reads fewer.
    """
    at_least(0, context=context)
    whole(batch_size=batch_size)
    flops = load.flops_per_token * batch_size
    caches = load.cache_bytes * context * batch_size
    return roofline_seconds(flops, load.bytes_of_weights + caches, machine)
