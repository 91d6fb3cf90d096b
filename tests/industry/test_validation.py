"""Predicted against published: the medians, and that nothing is left out in silence."""

import statistics

import pytest

from lmbook.errors import InputError
from lmbook.industry import facts, validation

# Quantity: the fewest rows and the largest median error that are allowed.
LIMITS = {
    "params": (13, 1e-4),
    "train_flops": (11, 0.05),
    "kv_cache": (10, 0.05),
    "memory": (9, 0.05),
    "gpu_hours": (34, 0.25),
    "energy_mwh": (14, 0.15),
    "energy_from_size": (14, 0.30),
    "co2_t": (17, 0.10),
    "train_speed": (6, 0.30),
    "decode_speed": (13, 0.30),
}


def test_every_quantity_has_a_limit():
    assert set(LIMITS) == set(validation.QUANTITIES)


@pytest.mark.parametrize("quantity", LIMITS)
def test_median_errors(quantity):
    rows, limit = LIMITS[quantity]
    assert len(validation.compare(quantity)) >= rows
    assert validation.median_error(quantity) <= limit


def test_energy_that_was_measured_and_not_computed_from_the_rated_power():
    models = facts.load("models")
    errors = [
        abs(found.error)
        for found in validation.compare("energy_mwh")
        if models[found.name].energy_basis == "measured"
    ]
    assert len(errors) == 8
    assert statistics.median(errors) <= 0.15


def test_published_flops_agree_with_six_n_d_or_say_why_not():
    for row in facts.load("models"):
        if row.train_flops is None or "train_flops" in row.apart:
            continue
        params = row.params_active or row.params_total
        ratio = row.train_flops / (6 * params * row.train_tokens)
        if row.flops_rule == "6ND":
            assert ratio == pytest.approx(1, abs=0.15), row.name
        else:
            assert not 0.85 < ratio < 1.15, f"{row.name} needs no rule of its own"
            assert row.notes, f"{row.name}: the notes say why"


@pytest.mark.parametrize("column", ["train_flops", "gpu_hours", "energy_mwh", "co2_t"])
def test_every_published_figure_is_compared_or_told_apart(column):
    compared = {found.name for found in validation.compare(column)}
    apart = {name for name, what in validation.left_out() if what == column}
    published = {r.name for r in facts.load("models") if r[column] is not None}
    assert compared | apart == published
    assert not compared & apart


def test_every_size_and_speed_is_compared_or_told_apart():
    sizes = validation.compare("kv_cache") + validation.compare("memory")
    assert {found.name for found in sizes} == {row.name for row in facts.load("sizes")}
    speeds = validation.compare("train_speed") + validation.compare("decode_speed")
    apart = {row.name for row in facts.load("throughput") if row.apart}
    names = {row.name for row in facts.load("throughput")}
    assert {found.name for found in speeds} | apart == names
    assert all(len(reason) > 20 for reason in validation.left_out().values())


def test_no_row_is_predicted_from_itself(monkeypatch):
    """Ten times the hours of one row leave its own prediction as it was."""
    before = {found.name: found for found in validation.compare("gpu_hours")}
    table = facts.load("models")
    row = table["LLaMA-13B"]
    changed = facts.Row("models", {**row.values, "gpu_hours": 10 * row.gpu_hours})
    monkeypatch.setitem(table.rows, "LLaMA-13B", changed)
    after = {found.name: found for found in validation.compare("gpu_hours")}
    assert after["LLaMA-13B"].published == 10 * before["LLaMA-13B"].published
    assert after["LLaMA-13B"].predicted == before["LLaMA-13B"].predicted
    changed_others = [n for n in before if after[n].predicted != before[n].predicted]
    assert 0 < len(changed_others) < len(before)
    ampere = {r.name for r in table if r.device and r.device.startswith("A100")}
    alone = {"GPT-3", "PaLM"}  # of their generation, and so learn from all
    assert set(changed_others) <= ampere | alone


def test_error_is_signed():
    found = validation.Comparison("gpu_hours", "x", predicted=3.0, published=4.0)
    assert found.error == -0.25


def test_an_unknown_quantity():
    with pytest.raises(InputError, match="quantity must be one of params, train_flops"):
        validation.compare("price")
