"""The same model on our tensors and in PyTorch: the same losses, step after step."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy as torch_cross_entropy

from lmbook.backprop import (
    MLP,
    SGD,
    Adam,
    Module,
    Tensor,
    concatenate,
    cross_entropy,
    mean_squared_error,
    sigmoid,
    stack,
    tanh,
)
from lmbook.backprop.language import (
    AttentionLanguageModel,
    CausalAttention,
    NeuralLanguageModel,
)

STEPS = 20
BATCH, SEQ, INPUT, HIDDEN, VOCAB, HEADS = 5, 7, 3, 4, 11, 2
RNG = np.random.default_rng(0)
OPTIMIZERS = {
    "sgd": (lambda p: SGD(p, 0.1), lambda p: torch.optim.SGD(p, 0.1)),
    "momentum": (
        lambda p: SGD(p, 0.05, momentum=0.9),
        lambda p: torch.optim.SGD(p, 0.05, momentum=0.9),
    ),
    "adam": (lambda p: Adam(p, 0.01), lambda p: torch.optim.Adam(p, 0.01)),
    "adam with its own numbers": (
        lambda p: Adam(p, 0.02, betas=(0.8, 0.95), eps=1e-4),
        lambda p: torch.optim.Adam(p, 0.02, betas=(0.8, 0.95), eps=1e-4),
    ),
}


def same_losses(ours, our_loss, theirs, their_loss, optimizers, tolerance=1e-6):
    """Train both from our weights for 20 steps and compare every loss."""
    peers = list(theirs)
    assert len(ours) == len(peers)
    with torch.no_grad():
        for mine, peer in zip(ours, peers, strict=True):
            peer.copy_(torch.from_numpy(mine.data))
    make_ours, make_theirs = optimizers
    pair = (make_ours(ours), our_loss), (make_theirs(peers), their_loss)
    losses = [[], []]
    for _ in range(STEPS):
        for (optimizer, loss_of), found in zip(pair, losses, strict=True):
            loss = loss_of()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
    mine, peer = np.array(losses)
    assert peer[-1] < 0.999 * peer[0]  # it does learn, so the weights do move
    assert np.abs(mine - peer).max() <= tolerance * np.abs(peer).max()


@pytest.mark.parametrize("optimizers", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "gelu"])
def test_mlp(activation, optimizers):
    x, goal = RNG.normal(size=(BATCH, INPUT)), RNG.normal(size=(BATCH, 2))
    ours = MLP([INPUT, HIDDEN, 6, 2], activation, seed=1)
    bend = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}
    theirs = nn.Sequential(
        nn.Linear(INPUT, HIDDEN),
        bend[activation](),
        nn.Linear(HIDDEN, 6),
        bend[activation](),
        nn.Linear(6, 2),
    ).double()
    same_losses(
        ours.parameters(),
        lambda: mean_squared_error(ours(x), goal),
        theirs.parameters(),
        lambda: nn.functional.mse_loss(theirs(torch.tensor(x)), torch.tensor(goal)),
        optimizers,
    )


class OurLSTM(Module):
    """An LSTM over a sequence, step by step, with PyTorch's names and gate order."""

    def __init__(self):
        def uniform(*shape):
            return Tensor(RNG.uniform(-0.5, 0.5, shape), requires_grad=True)

        self.weight_ih, self.weight_hh = (
            uniform(4 * HIDDEN, INPUT),
            uniform(4 * HIDDEN, HIDDEN),
        )
        self.bias_ih, self.bias_hh = uniform(4 * HIDDEN), uniform(4 * HIDDEN)
        self.head = uniform(VOCAB, HIDDEN)

    def step(self, x, h, c):
        joined = concatenate([x, h], axis=1)
        weight = concatenate([self.weight_ih, self.weight_hh], axis=1)
        z = joined @ weight.T + self.bias_ih + self.bias_hh
        i, f, g, o = (z[:, k * HIDDEN : (k + 1) * HIDDEN] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        return sigmoid(o) * tanh(c), c

    def __call__(self, x):
        h = c = Tensor(np.zeros((BATCH, HIDDEN)))
        outputs = []
        for t in range(SEQ):
            h, c = self.step(Tensor(x[:, t]), h, c)
            outputs.append(h)
        return stack(outputs, axis=1) @ self.head.T


@pytest.mark.parametrize("optimizers", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_lstm(optimizers):
    x = RNG.normal(size=(BATCH, SEQ, INPUT))
    goal = RNG.integers(0, VOCAB, (BATCH, SEQ))
    ours = OurLSTM()
    lstm = nn.LSTM(INPUT, HIDDEN, batch_first=True).double()
    head = nn.Linear(HIDDEN, VOCAB, bias=False).double()
    same_losses(
        ours.parameters(),
        lambda: cross_entropy(ours(x), goal),
        [*lstm.parameters(), *head.parameters()],
        lambda: torch_cross_entropy(
            head(lstm(torch.tensor(x))[0]).flatten(0, 1), torch.tensor(goal).flatten()
        ),
        optimizers,
    )


class TheirBlock(nn.Module):
    """The attention language model in PyTorch's own modules."""

    def __init__(self, width):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, width)
        self.positions = nn.Parameter(torch.zeros(SEQ + 1, width))
        self.projections = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.mlp = nn.ModuleList([nn.Linear(width, 4 * width)])
        self.mlp.append(nn.Linear(4 * width, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.bias = nn.Parameter(torch.zeros(VOCAB))

    def attention(self, x):
        q, k, v = (
            projection(x).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for projection in self.projections[:3]
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.projections[3](mixed.transpose(1, 2).flatten(2))

    def forward(self, ids):
        x = self.embedding(ids) + self.positions[: ids.shape[1]]
        x = x + self.attention(self.norms[0](x))
        x = x + self.mlp[1](nn.functional.gelu(self.mlp[0](self.norms[1](x))))
        return self.norms[2](x) @ self.embedding.weight.T + self.bias

    def in_our_order(self):
        parts = (self.projections, self.mlp, self.norms)
        inner = [p for part in parts for p in part.parameters()]
        return [self.embedding.weight, self.positions, *inner, self.bias]


@pytest.mark.parametrize("optimizers", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_attention_block(optimizers):
    width = 6
    ids = RNG.integers(0, VOCAB, (BATCH, SEQ))
    goal = RNG.integers(0, VOCAB, (BATCH, SEQ))
    ours = AttentionLanguageModel(
        VOCAB, SEQ + 1, width, HEADS, seed=3, dtype=np.float64
    )
    theirs = TheirBlock(width).double()
    same_losses(
        ours.parameters(),
        lambda: cross_entropy(ours(ids), goal),
        theirs.in_our_order(),
        lambda: torch_cross_entropy(
            theirs(torch.tensor(ids)).flatten(0, 1), torch.tensor(goal).flatten()
        ),
        optimizers,
    )


@pytest.mark.parametrize("optimizers", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_neural_language_model(optimizers):
    context = 3
    ids = RNG.integers(0, VOCAB, (BATCH, context))
    goal = RNG.integers(0, VOCAB, BATCH)
    ours = NeuralLanguageModel(VOCAB, context, 4, 6, seed=4, dtype=np.float64)
    embedding = nn.Embedding(VOCAB, 4).double()
    net = nn.Sequential(nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, VOCAB)).double()
    same_losses(
        ours.parameters(),
        lambda: cross_entropy(ours(ids), goal),
        [*embedding.parameters(), *net.parameters()],
        lambda: torch_cross_entropy(
            net(embedding(torch.tensor(ids)).flatten(1)), torch.tensor(goal)
        ),
        optimizers,
    )


def test_attention_looks_back_only():
    attention = CausalAttention(6, HEADS, seed=5, dtype=np.float64)
    x = RNG.normal(size=(BATCH, SEQ, 6))
    weights = attention.weights(Tensor(x)).data
    assert weights.shape == (BATCH, HEADS, SEQ, SEQ)
    assert np.allclose(weights.sum(-1), 1)
    assert not np.triu(weights, 1).any()
    changed = x.copy()
    changed[:, 4:] += 1
    same = attention(Tensor(x)).data[:, :4], attention(Tensor(changed)).data[:, :4]
    assert np.array_equal(*same)


def test_shorter_contexts_and_wrong_ones():
    model = AttentionLanguageModel(VOCAB, SEQ, 6, HEADS, seed=3)
    ids = RNG.integers(0, VOCAB, (BATCH, SEQ))
    whole = model(ids).data
    assert np.allclose(model(ids[:, :3]).data, whole[:, :3], atol=1e-5)
    with pytest.raises(ValueError, match=r"1 to 7\).*\(5, 8\)"):
        model(np.zeros((5, 8), int))
    with pytest.raises(ValueError, match=r"\(batch, 3\), got \(5, 4\)"):
        NeuralLanguageModel(VOCAB, 3)(np.zeros((5, 4), int))
    with pytest.raises(ValueError, match="width 6 and 4 heads"):
        CausalAttention(6, 4)
