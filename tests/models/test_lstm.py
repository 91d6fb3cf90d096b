"""The cell written out against PyTorch's; sizes all differ."""

import pytest
import torch
from torch import nn

from lmbook.models.lstm import LSTMCell, LSTMConfig, LSTMLanguageModel

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


@pytest.mark.parametrize(
    "config", [LSTMConfig(), LSTMConfig(11, 3, 4, 1), LSTMConfig(11, 3, 4, 3)]
)
def test_parameters_by_formula_and_by_count(config):
    model = LSTMLanguageModel(config)
    assert config.num_parameters == sum(p.numel() for p in model.parameters())


def test_the_articles_count_in_keras():
    config = LSTMConfig()
    one_bias = config.num_parameters - config.num_layers * 4 * config.hidden_size
    assert one_bias == 4_178_704
