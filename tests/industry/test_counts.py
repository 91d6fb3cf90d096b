"""Parameters and operations: published, counted by PyTorch, of the book's LSTM."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lmbook.errors import InputError
from lmbook.industry import costs, facts
from lmbook.models.lstm import LSTMCell, LSTMConfig, LSTMLanguageModel

EXACT = {
    "GPT-2 124M": 124_439_808,
    "GPT-2 XL": 1_557_611_200,
    "BLOOM-176B": 176_247_271_424,
    "Llama 2 7B": 6_738_415_616,
    "Llama 2 70B": 68_976_648_192,
    "Llama 3 8B": 8_030_261_248,
    "Llama 3.1 405B": 405_853_388_800,
    "SmolLM3-3B": 3_075_098_624,
    "Qwen3-0.6B": 596_049_920,
}


@pytest.mark.parametrize("name", EXACT)
def test_transformer_parameters_are_the_published_ones(name):
    assert costs.transformer_parameters(costs.shape_of(name)) == EXACT[name]
    assert facts.load("architectures")[name].params == EXACT[name]


def test_the_default_shape_is_gpt_2_without_positions():
    shape = costs.TransformerShape()
    assert costs.transformer_parameters(shape) == 124_439_808 - 1024 * 768


class Attention(nn.Module):
    def __init__(self, width, heads, kv_heads, dim):
        super().__init__()
        self.sizes = heads, kv_heads, dim
        self.q, self.o = nn.Linear(width, heads * dim), nn.Linear(heads * dim, width)
        self.k, self.v = (nn.Linear(width, kv_heads * dim) for _ in range(2))

    def forward(self, x):
        heads, kv_heads, dim = self.sizes
        q = self.q(x).unflatten(-1, (heads, dim)).transpose(1, 2)
        k, v = self.k(x), self.v(x)
        k, v = (y.unflatten(-1, (kv_heads, dim)).transpose(1, 2) for y in (k, v))
        k, v = (y.repeat_interleave(heads // kv_heads, dim=1) for y in (k, v))
        mixed = (q @ k.transpose(-1, -2)).softmax(-1) @ v
        return self.o(mixed.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        width = shape.hidden_size
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, shape.num_heads, shape.kv_heads, shape.dim)
        self.up, self.down = nn.Linear(width, shape.ffn), nn.Linear(shape.ffn, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(self.up(self.norm2(x)).relu())


class Model(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.embedding = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.Sequential(*(Layer(shape) for _ in range(shape.num_layers)))
        self.norm = nn.LayerNorm(shape.hidden_size)

    def forward(self, ids):
        return self.norm(self.layers(self.embedding(ids))) @ self.embedding.weight.T


def counted(module, *inputs):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*inputs)
    return counter.get_total_flops()


@pytest.mark.parametrize("kv_heads", [1, 2, 6])
def test_transformer_against_torch(kv_heads):
    shape = costs.TransformerShape(
        vocab_size=37,
        hidden_size=20,
        num_layers=3,
        num_heads=6,
        num_kv_heads=kv_heads,
        head_dim=5,
        ffn_size=17,
    )
    model = Model(shape)
    numbers = sum(p.numel() for p in model.parameters())
    assert costs.transformer_parameters(shape) == numbers
    batch_size, seq_len = 2, 11
    ids = torch.zeros(batch_size, seq_len, dtype=torch.long)
    expected = counted(model, ids)  # each position looks at all: no mask saves any
    per_token = costs.transformer_flops(shape, attended=seq_len)
    assert per_token * batch_size * seq_len == expected
    tokens = 1000
    assert costs.training_flops_of(shape, tokens, 2 * seq_len - 1) == pytest.approx(
        3 * per_token * tokens
    )


lstm_sizes = st.tuples(*[st.integers(1, 40)] * 3, st.integers(1, 4), st.booleans())


@given(lstm_sizes)
def test_lstm_parameters_are_those_of_the_books_model(sizes):
    config = LSTMConfig(*sizes)
    assert costs.lstm_parameters(*sizes) == config.num_parameters


def test_lstm_against_a_model():
    sizes = 31, 5, 7, 2, True
    model = LSTMLanguageModel(LSTMConfig(*sizes))
    numbers = sum(p.numel() for p in model.parameters())
    assert costs.lstm_parameters(*sizes) == numbers


def test_lstm_flops_against_torch():
    batch_size, vocab_size, inputs, units = 3, 31, 5, 7
    cell, output = LSTMCell(inputs, units), nn.Linear(units, vocab_size)
    state = torch.zeros(batch_size, units), torch.zeros(batch_size, units)
    expected = counted(cell, torch.zeros(batch_size, inputs), state)
    expected += counted(output, state[0])
    assert costs.lstm_flops(vocab_size, inputs, units) * batch_size == expected


def test_six_n_d_is_what_the_shapes_give_nearly():
    shape = costs.shape_of("Llama 3 8B")
    lookups = shape.vocab_size * shape.hidden_size
    six = costs.training_flops(costs.transformer_parameters(shape) - lookups, 1e12)
    assert costs.training_flops_of(shape, 1e12, 1) == pytest.approx(six, rel=1e-4)
    assert 1.1 < costs.training_flops_of(shape, 1e12, 8192) / six < 1.2


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"vocab_size": 0}, "vocab_size must be a whole number of at least 1, got 0"),
        ({"num_layers": 1.5}, "num_layers must be a whole number"),
        ({"hidden_size": float("nan")}, "hidden_size must be a whole number"),
        ({"num_heads": 5}, "num_heads must divide hidden_size 768"),
        ({"num_kv_heads": 5}, "num_kv_heads must divide num_heads 12, got 5"),
        ({"num_kv_heads": 0}, "num_kv_heads must be a whole number"),
        ({"norm": "batch"}, "norm must be one of layer, rms; got 'batch'"),
        ({"positions": -1}, "positions must be a number of at least 0, got -1"),
        ({"positions": 1.5}, "positions must be a whole number"),
        ({"gated": "no"}, "gated must be True or False, got 'no'"),
        ({"biases": 0}, "biases must be True or False, got 0"),
    ],
)
def test_bad_shapes_are_said(sizes, message):
    with pytest.raises(InputError, match=message):
        costs.TransformerShape(**sizes)


def test_a_shape_of_which_only_the_cache_is_known():
    with pytest.raises(InputError, match="only the cache's sizes are known"):
        costs.shape_of("OPT-13B")
    with pytest.raises(InputError, match="did you mean 'Llama 3 8B'"):
        costs.shape_of("Llama 3 8")
