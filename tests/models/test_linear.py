"""The linear layer against PyTorch's, which it replaces."""

import pytest
import torch
from torch import nn

from lmbook.models import linear
from lmbook.models.linear import Linear


def pair(inputs, outputs, bias=True, dtype=torch.float32):
    """PyTorch's layer and ours with the same weights."""
    torch.manual_seed(inputs + outputs)
    peer = nn.Linear(inputs, outputs, bias, dtype=dtype)
    ours = Linear(inputs, outputs, bias, dtype=dtype)
    ours.load_state_dict(peer.state_dict())
    return ours, peer


@pytest.fixture
def products(monkeypatch):
    """Shapes of the inputs that were multiplied the other way."""
    seen = []
    usual = linear._product

    def spied(weight, columns):
        seen.append(tuple(columns.shape))
        return usual(weight, columns)

    monkeypatch.setattr(linear, "_product", spied)
    return seen


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (2, 1), (2, 3), (8, 1), (9, 1)])
@pytest.mark.parametrize("outputs", [512, 519, 50])  # 519: blocks and a rest
@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_the_same_numbers_for_any_number_of_rows(shape, outputs, bias, products):
    ours, peer = pair(256, outputs, bias)
    x = torch.randn(*shape, 256)
    found, expected = ours(x), peer(x)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)
    rows = x.numel() // 256
    another_way = outputs > 256 and rows <= linear.MOST_ROWS
    assert products == ([(256, rows)] if another_way else [])


@torch.no_grad()
def test_rows_that_lie_apart_in_memory():
    ours, peer = pair(256, 512)
    x = torch.randn(256, 3).t()
    assert torch.allclose(ours(x), peer(x), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_fewer_outputs_than_blocks():
    ours, peer = pair(linear.LEAST_WEIGHTS, 3)
    x = torch.randn(1, linear.LEAST_WEIGHTS)
    assert torch.equal(ours(x), peer(x))


@torch.no_grad()
def test_no_rows_at_all():
    ours, peer = pair(256, 512)
    assert ours(torch.randn(0, 256)).shape == peer(torch.randn(0, 256)).shape


def test_where_gradients_are_wanted_it_is_the_usual_layer(products):
    ours, peer = pair(256, 512)
    x = torch.randn(1, 256)
    for layer in (ours, peer):
        layer(x).square().sum().backward()
    assert torch.equal(ours.weight.grad, peer.weight.grad)
    assert torch.equal(ours.bias.grad, peer.bias.grad)
    assert not products


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@torch.no_grad()
def test_other_precisions_are_computed_as_usual(dtype, products):
    ours, peer = pair(256, 512, dtype=dtype)
    x = torch.randn(1, 256, dtype=dtype)
    assert torch.equal(ours(x), peer(x))
    assert not products


@torch.no_grad()
def test_weights_that_lie_transposed_are_multiplied_as_usual(products):
    ours, peer = pair(256, 512)
    ours.weight = nn.Parameter(ours.weight.t().contiguous().t())
    x = torch.randn(1, 256)
    assert torch.allclose(ours(x), peer(x), rtol=1e-5, atol=1e-5)
    assert not products


@pytest.mark.parametrize("shape", [(1, 128), (2, 128), (1, 512), (512,)])
@torch.no_grad()
def test_a_wrong_size_is_refused_as_by_pytorch(shape):
    for layer in pair(256, 512):
        with pytest.raises(RuntimeError, match="256"):
            layer(torch.randn(shape))
