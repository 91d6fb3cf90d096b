"""What is read and what counts: masks and losses against sums written out."""

import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.text.bpe_rules import Rules
from lmbook.text.tokenizers import (
    BPETokenizer,
    CharTokenizer,
    WhitespaceTokenizer,
    WordTokenizer,
)
from lmbook.training import examples
from lmbook.training.examples import (
    Example,
    ExampleEncoder,
    answer_log_probs,
    answer_loss,
    batch_of,
    log_probs,
    require_texts,
)

CPU = torch.device("cpu")
PAIRS = [("ab?", "cde"), ("f", "a"), ("ghi=j?", "bb"), ("", "jihg")]


def encoded(learned):
    encoder = ExampleEncoder(learned.tokenizer, learned.model.context_length)
    return [encoder.example(*pair) for pair in PAIRS]


def by_hand(model, example):
    """Log-probabilities of an answer's tokens, one call for each of them."""
    ids, found = example.ids, []
    for place in range(len(ids) - example.num_answer, len(ids)):
        logits, _ = model(torch.tensor([ids[:place]]))
        found.append(logits[0, -1].log_softmax(-1)[ids[place]].item())
    return found


def test_a_prompt_and_its_answer_as_ids(learned):
    tokens = learned.tokenizer.tokens
    example = encoded(learned)[0]
    assert "".join(tokens[i] for i in example.ids) == "\nab?cde\n"
    assert example.num_answer == 4
    encoder = ExampleEncoder(learned.tokenizer, 17)
    assert tuple(encoder.prompt("ab?")) == example.ids[:4]


def test_what_counts_is_the_answer_and_its_end(learned):
    batch = batch_of(encoded(learned), CPU)
    assert batch.ids.shape == batch.targets.shape == batch.counted.shape == (4, 9)
    tokens = learned.tokenizer.tokens
    for (_, answer), targets, counted in zip(
        PAIRS, batch.targets, batch.counted, strict=True
    ):
        assert "".join(tokens[i] for i in targets[counted]) == answer + "\n"


def test_the_loss_is_the_mean_of_the_answers_tokens(learned):
    model, found = learned.model.double(), encoded(learned)
    batch = batch_of(found, CPU)
    expected = [by_hand(model, example) for example in found]
    flat = [value for row in expected for value in row]
    assert answer_loss(model, batch).item() == pytest.approx(-sum(flat) / len(flat))
    rows = answer_log_probs(model, batch).tolist()
    assert rows == pytest.approx([sum(row) for row in expected])


def test_the_gradient_comes_from_the_answer_alone(learned):
    """No target of a prompt, and nothing of the padding, teaches the output layer."""
    model = learned.model.double().train()
    batch = batch_of(encoded(learned), CPU)
    answer_loss(model, batch).backward()
    found = model.output.weight.grad.clone()
    model.zero_grad()
    logits, _ = model(batch.ids)
    nats = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.targets.flatten(), reduction="none"
    )
    (nats * batch.counted.flatten()).sum().div(batch.counted.sum()).backward()
    assert torch.allclose(found, model.output.weight.grad, atol=1e-12)


@pytest.mark.parametrize("pad", [0, 3])
def test_padding_changes_nothing(learned, monkeypatch, pad):
    monkeypatch.setattr(examples, "PAD", pad)
    model, found = learned.model.double(), encoded(learned)
    together = answer_log_probs(model, batch_of(found, CPU))
    alone = [answer_log_probs(model, batch_of([example], CPU)) for example in found]
    assert torch.allclose(together, torch.cat(alone), atol=1e-12)


def test_many_are_read_some_at_a_time(learned, monkeypatch):
    monkeypatch.setattr(examples, "ROWS", 3)
    model, found = learned.model.double().train(), encoded(learned)
    expected = [sum(by_hand(model.eval(), example)) for example in found]
    assert log_probs(model.train(), found).tolist() == pytest.approx(expected)
    assert model.training


@pytest.mark.parametrize(
    "tokenizer",
    [
        BPETokenizer.train("the cat sat\nhere\n", 262),
        WordTokenizer.train("the cat sat\nhere\n"),
        WhitespaceTokenizer.train("the cat sat\nhere\n"),
    ],
    ids=["bpe", "word", "whitespace"],
)
def test_other_tokenizers(tokenizer):
    encoder = ExampleEncoder(tokenizer, 30)
    example = encoder.example("the cat\n", "sat here")
    split = len(example.ids) - example.num_answer
    assert tokenizer.decode(example.ids[split:]).strip() == "sat here"
    assert tokenizer.decode(example.ids[1:split]).strip() == "the cat"
    assert example.ids[split - 1] == example.ids[-1] == encoder.end
    inside = encoder.prompt("the cat")  # the line goes on
    assert inside == list(example.ids[: split - 1])


def test_a_tokenizer_with_a_token_that_begins_every_text():
    trained = BPETokenizer.train("the cat\n", 260, ["<|begin|>"])
    special = trained.special_tokens
    rules = Rules(begin="<|begin|>")
    tokenizer = BPETokenizer(trained._names, trained._learned, special, rules)
    encoder = ExampleEncoder(tokenizer, 30)
    assert encoder.prompt("cat")[0] == special["<|begin|>"] != encoder.end


def test_longer_than_the_context(learned):
    encoder = ExampleEncoder(learned.tokenizer, 17)
    prompt = "a" * 13
    fits = encoder.example(prompt, "bcd")
    assert len(fits.ids) == 18  # the last one is a target alone
    assert answer_loss(learned.model.train(), batch_of([fits], CPU)) > 0
    with pytest.raises(InputError, match=r"'aaa.*' .* have 18 tokens; .* at most 17"):
        encoder.example(prompt, "bcde")
    with pytest.raises(InputError, match="have 20 tokens"):
        encoder.prompt("a" * 19)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("", "one line of text, got ''"),
        ("a\nb", "one line of text, got 'a.nb'"),
        ("xyz", "does not know all of answer 'xyz'"),
    ],
)
def test_answers_that_cannot_be_taught(learned, answer, message):
    encoder = ExampleEncoder(learned.tokenizer, 17)
    with pytest.raises(InputError, match=message):
        encoder.example("a", answer)
    assert encoder.prompt("xyz")  # but read they can be


def test_a_tokenizer_without_line_ends():
    with pytest.raises(InputError, match="no line end"):
        ExampleEncoder(CharTokenizer.train("abc"), 17)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"nothing to learn from: expected tuples \(prompt, answer\)"),
        ([("a", "b"), ("c",)], r"item 1 must be a tuple of texts .* got \"\('c',\)\""),
        ([("a", 3)], "item 0 must be"),
        (["ab"], "item 0 must be"),
    ],
)
def test_data_that_are_no_pairs(data, message):
    with pytest.raises(InputError, match=message):
        require_texts(data, "prompt, answer")


def test_pairs_may_come_one_by_one():
    assert require_texts(iter([["a", "b"]]), "prompt, answer") == [("a", "b")]


def test_log_probs_in_float32_under_a_large_vocabulary():
    torch.manual_seed(0)
    model = GPT(GPTConfig(1009, 8, 12, 1, 3)).eval()
    rows = [Example((5, 900, 1000, 7), 2), Example((5, 3), 1)]
    expected = [sum(by_hand(model, example)) for example in rows]
    assert log_probs(model, rows).tolist() == pytest.approx(expected, rel=1e-5)
