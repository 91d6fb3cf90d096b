"""The roofline, and a model served on it: latency, throughput, cost, margin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmbook.errors import InputError
from lmbook.industry import costs, facts

A100 = costs.Machine("A100 SXM 80GB", mfu=0.5, bandwidth_use=0.7)
# Llama 2 7B: every weight is used for every token.
LOAD = costs.Load(6.738e9, cache_bytes=524_288)


def test_the_longer_of_two_times():
    by_arithmetic = costs.roofline_seconds(312e12, 1, A100)
    assert by_arithmetic == pytest.approx(2)
    by_memory = costs.roofline_seconds(1, 2.039e12, A100)
    assert by_memory == pytest.approx(1 / 0.7)
    assert costs.ridge(A100) == pytest.approx(312e12 * 0.5 / (2.039e12 * 0.7))
    two = costs.Machine("A100 SXM 80GB", num_devices=2, mfu=0.5)
    assert costs.roofline_seconds(312e12, 1, two) == pytest.approx(1)
    assert costs.roofline_seconds(0, 0, A100) == 0


def test_one_text_is_bound_by_memory_and_a_prompt_by_arithmetic():
    writing = costs.decode_seconds(LOAD, context=0, machine=A100)
    assert writing == pytest.approx(2 * 6.738e9 / (2.039e12 * 0.7))
    reading = costs.prefill_seconds(LOAD, 1000, A100)
    assert reading == pytest.approx(2 * 6.738e9 * 1000 / (312e12 * 0.5))
    assert costs.prefill_seconds(LOAD, 1, A100) == pytest.approx(writing)
    later = costs.decode_seconds(LOAD, context=3000, machine=A100)
    assert later - writing == pytest.approx(524_288 * 3000 / (2.039e12 * 0.7))


def test_a_mixture_calculates_with_few_and_reads_all():
    mixture = costs.Load(671e9, 70_272, weight_bytes=1, active_params=37e9)
    machine = costs.Machine("H800 SXM", num_devices=16, precision="fp8", mfu=0.5)
    assert mixture.flops_per_token == 74e9
    bound = 671e9 / machine.bytes_per_second
    assert costs.decode_seconds(mixture, 0, machine) == pytest.approx(bound)


@given(st.integers(1, 60), st.integers(1, 60))
def test_a_larger_batch_writes_more_and_each_text_more_slowly(first, second):
    small, large = sorted((first, second))
    few, many = (costs.serve(LOAD, A100, b, 100, 400) for b in (small, large))
    assert few.per_token <= many.per_token
    assert few.tokens_per_second <= many.tokens_per_second * (1 + 1e-12)
    assert few.first_token == many.first_token


def test_a_batch_by_hand():
    found = costs.serve(LOAD, A100, batch_size=3, prompt_tokens=50, output_tokens=20)
    reading = costs.prefill_seconds(LOAD, 50, A100)
    writing = costs.decode_seconds(LOAD, 60, A100, 3)
    assert (found.first_token, found.per_token) == (reading, writing)
    seconds = 3 * reading + 20 * writing
    assert found.tokens_per_second == pytest.approx(60 / seconds)
    assert found.memory == pytest.approx(2 * 6.738e9 + 3 * 70 * 524_288)


def test_what_fits():
    most = costs.largest_batch(LOAD, 4096, A100)
    assert most == (80e9 - 2 * 6.738e9) // (4096 * 524_288)
    costs.serve(LOAD, A100, most, 4000, 96)
    with pytest.raises(InputError, match="do not fit 80 GB; use a smaller batch"):
        costs.serve(LOAD, A100, most + 1, 4000, 96)
    assert costs.largest_batch(costs.Load(70e9, 1), 10, A100) == 0
    with pytest.raises(InputError, match="no largest batch"):
        costs.largest_batch(costs.Load(1e9, 0), 10, A100)


def test_cost_and_margin():
    assert costs.usd_per_million_tokens(1000, 3.6) == pytest.approx(1)
    assert costs.usd_per_million_tokens(1000, 3.6, 8, busy=0.5) == pytest.approx(16)
    assert costs.margin(2, 0.5) == 0.75
    assert costs.margin(1, 2) == -1
    assert costs.markup(2, 0.5) == 3


def test_what_deepseek_said_of_a_day():
    """226.75 nodes of eight for 24 hours at 2 US$, sold for 562,027 US$."""
    usd = costs.price(226.75 * 8 * 24, 2)
    assert usd == pytest.approx(87_072)
    assert costs.markup(562_027, usd) == pytest.approx(5.45, abs=0.01)
    speed = facts.load("throughput")["DeepSeek-V3, writing"].tokens_per_s
    assert costs.usd_per_million_tokens(speed, 2, 8) == pytest.approx(0.30, abs=0.01)


def test_a_device_without_a_bandwidth_or_memory():
    with pytest.raises(InputError, match="memory of Ascend 950DT is not published"):
        costs.largest_batch(LOAD, 10, costs.Machine("Ascend 950DT"))
