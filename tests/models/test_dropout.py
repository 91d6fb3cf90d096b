"""What is dropped, for how long, and that gradients reach what is left."""

import warnings

import pytest
import torch
from torch.nn.functional import dropout

from lmbook.models.dropout import (
    WeightDropLSTM,
    embedding_dropout,
    locked_dropout,
)
from lmbook.models.lstm import LSTMCell, LSTMConfig, LSTMLanguageModel

BATCH, SEQ, INPUT, HIDDEN, VOCAB = 5, 7, 3, 4, 11


def test_a_locked_mask_is_the_same_at_all_time_steps_and_another_in_each_row():
    torch.manual_seed(0)
    x = torch.rand(BATCH, SEQ, 400) + 1
    kept = locked_dropout(x, 0.3) / x
    assert torch.allclose(kept, kept[:, :1].expand_as(kept), atol=1e-6)
    assert not torch.allclose(kept[0], kept[1])
    values = kept.unique(sorted=True)
    assert values[0] == 0
    assert torch.allclose(values[1:], torch.tensor(1 / 0.7), atol=1e-6)
    assert (kept == 0).double().mean() == pytest.approx(0.3, abs=0.05)


def test_a_dropped_word_is_gone_wherever_it_stands():
    torch.manual_seed(0)
    weight = torch.rand(VOCAB, INPUT) + 1
    ids = torch.arange(VOCAB).repeat(SEQ)[: BATCH * SEQ].view(BATCH, SEQ)
    kept = embedding_dropout(weight, ids, 0.4) / weight[ids]  # 0 or 1 / 0.6
    of_word = torch.stack([kept[ids == word][0] for word in range(VOCAB)])
    assert torch.equal(kept, of_word[ids])
    assert torch.equal(kept > 0, kept[..., :1].expand_as(kept) > 0)
    assert torch.allclose(kept[kept > 0], torch.tensor(1 / 0.6))
    assert 0 < (of_word[:, 0] > 0).sum() < VOCAB


def test_weight_drop_is_a_cell_with_fewer_recurrent_weights():
    torch.manual_seed(1)
    layer = WeightDropLSTM(INPUT, HIDDEN, 0.5).double()
    cell = LSTMCell(INPUT, HIDDEN).double()
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            parameter.copy_(getattr(layer, f"{name}_l0"))
    x = torch.randn(BATCH, SEQ, INPUT, dtype=torch.float64)
    h, c = (torch.randn(BATCH, HIDDEN, dtype=torch.float64) for _ in range(2))

    torch.manual_seed(2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output, (last_h, last_c) = layer(x, (h[None], c[None]))
    output.square().sum().backward()

    torch.manual_seed(2)
    raw = cell.weight_hh
    del cell.weight_hh
    cell.weight_hh = dropout(raw, 0.5)
    outputs, state = [], (h, c)
    for t in range(SEQ):
        state = cell(x[:, t], state)
        outputs.append(state[0])
    expected = torch.stack(outputs, dim=1)
    expected.square().sum().backward()

    assert torch.allclose(output, expected, rtol=0, atol=1e-12)
    assert torch.allclose(last_h[0], state[0], rtol=0, atol=1e-12)
    assert torch.allclose(last_c[0], state[1], rtol=0, atol=1e-12)
    gradient = layer.weight_hh_l0.grad
    assert torch.allclose(gradient, raw.grad, rtol=0, atol=1e-12)
    assert torch.equal(gradient == 0, cell.weight_hh == 0)
    assert 0 < (gradient == 0).double().mean() < 1
    for name in ("weight_ih", "bias_ih", "bias_hh"):
        theirs = getattr(cell, name).grad
        assert torch.allclose(getattr(layer, f"{name}_l0").grad, theirs, atol=1e-12)


EVERY_KIND = {
    "dropout_embedding": 0.2,
    "dropout_input": 0.3,
    "dropout_hidden": 0.4,
    "dropout_output": 0.5,
    "weight_drop": 0.6,
}


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("name", EVERY_KIND)
def test_each_kind_acts_in_training_alone(name, locked):
    config = {"vocab_size": VOCAB, "embedding_size": INPUT, "hidden_size": HIDDEN}
    torch.manual_seed(0)
    plain = LSTMLanguageModel(LSTMConfig(**config, num_layers=2))
    kinds = LSTMConfig(**config, num_layers=2, locked=locked, **{name: 0.6})
    model = LSTMLanguageModel(kinds)
    model.load_state_dict(plain.state_dict())
    ids = torch.randint(VOCAB, (BATCH, SEQ))
    first, second = model(ids)[0], model(ids)[0]
    assert not torch.allclose(first, second)
    assert not torch.allclose(first, plain(ids)[0])
    model.eval()
    assert torch.equal(model(ids)[0], plain(ids)[0])


def test_awd_lstm_trains():
    torch.manual_seed(0)
    sizes = {"vocab_size": VOCAB, "embedding_size": 6, "hidden_size": 9}
    little = dict.fromkeys(EVERY_KIND, 0.05)
    model = LSTMLanguageModel(
        LSTMConfig(**sizes, num_layers=3, tied=True, locked=True, **little)
    )
    ids = torch.arange(BATCH * SEQ).view(BATCH, SEQ) % VOCAB
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    losses = []
    for _ in range(150):
        loss, _ = model.loss(ids, (ids + 1) % VOCAB)
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None for p in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 2.2
    model.eval()
    assert model.loss(ids, (ids + 1) % VOCAB)[0] < 1
