r"""The calculators held to published numbers: predicted against published, row by row.

Every row that publishes a figure is compared, or says in its column ``apart`` why the
figure can't be predicted.  What no datasheet tells is learnt from the other rows: MFU,
the share of the rated power that is drawn, PUE and the share of the bandwidth that is
reached are medians of the *other* rows of the same chip generation, and where there are
none, of all other rows.  Nothing is set for a row.  Section 2.3.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lmbook.industry import facts
from lmbook.industry.arguments import one_of
from lmbook.industry.counts import shape_of, transformer_parameters
from lmbook.industry.devices import Device, device
from lmbook.industry.energy import carbon_kg, energy_kwh, grid
from lmbook.industry.facts import Row
from lmbook.industry.kv_cache import cache_of
from lmbook.industry.memory import activation_bytes, training_state_bytes, weight_bytes
from lmbook.industry.training_costs import device_hours, training_flops, utilisation


@dataclass(frozen=True)
class Comparison:
    """A figure as it was predicted and as it was published, in the same unit."""

    quantity: str
    name: str
    predicted: float
    published: float

    @property
    def error(self) -> float:
        """Of the prediction, as a share of what was published; above 0 is too high."""
        return self.predicted / self.published - 1


@dataclass(frozen=True)
class _Learnt:
    """A share that one row tells of its chip generation."""

    name: str
    generation: str
    value: float


def compare(quantity: str) -> list[Comparison]:
    """All comparisons of one of :data:`QUANTITIES`, in the order of the table."""
    one_of(QUANTITIES, quantity=quantity)
    return [Comparison(quantity, *found) for found in QUANTITIES[quantity]()]


def median_error(quantity: str) -> float:
    """Median of the absolute relative errors of a quantity."""
    return statistics.median(abs(found.error) for found in compare(quantity))


def left_out() -> dict[tuple[str, str], str]:
    """(name, quantity) of every published figure that isn't compared, and why."""
    reasons = {
        (row.name, column): reason
        for row in facts.load("models")
        for column, reason in row.apart.items()
    }
    rows = facts.load("throughput")
    return reasons | {(r.name, r.kind): r.apart for r in rows if r.apart}


# ---- figures that follow from sizes alone ------------------------------------------

Found = Iterator[tuple[str, float, float]]  # name, predicted, published


def _params() -> Found:
    for row in facts.load("architectures"):
        if row.params is not None:
            yield row.name, transformer_parameters(shape_of(row.name)), row.params


def _train_flops() -> Found:
    for row in _published("train_flops"):
        params = row.params_active or row.params_total
        predicted = training_flops(params, row.train_tokens, row.flops_rule)
        yield row.name, predicted, row.train_flops


def _kv_cache() -> Found:
    for row in facts.load("sizes"):
        if row.quantity == "kv_cache":
            yield row.name, cache_of(row.architecture, row.tokens), row.bytes


def _memory() -> Found:
    for row in facts.load("sizes"):
        if row.quantity == "model_states" and row.zero_stage is None:
            yield row.name, weight_bytes(row.params, 8 * row.bytes_per_param), row.bytes
        elif row.quantity == "model_states":
            stage = row.zero_stage, row.num_devices
            yield row.name, training_state_bytes(row.params, *stage), row.bytes
        elif row.quantity == "activations":
            texts = row.batch_size, row.seq_len
            kept = activation_bytes(shape_of(row.architecture), *texts, "selective")
            yield row.name, kept, row.bytes


# ---- figures that need a share learnt from other rows ------------------------------


def _gpu_hours() -> Found:
    for row in _published("gpu_hours"):
        yield row.name, _predicted_hours(row), row.gpu_hours


def _energy_mwh() -> Found:
    """From the hours.  Only where ``energy_basis`` is "measured" was there a meter:
    the others multiplied hours by a rated power, as is done here."""
    for row in _published("energy_mwh"):
        hours = row.gpu_hours or _predicted_hours(row)
        yield row.name, _predicted_mwh(row, row.energy_scope, hours), row.energy_mwh


def _energy_from_size() -> Found:
    """The same from parameters and tokens alone: the errors of hours come on top."""
    for row in _published("energy_mwh"):
        predicted = _predicted_mwh(row, row.energy_scope, _predicted_hours(row))
        yield row.name, predicted, row.energy_mwh


def _co2_t() -> Found:
    for row in _published("co2_t"):
        mwh = row.energy_mwh or _predicted_mwh(row, "facility", row.gpu_hours)
        if row.energy_scope == "chips":
            mwh *= _of_others(_pues(), row)
        yield row.name, carbon_kg(mwh * 1000, grid(row.grid)) / 1000, row.co2_t


def _train_speed() -> Found:
    for row in _measured("train"):
        mfu = _of_others(_mfus(), row, row.model)
        peak = row.num_devices * _chip(row).peak_16bit
        yield row.name, peak * mfu / training_flops(row.params, 1), row.tokens_per_s


def _decode_speed() -> Found:
    rows = {row.name: row for row in _measured("decode")}
    limits = {
        name: row.batch_size
        * row.num_devices
        * _chip(row).needs("bandwidth")
        / weight_bytes(row.params, 8 * row.bytes_per_param)
        for name, row in rows.items()
    }
    reached = [_learnt(r, r.tokens_per_s / limits[r.name]) for r in rows.values()]
    for name, row in rows.items():
        predicted = limits[name] * _of_others(reached, row, name)
        yield name, predicted, row.tokens_per_s


def _measured(kind: str) -> list[Row]:
    """Rows of throughput of a kind that are not told apart."""
    rows = facts.load("throughput")
    return [row for row in rows if row.kind == kind and not row.apart]


def _published(column: str) -> list[Row]:
    """Rows of models with a figure in the column that are not told apart."""
    rows = facts.load("models")
    return [r for r in rows if r[column] is not None and column not in r.apart]


def _useful_flops(row: Row) -> float:
    """What MFU counts, nothing twice; as published where tokens are not."""
    params = row.params_active or row.params_total
    if params is None or row.train_tokens is None:
        return row.train_flops
    rule = "3ND" if row.flops_rule == "3ND" else "6ND"
    return training_flops(params, row.train_tokens, rule)


def _predicted_hours(row: Row) -> float:
    mfu = _of_others(_mfus(), row)
    return device_hours(_useful_flops(row), _chip(row).peak_16bit, mfu)


def _predicted_mwh(row: Row, scope: str, hours: float) -> float:
    pue = _of_others(_pues(), row) if scope == "facility" else 1.0
    drawn = _of_others(_power_shares(), row)
    return energy_kwh(hours, _chip(row).needs("watts"), drawn, pue) / 1000


def _mfus() -> list[_Learnt]:
    return [
        _learnt(r, utilisation(_useful_flops(r), r.gpu_hours, _chip(r).peak_16bit))
        for r in _published("gpu_hours")
    ]


def _power_shares() -> list[_Learnt]:
    """Mean power as a share of the rated one, PUE taken out."""
    shares = []
    for row in _published("energy_mwh"):
        hours = row.gpu_hours or _predicted_hours(row)
        pue = row.pue if row.energy_scope == "facility" else 1.0
        rated = energy_kwh(hours, _chip(row).needs("watts"), pue=pue)
        shares.append(_learnt(row, row.energy_mwh * 1000 / rated))
    return shares


def _pues() -> list[_Learnt]:
    return [_learnt(row, row.pue) for row in _published("pue")]


def _chip(row: Row) -> Device:
    return device(row.device)


def _learnt(row: Row, value: float) -> _Learnt:
    return _Learnt(row.name, _chip(row).generation, value)


def _of_others(learnt: list[_Learnt], row: Row, name: str | None = None) -> float:
    """Median of the chip's generation, or else of all, without ``name``, the row's."""
    others = [one for one in learnt if one.name != (name or row.name)]
    generation = _chip(row).generation
    alike = [one for one in others if one.generation == generation]
    return statistics.median(one.value for one in alike or others)


QUANTITIES: dict[str, Callable[[], Found]] = {
    "params": _params,
    "train_flops": _train_flops,
    "kv_cache": _kv_cache,
    "memory": _memory,
    "gpu_hours": _gpu_hours,
    "energy_mwh": _energy_mwh,
    "energy_from_size": _energy_from_size,
    "co2_t": _co2_t,
    "train_speed": _train_speed,
    "decode_speed": _decode_speed,
}
