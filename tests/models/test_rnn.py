"""The simple recurrent cell against PyTorch's; sizes all differ."""

import torch
from torch import nn

from lmbook.models.rnn import RNNCell

BATCH, SEQ, INPUT, HIDDEN = 5, 7, 3, 4


def test_cell_is_pytorchs_rnn_forward_and_backward():
    torch.manual_seed(0)
    ours = RNNCell(INPUT, HIDDEN).double()
    peer = nn.RNN(INPUT, HIDDEN, batch_first=True).double()
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            getattr(peer, f"{name}_l0").copy_(parameter)
    x = torch.randn(BATCH, SEQ, INPUT, dtype=torch.float64)
    start = torch.randn(BATCH, HIDDEN, dtype=torch.float64)
    weight = torch.randn(BATCH, SEQ, HIDDEN, dtype=torch.float64)

    def unrolled(x, h):
        outputs = []
        for t in range(SEQ):
            h = ours(x[:, t], h)
            outputs.append(h)
        return torch.stack(outputs, dim=1)

    found = []
    for run in (unrolled, lambda x, h: peer(x, h[None])[0]):
        leaves = [tensor.clone().requires_grad_() for tensor in (x, start)]
        output = run(*leaves)
        (output * weight).sum().backward()
        found.append([output, *(leaf.grad for leaf in leaves)])
    for mine, theirs in zip(*found, strict=True):
        assert mine.shape == theirs.shape
        assert torch.allclose(mine, theirs, rtol=0, atol=1e-12)
    for name, parameter in ours.named_parameters():
        expected = getattr(peer, f"{name}_l0").grad
        assert torch.allclose(parameter.grad, expected, rtol=0, atol=1e-12), name


def test_jacobian_is_what_autograd_finds():
    torch.manual_seed(1)
    cell = RNNCell(INPUT, HIDDEN).double()
    x = torch.randn(BATCH, INPUT, dtype=torch.float64)
    h = torch.randn(BATCH, HIDDEN, dtype=torch.float64)
    ours = cell.jacobian(cell(x, h))
    for row in range(BATCH):

        def step(state, row=row):
            return cell(x[row : row + 1], state[None])[0]

        expected = torch.autograd.functional.jacobian(step, h[row])
        assert torch.allclose(ours[row], expected, rtol=0, atol=1e-14)


def test_initial_weights_lie_in_pytorchs_range():
    torch.manual_seed(2)
    cell = RNNCell(300, 64)
    for parameter in cell.parameters():
        assert parameter.abs().max() <= 64**-0.5
    assert cell.weight_ih.abs().max() > 0.99 * 64**-0.5
