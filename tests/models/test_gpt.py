"""The model against itself: written out, in parts, with and without its cache."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from lmbook.errors import InputError
from lmbook.generation import GREEDY, Sampling, beam_search, generate
from lmbook.models.attention import attention
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.models.rotary import Llama3Scaling

BATCH, SEQ, VOCAB = 3, 7, 13
GPT2 = GPTConfig(VOCAB, 20, 12, 2, 3, feed_forward_size=17)
LLAMA = GPTConfig(
    VOCAB,
    20,
    12,
    2,
    6,
    num_kv_heads=2,
    feed_forward_size=17,
    position="rotary",
    norm="rmsnorm",
    feed_forward="swiglu",
    bias=False,
    tied=False,
)
QWEN = dataclasses.replace(LLAMA, head_dim=8, qk_norm=True, tied=True)
MIXED = [
    dataclasses.replace(GPT2, position="rotary", num_kv_heads=1, qk_norm=True),
    dataclasses.replace(GPT2, bias=False, tied=False, qk_norm=True),
    dataclasses.replace(LLAMA, bias=True, position="learned", feed_forward="gelu"),
]
EVERY = [GPT2, LLAMA, QWEN, *MIXED]
every_config = pytest.mark.parametrize("config", EVERY)


def model_of(config, seed=0, **changes):
    """Weights far from the beginning's, so that every part counts."""
    torch.manual_seed(seed)
    model = GPT(dataclasses.replace(config, **changes)).double().eval()
    for name, parameter in model.named_parameters():
        is_scale = parameter.ndim == 1 and name.endswith("weight")
        torch.nn.init.normal_(parameter, float(is_scale), 0.5)
    return model


def ids_of(*shape, seed=1):
    return torch.randint(VOCAB, shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def by_hand(model, ids):
    """Logits of one text, part by part, from formulas."""
    config = model.config
    w = dict(model.named_parameters())
    w["output.weight"] = model.output.weight
    place = torch.arange(len(ids), dtype=torch.float64)

    def norm(x, name):
        if config.norm == "rmsnorm":
            scale = (x.square().mean(-1, keepdim=True) + config.norm_eps).sqrt()
            return x / scale * w[f"{name}.weight"]
        x = x - x.mean(-1, keepdim=True)
        scale = (x.square().mean(-1, keepdim=True) + config.norm_eps).sqrt()
        return x / scale * w[f"{name}.weight"] + w.get(f"{name}.bias", 0)

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0)

    def turned(x):
        half = config.head_dim // 2
        power = -2 * torch.arange(half, dtype=torch.float64) / config.head_dim
        angle = place[:, None] * config.rotary_theta**power
        z = torch.complex(x[..., :half], x[..., half:]) * torch.exp(1j * angle)
        return torch.cat([z.real, z.imag], -1)

    x = w["embedding.weight"][ids]
    if config.position == "learned":
        x = x + w["positions.weight"][: len(ids)]
    for i in range(config.num_layers):
        name = f"blocks.{i}.attention"
        qkv = linear(norm(x, f"{name}_norm"), f"{name}.qkv")
        heads = qkv.unflatten(-1, (-1, config.head_dim)).transpose(0, 1)
        h, g = config.num_heads, config.num_kv_heads
        q, k, v = heads.split((h, g, g))
        if config.qk_norm:
            q, k = norm(q, f"{name}.q_norm"), norm(k, f"{name}.k_norm")
        if config.position == "rotary":
            q, k = turned(q), turned(k)
        mixed = attention(q[None], k[None], v[None])[0]
        x = x + linear(mixed.transpose(0, 1).flatten(1), f"{name}.output")
        name = f"blocks.{i}.feed_forward"
        y = norm(x, f"{name}_norm")
        up = linear(y, f"{name}.up")
        if config.feed_forward == "swiglu":
            gate = linear(y, f"{name}.gate")
            up = gate / (1 + torch.exp(-gate)) * up
        else:
            inner = (2 / torch.pi) ** 0.5 * (up + 0.044715 * up**3)
            up = 0.5 * up * (1 + torch.tanh(inner))
        x = x + linear(up, f"{name}.down")
    return norm(x, "norm") @ w["output.weight"].T


@every_config
def test_logits_by_hand(config):
    model, ids = model_of(config), ids_of(BATCH, SEQ)
    logits, _ = model(ids)
    assert logits.shape == (BATCH, SEQ, VOCAB)
    for row, expected in zip(ids, logits, strict=True):
        # Angles are float32 in the model.
        assert torch.allclose(by_hand(model, row), expected, rtol=1e-5, atol=1e-5)


@every_config
def test_no_position_sees_the_future(config):
    model, ids = model_of(config), ids_of(BATCH, SEQ)
    changed = ids.clone()
    changed[:, 4] = (ids[:, 4] + 1) % VOCAB
    before, after = model(ids)[0], model(changed)[0]
    assert torch.equal(before[:, :4], after[:, :4])
    for t in range(4, SEQ):
        assert not torch.allclose(before[:, t], after[:, t])


@every_config
@pytest.mark.parametrize("with_gradients", [True, False])
def test_with_the_cache_logits_are_the_same(config, with_gradients):
    model, ids = model_of(config), ids_of(BATCH, 19)
    whole, _ = model(ids)
    with torch.set_grad_enabled(with_gradients):
        parts, state = [], None
        for part in ids.split([6, 1, 1, 5, 1, 1, 4], dim=1):
            logits, state = model(part, state)
            parts.append(logits)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-10)
    assert torch.equal(state.ids, ids)


@torch.no_grad()
def anew(model, ids, sees):
    """Logits after ids, of which the last ``sees`` are read, without any state."""
    return model(ids[:, -sees:])[0][:, -1]


@every_config
@pytest.mark.parametrize("context_length", [5, 6])
@pytest.mark.parametrize("cuts", [[31], [1] * 31, [4, 1, 13, 2, 11]])
@torch.no_grad()
def test_a_full_context_forgets_its_older_half(config, context_length, cuts):
    model = model_of(config, context_length=context_length)
    ids = ids_of(2, 31)
    kept = context_length // 2
    parts, state = [], None
    for part in ids.split(cuts, dim=1):
        logits, state = model(part, state)
        parts.append(logits)
    found = torch.cat(parts, dim=1)
    sees = 0
    for t in range(31):
        sees = sees + 1 if sees < context_length else kept + 1
        assert torch.allclose(found[:, t], anew(model, ids[:, : t + 1], sees))


@torch.no_grad()
def test_several_texts_go_on_from_one_state():
    model = model_of(QWEN)
    prompt, one, other = ids_of(1, 4), ids_of(1, 3, seed=2), ids_of(1, 3, seed=3)
    _, state = model(prompt)
    first, _ = model(one, state)
    second, _ = model(other, state)
    again, _ = model(one, state)
    assert torch.equal(first, again)
    expected, _ = model(torch.cat([prompt, other], 1))
    assert torch.allclose(second, expected[:, 4:])


def test_gradients_go_through_the_state():
    model, ids = model_of(LLAMA), ids_of(BATCH, SEQ)
    whole = torch.autograd.grad(model(ids)[0].square().sum(), model.parameters())
    first, state = model(ids[:, :3])
    second, _ = model(ids[:, 3:], state)
    loss = first.square().sum() + second.square().sum()
    parts = torch.autograd.grad(loss, model.parameters())
    for a, b in zip(whole, parts, strict=True):
        assert torch.allclose(a, b)


@every_config
def test_loss_is_the_cross_entropy_of_the_logits(config):
    model, ids, targets = model_of(config), ids_of(BATCH, SEQ), ids_of(BATCH, SEQ)
    model.float()
    logits, _ = model(ids)
    expected = cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss, state = model.loss(ids, targets)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.equal(state.ids, ids)
    total, _ = model.loss(ids, targets, reduction="sum")
    assert total.item() == pytest.approx(BATCH * SEQ * expected.item(), rel=1e-5)
    theirs = torch.autograd.grad(expected, model.parameters())
    ours = torch.autograd.grad(loss, model.parameters())
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-5)


@every_config
@pytest.mark.filterwarnings("error")
def test_under_autocast_products_are_bfloat16_and_weights_learn(config):
    model, ids = model_of(config).float(), ids_of(BATCH, SEQ)
    expected = model.loss(ids, ids)[0].item()
    with torch.autocast("cpu", torch.bfloat16):
        loss, state = model.loss(ids, ids)
        part, _ = model(ids, state)
    loss.backward()
    assert loss.item() == pytest.approx(expected, rel=0.05)
    assert state.caches[0].keys.dtype == part.dtype == torch.bfloat16
    assert all(p.grad.dtype == torch.float32 for p in model.parameters())


def test_in_training_each_window_stands_alone():
    model, ids = model_of(GPT2), ids_of(BATCH, SEQ)
    expected, state = model(ids)
    model.train()
    logits, nothing = model(ids, state)
    assert nothing == ()
    assert torch.equal(logits, expected)
    with pytest.raises(InputError, match="at most context_length tokens, 20, .* 21"):
        model(ids_of(1, 21))


def test_dropout_acts_in_training_alone():
    model, ids = model_of(GPT2, dropout=0.3), ids_of(BATCH, SEQ)
    expected = model(ids)[0]
    assert torch.equal(model(ids)[0], expected)
    model.train()
    assert not torch.allclose(model(ids)[0], model(ids)[0])


@pytest.mark.parametrize("config", [GPTConfig(), *EVERY])
def test_parameters_by_formula_and_by_count(config):
    with torch.device("meta"):
        model = GPT(config)
    assert config.num_parameters == sum(p.numel() for p in model.parameters())


def test_published_sizes():
    """As their papers or model cards give them."""
    assert GPTConfig().num_parameters == 124_439_808
    medium = GPTConfig(hidden_size=1024, num_layers=24, num_heads=16)
    assert medium.num_parameters == 354_823_168
    llama = GPTConfig(32_000, 4096, 4096, 32, 32, feed_forward_size=11_008, **MODERN)
    assert llama.num_parameters == 6_738_415_616
    qwen = GPTConfig(
        151_936,
        40_960,
        1024,
        28,
        16,
        num_kv_heads=8,
        head_dim=128,
        feed_forward_size=3072,
        qk_norm=True,
        tied=True,
        **{k: v for k, v in MODERN.items() if k != "tied"},
    )
    assert qwen.num_parameters == 596_049_920


MODERN = {
    "position": "rotary",
    "norm": "rmsnorm",
    "feed_forward": "swiglu",
    "bias": False,
    "tied": False,
}


@every_config
def test_operations_by_formula_and_by_count(config):
    model = GPT(config).eval()
    with (
        torch.no_grad(),
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        model(ids_of(1, SEQ))
    assert config.forward_flops(SEQ) == counter.get_total_flops()


def test_weights_at_the_beginning():
    torch.manual_seed(0)
    model = GPT(GPTConfig(500, 64, 96, 8, 4, init_std=0.05))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif parameter.ndim == 1:
            assert (parameter == 1).all(), name
        else:
            added = name.endswith(("attention.output.weight", "down.weight"))
            expected = 0.05 / 4 if added else 0.05
            assert parameter.std().item() == pytest.approx(expected, rel=0.05), name


def test_it_learns_what_an_lstm_learns():
    torch.manual_seed(0)
    model = GPT(dataclasses.replace(QWEN, num_layers=1))
    ids = torch.arange(BATCH * SEQ).view(BATCH, SEQ) % VOCAB
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        loss, _ = model.loss(ids, (ids + 1) % VOCAB)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1


# ---- generation ---------------------------------------------------------------------

PROMPTS = [[3, 1, 4], [1, 5, 9, 2, 6, 5], [8], [7, 7, 7]]


@torch.no_grad()
def greedy_anew(model, prompt, length):
    """Greedy decoding that reads everything anew for each token."""
    ids, sees = list(prompt), 0
    context = model.context_length
    for t in range(len(prompt) + length - 1):
        sees = sees + 1 if sees < context else context // 2 + 1
        if t >= len(prompt) - 1:
            logits = anew(model, torch.tensor([ids]), sees)
            ids.append(int(logits.argmax()))
    return ids[len(prompt) :]


@every_config
@pytest.mark.parametrize("context_length", [20, 8])
def test_greedy_tokens_are_those_without_a_cache(config, context_length):
    model = model_of(config, context_length=context_length)
    expected = [greedy_anew(model, prompt, 12) for prompt in PROMPTS]
    assert generate(model, PROMPTS, 12, GREEDY) == expected
    assert len({token for row in expected for token in row}) > 1


def test_a_row_is_what_its_prompt_gives_alone():
    model = model_of(QWEN, context_length=9)
    sampling = Sampling(0.8, 6, repetition_penalty=1.3)
    together = generate(model, PROMPTS, 15, sampling, seed=40)
    for i, prompt in enumerate(PROMPTS):
        assert generate(model, [prompt], 15, sampling, seed=40 + i) == [together[i]]


def test_a_token_costs_one_token():
    model, shapes = model_of(GPT2), []
    model.blocks[0].register_forward_hook(
        lambda module, inputs, output: shapes.append(tuple(inputs[0].shape[:2]))
    )
    generate(model, [[3, 1, 4, 1, 5]], 12, GREEDY)
    assert shapes == [(1, 5)] + [(1, 1)] * 11
    shapes.clear()
    model = model_of(GPT2, context_length=8)
    model.blocks[0].register_forward_hook(
        lambda module, inputs, output: shapes.append(tuple(inputs[0].shape[:2]))
    )
    generate(model, [[3]], 100, GREEDY)
    assert sum(n for _, n in shapes) <= 2 * 100


def test_a_long_prompt_is_read_in_parts():
    model = model_of(LLAMA, context_length=300)
    prompt = np.random.default_rng(0).integers(VOCAB, size=700).tolist()
    assert generate(model, [prompt], 3, GREEDY) == [greedy_anew(model, prompt, 3)]


@pytest.mark.parametrize("config", [GPT2, QWEN])
def test_beam_search_carries_the_right_caches(config):
    model = model_of(config, seed=3)
    prompt, length, beams = [2, 0, 3], 5, 3

    @torch.no_grad()
    def log_prob(ids):
        logits, _ = model(torch.tensor([[*prompt, *ids]]))
        each = logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        return each[torch.arange(len(ids)), torch.tensor(ids)].sum().item()

    alive = [()]
    for _ in range(length):
        extended = [(*ids, token) for ids in alive for token in range(VOCAB)]
        alive = sorted(extended, key=lambda ids: -log_prob(ids))[:beams]
    found = beam_search(model, prompt, length, beams)
    assert [y.ids for y in found] == alive
    assert found[0].log_prob == pytest.approx(log_prob(alive[0]))


# ---- errors -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 0}, "vocab_size must be at least 1, got 0"),
        ({"num_layers": -1}, "num_layers must be at least 1, got -1"),
        ({"context_length": 1}, "context_length must be at least 2, got 1"),
        ({"head_dim": -2}, "head_dim must be at least 0, got -2"),
        ({"num_heads": 5}, "num_heads must divide hidden_size .* got 5 and 12"),
        ({"num_heads": 6, "num_kv_heads": 4}, "must divide num_heads, got 4 and 6"),
        ({"position": "sine"}, "position must be 'learned' or 'rotary', got 'sine'"),
        ({"norm": None}, "norm must be 'layernorm' or 'rmsnorm', got None"),
        ({"feed_forward": "relu"}, "feed_forward must be 'gelu' or 'swiglu'"),
        ({"position": "rotary", "head_dim": 3}, "even head_dim, got 3"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"norm_eps": 0.0}, "norm_eps must be above 0, got 0.0"),
        ({"rotary_theta": -1.0}, "rotary_theta must be above 0, got -1.0"),
    ],
)
def test_bad_configuration_is_named(options, message):
    sizes = {"vocab_size": VOCAB, "hidden_size": 12, "num_heads": 3}
    with pytest.raises(InputError, match=message):
        GPTConfig(**{**sizes, **options})


def test_a_configuration_comes_back_from_json():
    scaling = Llama3Scaling(8.0, 1.0, 4.0, 64)
    config = dataclasses.replace(QWEN, rotary_scaling=scaling)
    assert GPTConfig(**json.loads(json.dumps(dataclasses.asdict(config)))) == config


@pytest.mark.parametrize("shape", [(3,), (2, 0), (1, 2, 3)])
def test_ids_of_a_wrong_shape(shape):
    with pytest.raises(InputError, match=r"must be \(batch, seq_len\).*got shape"):
        model_of(GPT2)(torch.zeros(shape, dtype=torch.long))


def test_unknown_ids():
    with pytest.raises(InputError, match=f"does not know the id {VOCAB}"):
        generate(model_of(GPT2), [[1, VOCAB]], 3)
