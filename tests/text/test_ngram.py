"""Kneser-Ney against its published equations, evaluated word by word."""

import math
import random
from collections import Counter, defaultdict

import numpy as np
import pytest

from lmbook.errors import InputError
from lmbook.text.ngram import NGramModel

VOCAB = 12


def text(length=400, seed=0):
    """Words that follow one another with a habit, the last of the list unused."""
    rng = np.random.default_rng(seed)
    ids = [0]
    while len(ids) < length:
        skewed = rng.zipf(1.5) % (VOCAB - 1)
        ids.append(int((ids[-1] * 3 + skewed) % (VOCAB - 1)))
    return np.array(ids)


def by_the_equations(ids, order, context, word):
    """p(word | context), straight from the definition, with dictionaries."""
    ids = ids.tolist()

    def counts(length):
        if length == order:
            grams = range(len(ids) - length + 1)
            return Counter(tuple(ids[i : i + length]) for i in grams)
        longer = {
            tuple(ids[i : i + length + 1]) for i in range(len(ids) - length)
        }  # each kind once
        return Counter(gram[1:] for gram in longer)

    def probability(length, context):
        if length == 0:
            return 1 / VOCAB
        c = counts(length)
        n = {i: sum(value == i for value in c.values()) for i in (1, 2, 3, 4)}
        if all(n.values()):
            y = n[1] / (n[1] + 2 * n[2])
            discount = {i: i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3)}
            discount = {i: min(max(d, 0), i) for i, d in discount.items()}
        else:
            discount = {1: 0.5, 2: 1.0, 3: 1.5}
        context = context[len(context) - length + 1 :] if length > 1 else ()
        following = {g[-1]: k for g, k in c.items() if g[:-1] == context}
        shorter = probability(length - 1, context[1:])
        total = sum(following.values())
        if not total:
            return shorter
        taken = sum(discount[min(k, 3)] for k in following.values())
        k = following.get(word, 0)
        kept = k - discount[min(k, 3)] if k else 0
        return kept / total + taken / total * shorter

    length = min(order, len(context) + 1)
    return probability(length, tuple(context)) if length == order else None


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_every_probability_is_the_published_one(order):
    ids = text()
    model = NGramModel(order).fit(ids, VOCAB)
    rng = np.random.default_rng(1)
    contexts = [ids[5 : 5 + order - 1], ids[-(order - 1) :] if order > 1 else []]
    contexts += [rng.integers(0, VOCAB, order - 1) for _ in range(4)]  # some unseen
    for context in contexts:
        found = model.distribution(np.array(context, int))
        expected = [
            by_the_equations(ids, order, [int(i) for i in context], word)
            for word in range(VOCAB)
        ]
        assert np.allclose(found, expected, rtol=1e-12)
        assert found.sum() == pytest.approx(1, abs=1e-12)
        assert found.min() > 0


def test_a_bigram_by_hand():
    # a b a b a c, and d that never comes.  Too few n-grams are rare to tell the
    # discounts: 1/2, 1, 3/2.  Each of a, b, c follows one different word, so with
    # 3 * 1/2 of 3 taken p(a) = p(b) = p(c) = 1/2 / 3 + 1/2 * 1/4 and p(d) = 1/2 * 1/4.
    # After a, of count 3: b twice, less 1; c once, less 1/2; 3/2 of 3 is for p(w).
    model = NGramModel(2).fit([0, 1, 0, 1, 0, 2], 4)
    assert model.distribution([]) == pytest.approx([7 / 24, 7 / 24, 7 / 24, 3 / 24])
    assert model.distribution([0]) == pytest.approx([7 / 48, 23 / 48, 15 / 48, 3 / 48])
    assert model.distribution([2]) == pytest.approx([7 / 24, 7 / 24, 7 / 24, 3 / 24])


# log10 p of the last word after those before it, as KenLM 0.3.0 writes it:
# lmplz -o 3 --discount_fallback, the words below in one line.
KENLM = """
v b g -1.0166804  b o i -1.2820324  i c a -0.16446854  h z b -0.29477197
c f f -1.4562659  g a f -1.8910853  c b o -2.445867  a j c -1.0998616
d </s> -2.1319726  x y -1.2762198  b v -2.2489898
<unk> -2.3597634  a -1.0792773  b -1.0957232  </s> -2.2280068
"""


def test_another_program_says_the_same():
    letters = "abcdefghijklmnopqrstuvwxyz"
    weights = [1 / (i + 1) ** 2 for i in range(26)]
    words = random.Random(1).choices(letters, weights, k=20_000)
    numbers = {w: i for i, w in enumerate(["<unk>", *letters, "</s>"])}
    # <s>, with which KenLM begins, is no word that can follow: here <unk> isn't, too.
    ids = [numbers[w] for w in ["<unk>", *words, "</s>"]]
    model = NGramModel(3).fit(ids, len(numbers))
    gram: list[str] = []
    found = {}
    for field in KENLM.split():
        if field[0] != "-":
            gram.append(field)
        else:
            log_prob = model.log_probs([numbers[w] for w in gram])[-1]
            found[" ".join(gram)] = (log_prob / math.log(10), float(field))
            gram = []
    assert len(found) == 15
    for name, (ours, theirs) in found.items():
        # Below the highest order it counts <s> as a word before the first one.
        assert ours == pytest.approx(theirs, abs=2e-3), name
    differences = [a - b for a, b in found.values()]
    assert np.sqrt(np.mean(np.square(differences))) < 1e-3


def test_a_text_is_the_product_of_its_words():
    model = NGramModel(3).fit(text(), VOCAB)
    new = text(60, seed=9)
    found = model.log_probs(new)
    for place, word in enumerate(new):
        before = model.distribution(new[:place])
        assert found[place] == pytest.approx(np.log(before[word]), abs=1e-12)
        assert before.sum() == pytest.approx(1, abs=1e-12)


def test_a_word_that_follows_only_one_other_is_no_good_guess_elsewhere():
    # 7 always follows 6; 8 is rarer but follows three different words.
    ids = np.array([6, 7, 1] * 20 + [2, 8, 3, 8, 4, 8, 5, 9] * 3)
    model = NGramModel(2).fit(ids, 11)
    elsewhere = model.distribution([10])
    assert elsewhere[8] > elsewhere[7]
    assert model.distribution([6])[7] > 0.9


def test_longer_contexts_help_on_a_text_with_habits():
    ids = text(3000)
    train, rest = ids[:2500], ids[2500:]
    losses = [
        -NGramModel(order).fit(train, VOCAB).log_probs(rest).mean() for order in (1, 2)
    ]
    assert losses[1] < losses[0] - 0.05
    assert losses[0] < np.log(VOCAB)


@pytest.mark.parametrize(
    ("ids", "vocab_size", "message"),
    [
        ([0, 1, 5], 5, "between 0 and 4"),
        ([0, -1], 5, "between 0 and 4"),
        ([0.5, 1.0], 5, "integers.*float64"),
        ([[0, 1]], 5, r"one-dimensional.*\(1, 2\)"),
        ([1, 2], 5, "2 words are too few for order 3"),
        ([], 5, "0 words"),
    ],
)
def test_bad_input(ids, vocab_size, message):
    with pytest.raises(InputError, match=message):
        NGramModel(3).fit(ids, vocab_size)
    with pytest.raises(InputError, match="at least 1, got 0"):
        NGramModel(0)


def test_counts_by_order_use_every_word():
    grams = defaultdict(int)
    ids = text(50)
    for word in ids:
        grams[word] += 1
    found = NGramModel(1).fit(ids, VOCAB).distribution([])
    assert np.array_equal(np.argsort(found)[:1], [VOCAB - 1])  # the unused word
    assert found.argmax() == max(grams, key=grams.get)
