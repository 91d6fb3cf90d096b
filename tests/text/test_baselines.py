"""The floor against a world small enough to write out, and the table of baselines."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest

from lmbook import metrics
from lmbook.errors import InputError
from lmbook.text import load_data, load_text
from lmbook.text.baselines import baselines, floor_of
from lmbook.text.microworld import MicroWorld, microworld_text
from lmbook.text.microworld.grammar import Choice
from lmbook.text.ngram import NGramModel
from lmbook.text.tokenizers import BPETokenizer, CharTokenizer, WordTokenizer

TOKENIZERS = {
    "word": WordTokenizer.train,
    "char": CharTokenizer.train,
    "bpe": lambda text: BPETokenizer.train(text, 300),
}


@pytest.fixture(params=["zh", "en"])
def small_world(request, monkeypatch):
    """A world of three frames: its language, and the probability of all it can say."""
    whole = MicroWorld.__init__

    def with_few_frames(world, *args):
        whole(world, *args)
        frames = {f: f.weight for f in world.grammar.sentences.words}
        few = {f: w for f, w in frames.items() if f.id in {"river", "speak", "keeps"}}
        world.grammar.sentences = Choice(few)

    monkeypatch.setattr(MicroWorld, "__init__", with_few_frames)
    world = MicroWorld(request.param)
    sample = itertools.islice(world.texts("sentences", 3), 5000)
    said = {text.text: math.exp(text.log_prob) for text in sample}
    assert math.fsum(said.values()) == pytest.approx(1, abs=1e-12)
    assert len(said) == 16 + 64 // 2 * (2 if request.param == "zh" else 1) + 76
    return request.param, said


@pytest.mark.parametrize("level", TOKENIZERS)
def test_the_floor_is_the_loss_of_a_model_that_knows_all_texts(small_world, level):
    language, said = small_world
    tokenizer = TOKENIZERS[level]("\n".join(said) + "\n")
    share = defaultdict(float)  # of the documents that begin with these tokens
    for text, probability in said.items():
        ids = tuple(tokenizer.encode(text + "\n"))
        for length in range(len(ids) + 1):
            share[ids[:length]] += probability
    texts = list(itertools.islice(MicroWorld(language).texts("sentences", 8), 57))
    corpus = "".join(text.text + "\n" for text in texts)

    losses, begun = [], ()
    ends = {tuple(tokenizer.encode(text + "\n")) for text in said}
    for i in tokenizer.encode_array(corpus).tolist():
        losses.append(-math.log(share[(*begun, i)] / share[begun]))
        begun = () if (*begun, i) in ends else (*begun, i)

    floor = floor_of(corpus, tokenizer, language, "sentences")
    assert floor.tokens == len(losses)
    assert floor.chars == len(corpus)
    assert floor.nats_per_token == pytest.approx(np.mean(losses), rel=1e-12)
    assert floor.nats_per_char == pytest.approx(sum(losses) / len(corpus), rel=1e-12)


def test_the_floor_of_the_validation_part(tmp_path):
    path = tmp_path / "world.txt"
    path.write_text(microworld_text("zh", 30_000, seed=5), "utf-8")
    valid = load_text(path)["valid"]
    data = load_data(path, at_most=True)
    assert len(valid) == data.num_chars["valid"] == len(data.valid)  # no spaces
    if data.unknown_share("valid"):  # words that training has not seen
        with pytest.raises(InputError, match="does not know all of"):
            floor_of(valid, data.tokenizer)
    floor = floor_of(valid, WordTokenizer.train(path.read_text("utf-8")))
    assert floor.tokens == len(data.valid)
    [trigram] = baselines(data, orders=[3])
    assert 0.3 * trigram.nats_per_token < floor.nats_per_token
    assert floor.nats_per_token < 0.8 * trigram.nats_per_token


def test_what_has_no_floor_is_named():
    text = MicroWorld("zh").texts("sentences", 1)
    one, two = next(text).text, next(text).text
    tokenizer = CharTokenizer.train(one + "\n")
    with pytest.raises(InputError, match="must be a line, the last one too"):
        floor_of(one, tokenizer)
    with pytest.raises(InputError, match=f"does not know all of '{two[:9]}"):
        floor_of(f"{one}\n{two}\n", tokenizer)
    with pytest.raises(InputError, match="the world can't say"):
        floor_of(one[:-1] + one + "\n", tokenizer)


@pytest.mark.parametrize(("level", "size"), [("word", 40), ("char", 30), ("bpe", 270)])
def test_the_table_has_every_unit(tmp_path, level, size):
    words = "the cat sat on a mat and saw the dog that ran".split()
    rng = np.random.default_rng(4)
    text = "".join(" ".join(rng.choice(words, 7)) + ".\n" for _ in range(300))
    (tmp_path / "t.txt").write_text(text, "utf-8")
    data = load_data(tmp_path / "t.txt", size, level, at_most=True)
    rows = baselines(data, "test", (5, 2, 1))
    assert [row.name for row in rows] == ["5-gram", "bigram", "unigram"]
    for row, order in zip(rows, (5, 2, 1), strict=True):
        model = NGramModel(order).fit(data.train, len(data.tokenizer))
        nats = -model.log_probs(data.test)
        assert row.nats_per_token == pytest.approx(nats.mean(), rel=1e-12)
        assert row.perplexity == pytest.approx(np.exp(nats.mean()), rel=1e-12)
        per_char = nats.sum() / data.num_chars["test"]
        assert row.nats_per_char == pytest.approx(per_char, rel=1e-12)
        assert row.bits_per_char == pytest.approx(per_char / math.log(2), rel=1e-12)
        assert row.seconds > 0
        if level == "char":
            assert row.nats_per_char == row.nats_per_token
    assert metrics.perplexity(rows[2].nats_per_token) < len(data.tokenizer)
