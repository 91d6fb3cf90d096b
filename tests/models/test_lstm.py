"""The cell written out against PyTorch's; sizes all differ."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lmbook.errors import InputError
from lmbook.models.lstm import LSTMCell, LSTMConfig, LSTMLanguageModel, detach

BATCH, SEQ, INPUT, HIDDEN, VOCAB = 5, 7, 3, 4, 11


def unroll(cell, x, state):
    outputs = []
    for t in range(x.shape[1]):
        state = cell(x[:, t], state)
        outputs.append(state[0])
    return torch.stack(outputs, dim=1), state


def test_cell_is_pytorchs_lstm_forward_and_backward():
    torch.manual_seed(0)
    ours = LSTMCell(INPUT, HIDDEN).double()
    peer = nn.LSTM(INPUT, HIDDEN, batch_first=True).double()
    names = {name: f"{name}_l0" for name, _ in ours.named_parameters()}
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            getattr(peer, names[name]).copy_(parameter)
    x = torch.randn(BATCH, SEQ, INPUT, dtype=torch.float64)
    start = [torch.randn(BATCH, HIDDEN, dtype=torch.float64) for _ in range(2)]
    weight = torch.randn(BATCH, SEQ, HIDDEN, dtype=torch.float64)

    gradients = []
    for run in (
        lambda x, h, c: unroll(ours, x, (h, c)),
        lambda x, h, c: peer(x, (h[None], c[None])),
    ):
        leaves = [t.clone().requires_grad_() for t in (x, *start)]
        output, (h, c) = run(*leaves)
        ((output * weight).sum() + (h * c).sum()).backward()
        gradients.append(
            [output, h.squeeze(0), c.squeeze(0), *(t.grad for t in leaves)]
        )
    for mine, theirs in zip(*gradients, strict=True):
        assert mine.shape == theirs.shape
        assert torch.allclose(mine, theirs, rtol=0, atol=1e-12)
    for name, parameter in ours.named_parameters():
        expected = getattr(peer, names[name]).grad
        assert torch.allclose(parameter.grad, expected, rtol=0, atol=1e-12), name


@pytest.fixture
def model():
    torch.manual_seed(1)
    return LSTMLanguageModel(LSTMConfig(VOCAB, INPUT, HIDDEN, num_layers=2))


def test_model_is_a_stack_of_our_cells(model):
    ids = torch.randint(VOCAB, (BATCH, SEQ))
    x = model.embedding(ids)
    for layer, size in enumerate((INPUT, HIDDEN)):
        cell = LSTMCell(size, HIDDEN)
        cell.load_state_dict(
            {
                name: getattr(model.layers[layer], f"{name}_l0")
                for name, _ in cell.named_parameters()
            }
        )
        x, _ = unroll(cell, x, (torch.zeros(BATCH, HIDDEN), torch.zeros(BATCH, HIDDEN)))
    logits, _ = model(ids)
    assert logits.shape == (BATCH, SEQ, VOCAB)
    assert torch.allclose(logits, model.output(x), atol=1e-6)


def test_state_carries_on(model):
    ids = torch.randint(VOCAB, (BATCH, SEQ))
    whole, end = model(ids)
    first, state = model(ids[:, :3])
    second, last = model(ids[:, 3:], state)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-6)
    for this, that in zip(end, last, strict=True):
        for a, b in zip(this, that, strict=True):
            assert a.shape == (1, BATCH, HIDDEN)
            assert torch.allclose(a, b, atol=1e-6)


def test_no_position_sees_the_future(model):
    ids = torch.randint(VOCAB, (BATCH, SEQ))
    changed = ids.clone()
    changed[:, 4] = (ids[:, 4] + 1) % VOCAB
    before, after = model(ids)[0], model(changed)[0]
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_loss_is_the_cross_entropy_of_the_logits(model):
    ids, targets = torch.randint(VOCAB, (2, BATCH, SEQ))
    state = detach(model(ids)[1])
    logits, after = model(ids, state)
    expected = cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss, end = model.loss(ids, targets, state)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert torch.equal(end[1][0], after[1][0])
    total, _ = model.loss(ids, targets, state, reduction="sum")
    assert total.item() == pytest.approx(BATCH * SEQ * expected.item(), rel=1e-6)

    expected.backward()
    theirs = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    loss.backward()
    for parameter, gradient in zip(model.parameters(), theirs, strict=True):
        assert torch.allclose(parameter.grad, gradient, atol=1e-7)


def test_a_detached_state_holds_the_same_numbers_and_no_gradient(model):
    _, state = model(torch.randint(VOCAB, (BATCH, SEQ)))
    pairs = zip(state, detach(state), strict=True)
    for (h, c), (detached_h, detached_c) in pairs:
        assert h.requires_grad
        assert not detached_h.requires_grad
        assert not detached_c.requires_grad
        assert torch.equal(h, detached_h)
        assert torch.equal(c, detached_c)


TIED = LSTMConfig(11, 3, 4, 3, tied=True)


@pytest.mark.parametrize(
    "config", [LSTMConfig(), LSTMConfig(11, 3, 4, 1), LSTMConfig(11, 3, 4, 3), TIED]
)
def test_parameters_by_formula_and_by_count(config):
    model = LSTMLanguageModel(config)
    assert config.num_parameters == sum(p.numel() for p in model.parameters())


def test_the_articles_count_in_keras():
    config = LSTMConfig()
    one_bias = config.num_parameters - config.num_layers * 4 * config.hidden_size
    assert one_bias == 4_178_704


def test_tied_layers_share_one_matrix():
    model = LSTMLanguageModel(TIED)
    assert model.output.weight is model.embedding.weight
    assert TIED.layer_sizes == [(3, 4), (4, 4), (4, 3)]
    ids = torch.randint(11, (BATCH, SEQ))
    logits, state = model(ids)
    assert logits.shape == (BATCH, SEQ, 11)
    assert [h.shape for h, _ in state] == [(1, BATCH, size) for size in (4, 4, 3)]
    assert model.embedding.weight.abs().max() <= 0.1


def test_published_sizes():
    """Parameters as Zaremba et al. (2014) and Merity et al. (2018) give them."""
    for size, millions in ((200, 4.65), (650, 19.8), (1500, 66.0)):
        config = LSTMConfig(10_000, size, size, 2)
        assert config.num_parameters / 1e6 == pytest.approx(millions, abs=0.05)
    awd = LSTMConfig(10_000, 400, 1150, 3, tied=True)
    assert awd.num_parameters / 1e6 == pytest.approx(24, abs=0.5)


def test_initial_range_and_forget_bias():
    torch.manual_seed(0)
    sizes = {"vocab_size": 50, "embedding_size": 30, "hidden_size": 40}
    model = LSTMLanguageModel(LSTMConfig(**sizes, init_range=0.04))
    for name, parameter in model.named_parameters():
        assert 0.03 < parameter.abs().max() <= 0.04, name
    model = LSTMLanguageModel(LSTMConfig(**sizes, init_range=0.04, forget_bias=2.0))
    for layer in model.layers:
        forget = torch.zeros(160)
        forget[40:80] = 2
        assert (layer.bias_ih_l0 - forget).abs().max() <= 0.04
        assert layer.bias_hh_l0.abs().max() <= 0.04


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be at least 1, got 0"),
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"dropout_output": 1.0}, "dropout_output must be at least 0 and below 1"),
        ({"weight_drop": -0.1}, "weight_drop must be at least 0 and below 1"),
        ({"init_range": 0.0}, "init_range must be greater than 0 or None, got 0.0"),
    ],
)
def test_bad_configuration_is_named(options, message):
    with pytest.raises(InputError, match=message):
        LSTMConfig(**options)
