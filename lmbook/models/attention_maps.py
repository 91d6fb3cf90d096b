r"""What every head of a trained GPT looks at: the weights, and its place in the sum.

:func:`lmbook.models.gpt.GPT` computes attention in one fused operation that never
holds the weights.  Here they are computed again from the model's own parts.  Taught
in section 3.6.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor

from lmbook.errors import InputError
from lmbook.models.attention import attention_weights
from lmbook.models.gpt import GPT, Block
from lmbook.models.rotary import frequencies, rotation

Head = tuple[int, int]  # layer and head, from 0


@torch.no_grad()
def attention_maps(model: GPT, ids: Tensor) -> Tensor:
    r"""Weights :math:`A_{lhij}`: how much position i takes from j in head h of layer l.

    ``ids`` (batch, seq_len), at most ``model.context_length`` long, give (batch,
    num_layers, num_heads, seq_len, seq_len); rows sum to 1, and above the diagonal all
    is 0.  Nothing is dropped, in training mode either.  ``InputError`` for ids of
    another shape or length.
    """
    config = model.config
    if ids.ndim != 2 or not 1 <= ids.shape[1] <= config.context_length:
        raise InputError(
            f"ids must be (batch, 1 to {config.context_length}), "
            f"got shape {tuple(ids.shape)}"
        )
    seq_len, device = ids.shape[1], ids.device
    turn = None
    x = model.embedding(ids)  # (batch, seq_len, hidden_size)
    if config.position == "learned":
        x = x + model.positions.weight[:seq_len]
    else:
        theta, scaling = config.rotary_theta, config.rotary_scaling
        turns = frequencies(config.head_dim, theta, scaling, device)
        turn = rotation(turns, 0, seq_len)
    was_training = model.training
    model.eval()
    layers = []
    for block in _blocks(model):
        q, k, _ = block.attention.project(block.attention_norm(x), turn)
        layers.append(attention_weights(q, k))
        x, _ = block(x, turn, None)
    model.train(was_training)
    return torch.stack(layers, dim=1)


@contextmanager
def silenced(model: GPT, heads: Iterable[Head]) -> Iterator[GPT]:
    """The model without these heads: what they would add to the stream is 0.

    ``heads`` are pairs (layer, head), from 0.  Their columns of the layer's output
    matrix are zero inside the block, and what they were after it.  ``InputError``
    for a head that the model doesn't have.
    """
    config, chosen, blocks = model.config, list(heads), _blocks(model)
    for layer, head in chosen:
        if not (0 <= layer < config.num_layers and 0 <= head < config.num_heads):
            raise InputError(
                f"there are {config.num_layers} layers of {config.num_heads} heads, "
                f"counted from 0; got head {head} of layer {layer}"
            )
    kept = {
        layer: blocks[layer].attention.output.weight.detach().clone()
        for layer, _ in chosen
    }
    with torch.no_grad():
        for layer, head in chosen:
            columns = slice(head * config.head_dim, (head + 1) * config.head_dim)
            blocks[layer].attention.output.weight[:, columns] = 0
    try:
        yield model
    finally:
        with torch.no_grad():
            for layer, weight in kept.items():
                blocks[layer].attention.output.weight.copy_(weight)


def _blocks(model: GPT) -> list[Block]:
    return [cast(Block, block) for block in model.blocks]
