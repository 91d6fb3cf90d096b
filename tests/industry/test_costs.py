"""Training, memory, caches, energy, pages: by hand, published examples, bad input."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmbook.errors import InputError
from lmbook.industry import costs, facts

sizes = st.floats(1e3, 1e13)


def test_gpt_3_by_hand():
    flops = costs.training_flops(175e9, 300e9)
    assert flops == 6 * 175e9 * 300e9
    peak = costs.device("V100 SXM2").peak("fp16")
    hours = costs.device_hours(flops, peak, mfu=0.2)
    assert hours == pytest.approx(3.15e23 / (125e12 * 0.2 * 3600))
    assert costs.utilisation(flops, hours, peak) == pytest.approx(0.2)
    assert costs.days(hours, 10_000) == pytest.approx(hours / 240_000)


@given(sizes, sizes)
def test_rules_of_training_flops(params, tokens):
    six = costs.training_flops(params, tokens)
    assert costs.training_flops(params, tokens, "8ND") == pytest.approx(six * 4 / 3)
    assert costs.training_flops(params, tokens, "3ND") == pytest.approx(six / 2)


def test_money():
    row = facts.load("models")["DeepSeek-V3"]
    usd_per_hour = facts.load("constants")["H800 rental used by DeepSeek"].value
    assert costs.price(row.gpu_hours, usd_per_hour) == row.cost_usd
    assert costs.in_yuan(10, 7.1) == pytest.approx(71)


def test_training_state_is_shared_out_stage_by_stage():
    params, devices = 7.5e9, 64
    found = [costs.training_state_bytes(params, s, devices) for s in range(4)]
    by_hand = [16, 4 + 12 / 64, 2 + 14 / 64, 16 / 64]
    assert found == pytest.approx([params * share for share in by_hand])
    assert costs.training_state_bytes(params) == params * 16
    own = costs.training_state_bytes(10, 1, 2, weights=4, gradients=4, optimizer=8)
    assert own == 10 * (8 + 4)


def test_weight_bytes():
    assert costs.weight_bytes(7e9, 16) == 14e9
    assert costs.weight_bytes(7e9, 4.5) == pytest.approx(3.9375e9)


def test_activations_by_hand():
    shape = costs.TransformerShape(
        vocab_size=11, hidden_size=6, num_layers=5, num_heads=3
    )
    batch_size, seq_len = 2, 7
    inputs = 5 * 7 * 2 * 6
    found = {
        kept: costs.activation_bytes(shape, batch_size, seq_len, kept)
        for kept in ("none", "selective", "full")
    }
    assert found["none"] == pytest.approx(inputs * (34 + 5 * 3 * 7 / 6))
    assert found["selective"] == inputs * 34
    assert found["full"] == inputs * 2
    split = costs.activation_bytes(shape, batch_size, seq_len, tensor_parallel=4)
    assert split == pytest.approx(found["none"] / 4)


def test_cache_of_heads_groups_and_latents():
    heads = costs.kv_cache_bytes(1, num_layers=3, num_kv_heads=8, head_dim=5)
    assert heads == 2 * 3 * 8 * 5 * 2
    groups = costs.kv_cache_bytes(7, 3, 2, 5, bytes_per_number=1)
    assert groups == 7 * 2 * 3 * 2 * 5
    assert costs.latent_cache_bytes(7, 3, 11, 2) == 7 * 3 * 13 * 2
    assert costs.cache_of("DeepSeek-V3", 1) == 70_272
    assert costs.cache_of("Llama 3.1 405B", 2, bytes_per_number=1) == 516_096


def test_energy_and_carbon_of_gpt_3():
    row = facts.load("models")["GPT-3"]
    kwh = costs.energy_kwh(row.gpu_hours, 330, pue=row.pue)
    assert kwh == pytest.approx(row.energy_mwh * 1000, rel=0.005)
    kg = costs.carbon_kg(row.energy_mwh * 1000, costs.grid("USA 2020"))
    assert kg == pytest.approx(row.co2_t * 1000, rel=0.001)
    assert costs.electricity_price(200, 0.6) == pytest.approx(120)
    assert costs.energy_kwh(10, 500, 0.5, 1.2) == pytest.approx(3)


def test_a_page_in_two_languages():
    chinese = costs.page_tokens(1000, costs.tokens_per_character("zh"))
    english = costs.page_tokens(3000, costs.tokens_per_character("en"))
    assert (chinese, english) == (600, pytest.approx(900))
    with pytest.raises(InputError, match="language must be one of zh, en; got 'fr'"):
        costs.tokens_per_character("fr")


def test_devices():
    h100 = costs.device("H100 SXM")
    assert h100.peak("bf16") == h100.peak_16bit == 989.5e12
    assert (h100.memory, h100.bandwidth, h100.watts) == (80e9, 3.35e12, 700)
    assert costs.device("V100 SXM2").peak_16bit == 125e12
    with pytest.raises(InputError, match="V100 SXM2 has no published peak in 'fp4'; "):
        costs.device("V100 SXM2").peak("fp4")
    with pytest.raises(InputError, match="it has fp16"):
        costs.device("V100 SXM2").peak("bf16")
    with pytest.raises(InputError, match="no row of hardware named 'H1000 SXM'; did"):
        costs.device("H1000 SXM")
    with pytest.raises(InputError, match="watts of TPU v5e is not published"):
        costs.device("TPU v5e").needs("watts")


LOAD, MACHINE = costs.Load(7e9, 131_072), costs.Machine("A100 SXM 80GB")
CALLS = {  # name of an argument that must be above 0: a call that passes it on
    "params": lambda x: costs.training_flops(x, 1e9),
    "tokens": lambda x: costs.training_flops(1e9, x),
    "flops": lambda x: costs.device_hours(x, 1e12, 0.4),
    "peak": lambda x: costs.device_hours(1e12, x, 0.4),
    "mfu": lambda x: costs.device_hours(1e12, 1e12, x),
    "seq_len": lambda x: costs.training_flops_of(costs.TransformerShape(), 1e9, x),
    "hours": lambda x: costs.price(x, 2),
    "usd_per_hour": lambda x: costs.price(10, x),
    "num_devices": lambda x: costs.days(10, x),
    "usd": lambda x: costs.in_yuan(x, 7),
    "yuan_per_usd": lambda x: costs.in_yuan(1, x),
    "bits": lambda x: costs.weight_bytes(1e9, x),
    "batch_size": lambda x: costs.decode_seconds(LOAD, 100, MACHINE, x),
    "tensor_parallel": lambda x: costs.activation_bytes(
        costs.TransformerShape(), 1, 1, "none", x
    ),
    "num_kv_heads": lambda x: costs.kv_cache_bytes(1, 2, x, 4),
    "kv_latent": lambda x: costs.latent_cache_bytes(1, 2, x, 4),
    "bytes_per_number": lambda x: costs.cache_of("DeepSeek-V3", 1, x),
    "watts": lambda x: costs.energy_kwh(1, x),
    "utilisation": lambda x: costs.energy_kwh(1, 1, x),
    "pue": lambda x: costs.energy_kwh(1, 1, 1, x),
    "kwh": lambda x: costs.carbon_kg(x, 0.5),
    "per_kwh": lambda x: costs.electricity_price(1, x),
    "characters": lambda x: costs.page_tokens(x, 1),
    "per_character": lambda x: costs.page_tokens(1, x),
    "prompt_tokens": lambda x: costs.prefill_seconds(LOAD, x, MACHINE),
    "bandwidth_use": lambda x: costs.Machine("H100 SXM", bandwidth_use=x),
    "weight_bytes": lambda x: costs.Load(1e9, 1, weight_bytes=x),
    "active_params": lambda x: costs.Load(1e9, 1, active_params=x),
    "tokens_per_second": lambda x: costs.usd_per_million_tokens(x, 2),
    "busy": lambda x: costs.usd_per_million_tokens(10, 2, busy=x),
    "price": lambda x: costs.margin(x, 1),
    "cost": lambda x: costs.markup(1, x),
    "loss": lambda x: costs.law().cheapest(x),
    "E": lambda x: costs.ScalingLaw(x, 1, 1, 1, 1),
    "vocab_size": lambda x: costs.lstm_flops(x, 2, 3),
    "embedding_size": lambda x: costs.lstm_parameters(2, x, 3),
}


@pytest.mark.parametrize("value", [0, -3, math.nan, math.inf, "7", None, True, [1]])
@pytest.mark.parametrize("name", CALLS)
def test_bad_input_is_named(name, value):
    if value is None and name == "active_params":
        return  # as many as there are
    with pytest.raises(InputError, match=rf"{name} must be"):
        CALLS[name](value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: costs.training_flops(1, 1, "7ND"), "rule must be one of 6ND, 8ND"),
        (lambda: costs.training_state_bytes(1, 4), "zero_stage must be one of 0, 1"),
        (lambda: costs.training_state_bytes(1, 1, 2.5), "num_devices must be a whole"),
        (lambda: costs.device_hours(1, 1, 1.01), "mfu must be above 0 and at most 1"),
        (
            lambda: costs.energy_kwh(1, 1, 1, 0.9),
            "pue must be a number of at least 1",
        ),
        (lambda: costs.carbon_kg(1, -0.1), "kg_per_kwh must be a number of at least 0"),
        (
            lambda: costs.activation_bytes(costs.TransformerShape(), 1, 1, "some"),
            "recomputation must be one of none, selective, full; got 'some'",
        ),
        (lambda: costs.Machine("V100 SXM2", precision="fp4"), "no published peak in"),
        (lambda: costs.cache_of("GPT-5", 1), "no row of architectures named 'GPT-5'"),
        (lambda: costs.grid("Mars"), "no row of grids named 'Mars'"),
    ],
)
def test_what_is_accepted_is_said(call, message):
    with pytest.raises(InputError, match=message):
        call()
