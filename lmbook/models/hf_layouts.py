"""How Hugging Face's GPT-2, Llama and Qwen3 name and lay out what a GPT has.

Names and shapes are those that ``transformers`` writes.  GPT-2 keeps the matrices of
its linear layers transposed (Conv1D: inputs × outputs) and queries, keys and values in
one; Llama and Qwen3 keep one matrix for each, as ``torch.nn.Linear`` has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lmbook.errors import InputError
from lmbook.models.gpt_config import GPTConfig

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Their names of our modules; of the parts of one, where they keep several."""

    outside: dict[str, str]
    block: str  # what precedes the number of a block
    inside: dict[str, tuple[str, ...]]
    transposed: tuple[str, ...] = ()


GPT2 = Layout(
    outside={
        "embedding": "transformer.wte",
        "positions": "transformer.wpe",
        "norm": "transformer.ln_f",
        "output": "lm_head",
    },
    block="transformer.h",
    inside={
        "attention_norm": ("ln_1",),
        "attention.qkv": ("attn.c_attn",),
        "attention.output": ("attn.c_proj",),
        "feed_forward_norm": ("ln_2",),
        "feed_forward.up": ("mlp.c_fc",),
        "feed_forward.down": ("mlp.c_proj",),
    },
    transposed=("c_attn", "c_proj", "c_fc"),
)
LLAMA = Layout(
    outside={
        "embedding": "model.embed_tokens",
        "norm": "model.norm",
        "output": "lm_head",
    },
    block="model.layers",
    inside={
        "attention_norm": ("input_layernorm",),
        "attention.qkv": tuple(f"self_attn.{x}_proj" for x in "qkv"),
        "attention.q_norm": ("self_attn.q_norm",),
        "attention.k_norm": ("self_attn.k_norm",),
        "attention.output": ("self_attn.o_proj",),
        "feed_forward_norm": ("post_attention_layernorm",),
        "feed_forward.gate": ("mlp.gate_proj",),
        "feed_forward.up": ("mlp.up_proj",),
        "feed_forward.down": ("mlp.down_proj",),
    },
)
LAYOUTS = {"gpt2": GPT2, "llama": LLAMA, "qwen3": LLAMA}
# Not weights: masks and frequencies that older files hold as well.
IGNORED = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")


def weights_of(
    model_type: str,
    config: GPTConfig,
    shapes: Mapping[str, Shape],
    theirs: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Our weights, whose ``shapes`` are given by name, from the tensors of a file.

    ``InputError`` names tensors that are missing, of a wrong shape, or left over.
    """
    layout = LAYOUTS[model_type]
    left = _with_full_names(layout, theirs)
    ours = {}
    for name, shape in shapes.items():
        parts = []
        for their_name, their_shape in _parts(layout, config, name, shape):
            tensor = left.pop(their_name, None)
            if tensor is None or tensor.shape != their_shape:
                found = "is missing" if tensor is None else f"has {_shown(tensor)}"
                raise InputError(f"{their_name} {found}, needed: {their_shape}")
            parts.append(tensor.T if _is_transposed(layout, their_name) else tensor)
        ours[name] = torch.cat(parts) if len(parts) > 1 else parts[0].contiguous()
    output = left.pop("lm_head.weight", None) if config.tied else None
    if output is not None and not torch.equal(output, ours["embedding.weight"]):
        raise InputError("lm_head.weight should be tied to the embedding, and differs")
    if left:
        raise InputError(
            f"tensors that are not known: {len(left)}, such as {min(left)}"
        )
    return ours


def their_weights(
    model_type: str, config: GPTConfig, weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Our weights under their names and in their shapes."""
    layout, theirs = LAYOUTS[model_type], {}
    for name, weight in weights.items():
        names = [part for part, _ in _parts(layout, config, name, weight.shape)]
        sizes = config.qkv_sizes if len(names) > 1 else (len(weight),)
        for their_name, part in zip(names, weight.split(sizes), strict=True):
            transposed = _is_transposed(layout, their_name)
            theirs[their_name] = part.T if transposed else part
    return theirs


def _parts(
    layout: Layout, config: GPTConfig, name: str, shape: Shape
) -> list[tuple[str, Shape]]:
    """Names and shapes of the tensors that they keep for one of ours."""
    module, leaf = name.rsplit(".", 1)
    if module in layout.outside:
        return [(f"{layout.outside[module]}.{leaf}", shape)]
    _, number, module = module.split(".", 2)
    names = [f"{layout.block}.{number}.{m}.{leaf}" for m in layout.inside[module]]
    rows = config.qkv_sizes if len(names) > 1 else shape[:1]
    shapes = [(size, *shape[1:]) for size in rows]
    return [
        (n, s[::-1] if _is_transposed(layout, n) else s)
        for n, s in zip(names, shapes, strict=True)
    ]


def _is_transposed(layout: Layout, their_name: str) -> bool:
    *_, module, leaf = their_name.split(".")
    return module in layout.transposed and leaf == "weight"


def _with_full_names(layout: Layout, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without what is ignored; with the prefix that files of the bare model lack."""
    kept = {name: x for name, x in theirs.items() if not name.endswith(IGNORED)}
    prefix = layout.block.split(".")[0] + "."
    if any(name.startswith(prefix) for name in kept):
        return kept
    return {n if n == "lm_head.weight" else prefix + n: x for n, x in kept.items()}


def _shown(tensor: Tensor) -> str:
    return f"shape {tuple(tensor.shape)}"
