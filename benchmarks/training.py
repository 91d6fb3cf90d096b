"""Training speed: lmbook's loop against the plain PyTorch one, same model, same text.

The plain loop is what a reader would write first: the same layers, cross-entropy
over all positions, Adam as it comes.  lmbook's also measures the gradient's norm,
sets the rate and checks the loss; neither is let change anything here, so that both
must make the same steps.  The two take turns, so that a busy machine slows both.

The headline is for windows of ``SEQ_LEN`` words; the preset's own are shorter, for
more steps, and leave less to gain: what a step costs apart from its tokens (Adam, the
gradient of the vectors) is shared among fewer of them.

What is done is counted as 6 operations a weight that is multiplied and a token (two
forward, four backward), and held to the rate of a plain matrix product measured in
the same round.
"""

import dataclasses
import resource
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lmbook.models.lstm import LSTMConfig
from lmbook.text import ContiguousBatches, LanguageData, load_data
from lmbook.training import train
from lmbook.training.devices import uses_bf16
from lmbook.training.presets import PRESETS, new_model

SEED = 0
PRESET = PRESETS["article"]
SEQ_LEN = 35  # as long as the article_setup benchmark's
SEGMENTS = 5  # of a round, whose mean losses are compared


class Plain(nn.Module):
    """nn.Embedding, nn.LSTM, nn.Linear: as in the documentation."""

    def __init__(self, sizes: LSTMConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocab_size, sizes.embedding_size)
        self.lstm = nn.LSTM(
            sizes.embedding_size, sizes.hidden_size, sizes.num_layers, batch_first=True
        )
        self.output = nn.Linear(sizes.hidden_size, sizes.vocab_size)

    def forward(self, ids, state):
        hidden, state = self.lstm(self.embedding(ids), state)
        return self.output(hidden), state


def plain_model() -> Plain:
    """With the weights that lmbook's begins with."""
    model = Plain(PRESET.model)
    weights = {}
    for name, weight in new_model(PRESET.model, SEED).state_dict().items():
        if name.startswith("layers."):  # layers.1.bias_ih_l0 is lstm.bias_ih_l1
            _, number, name = name.split(".")
            name = f"lstm.{name.removesuffix('0')}{number}"
        weights[name] = weight
    model.load_state_dict(weights)
    return model


def plain_loop(
    data: LanguageData, steps: int, seq_len: int
) -> tuple[float, list[float]]:
    """Tokens per second, and the mean losses of the segments."""
    model = plain_model()
    config = PRESET.train
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    batches = ContiguousBatches(data.train, config.batch_size, seq_len)
    state, losses, tokens = None, [], 0
    start = time.perf_counter()
    for (inputs, targets), _ in zip(batches, range(steps), strict=False):
        logits, state = model(torch.from_numpy(inputs), state)
        state = (state[0].detach(), state[1].detach())
        goal = torch.from_numpy(targets)
        loss = cross_entropy(logits.flatten(0, 1), goal.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        tokens += goal.numel()
    speed = tokens / (time.perf_counter() - start)
    parts = np.array_split(losses, min(SEGMENTS, len(losses)))
    return speed, [float(part.mean()) for part in parts]


def lmbook_loop(
    data: LanguageData, steps: int, seq_len: int, precision: str = "float32"
) -> tuple[float, list[float]]:
    """The same two of lmbook's loop."""
    config = dataclasses.replace(
        PRESET.train,
        seq_len=seq_len,
        schedule="constant",
        clip_norm=1e9,  # never reached
        epochs=None,
        max_steps=steps,
        evaluations=min(SEGMENTS, steps),
        precision=precision,
        device="cpu",
    )
    history = train(new_model(PRESET.model, SEED), data, config)
    return history.last["tokens_per_second"], history.column("train_nats")


def product_rate(size: int = 2048, times: int = 5) -> float:
    """Operations a second of a float32 matrix product; the best of some."""
    a, b = torch.randn(2, size, size)
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def operations_a_token(config: LSTMConfig) -> int:
    """Six for each weight that a product is made with: all matrices but the first."""
    layers = sum(4 * h * (n + h) for n, h in config.layer_sizes)
    return 6 * (layers + config.layer_sizes[-1][1] * config.vocab_size)


def _faults(loop: Callable[[], tuple[float, list[float]]]) -> tuple[Any, int]:
    """What the loop returns, and how many pages of memory it had to be given."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    result = loop()
    return result, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def run(rounds: int = 5, steps: int = 30) -> dict[str, Any]:
    """Both lengths of window; ``steps`` is a multiple of ``SEGMENTS``, or less."""
    full = load_data("docstrings", PRESET.model.vocab_size)
    data = dataclasses.replace(full, valid=full.valid[:2])  # no time goes into it
    longer = compare(data, SEQ_LEN, rounds, steps)
    own = compare(data, PRESET.train.seq_len, rounds, 4 * steps)
    return {
        "what": "tokens per second of training, the article's sizes, CPU",
        "peer": "nn.Embedding, nn.LSTM, nn.Linear, cross_entropy, Adam",
        "seed": SEED,
        "batch_size": PRESET.train.batch_size,
        "operations_a_token": operations_a_token(PRESET.model),
        "ratio": longer["ratio"],
        "by_seq_len": [longer, own],
    }


def compare(
    data: LanguageData, seq_len: int, rounds: int, steps: int
) -> dict[str, Any]:
    """The loops in turn; each ratio is the median of the rounds' ratios."""
    loops: dict[str, Callable[[], tuple[float, list[float]]]] = {
        "plain": lambda: plain_loop(data, steps, seq_len),
        "lmbook": lambda: lmbook_loop(data, steps, seq_len),
    }
    if uses_bf16("fast", torch.device("cpu")):
        loops["lmbook_bf16"] = lambda: lmbook_loop(data, steps, seq_len, "bf16")
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    losses, faults, rates = {}, {}, []
    for _ in range(rounds):
        rates.append(product_rate())
        for name, loop in loops.items():
            (speed, losses[name]), faults[name] = _faults(loop)
            speeds[name].append(speed)
    # From the same weights on the same text: they do one work.
    difference = np.abs(np.subtract(losses["plain"], losses["lmbook"])).max()
    assert difference < 0.01, losses
    work = operations_a_token(PRESET.model)

    def ratio(name: str, to: list[float]) -> float:
        return median(a / b for a, b in zip(speeds[name], to, strict=True))

    return {
        "seq_len": seq_len,
        "steps_per_round": steps,
        "tokens_per_second": {n: [round(s) for s in v] for n, v in speeds.items()},
        "ratio": round(ratio("lmbook", speeds["plain"]), 3),
        "ratio_bf16": round(ratio("lmbook_bf16", speeds["plain"]), 3)
        if "lmbook_bf16" in loops
        else None,
        "product_gflops_per_second": [round(rate / 1e9) for rate in rates],
        "share_of_product_rate": {
            name: round(work * ratio(name, rates), 3) for name in ("plain", "lmbook")
        },
        "page_faults_a_step": {n: round(count / steps) for n, count in faults.items()},
        "losses": {n: [round(x, 4) for x in v] for n, v in losses.items()},
        "largest_difference_of_losses": float(f"{difference:.1e}"),
    }
