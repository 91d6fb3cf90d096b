"""Folders exchanged with ``transformers``: the same logits, the same tokens."""

import dataclasses
import json
import shutil

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from lmbook.errors import InputError
from lmbook.generation import GREEDY, generate
from lmbook.models import hf_configs
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.models.rotary import Llama3Scaling

BATCH, SEQ, VOCAB, TOKENS = 3, 11, 97, 50
NO_END = dict.fromkeys(["bos_token_id", "eos_token_id", "pad_token_id"])
MODERN = {
    "vocab_size": VOCAB,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 80,
    **NO_END,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


def gpt2(**options):
    sizes = {"n_positions": 80, "n_embd": 24, "n_layer": 3, "n_head": 6, "n_inner": 40}
    config = {"vocab_size": VOCAB, **sizes, **NO_END, **options}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**config))


def llama(**options):
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**{**MODERN, **options})
    )


def qwen3(**options):
    return transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(**{**MODERN, "head_dim": 10, **options})
    )


PEERS = {
    "gpt2": gpt2,
    "gpt2 untied": lambda: gpt2(tie_word_embeddings=False, layer_norm_epsilon=1e-3),
    "llama": llama,
    "llama tied": lambda: llama(tie_word_embeddings=True, rms_norm_eps=1e-2),
    "llama bias": lambda: llama(attention_bias=True, mlp_bias=True),
    "llama head": lambda: llama(head_dim=10, num_key_value_heads=6),
    "llama 3": lambda: llama(head_dim=16, rope_parameters=LLAMA3),
    "qwen3": qwen3,
    "qwen3 tied": lambda: qwen3(
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    ),
}


def peer_of(name):
    """A peer whose weights are large enough for every part to count."""
    torch.manual_seed(0)
    peer = PEERS[name]().eval()
    with torch.no_grad():
        for name, parameter in peer.named_parameters():
            is_scale = parameter.ndim == 1 and name.endswith("weight")
            torch.nn.init.normal_(parameter, float(is_scale), 0.3)
    return peer


@torch.no_grad()
def logits_of_peer(peer, ids):
    return peer(ids).logits


def same(logits, expected):
    """Rounding apart: of numbers that are added up, the largest counts."""
    return (logits - expected).abs().max() <= 1e-5 * expected.abs().max()


def ids_of(*shape):
    return torch.randint(VOCAB, shape, generator=torch.Generator().manual_seed(1))


def greedy_tokens(peer, prompt):
    found = peer.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        max_new_tokens=TOKENS,
        do_sample=False,
    )
    return found[0, len(prompt) :].tolist()


@pytest.fixture(params=PEERS)
def saved(request, tmp_path):
    peer = peer_of(request.param)
    peer.save_pretrained(tmp_path)
    return peer, tmp_path


def test_it_loads_what_transformers_saves(saved):
    peer, folder = saved
    before = torch.random.get_rng_state()
    model = GPT.from_pretrained(folder)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not model.training
    ids = ids_of(BATCH, SEQ)
    expected = logits_of_peer(peer, ids)
    assert expected.abs().max() > 1
    with torch.no_grad():
        logits, _ = model(ids)
    assert same(logits, expected)
    assert model.config.num_parameters == peer.num_parameters()

    prompt = ids[0].tolist()
    tokens = greedy_tokens(peer, prompt)
    assert generate(model, [prompt], TOKENS, GREEDY) == [tokens]
    assert len(set(tokens)) > 5


def test_transformers_loads_what_it_saves(saved, tmp_path):
    peer, folder = saved
    model, again = GPT.from_pretrained(folder), tmp_path / "new" / "folder"
    model.save_pretrained(again)
    assert sorted(p.name for p in again.iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    theirs, loading = type(peer).from_pretrained(again, output_loading_info=True)
    assert not any(loading.values()), loading
    for (name, a), (other, b) in zip(
        peer.state_dict().items(), theirs.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(a, b), name
    ids = ids_of(BATCH, SEQ)
    assert torch.equal(logits_of_peer(theirs, ids), logits_of_peer(peer, ids))
    reread = GPT.from_pretrained(again)
    assert reread.config == model.config
    for a, b in zip(reread.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b)


OURS = {
    "gpt2": GPTConfig(VOCAB, 80, 24, 3, 6, feed_forward_size=40, dropout=0.1),
    "llama": GPTConfig(
        VOCAB,
        80,
        24,
        3,
        6,
        num_kv_heads=3,
        position="rotary",
        rotary_scaling=Llama3Scaling(8.0, 1.0, 4.0, 32),
        norm="rmsnorm",
        feed_forward="swiglu",
        bias=False,
        dropout=0.1,
    ),
}
OURS["qwen3"] = dataclasses.replace(
    OURS["llama"], head_dim=10, qk_norm=True, rotary_scaling=None, tied=False
)


@pytest.mark.parametrize("model_type", OURS)
def test_what_is_trained_here_is_used_there(model_type, tmp_path):
    torch.manual_seed(0)
    model = GPT(OURS[model_type]).eval()
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == (
        model_type
    )
    peer = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids = ids_of(BATCH, SEQ)
    with torch.no_grad():
        logits, _ = model(ids)
    assert same(logits, logits_of_peer(peer, ids))
    again = GPT.from_pretrained(tmp_path).config
    kept = model.config.dropout if model_type == "gpt2" else 0.0
    assert again == dataclasses.replace(model.config, dropout=kept)


@pytest.mark.parametrize("change", [{"position": "rotary"}, {"bias": False}])
def test_choices_that_no_layout_has(change, tmp_path):
    model = GPT(dataclasses.replace(OURS["gpt2"], **change))
    with pytest.raises(InputError, match=f"no layout .* another {next(iter(change))}"):
        model.save_pretrained(tmp_path)
    assert list(tmp_path.iterdir()) == []


# ---- files as they are published ---------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A GPT-2 and the logits that it must give."""
    peer = peer_of("gpt2")
    peer.save_pretrained(tmp_path)
    return tmp_path, logits_of_peer(peer, ids_of(BATCH, SEQ))


@torch.no_grad()
def gives(folder, logits):
    return same(GPT.from_pretrained(folder)(ids_of(BATCH, SEQ))[0], logits)


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors")


def change_config(folder, **fields):
    path = folder / "config.json"
    content = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({k: v for k, v in content.items() if v != "gone"}))


def test_gpt2_without_prefix_and_with_masks(folder):
    """As OpenAI's GPT-2 was published: names of the bare model, and its masks."""
    folder, logits = folder

    def change(weights):
        bare = {n.removeprefix("transformer."): w for n, w in weights.items()}
        bare["h.0.attn.bias"] = torch.ones(1, 1, 80, 80).tril()
        bare["h.0.attn.masked_bias"] = torch.tensor(-1e4)
        return bare

    change_weights(folder, change)
    change_config(folder, n_ctx=80, activation_function="gelu_new")
    assert gives(folder, logits)


def test_a_tied_output_may_be_written_out(folder):
    folder, logits = folder
    change_weights(
        folder,
        lambda w: w | {"lm_head.weight": w["transformer.wte.weight"].clone()},
    )
    assert gives(folder, logits)
    change_weights(folder, lambda w: w | {"lm_head.weight": w["lm_head.weight"] + 1})
    with pytest.raises(InputError, match=r"lm_head\.weight should be tied"):
        GPT.from_pretrained(folder)


def test_weights_in_several_files(folder):
    folder, logits = folder
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    file_of = {}
    for number in range(3):
        file = f"model-{number}.safetensors"
        part = dict(sorted(weights.items())[number::3])
        save_file(part, folder / file)
        file_of |= dict.fromkeys(part, file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": file_of}))
    assert gives(folder, logits)

    def refused(weight_map, message):
        index.write_text(json.dumps({"weight_map": weight_map}))
        with pytest.raises(InputError, match=message):
            GPT.from_pretrained(folder)

    refused(file_of | {"more": "model-0.safetensors"}, "model-0.* lacks .* more")
    refused(dict.fromkeys(file_of, "../x.safetensors"), "names a file elsewhere")
    refused({}, "no field 'weight_map'")
    (folder / "model-1.safetensors").unlink()
    refused(file_of, r"cannot read .*model-1\.safetensors: No such file")


def test_bfloat16_is_read_as_float32_or_kept(folder):
    folder, _ = folder
    change_weights(folder, lambda w: {n: x.bfloat16() for n, x in w.items()})
    assert {p.dtype for p in GPT.from_pretrained(folder).parameters()} == {
        torch.float32
    }
    kept = GPT.from_pretrained(folder, torch.bfloat16)
    assert {p.dtype for p in kept.parameters()} == {torch.bfloat16}
    assert kept(ids_of(BATCH, SEQ))[0].dtype == torch.bfloat16


def test_llama_as_older_files_have_it():
    """Before transformers 5, rope_theta and rope_scaling were fields of their own."""
    sizes = {k: v for k, v in MODERN.items() if k not in NO_END}
    del sizes["num_key_value_heads"]
    config = hf_configs.config_of({"model_type": "llama", **sizes, "rope_theta": 5e5})
    assert config.num_kv_heads == 6
    assert config.head_dim == 4
    assert (config.rotary_theta, config.rotary_scaling) == (5e5, None)
    old = {k: v for k, v in LLAMA3.items() if k != "rope_theta"}
    config = hf_configs.config_of(
        {"model_type": "llama", **sizes, "rope_theta": 5e5, "rope_scaling": old}
    )
    assert config.rotary_theta == 5e5
    assert config.rotary_scaling == Llama3Scaling(8.0, 1.0, 4.0, 32)


# ---- what is refused ---------------------------------------------------------------


def rope(**fields):
    return {"rope_parameters": {"rope_theta": 1e4, **fields}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_type": "mamba"}, "model_type is 'mamba'; accepted: gpt2, llama, qwen"),
        ({"model_type": "gone"}, "model_type is None"),
        ({"hidden_size": "gone"}, "'hidden_size' must be a number, got None"),
        ({"hidden_size": "24"}, "'hidden_size' must be a number, got '24'"),
        ({"num_hidden_layers": 2.5}, "'num_hidden_layers' must be a whole number"),
        ({"num_attention_heads": 5}, "must divide hidden_size, got 5 and 24"),
        ({"num_key_value_heads": 4}, "must divide num_heads, got 4 and 6"),
        ({"hidden_act": "gelu"}, '\'hidden_act\' is "gelu"; accepted: "silu"'),
        ({"attention_bias": True}, "'mlp_bias' is false"),
        ({"mlp_bias": True}, "'mlp_bias' is true"),
        ({"tie_word_embeddings": "yes"}, "'tie_word_embeddings' must be true or fal"),
        (rope(rope_type="yarn", factor=4.0), "rope_type 'yarn' .* is not implemented"),
        (rope(partial_rotary_factor=0.5), "without a partial_rotary_factor"),
        (rope(rope_type="llama3"), "field 'factor' must be a number, got None"),
        ({"rope_parameters": [1]}, "rope_parameters must be an object"),
    ],
)
def test_a_configuration_that_is_refused(fields, message, tmp_path):
    peer_of("llama").save_pretrained(tmp_path)
    change_config(tmp_path, **fields)
    with pytest.raises(InputError, match=message):
        GPT.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("model_type", "fields", "message"),
    [
        ("gpt2", {"activation_function": "relu"}, "'activation_function' is"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "inverse_layer_idx'"),
        ("gpt2", {"add_cross_attention": True}, "'add_cross_attention' is true"),
        ("qwen3", {"attention_bias": True}, "'attention_bias' is true"),
        ("qwen3", {"use_sliding_window": True}, "'use_sliding_window' is true"),
        ("qwen3", {"layer_types": ["full_attention", "sliding_attention"]}, "sliding_"),
        ("qwen3", {"layer_types": 5}, "'layer_types' must be a list, got 5"),
        ("qwen3", {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "'yarn'"),
        ("llama", {"num_attention_heads": 0}, "must divide hidden_size, got 0"),
        ("llama", {"quantization_config": {"quant_method": "fp8"}}, "are quantised"),
    ],
)
def test_variants_that_are_not_implemented(model_type, fields, message, tmp_path):
    peer_of(model_type).save_pretrained(tmp_path)
    change_config(tmp_path, **fields)
    with pytest.raises(InputError, match=message):
        GPT.from_pretrained(tmp_path)


def test_scaling_beside_rope_parameters_counts_as_in_transformers(tmp_path):
    """Many add it by hand to a config.json that has the newer field as well."""
    peer_of("llama").save_pretrained(tmp_path)
    llama3 = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0}
    llama3 |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 16}
    change_config(tmp_path, rope_scaling=llama3 | {"rope_theta": 1e4}, **rope())
    model = GPT.from_pretrained(tmp_path)
    assert model.config.rotary_scaling is not None
    ids = ids_of(2, 30)
    peer = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert same(model(ids)[0], logits_of_peer(peer, ids))


def test_numbers_of_8_bits_are_refused(folder):
    folder, _ = folder
    change_weights(folder, lambda w: w | {QKV: w[QKV].to(torch.float8_e4m3fn)})
    with pytest.raises(InputError, match="is torch.float8_e4m3fn; accepted: float16"):
        GPT.from_pretrained(folder)


QKV = "transformer.h.1.attn.c_attn.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda w: {n: x for n, x in w.items() if n != QKV},
            r"h\.1\.attn\.c_attn\.weight is missing",
        ),
        (lambda w: w | {QKV: w[QKV].T.contiguous()}, r"\(72, 24\), needed: \(24, 72\)"),
        (
            lambda w: w | {"transformer.h.3.x": w[QKV] + 1},
            r"not known: 1, such as transformer\.h\.3\.x",
        ),
        (lambda w: w | {QKV: w[QKV] * torch.nan}, "numbers that are not finite"),
    ],
)
def test_tensors_that_do_not_fit(folder, change, message):
    folder, _ = folder
    change_weights(folder, change)
    with pytest.raises(InputError, match=message):
        GPT.from_pretrained(folder)


def test_files_that_are_missing_or_damaged(folder, tmp_path):
    folder, _ = folder
    weights, config = folder / "model.safetensors", folder / "config.json"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-40])
    with pytest.raises(InputError, match=r"model\.safetensors is damaged"):
        GPT.from_pretrained(folder)
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"holds neither .* they may run code"):
        GPT.from_pretrained(folder)
    config.write_text('{"model_type": ')
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        GPT.from_pretrained(folder)
    config.write_text("[]")
    with pytest.raises(InputError, match=r"config\.json is damaged: .* no JSON object"):
        GPT.from_pretrained(folder)
    shutil.rmtree(folder)
    with pytest.raises(InputError, match=r"cannot read .*config\.json: No such file"):
        GPT.from_pretrained(folder)
