"""Attention written out, fused, and term by term; rotary positions; the cache."""

import math

import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.attention import attention, attention_weights, fused_attention
from lmbook.models.kv_cache import KVCache
from lmbook.models.rotary import Llama3Scaling, frequencies, rotate, rotation

BATCH, HEADS, KV_HEADS, SEQ, KEYS, DIM = 3, 6, 2, 5, 7, 4
CPU = torch.device("cpu")


def inputs(seq_len=SEQ, key_len=KEYS, kv_heads=KV_HEADS, dtype=torch.float64):
    torch.manual_seed(0)
    q = torch.randn(BATCH, HEADS, seq_len, DIM, dtype=dtype)
    k, v = torch.randn(2, BATCH, kv_heads, key_len, DIM, dtype=dtype)
    return q, k, v


@pytest.mark.parametrize("causal", [True, False])
def test_attention_term_by_term(causal):
    q, k, v = inputs()
    found, weights = attention(q, k, v, causal), attention_weights(q, k, causal)
    assert found.shape == (BATCH, HEADS, SEQ, DIM)
    assert weights.shape == (BATCH, HEADS, SEQ, KEYS)
    for b in range(BATCH):
        for h in range(HEADS):
            shared = h // (HEADS // KV_HEADS)
            for t in range(SEQ):
                seen = t + KEYS - SEQ + 1 if causal else KEYS
                scores = k[b, shared, :seen] @ q[b, h, t] / math.sqrt(DIM)
                p = scores.exp() / scores.exp().sum()
                expected = (p[:, None] * v[b, shared, :seen]).sum(0)
                assert torch.allclose(found[b, h, t], expected, atol=1e-12)
                assert torch.allclose(weights[b, h, t, :seen], p, atol=1e-12)
                assert not weights[b, h, t, seen:].any()


@pytest.mark.parametrize("kv_heads", [1, 2, 3, 6])
@pytest.mark.parametrize(("seq_len", "key_len"), [(5, 5), (3, 7), (1, 7), (1, 1)])
def test_the_fused_operation_is_the_same_forward_and_backward(
    seq_len, key_len, kv_heads
):
    leaves = inputs(seq_len, key_len, kv_heads)
    results = []
    for function in (attention, fused_attention):
        copies = [x.clone().requires_grad_() for x in leaves]
        output = function(*copies)
        (output * leaves[0]).sum().backward()
        results.append([output, *(x.grad for x in copies)])
    for mine, theirs in zip(*results, strict=True):
        assert torch.allclose(mine, theirs, rtol=0, atol=1e-12)


def test_dropout_leaves_out_weights():
    q, k, _ = inputs(KEYS, KEYS)
    torch.manual_seed(1)
    v = torch.eye(KEYS, dtype=torch.float64).expand(BATCH, KV_HEADS, KEYS, KEYS)
    kept = fused_attention(q, k, v, dropout=0.4)
    weights = attention_weights(q, k)
    assert torch.allclose(kept[kept > 0], (weights / 0.6)[kept > 0])
    visible = weights > 0
    assert (kept[visible] == 0).double().mean().item() == pytest.approx(0.4, abs=0.08)


def test_shapes_that_do_not_fit():
    q, k, v = inputs(kv_heads=4)
    for function in (attention, fused_attention):
        with pytest.raises(InputError, match="must divide num_heads, got 4 and 6"):
            function(q, k, v)
        with pytest.raises(InputError, match="9 queries are more than 7 keys"):
            function(*inputs(seq_len=9))
    assert attention(*inputs(seq_len=9), causal=False).shape[2] == 9


def test_rotation_turns_each_pair_as_a_complex_number():
    q, _, _ = inputs()
    turns = frequencies(DIM, 50.0, None, CPU).double()
    assert torch.allclose(turns, torch.tensor([1.0, 50**-0.5], dtype=torch.float64))
    found = rotate(q, rotation(turns, 2, SEQ))
    for t in range(SEQ):
        for i in range(DIM // 2):
            z = torch.complex(q[:, :, t, i], q[:, :, t, i + DIM // 2])
            z = z * torch.exp(1j * (t + 2) * turns[i])
            assert torch.allclose(found[:, :, t, i], z.real)
            assert torch.allclose(found[:, :, t, i + DIM // 2], z.imag)


def test_products_depend_on_the_distance_alone():
    q, k, _ = inputs(1, 1)
    turns = frequencies(DIM, 10_000.0, None, CPU).double()

    def product(m, n):
        a, b = rotate(q, rotation(turns, m, 1)), rotate(k, rotation(turns, n, 1))
        return a[:, ::3] @ b.mT

    assert torch.allclose(product(9, 4), product(105, 100), atol=1e-12)
    assert not torch.allclose(product(9, 4), product(9, 5), atol=1e-3)


def test_llama_3_turns_long_waves_more_slowly():
    scaling = Llama3Scaling(8.0, 1.0, 4.0, 64)
    plain = frequencies(32, 10_000.0, None, CPU)
    scaled = frequencies(32, 10_000.0, scaling, CPU)
    wavelengths = 2 * math.pi / plain
    short, long = wavelengths < 64 / 4, wavelengths > 64 / 1
    assert torch.equal(scaled[short], plain[short])
    assert torch.allclose(scaled[long], plain[long] / 8)
    between = ~short & ~long
    assert (short.any(), long.any(), between.any()) == (True, True, True)
    assert (scaled[between] < plain[between]).all()
    assert (scaled[between] > plain[between] / 8).all()
    with pytest.raises(InputError, match="low_freq_factor below high_freq_factor"):
        Llama3Scaling(8.0, 4.0, 4.0, 64)


def kv(seq_len):
    return torch.randn(2, BATCH, KV_HEADS, seq_len, DIM)


@pytest.mark.parametrize("with_gradients", [True, False])
def test_a_cache_holds_what_was_appended(with_gradients):
    torch.manual_seed(0)
    parts = [kv(n) for n in (3, 1, 1, 4, 1, 1, 1)]
    with torch.set_grad_enabled(with_gradients):
        cache = KVCache.of(*parts[0])
        for part in parts[1:]:
            cache = cache.append(*part)
    keys, values = torch.cat(parts, dim=3)
    assert cache.length == 12
    assert torch.equal(cache.keys, keys)
    assert torch.equal(cache.values, values)


@torch.no_grad()
def test_a_cache_is_a_value():
    """Two go on from one, in any order, and neither writes into the other."""
    torch.manual_seed(0)
    start = KVCache.of(*kv(3)).append(*kv(1))
    one, other = kv(1), kv(1)
    first = start.append(*one)
    second = start.append(*other)
    third = first.append(*other)
    assert torch.equal(start.keys, first.keys[:, :, :4])
    assert torch.equal(start.keys, second.keys[:, :, :4])
    assert torch.equal(first.keys[:, :, 4:], one[0])
    assert torch.equal(second.values[:, :, 4:], other[1])
    assert torch.equal(third.keys, torch.cat([first.keys, other[0]], 2))


@torch.no_grad()
def test_tokens_one_by_one_are_mostly_written_in_place():
    cache, copied = KVCache.of(*kv(1)), 0
    for _ in range(500):
        longer = cache.append(*kv(1))
        if longer.keys.data_ptr() != cache.keys.data_ptr():
            copied += cache.length
        cache = longer
    assert copied < 2 * 500


def test_rows_are_selected():
    cache = KVCache.of(*kv(3))
    rows = torch.tensor([2, 0, 2, 1])
    chosen = cache.select(rows)
    assert torch.equal(chosen.keys, cache.keys[rows])
    assert torch.equal(chosen.values, cache.values[rows])
