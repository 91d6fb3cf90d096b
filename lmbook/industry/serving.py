"""Serving a model: latency against throughput, cost of a million tokens, margin."""

from dataclasses import dataclass

from lmbook.errors import InputError
from lmbook.industry.arguments import at_least, positive, share, whole
from lmbook.industry.roofline import Load, Machine, decode_seconds, prefill_seconds


@dataclass(frozen=True)
class Service:
    """How a machine serves a batch: seconds, tokens per second, bytes.

    ``first_token`` is the time to read one prompt, ``per_token`` between two tokens
    of a text, ``tokens_per_second`` written for all texts, the reading counted in.
    """

    batch_size: int
    first_token: float
    per_token: float
    tokens_per_second: float
    memory: float


def largest_batch(load: Load, context: float, machine: Machine) -> int:
    """How many texts of ``context`` tokens fit beside the weights; 0 if none does."""
    positive(context=context)
    free = machine.memory - load.bytes_of_weights
    if free < 0:
        return 0
    if not load.cache_bytes:
        raise InputError("a model without a cache has no largest batch")
    return int(free // (load.cache_bytes * context))


def serve(
    load: Load,
    machine: Machine,
    batch_size: int,
    prompt_tokens: int,
    output_tokens: int,
) -> Service:
    """One batch: each prompt is read by itself, then all texts grow together.

    ``InputError`` where weights and caches do not fit the machine's memory.  The
    cache is taken at its mean length, half of the answer written.
    """
    whole(prompt_tokens=prompt_tokens, output_tokens=output_tokens)
    whole(batch_size=batch_size)
    longest = prompt_tokens + output_tokens
    memory = load.bytes_of_weights + load.cache_bytes * longest * batch_size
    if memory > machine.memory:
        raise InputError(
            f"{memory / 1e9:,.0f} GB of weights and cache do not fit "
            f"{machine.memory / 1e9:,.0f} GB; use a smaller batch or more devices"
        )
    reading = prefill_seconds(load, prompt_tokens, machine)
    mean_context = prompt_tokens + output_tokens / 2
    writing = decode_seconds(load, mean_context, machine, batch_size)
    seconds = batch_size * reading + output_tokens * writing
    return Service(
        batch_size=batch_size,
        first_token=reading,
        per_token=writing,
        tokens_per_second=batch_size * output_tokens / seconds,
        memory=memory,
    )


def usd_per_million_tokens(
    tokens_per_second: float,
    usd_per_hour: float,
    num_devices: int = 1,
    busy: float = 1.0,
) -> float:
    """US$ for a million tokens; ``busy`` is the share of paid hours that is sold."""
    positive(tokens_per_second=tokens_per_second, usd_per_hour=usd_per_hour)
    whole(num_devices=num_devices)
    share(busy=busy)
    tokens_per_hour = tokens_per_second * busy * 3600
    return usd_per_hour * num_devices / tokens_per_hour * 1e6


def margin(price: float, cost: float) -> float:
    """Share of the price that is left over the cost; negative where it is not met."""
    positive(price=price)
    at_least(0, cost=cost)
    return (price - cost) / price


def markup(price: float, cost: float) -> float:
    """What is left as a share of the cost: "545 %" is a margin of 85 %."""
    positive(price=price, cost=cost)
    return (price - cost) / cost
