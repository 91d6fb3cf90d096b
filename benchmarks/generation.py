"""Greedy tokens of a GPT-2 of 124 million weights against ``transformers``.

The weights are random, saved by ``transformers`` and loaded by ``GPT``.  Both sides
write the same tokens, which is asserted, with all threads of the machine, and take
turns; a round that warms up is not counted.  ``ratio`` is the worst of the library's
times over ours.
"""

import tempfile
from importlib.metadata import version
from statistics import median
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.tokenizers import timed
from lmbook.generation import GREEDY, generate
from lmbook.models.gpt import GPT

SEED = 0
# (rows, tokens of each prompt, new tokens)
CASES = ((1, 16, 128), (1, 512, 64), (8, 16, 64))
Tokens = list[list[int]]


def models(config: GPT2Config) -> tuple[GPT, GPT2LMHeadModel]:
    """One set of random weights, large enough for the tokens to differ."""
    torch.manual_seed(SEED)
    peer = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in peer.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=1.4 * config.n_embd**-0.5)
    with tempfile.TemporaryDirectory() as folder:
        peer.save_pretrained(folder)
        return GPT.from_pretrained(folder), peer


def written_by_us(model: GPT, prompts: Tokens, length: int) -> Tokens:
    """``length`` greedy tokens after each prompt."""
    return generate(model, prompts, length, GREEDY)


def written_by_peer(peer: GPT2LMHeadModel, prompts: Tokens, length: int) -> Tokens:
    """The same, by the library."""
    ids = torch.tensor(prompts)
    found = peer.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        min_new_tokens=length,
        max_new_tokens=length,
        do_sample=False,
        pad_token_id=0,
    )
    return found[:, ids.shape[1] :].tolist()


def run(
    config: GPT2Config | None = None,
    cases: tuple[tuple[int, int, int], ...] = CASES,
    rounds: int = 5,
) -> dict[str, Any]:
    """Every case, in so many rounds."""
    config = config or GPT2Config(eos_token_id=None, bos_token_id=None)
    ours, peer = models(config)
    random = torch.Generator().manual_seed(SEED)
    rows = []
    for batch, prompt_length, length in cases:
        prompts = torch.randint(
            config.vocab_size, (batch, prompt_length), generator=random
        ).tolist()
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds + 1):
            our_s, our_tokens = timed(written_by_us, ours, prompts, length)
            peer_s, tokens = timed(written_by_peer, peer, prompts, length)
            assert our_tokens == tokens
            times[0].append(our_s)
            times[1].append(peer_s)
        our_s, peer_s = (median(some[1:]) for some in times)
        rows.append(
            {
                "rows": batch,
                "prompt_tokens": prompt_length,
                "new_tokens": length,
                "different_tokens": len({t for row in tokens for t in row}),
                "our_seconds": round(our_s, 3),
                "peer_seconds": round(peer_s, 3),
                "our_tokens_per_second": round(batch * length / our_s, 1),
                "ratio": round(peer_s / our_s, 3),
            }
        )
    return {
        "what": "greedy tokens with a cache of keys and values, CPU, float32",
        "peer": f"generate of transformers {version('transformers')}, same weights",
        "seed": SEED,
        "parameters": ours.config.num_parameters,
        "cases": rows,
        "ratio": min(row["ratio"] for row in rows),
    }
