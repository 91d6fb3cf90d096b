"""LoRA by its formula, against ``peft``, and what stays as it was."""

import dataclasses

import peft
import pytest
import torch
import transformers
from torch import nn

from lmbook.errors import InputError
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.models.lora import (
    LoRAConfig,
    LoRALinear,
    add_lora,
    merge_lora,
    remove_lora,
    unmerge_lora,
)

BATCH, SEQ, INPUTS, OUTPUTS, RANK = 3, 7, 5, 4, 2
CONFIG = GPTConfig(13, 20, 12, 2, 3, feed_forward_size=17)
LORA = LoRAConfig(rank=RANK, alpha=6.0, targets=("qkv", "down"))


def ids_of(*shape):
    return torch.randint(13, shape, generator=torch.Generator().manual_seed(1))


def changed_model():
    """A model with LoRA that was trained for a step or two."""
    torch.manual_seed(0)
    model = GPT(CONFIG).double().eval()
    add_lora(model, LORA)
    for name, parameter in model.named_parameters():
        if name.endswith("lora_b"):
            nn.init.normal_(parameter, 0, 0.3)
    return model


@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_by_its_formula(bias):
    torch.manual_seed(0)
    layer = nn.Linear(INPUTS, OUTPUTS, bias, dtype=torch.float64)
    changed = LoRALinear(layer, LORA)
    x = torch.randn(BATCH, SEQ, INPUTS, dtype=torch.float64)
    assert torch.equal(changed(x), layer(x))
    assert (changed.lora_a.abs() <= INPUTS**-0.5).all()
    nn.init.normal_(changed.lora_b)
    w = layer.weight + 6.0 / RANK * changed.lora_b @ changed.lora_a
    expected = x @ w.T + (layer.bias if bias else 0)
    assert torch.allclose(changed(x), expected, atol=1e-12)
    trained = {name for name, p in changed.named_parameters() if p.requires_grad}
    assert trained == {"lora_a", "lora_b"}


def test_at_first_nothing_is_changed():
    torch.manual_seed(0)
    model = GPT(CONFIG).eval()
    expected = model(ids_of(BATCH, SEQ))[0]
    add_lora(model, LORA)
    assert torch.equal(model(ids_of(BATCH, SEQ))[0], expected)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    h, f = 12, 17
    assert trained == 2 * RANK * ((h + 3 * h) + (f + h))


def test_merged_it_is_the_same_function_and_unmerged_the_same_bits():
    model, ids = changed_model(), ids_of(BATCH, SEQ)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    expected = model(ids)[0]
    merge_lora(model)
    merge_lora(model)
    weight = model.blocks[0].attention.qkv.weight
    assert not torch.equal(weight, before["blocks.0.attention.qkv.weight"])
    assert torch.allclose(model(ids)[0], expected, atol=1e-12)
    unmerge_lora(model)
    unmerge_lora(model)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name])
    assert torch.equal(model(ids)[0], expected)


def test_what_is_merged_stays_when_lora_goes(tmp_path):
    model, ids = changed_model(), ids_of(BATCH, SEQ)
    expected = model(ids)[0]
    merge_lora(model)
    remove_lora(model)
    assert torch.allclose(model(ids)[0], expected, atol=1e-12)
    assert all(p.requires_grad for p in model.parameters())
    assert not any(isinstance(m, LoRALinear) for m in model.modules())
    model.save_pretrained(tmp_path)
    again = GPT.from_pretrained(tmp_path, torch.float64)
    assert torch.equal(again(ids)[0], model(ids)[0])


def test_without_merging_the_change_is_gone():
    torch.manual_seed(0)
    plain, model = GPT(CONFIG).double().eval(), changed_model()
    remove_lora(model)
    assert torch.equal(model(ids_of(1, 5))[0], plain(ids_of(1, 5))[0])


def test_it_is_peft_s_forward_and_backward(tmp_path):
    sizes = {"n_positions": 20, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_inner": 17}
    config = transformers.GPT2Config(vocab_size=13, **sizes, initializer_range=0.3)
    torch.manual_seed(0)
    base = transformers.GPT2LMHeadModel(config).eval()
    base.save_pretrained(tmp_path)
    ours = GPT.from_pretrained(tmp_path)
    add_lora(ours, LORA)
    options = {"r": RANK, "lora_alpha": 6.0, "fan_in_fan_out": True}
    modules = ["c_attn", "mlp.c_proj"]
    theirs = peft.get_peft_model(
        base, peft.LoraConfig(target_modules=modules, **options)
    )
    their_parts = {}
    for name, parameter in theirs.named_parameters():
        if "lora_" in name:
            nn.init.normal_(parameter, 0, 0.3)
            *_, number, _, module, part, _, _ = name.split(".")
            ours_is = {"c_attn": "attention.qkv", "c_proj": "feed_forward.down"}[module]
            place = f"blocks.{number}.{ours_is}.{part.lower()}"
            ours.get_parameter(place).data.copy_(parameter.data)
            their_parts[place] = parameter
    assert len(their_parts) == 8

    ids = ids_of(BATCH, SEQ)
    mine, peer = ours(ids)[0], theirs(ids).logits
    assert torch.allclose(mine, peer, rtol=1e-5, atol=1e-5)
    mine.square().mean().backward()
    peer.square().mean().backward()
    for place, parameter in their_parts.items():
        gradient = ours.get_parameter(place).grad
        assert torch.allclose(gradient, parameter.grad, rtol=1e-4, atol=1e-5), place
    merge_lora(ours)
    merged = theirs.merge_and_unload()
    assert torch.allclose(ours(ids)[0], merged(ids).logits, rtol=1e-5, atol=1e-5)


def test_a_target_is_the_end_of_a_name():
    """Of two layers that are called "output", one alone, or both."""
    for target, count in (("attention.output", 2), ("output", 3)):
        model = GPT(dataclasses.replace(CONFIG, tied=False))
        add_lora(model, LoRAConfig(rank=RANK, targets=(target,)))
        changed = [n for n, m in model.named_modules() if isinstance(m, LoRALinear)]
        assert len(changed) == count
        assert all(name.endswith(target) for name in changed)


def test_a_matrix_that_is_the_embeddings_too_is_refused():
    model = GPT(dataclasses.replace(CONFIG, tied=True))
    with pytest.raises(InputError, match="can't change output, whose matrix is the em"):
        add_lora(model, LoRAConfig(rank=RANK, targets=("output",)))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_weights_with_a_change_beside_them_are_not_saved(tmp_path):
    model = changed_model()
    with pytest.raises(InputError, match="merge_lora and remove_lora first"):
        model.save_pretrained(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    merge_lora(model)
    remove_lora(model)
    model.save_pretrained(tmp_path / "new")


def test_only_the_change_is_trained():
    model = changed_model().train()
    frozen = {n: p.clone() for n, p in model.named_parameters() if "lora" not in n}
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    ids, losses = ids_of(BATCH, SEQ), []
    for _ in range(40):
        loss, _ = model.loss(ids[:, :-1], ids[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1
    for name, parameter in model.named_parameters():
        if "lora" not in name:
            assert torch.equal(parameter, frozen[name])


def test_dropout_acts_in_training_alone():
    torch.manual_seed(0)
    layer = LoRALinear(nn.Linear(INPUTS, OUTPUTS), LoRAConfig(2, dropout=0.5))
    nn.init.normal_(layer.lora_b)
    x = torch.randn(BATCH, INPUTS)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0}, "rank must be a whole number of at least 1, got 0"),
        ({"rank": 2.5}, "rank must be a whole number of at least 1, got 2.5"),
        ({"alpha": 0.0}, "alpha must be above 0, got 0.0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"targets": ("qkv", "q_proj")}, "names of linear layers, down, .*q_proj"),
        ({"targets": ()}, r"names of linear layers, .* got \(\)"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        add_lora(GPT(CONFIG), LoRAConfig(**options))
