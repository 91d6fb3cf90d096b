"""The heads' weights give the model's own output; a silenced head adds nothing."""

import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.attention_maps import attention_maps, silenced
from lmbook.models.gpt import GPT, GPTConfig

BATCH, SEQ, CONTEXT = 3, 7, 11
KINDS = {
    "gpt-2": {},
    "llama": {"position": "rotary", "norm": "rmsnorm", "feed_forward": "swiglu"},
    "qwen3": {"position": "rotary", "norm": "rmsnorm", "qk_norm": True},
}


def model(kind: str, **options) -> GPT:
    torch.manual_seed(0)
    config = GPTConfig(
        13, CONTEXT, 24, 3, 4, num_kv_heads=2, init_std=0.3, **KINDS[kind], **options
    )
    return GPT(config).double().eval()


def ids() -> torch.Tensor:
    return torch.randint(13, (BATCH, SEQ), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
def test_with_these_weights_the_values_give_the_models_output(kind):
    """Each block computed anew from the maps ends where the model ends."""
    gpt, tokens = model(kind), ids()
    maps = attention_maps(gpt, tokens)
    assert maps.shape == (BATCH, 3, 4, SEQ, SEQ)
    assert torch.allclose(maps.sum(-1), torch.ones_like(maps[..., 0]), atol=1e-12)
    assert not maps.triu(1).any()
    with torch.no_grad():
        x = gpt.embedding(tokens)
        if gpt.config.position == "learned":
            x = x + gpt.positions.weight[:SEQ]
        for layer, block in enumerate(gpt.blocks):
            _, _, v = block.attention.project(block.attention_norm(x))
            mixed = maps[:, layer] @ v.repeat_interleave(2, dim=1)
            x = x + block.attention.output(mixed.transpose(1, 2).flatten(2))
            x = x + block.feed_forward(block.feed_forward_norm(x))
        found = gpt.output(gpt.norm(x))
        # Rotary frequencies are float32, in the model as well.
        assert torch.allclose(found, gpt(tokens)[0], atol=1e-10)


def test_nothing_is_dropped_and_the_mode_stays():
    gpt = model("llama", dropout=0.5)
    calm = attention_maps(gpt, ids())
    gpt.train()
    assert torch.equal(attention_maps(gpt, ids()), calm)
    assert gpt.training
    assert gpt.blocks[0].training


def test_silenced_heads_add_nothing_and_come_back():
    gpt, tokens = model("gpt-2"), ids()
    with torch.no_grad():
        whole = gpt(tokens)[0]
        heads = [(1, 0), (1, 3), (2, 2)]
        before = [b.attention.output.weight.clone() for b in gpt.blocks]
        with silenced(gpt, heads):
            quiet = gpt(tokens)[0]
            weight = gpt.blocks[1].attention.output.weight
            assert not weight[:, :6].any()
            assert not weight[:, 18:].any()
            assert torch.equal(weight[:, 6:18], before[1][:, 6:18])
        assert not torch.allclose(quiet, whole)
        # Without any head of any layer, attention is only its output bias.
        with silenced(gpt, [(n, h) for n in range(3) for h in range(4)]):
            alone = gpt(tokens)[0]
            assert torch.allclose(alone[:, 2:3], _only_here(gpt, tokens, 2), atol=1e-10)
        with pytest.raises(RuntimeError, match="stop"), silenced(gpt, heads):
            raise RuntimeError("stop")
        assert torch.equal(gpt(tokens)[0], whole)


def _only_here(gpt: GPT, tokens: torch.Tensor, place: int) -> torch.Tensor:
    """One position computed with no other: attention adds its bias alone."""
    x = gpt.embedding(tokens[:, place : place + 1]) + gpt.positions.weight[place]
    for block in gpt.blocks:
        x = x + block.attention.output.bias
        x = x + block.feed_forward(block.feed_forward_norm(x))
    return gpt.output(gpt.norm(x))


def test_what_is_wrong_is_named():
    gpt = model("gpt-2")
    for wrong in (torch.zeros(5, dtype=int), torch.zeros(1, 0, dtype=int)):
        with pytest.raises(InputError, match=r"\(batch, 1 to 11\)"):
            attention_maps(gpt, wrong)
    with pytest.raises(InputError, match=r"got shape \(1, 12\)"):
        attention_maps(gpt, torch.zeros(1, 12, dtype=int))
    for layer, head in ((3, 0), (0, 4), (-1, 0)):
        with (
            pytest.raises(InputError, match=f"got head {head} of layer {layer}"),
            silenced(gpt, [(layer, head)]),
        ):
            pass
