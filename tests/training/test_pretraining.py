"""Every kind of corpus becomes one text; the trainer does the rest."""

import dataclasses

import numpy as np
import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.text import LanguageData
from lmbook.text.tokenizers import BPETokenizer, CharTokenizer, WhitespaceTokenizer
from lmbook.training import TrainConfig, evaluate, train
from lmbook.training.pretraining import PretrainedModel

CONFIG = GPTConfig(40, 9, 12, 2, 3, position="rotary", tied=False)
TRAIN = TrainConfig(
    batch_size=5,
    seq_len=7,
    learning_rate=0.02,
    optimizer="adamw",
    evaluations=2,
    device="cpu",
)
LINES = ["abcd", "dcba", "bbdd"] * 19 + ["abcdef"]
TEXT = "".join(line + "\n" for line in LINES)


def fitted(corpus, epochs=1, config=CONFIG, **options):
    return PretrainedModel(config, train=TRAIN, **options).fit(corpus, epochs)


def test_it_learns_the_corpus():
    model = PretrainedModel(CONFIG, train=TRAIN)
    assert model.fit(TEXT, epochs=40) is model
    assert model.history.best["valid_nats"] < 0.6 * np.log(8)
    assert model.history.last["epoch"] == 40
    assert not model.model.training
    ids = model.tokenizer.encode_array("abcd\ndcba\n")
    assert evaluate(model.model, ids) < 0.8


def test_it_is_the_trainer_on_nine_tenths_of_the_text():
    model = fitted(TEXT, 2)
    assert isinstance(model.tokenizer, CharTokenizer)
    ids = model.tokenizer.encode_array(TEXT)
    cut = TEXT.rfind("\n", 0, round(0.9 * len(TEXT))) + 1
    assert (len(TEXT), cut) == (292, 260)  # not 263, which is within a line
    parts = {"train": ids[:cut], "valid": ids[cut:], "test": ids[:0]}
    torch.manual_seed(TRAIN.seed)
    plain = GPT(dataclasses.replace(CONFIG, vocab_size=len(model.tokenizer)))
    data = LanguageData(model.tokenizer, **parts, num_chars={})
    train(plain, data, dataclasses.replace(TRAIN, epochs=2))
    for a, b in zip(plain.parameters(), model.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_text_its_lines_and_the_encoded_text_are_one_corpus():
    text = fitted(TEXT)
    lines = fitted(iter(LINES))
    data = LanguageData(text.tokenizer, *np.split(_ids(text), [260]), _ids(text), {})
    for other in (lines, fitted(data)):
        assert other.tokenizer.tokens == text.tokenizer.tokens
        assert other.history.column("valid_nats") == pytest.approx(
            text.history.column("valid_nats")
        )


def _ids(model):
    return model.tokenizer.encode_array(TEXT)


def test_token_lists_keep_their_tokens():
    sentences = [["the", "cat", "你好"], ("a", "cat", ".")] * 20
    model = fitted(sentences)
    assert isinstance(model.tokenizer, WhitespaceTokenizer)
    assert model.tokenizer.decode(model.tokenizer.encode("the 你好\n")) == "the 你好\n"
    known = {"<unk>", "<eos>", "the", "a", "cat", "你好", "."}
    assert set(model.tokenizer.tokens) == known
    assert model.model.config.vocab_size == 7


def test_the_commonest_tokens_where_there_are_too_many():
    config = dataclasses.replace(CONFIG, vocab_size=3)
    model = fitted("aaaab\n" * 30 + "cde\n", config=config)
    assert set(model.tokenizer.tokens) == {"<unk>", "a", "b"}
    assert model.model.config.vocab_size == 3


def test_a_tokenizer_of_ones_own():
    tokenizer = BPETokenizer.train(TEXT, 262)
    model = fitted(TEXT, tokenizer=tokenizer)
    assert model.tokenizer is tokenizer
    assert model.model.config.vocab_size == 262
    words = WhitespaceTokenizer.train("x y\n")
    assert fitted([["x", "y", "x"]] * 20, tokenizer=words).tokenizer is words


def test_the_tokenizer_learns_from_the_training_part_alone():
    model = fitted(TEXT + "zzzzzzz\n")
    assert "z" not in model.tokenizer.tokens


def test_one_line_is_cut_where_nine_tenths_are():
    model = fitted("abcde" * 40)
    assert model.history.last["tokens"] == 175  # 5 rows of (180 - 1) // 5


def test_by_default_windows_are_of_the_whole_context():
    model = PretrainedModel(CONFIG)
    assert model.train.seq_len == 9
    assert model.fit(TEXT, epochs=1).history.last["epoch"] == 1


def test_the_seed_draws_everything():
    a, b = fitted(TEXT), fitted(TEXT)
    c = PretrainedModel(CONFIG, train=dataclasses.replace(TRAIN, seed=1)).fit(TEXT, 1)
    weights = [m.model.output.weight for m in (a, b, c)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_saved_and_loaded(tmp_path):
    model = PretrainedModel(dataclasses.replace(CONFIG, position="learned", tied=True))
    model.train = TRAIN
    model.fit(TEXT, 1).save(tmp_path)
    loaded = PretrainedModel.load(tmp_path)
    ids = torch.tensor([loaded.tokenizer.encode("abcd")])
    assert torch.equal(loaded.model(ids)[0], model.model(ids)[0])
    assert loaded.history.records == []


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("", "the corpus holds no text"),
        ([], "the corpus holds no text"),
        ([["a", "b c"]], r"sentence 0 of the corpus is \"\['a', 'b c'\]\""),
        ([["a"], "b"], "sentence 1 of the corpus is 'b'"),
        ([["a"], 3], "sentence 1 of the corpus is '3'"),
        ("abcdef", "needs at least"),
    ],
)
def test_no_corpus(corpus, message):
    with pytest.raises(InputError, match=message):
        fitted(corpus)


def test_tokenizers_that_do_not_fit():
    tokenizer = CharTokenizer.train(TEXT)
    with pytest.raises(InputError, match="WhitespaceTokenizer, got a CharTokenizer"):
        fitted([["a", "b"]] * 9, tokenizer=tokenizer)
    ids = tokenizer.encode_array(TEXT)
    data = LanguageData(tokenizer, ids, ids, ids, {})
    with pytest.raises(InputError, match="encoded already"):
        fitted(data, tokenizer=tokenizer)
    with pytest.raises(InputError, match="epochs must be"):
        fitted(TEXT, epochs=0)
