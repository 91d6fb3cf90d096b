"""Filters against their formulas, written out token by token, and their properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from lmbook.errors import InputError
from lmbook.generation import GREEDY, Sampling, probabilities
from lmbook.generation import sampling as filters
from lmbook.generation.decoding import draw

INF = math.inf


def softmax(z):
    largest = max(z)
    e = [math.exp(x - largest) for x in z]
    return [x / sum(e) for x in e]


def by_the_formulas(z, seen, o):
    """The distribution for one row, in the documented order, with plain lists."""
    z = list(z)
    for i in range(len(z)):
        if seen[i]:
            z[i] = (
                z[i] / o.repetition_penalty if z[i] > 0 else z[i] * o.repetition_penalty
            )
    z = [-INF if i in o.avoid else x for i, x in enumerate(z)]
    if o.temperature == 0:
        first = z.index(max(z))
        z = [0.0 if i == first else -INF for i in range(len(z))]
    else:
        z = [x / o.temperature for x in z]
    if o.top_k is not None:
        kth = sorted(z, reverse=True)[: o.top_k][-1]
        z = [x if x >= kth else -INF for x in z]
    if o.top_p is not None:
        p, mass, kept = softmax(z), 0.0, set()
        for i in sorted(range(len(z)), key=lambda i: (-z[i], i)):
            kept.add(i)
            mass += p[i]
            if mass >= o.top_p:
                break
        z = [x if i in kept else -INF for i, x in enumerate(z)]
    if o.min_p is not None:
        p = softmax(z)
        z = [x if p[i] >= o.min_p * max(p) else -INF for i, x in enumerate(z)]
    return softmax(z)


OPTIONS = [
    Sampling(),
    GREEDY,
    Sampling(temperature=0.6),
    Sampling(temperature=1.7, top_k=4),
    Sampling(top_p=0.63),
    Sampling(min_p=0.21),
    Sampling(repetition_penalty=1.4),
    Sampling(repetition_penalty=0.7, temperature=0.8),
    Sampling(avoid=(2, 5), top_k=3),
    Sampling(0.9, 6, 0.8, 0.07, 1.2, (1,)),
    Sampling(1.5, 3, 0.5),
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("seed", range(4))
def test_every_option_is_its_formula(options, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (3, 11))
    logits[1, 4] = -INF
    seen = rng.random((3, 11)) < 0.4
    found = probabilities(torch.tensor(logits), options, torch.tensor(seen))
    expected = [
        by_the_formulas(z, s, options) for z, s in zip(logits, seen, strict=True)
    ]
    assert np.allclose(found, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("options", OPTIONS)
def test_the_same_as_transformers(options):
    process = pytest.importorskip("transformers.generation.logits_process")
    torch.manual_seed(1)
    logits = 2 * torch.randn(5, 13, dtype=torch.float64)
    ids = torch.randint(13, (5, 4))
    seen = torch.zeros(5, 13, dtype=torch.bool).scatter(1, ids, True)
    theirs = [
        process.RepetitionPenaltyLogitsProcessor(float(options.repetition_penalty))
    ]
    if options.avoid:
        theirs.append(process.SuppressTokensLogitsProcessor(list(options.avoid)))
    if options.temperature:
        theirs.append(process.TemperatureLogitsWarper(float(options.temperature)))
    if options.top_k:
        theirs.append(process.TopKLogitsWarper(options.top_k))
    if options.top_p is not None:
        theirs.append(process.TopPLogitsWarper(options.top_p))
    if options.min_p is not None:
        theirs.append(process.MinPLogitsWarper(options.min_p))
    scores = logits
    for one in theirs:
        scores = one(ids, scores)
    expected = scores.softmax(-1)
    if options.temperature == 0:  # theirs is another function, argmax
        expected = torch.nn.functional.one_hot(scores.argmax(-1), 13).double()
    found = probabilities(logits, options, seen)
    assert torch.equal(found > 0, expected > 0)
    assert torch.allclose(found, expected, rtol=1e-12, atol=0)


# Few distinct values, so that ties are common; minus infinity too.
logits_lists = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-30, 30), st.just(-INF)),
    min_size=1,
    max_size=9,
).filter(lambda z: max(z) > -INF)
shares = st.floats(0, 1)
some_options = st.builds(
    Sampling,
    temperature=st.one_of(st.just(0.0), st.floats(1e-3, 50)),
    top_k=st.one_of(st.none(), st.integers(1, 12)),
    top_p=st.one_of(st.none(), shares),
    min_p=st.one_of(st.none(), shares),
    repetition_penalty=st.floats(0.5, 3),
)


@settings(max_examples=300, deadline=None)
@given(logits_lists, some_options)
def test_it_is_always_a_distribution(values, options):
    logits = torch.tensor(values, dtype=torch.float64)
    found = probabilities(logits, options)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert found.min() >= 0
    assert found[logits == -INF].sum() == 0
    # Nothing rules out the most probable token.
    assert found[logits.argmax()] == found.max() > 0


def kept(logits):
    return set((logits > -INF).nonzero().flatten().tolist())


@settings(max_examples=300, deadline=None)
@given(logits_lists, shares)
def test_the_nucleus_is_the_smallest_set_of_that_mass(values, p):
    logits = torch.tensor(values, dtype=torch.float64)
    probs = logits.softmax(-1)
    inside = kept(filters.keep_top_p(logits, p))
    mass = probs[sorted(inside)].sum()
    assert mass >= p - 1e-12
    if len(inside) > 1 and p < 1:
        fewer = probs.sort(descending=True).values[: len(inside) - 1].sum()
        assert fewer < p + 1e-12  # no set of one token fewer has the mass
    outside = set(range(len(values))) - inside
    for i in inside:
        for j in outside:
            assert (-values[i], i) < (-values[j], j)


@settings(max_examples=200, deadline=None)
@given(logits_lists, shares, shares, st.integers(1, 12), st.integers(1, 12))
def test_more_is_kept_as_p_and_k_grow(values, p, q, k, m):
    logits = torch.tensor(values, dtype=torch.float64)
    (p, q), (k, m) = sorted((p, q)), sorted((k, m))
    assert kept(filters.keep_top_p(logits, p)) <= kept(filters.keep_top_p(logits, q))
    assert kept(filters.keep_top_k(logits, k)) <= kept(filters.keep_top_k(logits, m))
    assert kept(filters.keep_min_p(logits, q)) <= kept(filters.keep_min_p(logits, p))


def test_limits():
    logits = torch.tensor([1.0, 3.0, 3.0, -2.0, -INF])
    assert kept(filters.keep_top_k(logits, 1)) == {1, 2}  # they tie
    assert kept(filters.keep_top_k(logits, 99)) == {0, 1, 2, 3}
    assert kept(filters.keep_top_p(logits, 0)) == {1}  # among equals, the lowest id
    assert kept(filters.keep_top_p(logits, 1)) == {0, 1, 2, 3}
    assert kept(filters.keep_min_p(logits, 1)) == {1, 2}
    assert kept(filters.keep_min_p(logits, 0)) == {0, 1, 2, 3}
    assert kept(filters.scale_temperature(logits, 0)) == {1}
    tiny = filters.scale_temperature(logits.double(), 1e-300)
    assert tiny.softmax(-1).tolist() == [0, 0.5, 0.5, 0, 0]
    one = torch.zeros(2, 1)
    assert probabilities(one, Sampling(0.5, 3, 0.0, 1.0)).tolist() == [[1], [1]]


def test_a_penalty_never_helps_what_was_seen():
    logits = torch.tensor([2.0, -2.0, 0.5, -0.5])
    before = logits.softmax(-1)
    for i in range(4):
        seen = torch.arange(4) == i
        after = filters.penalize_repetition(logits, seen, 1.3).softmax(-1)
        assert after[i] < before[i]
        assert filters.penalize_repetition(logits, seen, 0.7).softmax(-1)[i] > before[i]


def test_what_is_given_is_left_as_it_was():
    logits = torch.randn(2, 7)
    copy, seen = logits.clone(), torch.ones(2, 7, dtype=torch.bool)
    probabilities(logits, Sampling(0.7, 3, 0.9, 0.1, 1.2, (0,)), seen)
    assert torch.equal(logits, copy)
    assert seen.all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature must be a number at least 0, got -0.1"),
        ({"temperature": math.nan}, "temperature.*nan"),
        ({"temperature": INF}, "temperature.*inf"),
        ({"temperature": "hot"}, "temperature.*'hot'"),
        ({"top_k": 0}, "top_k must be at least 1, got 0"),
        ({"top_k": 2.5}, "top_k must be a whole number, got 2.5"),
        ({"top_k": True}, "top_k must be a whole number, got True"),
        ({"top_p": 1.01}, "top_p must be a number from 0 to 1, got 1.01"),
        ({"top_p": -0.1}, "top_p"),
        ({"min_p": math.nan}, "min_p"),
        ({"repetition_penalty": 0}, "repetition_penalty must be above 0, got 0"),
        ({"repetition_penalty": -1}, "repetition_penalty"),
        ({"avoid": (1.5,)}, "avoid must be a whole number"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        Sampling(**options)


def test_ids_to_avoid_are_known_and_not_all():
    logits = torch.zeros(2, 3)
    with pytest.raises(InputError, match="below 3, got 3"):
        probabilities(logits, Sampling(avoid=(3,)))
    with pytest.raises(InputError, match="every token"):
        probabilities(logits, Sampling(avoid=(0, 1, 2)))


def test_draws_have_the_frequencies_of_the_distribution():
    logits = torch.tensor([1.2, -0.3, 0.0, 2.1, -INF, 0.4, -1.5])
    probs = probabilities(logits, Sampling(1.3, top_k=5)).numpy()
    rng = np.random.default_rng(0)
    counts = np.bincount([draw(probs, u) for u in rng.random(20_000)], minlength=7)
    assert counts[probs == 0].sum() == 0
    possible = probs > 0
    assert chisquare(counts[possible], 20_000 * probs[possible]).pvalue > 0.01


def test_a_draw_is_never_impossible():
    probs = np.array([0.0, 0.5, 0.0, 0.5, 0.0])
    assert draw(probs, 0.0) == 1
    assert draw(probs, 0.5) == 3
    assert draw(probs, 1 - 2**-53) == 3
    assert draw(probs * (1 - 1e-9), 1.0) == 3  # rounding may leave less than 1
