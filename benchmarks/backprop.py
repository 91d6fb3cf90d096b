"""How fast our NumPy autograd trains: against PyTorch, and against one object a number.

The same model from the same weights, the same batches, the same optimiser, on the same
CPU.  The sides take turns, round by round, so that a busy machine slows all of them.
A step is forward, backward and update.  ``ratio`` is our time over PyTorch's; the
scalar peer is micrograd, with the loss that it can express (the squared error).
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy as torch_cross_entropy

from lmbook.backprop import MLP, SGD, Adam, Tensor, cross_entropy, mean_squared_error
from lmbook.backprop.language import NeuralLanguageModel
from lmbook.text import load_data

SEED = 0
DIGITS = [64, 64, 10]
VOCAB, CONTEXT, EMBEDDING, HIDDEN = 5000, 4, 60, 100
BATCHES = (64, 256)
DTYPES = ("float32", "float64")

Step = Callable[[], float]


class TorchNeuralLanguageModel(nn.Module):
    """Bengio et al. 2003 as one writes it in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, EMBEDDING)
        self.hidden = nn.Linear(CONTEXT * EMBEDDING, HIDDEN)
        self.output = nn.Linear(HIDDEN, VOCAB)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.output(torch.tanh(self.hidden(self.embedding(ids).flatten(1))))


def _step(model, loss_of, optimizer) -> Step:
    """One training step of either side: the two interfaces are the same."""

    def step() -> float:
        loss = loss_of(model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def digits_steps(batch: int, dtype: str) -> tuple[Step, Step]:
    """A step of ours and one of PyTorch's, on scanned digits."""
    digits = load_digits()
    x = (digits.data[:batch] / 16).astype(dtype)
    labels = digits.target[:batch]
    ours = MLP(DIGITS, "relu", seed=SEED, dtype=dtype)
    theirs = nn.Sequential(
        nn.Linear(DIGITS[0], DIGITS[1]), nn.ReLU(), nn.Linear(DIGITS[1], DIGITS[2])
    ).to(getattr(torch, dtype))
    return _pair(ours, theirs, x, torch.from_numpy(x), labels)


def language_steps(batch: int, dtype: str) -> tuple[Step, Step]:
    """A step of ours and one of PyTorch's, on the first windows of a real text."""
    ids = load_data("docstrings", VOCAB).train[: batch + CONTEXT]
    windows = np.lib.stride_tricks.sliding_window_view(ids, CONTEXT + 1)
    contexts, nexts = windows[:, :-1], windows[:, -1]
    ours = NeuralLanguageModel(
        VOCAB, CONTEXT, EMBEDDING, HIDDEN, seed=SEED, dtype=dtype
    )
    theirs = TorchNeuralLanguageModel().to(getattr(torch, dtype))
    return _pair(ours, theirs, contexts, torch.tensor(contexts), nexts)


def _pair(ours, theirs, x, x_torch, labels) -> tuple[Step, Step]:
    with torch.no_grad():
        for mine, peer in zip(ours.parameters(), theirs.parameters(), strict=True):
            peer.copy_(torch.from_numpy(mine.data))
    goal = torch.tensor(labels)
    return (
        _step(
            *(ours, lambda model: cross_entropy(model(x), labels)),
            Adam(ours.parameters(), 1e-3),
        ),
        _step(
            *(theirs, lambda model: torch_cross_entropy(model(x_torch), goal)),
            torch.optim.Adam(theirs.parameters(), 1e-3, fused=True),
        ),
    )


def scalar_steps(batch: int) -> tuple[Step, Step]:
    """A step of ours and one of micrograd's: digits, squared error, plain descent."""
    from micrograd.nn import MLP as ScalarMLP

    digits = load_digits()
    x = digits.data[:batch] / 16
    goal = np.eye(10)[digits.target[:batch]]
    ours = MLP(DIGITS, "relu", seed=SEED)
    theirs = ScalarMLP(DIGITS[0], DIGITS[1:])
    for layer, peer in zip(ours.layers, theirs.layers, strict=True):
        for row, bias, neuron in zip(
            layer.weight.data, layer.bias.data, peer.neurons, strict=True
        ):
            for number, weight in zip(row, neuron.w, strict=True):
                weight.data = float(number)
            neuron.b.data = float(bias)

    def scalar_step() -> float:
        outputs = [theirs(list(row)) for row in x]
        loss = sum(
            (value - float(wanted)) ** 2
            for row, answer in zip(outputs, goal, strict=True)
            for value, wanted in zip(row, answer, strict=True)
        ) * (1 / goal.size)
        theirs.zero_grad()
        loss.backward()
        for parameter in theirs.parameters():
            parameter.data -= 0.1 * parameter.grad
        return float(loss.data)

    return (
        _step(
            *(ours, lambda model: mean_squared_error(model(Tensor(x)), goal)),
            SGD(ours.parameters(), 0.1),
        ),
        scalar_step,
    )


def compare(pair: tuple[Step, Step], rounds: int, steps: int) -> dict[str, Any]:
    """Milliseconds a step for both, taking turns; the first losses are checked."""
    first = [step() for step in pair]
    assert np.isclose(*first, rtol=1e-4), first
    for step in pair:
        step()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for step, found in zip(pair, times, strict=True):
            start = time.perf_counter()
            for _ in range(steps):
                step()
            found.append((time.perf_counter() - start) / steps * 1e3)
    ours, peer = times
    return {
        "our_ms_per_step": round(median(ours), 4),
        "peer_ms_per_step": round(median(peer), 4),
        "ratio": round(median(a / b for a, b in zip(ours, peer, strict=True)), 4),
    }


def run(rounds: int = 9) -> dict[str, Any]:
    """Every size, batch and precision; the headline is the worst ratio."""
    torch.manual_seed(SEED)
    against_torch = []
    for model, make, steps in (
        ("digits MLP 64-64-10", digits_steps, 200),
        ("neural language model", language_steps, 10),
    ):
        for batch in BATCHES:
            for dtype in DTYPES:
                found = compare(make(batch, dtype), rounds, steps)
                case = {"model": model, "batch_size": batch, "dtype": dtype}
                against_torch.append(case | found)
    scalar = {"model": "digits MLP 64-64-10", "batch_size": BATCHES[0]}
    scalar |= _one_slow_round(*scalar_steps(BATCHES[0]))
    return {
        "what": "time of a training step, our autograd over the peer's, CPU",
        "peer": "PyTorch with torch.optim.Adam(fused=True), its fastest on a CPU",
        "seed": SEED,
        "language_model": {
            "vocab_size": VOCAB,
            "context_size": CONTEXT,
            "embedding_size": EMBEDDING,
            "hidden_size": HIDDEN,
        },
        "against_pytorch": against_torch,
        "against_a_scalar_engine": {"peer": "micrograd 0.1.0"} | scalar,
        "ratio": max(row["ratio"] for row in against_torch),
    }


def _one_slow_round(ours: Step, scalar: Step) -> dict[str, float]:
    """The scalar engine needs seconds a step: two steps of it, many of ours."""
    assert np.isclose(ours(), scalar(), rtol=1e-9)
    found = []
    for step, times in ((ours, 500), (scalar, 2), (ours, 500)):
        start = time.perf_counter()
        for _ in range(times):
            step()
        found.append((time.perf_counter() - start) / times * 1e3)
    mine = max(found[0], found[2])
    return {
        "our_ms_per_step": round(mine, 4),
        "peer_ms_per_step": round(found[1], 1),
        "times_faster": round(found[1] / mine),
    }


def table(results: dict[str, Any]) -> str:
    """The record against PyTorch as the Markdown table that section 3.2 shows."""
    names = {
        "digits MLP 64-64-10": "数字，64–64–10",
        "neural language model": "神经语言模型",
    }
    lines = [
        "| 模型 | 批 | 精度 | 我们（毫秒每步） | PyTorch | 之比 |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for row in results["against_pytorch"]:
        ours, peer = row["our_ms_per_step"], row["peer_ms_per_step"]
        lines.append(
            f"| {names[row['model']]} | {row['batch_size']} | {row['dtype']} "
            f"| {ours:.2f} | {peer:.2f} | {row['ratio']:.2f} |"
        )
    return "\n".join(lines)
