"""The translator on small models, and the book's own on sentences held out."""

import math
from functools import cache
from itertools import islice

import pytest
import torch
from torch import nn

from lmbook.applications import translation
from lmbook.applications.translation import Translator
from lmbook.errors import InputError
from lmbook.generation import beam_search
from lmbook.models.encoder_decoder import Conditioned
from lmbook.models.translation_model import Seq2Seq, Seq2SeqConfig
from lmbook.text.bpe import BPETokenizer
from lmbook.text.microworld import MicroWorld
from lmbook.text.pair_batches import PairData
from lmbook.text.pair_tokens import encode_pairs, pair_tokenizer
from lmbook.training import TrainConfig
from lmbook.training.pair_files import save_pair_model
from lmbook.training.pairs import train_pairs

PAIRS = [
    ("Hello, world!", "你好，世界！"),
    ("Good morning, Anna!", "早上好，安娜！"),
    ("The cat sleeps.", "猫睡觉。"),
    ("The dog sings.", "狗唱歌。"),
    ("Is it a bird?", "它是鸟吗？"),
]
# Of the book's own translator, in either direction: on 1,000 sentences each it reached
# 0.993 and 0.999.  Other processors round otherwise.
LEAST_EXACT = 0.98


@cache
def learned(architecture="attention"):
    """A model that knows these five pairs by heart."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    tokenizer = pair_tokenizer(PAIRS, 400)
    size = len(tokenizer)
    sizes = Seq2SeqConfig(size, size, architecture, size=24, tied=True)
    model = Seq2Seq.seeded(sizes, 0)
    pairs = encode_pairs(tokenizer, PAIRS)
    config = TrainConfig(
        optimizer="adamw", learning_rate=1e-2, epochs=120, evaluations=1
    )
    train_pairs(model, PairData(pairs, pairs), config)
    torch.set_num_threads(before)
    return Translator(model, tokenizer)


@pytest.fixture(params=["fixed", "attention", "transformer"])
def translator(request):
    return learned(request.param)


@pytest.mark.parametrize("beams", [1, 3])
def test_both_directions(translator, beams):
    for english, chinese in PAIRS:
        assert translator.translate(chinese, "en", beams=beams) == english
        assert translator.translate(english, "zh", beams=beams) == chinese
    assert translator.translate(PAIRS[0][1]) == PAIRS[0][0]


def test_texts_sentence_by_sentence(translator):
    chinese = "你好，世界！猫睡觉。\n\n  狗唱歌。它是鸟吗？ \n"
    english = "Hello, world! The cat sleeps.\n\nThe dog sings. Is it a bird?\n"
    assert translator.translate(chinese) == english
    expected = "你好，世界！猫睡觉。\n\n狗唱歌。它是鸟吗？\n"
    assert translator.translate(english, "zh") == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Is it? Yes.  It is! Good.", ["Is it? Yes.", "It is!", "Good."]),
        ("是吗？是的。好！", ["是吗？是的。", "好！"]),
        ("他说：“好。”她走了。 3.5 m", ["他说：“好。”她走了。", "3.5 m"]),
        ("Is it?", ["Is it?"]),
        ("猫睡觉", ["猫睡觉"]),
        ("  ", []),
    ],
)
def test_where_sentences_end(line, expected):
    assert translation._sentences(line) == expected


def test_together_and_alone(translator):
    texts = ["猫睡觉。狗唱歌。", "", "早上好，安娜！", "猫睡觉。"]
    together = translator.translate_all(texts)
    assert together == [translator.translate(text) for text in texts]
    assert translator.translate_all([]) == []


@pytest.mark.parametrize("text", ["", " ", "\t  "])
def test_nothing_becomes_nothing(translator, text):
    assert translator.translate(text) == ""
    assert translator.translate(text, "zh", beams=2) == ""


@pytest.mark.parametrize("text", ["龘靐齉！", "🙂", "xyzzy?", "<|en|><|end|>", "\x00"])
def test_unknown_characters_give_some_text(translator, text):
    found = translator.translate(text)
    assert isinstance(found, str)
    assert "<|" not in found
    assert found == translator.translate(text)


def test_5000_characters(translator):
    text = "猫睡觉。" * 1250
    assert translator.translate(text) == " ".join(["The cat sleeps."] * 1250)
    without_end = translator.translate("猫" * 5000)
    pieces = -(
        -len(translator.tokenizer.encode("猫" * 5000)) // translation.MOST_TOKENS
    )
    most = pieces * (2 * translation.MOST_TOKENS + 10)
    assert len(translator.tokenizer.encode(without_end)) <= most + pieces


def test_what_is_refused(translator):
    with pytest.raises(InputError, match="must be one of en, zh; got 'fr'"):
        translator.translate("猫睡觉。", target_language="fr")
    with pytest.raises(InputError, match="beams must be at least 1, got 0"):
        translator.translate("猫睡觉。", beams=0)
    with pytest.raises(InputError, match="a list of texts"):
        translator.translate_all("猫睡觉。")
    with pytest.raises(InputError, match="must be a str, got int"):
        translator.translate(5)
    with pytest.raises(InputError, match="lone surrogate"):
        translator.translate("猫\ud800")


def test_a_tokenizer_that_does_not_fit():
    model = learned().model
    with pytest.raises(InputError, match="the tokenizer has 259"):
        Translator(model, pair_tokenizer(PAIRS, 259))
    with pytest.raises(InputError, match="for each language"):
        Translator(model, BPETokenizer.train("abc", 256))


def test_beams_search_by_log_probability_over_length():
    translator = learned()
    model, tokenizer = translator.model, translator.tokenizer
    encoded = model.encoder.encode(tokenizer.encode("猫唱歌。"))
    first, end = (tokenizer.special_tokens[t] for t in ("<|en|>", "<|end|>"))
    given = Conditioned(model.decoder, encoded)
    best = beam_search(given, [first], 20, 4, end=end)
    text = translator.translate("猫唱歌。", beams=4)
    assert text == tokenizer.decode(i for i in best[0].ids if i != end)
    assert best[0].score == pytest.approx(best[0].log_prob / len(best[0].ids))
    greedy = beam_search(given, [first], 20, 1, end=end)[0].score
    assert best[0].score >= greedy - 1e-6


@pytest.mark.parametrize("architecture", ["attention", "transformer"])
def test_an_alignment_is_a_translation_with_weights(architecture):
    translator = learned(architecture)
    source, target, weights = translator.align("你好，世界！")
    assert "".join(source) == "你好，世界！"
    assert "".join(target) == "Hello, world!<|end|>"
    layers, heads = (1, 1) if architecture == "attention" else (1, 4)
    assert weights.shape == (layers, heads, len(target), len(source))
    assert torch.allclose(weights.sum(-1), torch.ones(()))
    for text in ("", "猫睡觉。狗唱歌。", "猫" * 500):
        with pytest.raises(InputError, match="one sentence of at most 100 tokens"):
            translator.align(text)


def test_no_alignment_without_attention():
    with pytest.raises(InputError, match="no attention"):
        learned("fixed").align("猫睡觉。")


def test_a_saved_translator(translator, tmp_path):
    save_pair_model(tmp_path, translator.model, translator.tokenizer)
    loaded = Translator.load(tmp_path)
    for english, chinese in PAIRS:
        assert loaded.translate(chinese) == english


def test_a_model_that_has_lost_itself_is_stopped():
    tokenizer = pair_tokenizer(PAIRS, 300)
    model = Seq2Seq.seeded(Seq2SeqConfig(300, 300, size=6), 0)
    nn.init.zeros_(model.decoder.output.weight)
    with torch.no_grad():
        model.decoder.output.bias[tokenizer.encode("a")[0]] = 9.0
    translator = Translator(model, tokenizer)
    assert translator.translate("bb cc") == "a" * (2 * 5 + 10)
    both = translator.translate_all(["b", "bb cc"])
    assert [len(text) for text in both] == [12, 20]


@pytest.mark.full
@pytest.mark.parametrize("source", ["zh", "en"])
def test_the_books_own_translator_on_unseen_combinations(source):
    """A translation is right if the world says the same in its words."""
    translator, other = Translator.default(), {"zh": "en", "en": "zh"}[source]
    assert translator.translate("你好，世界！", target_language="en") == "Hello, world!"
    assert translator.translate("Hello, world!", target_language="zh") == "你好，世界！"
    world = MicroWorld(source, "unseen_combinations")
    pairs = list(islice(world.pairs("sentences", 99), 500))
    texts = [pair.source.text for pair in pairs]
    right = [
        world.translation_log_prob("sentences", text, found) > -math.inf
        for text, found in zip(
            texts, translator.translate_all(texts, other), strict=True
        )
    ]
    assert sum(right) / len(right) >= LEAST_EXACT
