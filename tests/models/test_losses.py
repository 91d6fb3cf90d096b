"""The chunked loss against PyTorch's own, and the memory that it takes."""

import json
import subprocess
import sys

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from lmbook.errors import InputError
from lmbook.models.losses import activation_penalty, linear_cross_entropy
from tools.notebooks.paths import ROOT

COUNT, HIDDEN, VOCAB = 23, 6, 17


def inputs(dtype=torch.float32, scale=1.0, device="cpu"):
    torch.manual_seed(0)
    hidden = torch.randn(COUNT, HIDDEN)
    weight, bias = torch.randn(VOCAB, HIDDEN), torch.randn(VOCAB)
    leaves = [(scale * x).to(device, dtype) for x in (hidden, weight, bias)]
    targets = torch.randint(VOCAB, (COUNT,), device=device)
    return [x.requires_grad_() for x in leaves], targets


def plain(hidden, weight, bias, targets, reduction):
    return cross_entropy(linear(hidden, weight, bias), targets, reduction=reduction)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("chunk", [1, 5, COUNT, 1000, None])
def test_loss_and_gradients_are_cross_entropys(chunk, reduction):
    leaves, targets = inputs()
    expected = plain(*leaves, targets, reduction)
    loss = linear_cross_entropy(*leaves, targets, reduction, chunk)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    ours = torch.autograd.grad(3 * loss, leaves)
    theirs = torch.autograd.grad(3 * expected, leaves)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == torch.float32
        assert (a - b).abs().max() <= 1e-6 * b.abs().max()


def test_gradients_are_those_of_differences():
    leaves, targets = inputs(torch.float64)
    assert torch.autograd.gradcheck(
        lambda *leaves: linear_cross_entropy(*leaves, targets, chunk=7), leaves
    )


def test_scores_far_apart_give_a_finite_loss():
    leaves, targets = inputs(scale=30.0)
    expected = plain(*leaves, targets, "sum")
    assert expected > 10_000, "probabilities of 0 in float32"
    loss = linear_cross_entropy(*leaves, targets, "sum")
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_only_what_needs_a_gradient_gets_one():
    (hidden, weight, bias), targets = inputs()
    fixed = hidden.detach()
    linear_cross_entropy(fixed, weight, bias, targets).backward()
    expected = torch.autograd.grad(plain(fixed, weight, bias, targets, "mean"), weight)
    assert torch.allclose(weight.grad, expected[0], atol=1e-7)
    with torch.no_grad():
        assert not linear_cross_entropy(hidden, weight, bias, targets).requires_grad


def test_under_autocast_products_are_bfloat16_and_the_rest_is_not():
    leaves, targets = inputs()
    expected = plain(*leaves, targets, "mean")
    with torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(*leaves, targets, chunk=5)
        theirs = plain(*leaves, targets, "mean")
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(theirs.item(), rel=1e-2)
    assert loss.item() != pytest.approx(expected.item(), rel=1e-7)
    exact = torch.autograd.grad(expected, leaves)
    for a, b in zip(torch.autograd.grad(loss, leaves), exact, strict=True):
        assert a.dtype == torch.float32
        assert (a - b).abs().max() <= 0.02 * b.abs().max()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_it_is_the_same_on_a_gpu():
    leaves, targets = inputs(device="cuda")
    expected = plain(*leaves, targets, "mean")
    loss = linear_cross_entropy(*leaves, targets, chunk=5)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    theirs = torch.autograd.grad(expected, leaves)
    for a, b in zip(torch.autograd.grad(loss, leaves), theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_another_reduction_is_named():
    leaves, targets = inputs()
    with pytest.raises(InputError, match="reduction must be .* got 'none'"):
        linear_cross_entropy(*leaves, targets, "none")


def test_every_position_needs_a_target():
    leaves, targets = inputs()
    for wrong in (targets[:-1], targets[None], targets[:1]):
        with pytest.raises(InputError, match="positions need a target each, got"):
            linear_cross_entropy(*leaves, wrong)


PEAK = """
import json
import torch
from torch.nn.functional import cross_entropy, linear
from benchmarks.memory import peak_bytes
from lmbook.models.losses import linear_cross_entropy

def step(loss, count, vocab=50_000, size=16):
    hidden = torch.randn(count, size, requires_grad=True)
    weight = torch.zeros(vocab, size, requires_grad=True)
    bias = torch.zeros(vocab, requires_grad=True)
    loss(hidden, weight, bias, torch.arange(count)).backward()

def chunked(*args):
    return linear_cross_entropy(*args, chunk=64)

def plain(hidden, weight, bias, targets):
    return cross_entropy(linear(hidden, weight, bias), targets)

torch.set_num_threads(1)
step(chunked, 64)
peaks = [peak_bytes()]
for loss, count in ((chunked, 64), (chunked, 2000), (plain, 1000)):
    step(loss, count)
    peaks.append(peak_bytes())
print(json.dumps(peaks))
"""


def test_memory_does_not_grow_with_the_number_of_tokens():
    """50,000 words: 2,000 positions have 400 MB of scores, 64 have 13 MB."""
    command = [sys.executable, "-c", PEAK]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    start, again, many, plain_peak = json.loads(done.stdout)
    assert many - start < 20e6
    assert again - start < 20e6
    assert plain_peak - many > 200e6, "the measure sees what is not bounded"


def test_activation_penalty_by_its_formula():
    torch.manual_seed(0)
    hidden, dropped = torch.randn(5, 7, 3), torch.randn(5, 7, 3)
    changes = sum(
        (hidden[b, t + 1, f] - hidden[b, t, f]) ** 2
        for b in range(5)
        for t in range(6)
        for f in range(3)
    )
    expected = 2 * (dropped**2).sum() / 105 + 0.5 * changes / 90
    penalty = activation_penalty(hidden, dropped, size=2.0, change=0.5)
    assert penalty.item() == pytest.approx(expected.item(), rel=1e-5)
    one = activation_penalty(hidden[:, :1], dropped, size=2.0, change=0.5)
    assert one.item() == pytest.approx(2 * (dropped**2).mean().item(), rel=1e-5)
