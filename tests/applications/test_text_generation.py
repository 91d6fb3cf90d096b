"""The text generator on small models of every kind of tokenizer."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lmbook.applications import TextGenerator
from lmbook.errors import InputError
from lmbook.generation import beam_search, generate
from lmbook.generation.sampling import Sampling
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel
from lmbook.text.bpe_rules import Rules
from lmbook.text.tokenizers import BPETokenizer, CharTokenizer, WordTokenizer
from lmbook.training import checkpoint

TEXT = "the sun sets on the horizon .\n太阳落山了。\nthe cat sees the sun .\n" * 3
TOKENIZERS = {
    "bpe": BPETokenizer.train(TEXT, 290),
    "char": CharTokenizer.train(TEXT),
    "word": WordTokenizer.train(TEXT),
}
PROMPTS = ["the sun sets", "", "太阳", "the cat sees the sun on"]


def model_for(tokenizer):
    torch.manual_seed(0)
    model = LSTMLanguageModel(LSTMConfig(len(tokenizer), 5, 9, num_layers=2))
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0, 0.6)
    return model.eval()


@pytest.fixture(params=TOKENIZERS)
def generator(request):
    tokenizer = TOKENIZERS[request.param]
    return TextGenerator(model_for(tokenizer), tokenizer)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_text_is_what_the_model_adds_to_the_prompt(generator, prompt):
    tokenizer = generator.tokenizer
    ids = [generator.start, *tokenizer.encode(prompt)]
    if isinstance(tokenizer, WordTokenizer) and prompt:
        assert tokenizer.tokens[ids.pop()] == "<eos>"  # the prompt's line goes on
    unknown = () if tokenizer.unknown_id is None else (tokenizer.unknown_id,)
    sampling = Sampling(0.9, top_p=0.8, min_p=0.1, avoid=unknown)
    [new] = generate(generator.model, [ids], 12, sampling, seed=7)
    text = generator.generate_text(prompt, 12, temperature=0.9, top_p=0.8, seed=7)
    before = tokenizer.decode(ids)
    assert before + text == tokenizer.decode(ids + new)


def test_a_published_model_with_its_tokenizer(tmp_path):
    """It may know more ids than its tokenizer, and begin with a token of its own."""
    trained = BPETokenizer.train(TEXT, 280, ["<|begin|>"])
    tokenizer = BPETokenizer(
        trained._names,
        trained._learned,
        trained.special_tokens,
        Rules("llama3", ignore_merges=True, begin="<|begin|>"),
    )
    torch.manual_seed(0)
    model = GPT(GPTConfig(len(tokenizer) + 500, 16, 12, 2, 3, init_std=0.5))
    model.save_pretrained(tmp_path)
    tokenizer.save(tmp_path / "tokenizer.json")

    generator = TextGenerator.load(tmp_path)
    assert isinstance(generator.model, GPT)
    assert tokenizer.tokens[generator.start] == b"<|begin|>"
    text = generator.generate_text("the sun", 40, temperature=2.0, min_p=0.0)
    assert len(text) > 10
    assert generator.generate_text("the sun", 5, beams=3)
    assert generator.score("the cat sees the sun .") > 1


@pytest.mark.parametrize("as_list", [True, False])
@pytest.mark.parametrize("beams", [1, 3])
def test_a_published_models_text_ends_at_its_end(tmp_path, as_list, beams):
    tokenizer = BPETokenizer.train(TEXT, 280, ["<|end|>"])
    end = tokenizer.special_tokens["<|end|>"]
    model = GPT(GPTConfig(len(tokenizer), 16, 12, 2, 3, init_std=0.5))
    model.save_pretrained(tmp_path)
    tokenizer.save(tmp_path / "tokenizer.json")
    before = TextGenerator.load(tmp_path)
    assert before.end is None
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    config["eos_token_id"] = [end, 5] if as_list else end
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")

    generator = TextGenerator.load(tmp_path)
    assert generator.end == end
    with torch.no_grad():  # of all it sees, the end is the likeliest
        generator.model.output.bias = torch.nn.Parameter(torch.zeros(len(tokenizer)))
        generator.model.output.bias[end] = 1e4
    assert generator.generate_text("the sun", 9, beams=beams) == ""
    generator.end = None
    assert "<|end|>" in generator.generate_text("the sun", 9, beams=beams)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tmp_path):
    tokenizer = BPETokenizer.train(TEXT, 280)
    GPT(GPTConfig(len(tokenizer) - 1, 16, 12, 2, 3)).save_pretrained(tmp_path)
    tokenizer.save(tmp_path / "tokenizer.json")
    with pytest.raises(InputError, match="does not fit together: tokenizer.json has"):
        TextGenerator.load(tmp_path)


def test_words_are_joined_to_the_prompt_with_a_space():
    tokenizer = TOKENIZERS["word"]
    generator = TextGenerator(model_for(tokenizer), tokenizer)
    text = generator.generate_text("the sun", 4, seed=1)
    assert text.startswith((" ", "\n"))
    assert not generator.generate_text("", 1, avoid=[1]).startswith(" ")


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("stop", [None, "e", ["th", "\n", "落"]])
def test_a_stream_is_the_same_text_in_pieces(generator, prompt, stop):
    whole = generator.generate_text(prompt, 40, seed=5, stop=stop)
    pieces = list(generator.stream(prompt, 40, seed=5, stop=stop))
    assert "".join(pieces) == whole
    assert all(pieces)
    free = generator.generate_text(prompt, 40, seed=5)
    stops = [stop] if isinstance(stop, str) else stop or []
    assert free.startswith(whole)
    assert not any(text in whole for text in stops)
    if stops:
        assert whole == free or any(free[len(whole) :].startswith(s) for s in stops)


def test_prompts_together_and_alone(generator):
    together = generator.generate_texts(PROMPTS, 15, seed=3, stop=".")
    alone = [
        generator.generate_text(prompt, 15, seed=3 + i, stop=".")
        for i, prompt in enumerate(PROMPTS)
    ]
    assert together == alone
    assert len(set(together)) > 1


def test_the_same_seed_writes_the_same(generator):
    texts = [generator.generate_text("the", 30, seed=seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_beams(generator):
    ids = [generator.start, *generator.tokenizer.encode("the\n")]
    unknown = generator.tokenizer.unknown_id
    avoid = [] if unknown is None else [unknown]
    best = beam_search(generator.model, ids, 8, 3, avoid=avoid)[0]
    text = generator.generate_text("the\n", 8, beams=3)
    before = generator.tokenizer.decode(ids)
    assert before + text == generator.tokenizer.decode([*ids, *best.ids])
    assert "".join(generator.stream("the\n", 8, beams=3)) == text
    rows = generator.generate_texts(["the\n", ""], 8, beams=3)
    assert rows == [text, generator.generate_text("", 8, beams=3)]


@pytest.mark.parametrize("kind", ["char", "word"])
def test_unknown_text_is_read_but_never_written(kind):
    tokenizer = TOKENIZERS[kind]
    model = model_for(tokenizer)
    with torch.no_grad():
        model.output.bias[tokenizer.unknown_id] += 20
    generator = TextGenerator(model, tokenizer)
    text = generator.generate_text("zebra 鸟", 60, temperature=1.5)
    assert text
    assert "<unk>" not in text
    assert "<unk>" not in generator.generate_text("zebra", 9, beams=2)


def test_what_a_text_begins_after():
    tokens = [TOKENIZERS[kind].tokens for kind in ("bpe", "char", "word")]
    starts = [
        TextGenerator(model_for(tokenizer), tokenizer).start
        for tokenizer in TOKENIZERS.values()
    ]
    assert [t[i] for t, i in zip(tokens, starts, strict=True)] == [b"\n", "\n", "<eos>"]
    one_line = CharTokenizer.train("no line end")
    assert one_line.tokens[TextGenerator(model_for(one_line), one_line).start] == " "
    letters = CharTokenizer.train("abc")
    assert TextGenerator(model_for(letters), letters).start == 0


def test_length_and_temperature_0(generator):
    assert generator.generate_text("the", 0) == ""
    assert generator.generate_texts(["the", ""], 0) == ["", ""]
    assert list(generator.stream("the", 0)) == []
    greedy = [
        generator.generate_text("the", 9, temperature=0, seed=seed) for seed in (1, 2)
    ]
    assert greedy[0] == greedy[1]


def test_score_is_the_mean_loss_of_a_line(generator):
    text = "the sun sets"
    ids = [generator.start, *generator.tokenizer.encode(text)]
    if isinstance(generator.tokenizer, WordTokenizer):
        ids.pop()
    ids = torch.tensor(ids)
    with torch.no_grad():
        logits, _ = generator.model(ids[None, :-1])
    assert generator.score(text) == pytest.approx(
        cross_entropy(logits[0], ids[1:]).item(), rel=1e-5
    )
    with pytest.raises(InputError, match="no score"):
        generator.score("")


def test_a_saved_model_writes_the_same(generator, tmp_path):
    checkpoint.save_model(tmp_path, generator.model, generator.tokenizer)
    loaded = TextGenerator.load(tmp_path)
    for prompt in PROMPTS:
        expected = generator.generate_text(prompt, 9, seed=2)
        assert loaded.generate_text(prompt, 9, seed=2) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": -1}, "must not be negative, got -1"),
        ({"length": 1.5}, "length must be a whole number, got 1.5"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": np.nan}, "temperature"),
        ({"topk": 3}, "no option named 'topk'.*top_k"),
        ({"beams": 0}, "beams at least 1"),
        ({"beams": 1.5}, "beams must be a whole number"),
        ({"beams": 2, "top_k": 3}, "takes no sampling options"),
        ({"stop": ["a", ""]}, "non-empty"),
        ({"seed": -1}, "must not be negative"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(generator, arguments, message):
    with pytest.raises(InputError, match=message):
        generator.generate_text("the", **{"length": 3, **arguments})
    with pytest.raises(InputError, match=message):
        generator.stream("the", **{"length": 3, **arguments})


def test_one_text_is_no_list_of_texts(generator):
    with pytest.raises(InputError, match="a list of texts"):
        generator.generate_texts("the")
    with pytest.raises(InputError, match="no prompt"):
        generator.generate_texts([])
