"""Training speed: lmbook's loop against the plain PyTorch one, same model, same text.

The plain loop is what a reader would write first: the same layers, cross-entropy
over all positions, Adam as it comes.  lmbook's also clips the gradient, changes the
rate and checks the loss.  The two take turns, so that a busy machine slows both.
"""

import dataclasses
import time
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lmbook.text import ContiguousBatches, LanguageData, load_data
from lmbook.training import train
from lmbook.training.presets import PRESETS, new_model

SEED = 0
PRESET = PRESETS["article"]


class Plain(nn.Module):
    """nn.Embedding, nn.LSTM, nn.Linear: as in the documentation."""

    def __init__(self) -> None:
        super().__init__()
        sizes = PRESET.model
        self.embedding = nn.Embedding(sizes.vocab_size, sizes.embedding_size)
        self.lstm = nn.LSTM(
            sizes.embedding_size, sizes.hidden_size, sizes.num_layers, batch_first=True
        )
        self.output = nn.Linear(sizes.hidden_size, sizes.vocab_size)

    def forward(self, ids, state):
        hidden, state = self.lstm(self.embedding(ids), state)
        return self.output(hidden), state


def plain_loop(data: LanguageData, steps: int) -> tuple[float, list[float]]:
    """Tokens per second, and the loss of every step."""
    model = Plain()
    model.load_state_dict(new_model(PRESET.model, SEED).state_dict())
    config = PRESET.train
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    batches = ContiguousBatches(data.train, config.batch_size, config.seq_len)
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
    return tokens / (time.perf_counter() - start), losses


def lmbook_loop(data: LanguageData, steps: int) -> tuple[float, float]:
    """Tokens per second, and the mean loss."""
    config = dataclasses.replace(
        PRESET.train, epochs=None, max_steps=steps, evaluations=1, device="cpu"
    )
    last = train(new_model(PRESET.model, SEED), data, config).last
    return last["tokens_per_second"], last["train_nats"]


def run(rounds: int = 5, steps: int = 60) -> dict[str, Any]:
    """Both loops in turn; the ratio is the median of the rounds' ratios."""
    full = load_data("docstrings", PRESET.model.vocab_size)
    data = LanguageData(
        full.tokenizer, full.train, full.valid[:2], full.test, full.num_chars
    )
    # From the same weights, the first step's loss is the same: they do one work.
    first_of_each = plain_loop(data, 1)[1][0], lmbook_loop(data, 1)[1]
    assert np.isclose(*first_of_each, rtol=1e-5), first_of_each
    plain, ours = [], []
    for _ in range(rounds):
        plain.append(plain_loop(data, steps)[0])
        ours.append(lmbook_loop(data, steps)[0])
    return {
        "what": "tokens per second of training, article preset, CPU",
        "peer": "nn.Embedding, nn.LSTM, nn.Linear, cross_entropy, Adam",
        "seed": SEED,
        "steps_per_round": steps,
        "batch_size": PRESET.train.batch_size,
        "seq_len": PRESET.train.seq_len,
        "lmbook_tokens_per_second": [round(x) for x in ours],
        "peer_tokens_per_second": [round(x) for x in plain],
        "ratio": round(median(a / b for a, b in zip(ours, plain, strict=True)), 3),
    }
