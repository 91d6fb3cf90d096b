"""The Transformer's blocks against PyTorch's, with the same weights."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import gelu

from lmbook.errors import InputError
from lmbook.models.gpt_config import GPTConfig
from lmbook.models.padding import Padded
from lmbook.models.seq2seq_transformer import (
    CrossAttention,
    DecoderBlock,
    EncoderBlock,
    TransformerDecoder,
    TransformerEncoder,
)

BATCH, SOURCE, TARGET, SIZE, HEADS, INNER = 3, 7, 5, 12, 2, 20
CONFIG = GPTConfig(
    11,
    hidden_size=SIZE,
    num_heads=HEADS,
    num_layers=1,
    feed_forward_size=INNER,
    position="rotary",
)
MASK = torch.arange(SOURCE) < torch.tensor([[7], [2], [4]])
# Ours: theirs, in a layer.
SHARED = {
    "attention.qkv.weight": "self_attn.in_proj_weight",
    "attention.qkv.bias": "self_attn.in_proj_bias",
    "attention.output": "self_attn.out_proj",
    "attention_norm": "norm1",
    "feed_forward.up": "linear1",
    "feed_forward.down": "linear2",
}
ENCODER = {**SHARED, "feed_forward_norm": "norm2"}
DECODER = {
    **SHARED,
    "cross_norm": "norm2",
    "cross.output": "multihead_attn.out_proj",
    "feed_forward_norm": "norm3",
}


def peer_of(kind):
    """PyTorch's layer, norms first, every parameter drawn anew."""
    torch.manual_seed(0)
    activation = partial(gelu, approximate="tanh")
    peer = kind(
        SIZE, HEADS, INNER, 0.0, activation, batch_first=True, norm_first=True
    ).double()
    for parameter in peer.parameters():
        nn.init.normal_(parameter, std=0.4)
    return peer


@torch.no_grad()
def copy_weights(block, peer, names):
    """Theirs into ours; those of one name stand for weight and bias."""
    theirs = dict(peer.named_parameters())
    for name, parameter in block.named_parameters():
        found = [n for n in names if name == n or name.rpartition(".")[0] == n]
        if found:
            suffix = name.removeprefix(found[0])
            parameter.copy_(theirs[names[found[0]] + suffix])
    if isinstance(block, DecoderBlock):
        for kind in ("weight", "bias"):
            q, kv = theirs[f"multihead_attn.in_proj_{kind}"].split([SIZE, 2 * SIZE])
            getattr(block.cross.query, kind).copy_(q)
            getattr(block.cross.key_value, kind).copy_(kv)


def inputs():
    torch.manual_seed(1)
    x = torch.randn(BATCH, TARGET, SIZE, dtype=torch.float64, requires_grad=True)
    memory = torch.randn(BATCH, SOURCE, SIZE, dtype=torch.float64, requires_grad=True)
    return x, memory


def compare(found, expected, leaves):
    """Results, and the gradients of a sum of their squares."""
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), leaves),
        torch.autograd.grad(expected.square().sum(), leaves),
        strict=True,
    ):
        assert torch.allclose(one, other, rtol=0, atol=1e-10)


def test_a_block_of_the_encoder_is_pytorchs():
    peer, block = peer_of(nn.TransformerEncoderLayer), EncoderBlock(CONFIG).double()
    copy_weights(block, peer, ENCODER)
    _, x = inputs()
    found = block(x, None, MASK)
    expected = peer(x, src_key_padding_mask=~MASK)
    compare(found[MASK], expected[MASK], [x])


def test_a_block_of_the_decoder_is_pytorchs():
    peer, block = peer_of(nn.TransformerDecoderLayer), DecoderBlock(CONFIG).double()
    copy_weights(block, peer, DECODER)
    x, memory = inputs()
    found, cache, _ = block(x, None, None, block.cross.source(memory), MASK)
    later = nn.Transformer.generate_square_subsequent_mask(TARGET, dtype=x.dtype)
    expected = peer(x, memory, tgt_mask=later, memory_key_padding_mask=~MASK)
    compare(found, expected, [x, memory])
    assert cache.length == TARGET


def test_the_weights_that_are_drawn_are_those_of_multi_head_attention():
    torch.manual_seed(0)
    peer = nn.MultiheadAttention(SIZE, HEADS, batch_first=True).double()
    cross = CrossAttention(CONFIG).double()
    with torch.no_grad():
        q, kv = peer.in_proj_weight.split([SIZE, 2 * SIZE])
        cross.query.weight.copy_(q)
        cross.key_value.weight.copy_(kv)
        cross.query.bias.zero_()
        cross.key_value.bias.zero_()
    x, memory = inputs()
    found = cross.weights(x, cross.source(memory), MASK)
    _, expected = peer(
        x, memory, memory, key_padding_mask=~MASK, average_attn_weights=False
    )
    assert found.shape == (BATCH, HEADS, TARGET, SOURCE)
    assert torch.allclose(found, expected, rtol=0, atol=1e-13)


def test_the_order_of_a_source_matters():
    torch.manual_seed(2)
    encoder, decoder = TransformerEncoder(13, 16), TransformerDecoder(17, 16)
    ids = torch.tensor([[3, 1, 4]])
    logits = [
        decoder(ids, decoder.start(encoder(Padded.of([source]))))[0]
        for source in ([5, 9, 2], [9, 5, 2])
    ]
    assert not torch.allclose(*logits, atol=1e-3)


@pytest.mark.parametrize("length", [1, 1500])
def test_no_length_is_too_long(length):
    torch.manual_seed(3)
    encoder = TransformerEncoder(13, 8, num_layers=1)
    found = encoder.encode([7] * length)
    assert found.memory.shape == (1, length, 8)
    assert torch.isfinite(found.memory).all()


def test_an_encoder_of_another_size_is_named():
    encoded = TransformerEncoder(20, 16).eval().encode([1, 2])
    with pytest.raises(InputError, match="needs vectors of size 8 .* got 16"):
        TransformerDecoder(20, 8).eval().decode(encoded)
