"""What it costs a company to train a model and serve it, and how sure that is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lmbook.errors import InputError
from lmbook.industry.arguments import at_least, finite, positive, share, whole
from lmbook.industry.devices import device
from lmbook.industry.roofline import Load, Machine
from lmbook.industry.serving import serve
from lmbook.industry.training_costs import device_hours, price, training_flops

DAYS_PER_MONTH = 365 / 12


@dataclass(frozen=True)
class Plan:
    """What a company does.  Hours are rented on one kind of device throughout.

    ``trials`` are hours of experiments and failed runs for each hour of the final run;
    ``busy`` is the share of the serving hours, paid day and night, that has requests;
    ``batch_size`` texts are served at a time, each ``prompt_tokens`` long and answered
    with ``output_tokens``; ``cache_bytes`` of keys and values a token.
    """

    params: float
    train_tokens: float
    trials: float
    mfu: float
    usd_per_hour: float
    requests_per_day: float
    prompt_tokens: int
    output_tokens: int
    months: float
    busy: float
    batch_size: int = 32
    cache_bytes: float = 131_072
    device_name: str = "A100 SXM 80GB"

    def __post_init__(self) -> None:
        positive(months=self.months, requests_per_day=self.requests_per_day)
        at_least(0, trials=self.trials)
        share(busy=self.busy)
        whole(prompt_tokens=self.prompt_tokens, output_tokens=self.output_tokens)


@dataclass(frozen=True)
class Range:
    """A number that nobody knows: the smallest and the largest that may be."""

    low: float
    high: float

    def __post_init__(self) -> None:
        finite(low=self.low, high=self.high)
        if not self.low <= self.high:
            raise InputError(f"low must not be above high, got {self.low}, {self.high}")


def bill(plan: Plan) -> dict[str, float]:
    """US$ for the final run, the trials before it, and serving; no staff, no data."""
    chip = device(plan.device_name)
    flops = training_flops(plan.params, plan.train_tokens)
    hours = device_hours(flops, chip.peak_16bit, plan.mfu)
    machine = Machine(chip.name, precision=chip.half)
    texts = plan.batch_size, plan.prompt_tokens, plan.output_tokens
    service = serve(Load(plan.params, plan.cache_bytes), machine, *texts)
    written = plan.requests_per_day * plan.output_tokens * DAYS_PER_MONTH * plan.months
    serving = written / service.tokens_per_second / 3600 / plan.busy
    return {
        "training": price(hours, plan.usd_per_hour),
        "trials": price(hours, plan.usd_per_hour) * plan.trials,
        "serving": price(serving, plan.usd_per_hour),
    }


def tornado(plan: Plan, ranges: Mapping[str, Range]) -> dict[str, tuple[float, float]]:
    """The cheapest and dearest total with one number at its ends, widest first."""
    require_names(ranges)
    totals = {
        name: (_total(plan, name, ends.low), _total(plan, name, ends.high))
        for name, ends in ranges.items()
    }
    widest = sorted(totals.items(), key=lambda item: -abs(item[1][1] - item[1][0]))
    return {name: (min(ends), max(ends)) for name, ends in widest}


def extremes(
    plan: Plan, ranges: Mapping[str, Range]
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Three bills: every number at its cheap end, as planned, at its dear end."""
    require_names(ranges)
    cheap: dict[str, Any] = {}
    dear: dict[str, Any] = {}
    for name, ends in ranges.items():
        both = sorted((ends.low, ends.high), key=lambda x: _total(plan, name, x))
        cheap[name], dear[name] = both
    return bill(replace(plan, **cheap)), bill(plan), bill(replace(plan, **dear))


def require_names(ranges: Mapping[str, Range]) -> None:
    """``InputError`` for a range of what is no number of a plan."""
    unknown = [name for name in ranges if name not in Plan.__dataclass_fields__]
    if unknown:
        raise InputError(f"a plan has no {', '.join(unknown)}")


def _total(plan: Plan, name: str, value: float) -> float:
    changed: dict[str, Any] = {name: value}
    return sum(bill(replace(plan, **changed)).values())
