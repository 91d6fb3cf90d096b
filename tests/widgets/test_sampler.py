"""The sampler's JavaScript held to PyTorch and to lmbook.generation."""

import numpy as np
import pytest
import torch
import traitlets

from lmbook.errors import InputError
from lmbook.generation.decoding import draw
from lmbook.generation.sampling import Sampling, probabilities
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel
from lmbook.text.tokenizers import BPETokenizer, CharTokenizer, WordTokenizer
from lmbook.widgets.sampler import Sampler, rounded
from tests.widgets.test_explorers import in_javascript

CHARS = [*"\nabcdefghijklmn ABC.,", *map(chr, range(0x4E00, 0x4E00 + 90))]


def make(vocab=112, embedding=17, hidden=29, layers=2, tied=False):
    """A model of random weights large enough for logits that differ."""
    torch.manual_seed(vocab + hidden)
    config = LSTMConfig(
        vocab_size=vocab,
        embedding_size=embedding,
        hidden_size=hidden,
        num_layers=layers,
        tied=tied,
    )
    model = LSTMLanguageModel(config)
    with torch.no_grad():
        model.output.weight.mul_(15)
        model.output.bias.normal_()
    return model.eval()


def tokenizer(vocab=112) -> CharTokenizer:
    return CharTokenizer(["<unk>", *CHARS[: vocab - 1]])


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"layers": 1, "hidden": 41},
        {"layers": 3, "embedding": 31, "hidden": 23},
        {"embedding": 37, "hidden": 53, "tied": True},
    ],
)
def test_the_network_is_pytorchs(shape):
    model = make(**shape)
    sampler = Sampler(model, tokenizer())
    ids = np.random.default_rng(3).integers(0, 112, (4, 25))
    script = """(() => {
        const net = m.network(data.weights, data.sizes);
        return data.ids.map((row) => {
            let state = null;
            return row.map((id) => {
                const after = m.read(net, id, state);
                state = after.state;
                return [...after.logits];
            });
        });
    })()"""
    data = {"weights": sampler.weights, "sizes": sampler.sizes, "ids": ids.tolist()}
    found = np.array(in_javascript(Sampler._esm, script, data))
    with torch.no_grad():
        expected = rounded(model)(torch.from_numpy(ids))[0].numpy()
    assert found.shape == (4, 25, 112)
    assert expected.std() > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-4)


LEARNED = (
    3
    * """The sun sets on the horizon. It's the sun's light, isn't it?
昨天下午，他们在河边看太阳落山。昨天下午他们看见了太阳！
They'll see 12 suns, 12 moons; we've seen 345 horizons on the horizon.
"""
)
TRIED = [
    "The sun sets",
    "昨天下午他们在河边\n",
    "  two  spaces\t\n\n and lines ",
    "It's we'll I'm don't 'quoted' ",
    "x²+½=Ⅻ, № 7; naïve café Ωμέγα привет かな 🌅 \u0301",
    "",
    "!!! ?? 1234567 a1b2",
]


def test_byte_pairs_are_those_of_the_tokenizer():
    bpe = BPETokenizer.train(LEARNED, 350)
    sampler = Sampler(make(vocab=len(bpe)), bpe)
    script = """(() => {
        const { encode, bytes, name, newline } = m.codec(data.tokens, data.merges);
        return [data.texts.map(encode), data.tokens.map((_, v) => [...bytes(v)]),
            data.tokens.map((_, v) => name(v)), newline];
    })()"""
    data = {"tokens": sampler.tokens, "merges": sampler.merges, "texts": TRIED}
    ids, in_bytes, names, newline = in_javascript(Sampler._esm, script, data)
    assert ids == [bpe.encode(text) for text in TRIED]
    assert [bytes(token) for token in in_bytes] == bpe.tokens
    assert bpe.tokens[newline] == b"\n"
    assert len(bpe) == 350
    name_of = dict(zip(bpe.tokens, names, strict=True))
    assert name_of[b" horizon"] == "␣horizon"
    assert name_of["昨天下午".encode()] == "昨天下午"
    assert name_of[b"\n"] == "↵"
    assert name_of[b"\xe6"] == "e6"


def test_characters_are_those_of_the_tokenizer():
    script = """(() => {
        const { encode, name, knows, newline } = m.codec(data.tokens, null);
        return [encode(data.text), name(newline), [..."a昨!"].map(knows)];
    })()"""
    chars = tokenizer()
    data = {"tokens": list(chars.tokens), "text": "abc 一丁🌅A.\n"}
    ids, newline, known = in_javascript(Sampler._esm, script, data)
    assert ids == chars.encode(data["text"])
    assert (newline, known) == ("↵", [True, False, False])


SETTINGS = [
    Sampling(),
    Sampling(temperature=0),
    Sampling(temperature=0.05),
    Sampling(temperature=1.7),
    Sampling(top_k=1),
    Sampling(top_k=5, temperature=0.6),
    Sampling(top_k=99),
    Sampling(top_p=0.05),
    Sampling(top_p=0.9),
    Sampling(top_p=0.5, temperature=1.5),
    Sampling(min_p=0.02),
    Sampling(min_p=0.5, temperature=2.0),
    Sampling(temperature=1.3, top_k=20, top_p=0.8, min_p=0.05),
]


def in_page(sampling: Sampling) -> dict[str, float]:
    return {
        "temperature": sampling.temperature,
        "top_k": sampling.top_k or 0,
        "top_p": 1 if sampling.top_p is None else sampling.top_p,
        "min_p": sampling.min_p or 0,
    }


def test_the_distributions_are_those_of_generation():
    rng = np.random.default_rng(8)
    rows = np.concatenate(
        [
            rng.normal(0, 3, (20, 31)),
            rng.integers(-3, 4, (20, 31)),  # with ties, at the top, too
            np.zeros((1, 31)),
        ]
    )
    script = """data.settings.map((one) => data.rows.map((row) => {
        const found = m.distribution(row, one);
        return [found.q, found.kept, found.mass, m.entropy(found.q)];
    }))"""
    data = {"settings": [in_page(s) for s in SETTINGS], "rows": rows.tolist()}
    results = in_javascript(Sampler._esm, script, data)
    for sampling, found in zip(SETTINGS, results, strict=True):
        expected = probabilities(torch.from_numpy(rows), sampling).numpy()
        cold = Sampling(temperature=sampling.temperature)
        uncut = probabilities(torch.from_numpy(rows), cold).numpy()
        for (q, kept, mass, nats), p, before in zip(
            found, expected, uncut, strict=True
        ):
            np.testing.assert_allclose(q, p, atol=1e-12, err_msg=str(sampling))
            assert kept == (p > 0).sum()
            assert mass == pytest.approx(before[p > 0].sum(), abs=1e-12)
            some = p[p > 0]
            assert nats == pytest.approx(-(some * np.log(some)).sum(), abs=1e-12)


def test_banned_tokens_are_never_drawn():
    """-Infinity, which JSON has no number for, is what the page makes of them."""
    script = """[0, 0.5, 2].map((temperature) => m.distribution(
        data.map((z, v) => (v === 1 ? -Infinity : z)),
        { temperature, top_k: 3, top_p: 0.9, min_p: 0.01 }).q)"""
    logits = [0.3, 9.0, 1.1, -0.4, 0.2]
    found = in_javascript(Sampler._esm, script, logits)
    for temperature, q in zip((0, 0.5, 2), found, strict=True):
        sampling = Sampling(temperature, top_k=3, top_p=0.9, min_p=0.01, avoid=(1,))
        expected = probabilities(torch.tensor(logits).double(), sampling)
        np.testing.assert_allclose(q, expected.numpy(), atol=1e-7)


def test_a_draw_is_that_of_generation_and_the_seed_decides():
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.full(19, 0.3), 300)
    p[:, ::4] = 0
    p /= p.sum(axis=1, keepdims=True)
    us = rng.random(300)
    script = "data.p.map((row, i) => m.draw(row, () => data.us[i]))"
    found = in_javascript(Sampler._esm, script, {"p": p.tolist(), "us": us.tolist()})
    assert found == [draw(row, u) for row, u in zip(p, us, strict=True)]

    script = """data.map((seed) => {
        const random = m.generator(seed);
        return Array.from({ length: 4000 }, () => random());
    })"""
    first, again, other = in_javascript(Sampler._esm, script, [5, 5, 6])
    assert first == again != other
    for numbers in (first, other):
        counts, _ = np.histogram(numbers, bins=20, range=(0, 1))
        assert counts.sum() == 4000
        # Chi-squared with 19 degrees of freedom: 43.8 is the 99.9 % quantile.
        assert ((counts - 200) ** 2 / 200).sum() < 43.8
        assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.06


def test_weights_are_rounded_to_eight_bits_a_row():
    model = make()
    kept = {name: p.clone() for name, p in model.named_parameters()}
    copied = rounded(model)
    for name, parameter in copied.named_parameters():
        before = kept[name]
        assert torch.equal(model.get_parameter(name), before), name
        if parameter.dim() == 1:
            assert torch.equal(parameter, before), name
            continue
        step = before.abs().amax(1, keepdim=True) / 127
        error = (parameter - before).abs()
        assert bool((error <= 0.5001 * step).all()), name
        assert bool((error > 0.1 * step).any()), name
        # Rounded again, nothing changes.
    for name, parameter in rounded(copied).named_parameters():
        torch.testing.assert_close(parameter, copied.get_parameter(name))


def test_a_row_of_zeros_stays_zero():
    model = make()
    with torch.no_grad():
        model.embedding.weight[3] = 0
    assert not rounded(model).embedding.weight[3].any()


def test_what_it_is_given_is_checked():
    sampler = Sampler(make(), tokenizer(), prompt="ab", temperature=0.5, top_k=3)
    assert (sampler.prompt, sampler.top_k, sampler.banned) == ("ab", 3, [0])
    with pytest.raises(traitlets.TraitError, match="temperature"):
        sampler.temperature = 3.0
    with pytest.raises(InputError, match="temperature.*-1.0 was specified"):
        Sampler(make(), tokenizer(), temperature=-1)
    with pytest.raises(InputError, match="no option 'topk'"):
        Sampler(make(), tokenizer(), topk=3)
    with pytest.raises(InputError, match="id 112 is unknown: accepted are 0 to 111"):
        Sampler(make(), tokenizer(), written=[3, 112])
    with pytest.raises(InputError, match="an LSTMLanguageModel, got Linear"):
        Sampler(torch.nn.Linear(2, 3), tokenizer())
    special = BPETokenizer.train(LEARNED, 300, ["<|endoftext|>"])
    with pytest.raises(InputError, match="no special tokens; there is '<|endoftext"):
        Sampler(make(vocab=300), special)
    with pytest.raises(InputError, match="a BPETokenizer, got WordTokenizer"):
        Sampler(make(), WordTokenizer(["<unk>", *"abc"]))
    with pytest.raises(InputError, match="tokenizer has 100 tokens, the model 112"):
        Sampler(make(), tokenizer(100))
    with pytest.raises(InputError, match="up to 600,000 weights, got"):
        Sampler(make(hidden=300, embedding=100), tokenizer())
    broken = make()
    with torch.no_grad():
        broken.output.bias[3] = torch.nan
    with pytest.raises(InputError, match="not finite"):
        Sampler(broken, tokenizer())
