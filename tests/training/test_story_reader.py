"""A reader of stories: what it is asked, what it learns from, and where it is kept."""

import dataclasses
from itertools import islice

import pytest
import torch

from lmbook.applications.question_answering import faq, story_prompt
from lmbook.errors import InputError
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.text.microworld import MicroWorld
from lmbook.training import story_reader
from lmbook.training.examples import ExampleEncoder
from lmbook.training.story_reader import (
    READER,
    questions,
    train_reader,
    trained_reader,
)

SMALL = dataclasses.replace(
    READER,
    num_stories=7,
    asked=5,
    model=GPTConfig(
        context_length=509,
        hidden_size=12,
        num_layers=1,
        num_heads=3,
        feed_forward_size=10,
        position="rotary",
        norm="rmsnorm",
        feed_forward="swiglu",
        bias=False,
    ),
    train=dataclasses.replace(READER.train, batch_size=3, epochs=1),
)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_world_would_ask_and_answer_so(language):
    world = MicroWorld(language)
    for number, story in enumerate(islice(world.texts("stories", 3), 4)):
        asked = questions(world, story, 6, number)
        assert asked == questions(world, story, 6, number)
        assert 1 <= len(asked) == len(set(asked)) <= 6
        for pair in asked:
            text = dataclasses.replace(story, sentences=story.sentences + pair).text
            assert world.derivations("qa", text), text


def test_a_row_reads_as_a_prompt_does_and_counts_the_answers():
    reader = train_reader(SMALL)
    story, asked = "甲去车站。", [(("在", "哪里", "？"), ("车站", "。"))]
    ids, weights = story_reader._row(reader.tokenizer, story, asked, 0.25)
    prompt = ExampleEncoder(reader.tokenizer, 509).prompt(
        story_prompt("在哪里？", story)
    )
    assert ids[: len(prompt)].tolist() == prompt
    answer = reader.tokenizer.encode("车站。\n")
    assert ids[len(prompt) :].tolist() == answer
    assert weights[len(prompt) :].tolist() == [1.0] * len(answer)
    assert set(weights[: len(prompt)].tolist()) == {0.0, 0.25}


def test_training_moves_the_weights_and_can_be_watched():
    steps, first = [], []

    def watch(reader, step):
        steps.append(step)
        first.append(reader.model.embedding.weight.detach().clone())

    train_reader(SMALL, watch)
    assert steps == [0, 1, 2]
    assert not torch.equal(first[0], first[-1])


def test_a_reader_is_kept_and_a_damaged_one_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("LMBOOK_MODELS", str(tmp_path))
    made = trained_reader(SMALL)
    calls = []

    def again(setup):
        calls.append(setup)
        return made

    monkeypatch.setattr(story_reader, "train_reader", again)
    kept = trained_reader(SMALL)
    assert not calls
    assert isinstance(kept.model, GPT)
    assert torch.equal(kept.model.embedding.weight, made.model.embedding.weight)
    assert kept.tokenizer.tokens == made.tokenizer.tokens
    [file] = tmp_path.glob("reader-*/tokenizer.json")
    file.write_text("{", "utf-8")
    trained_reader(SMALL)
    assert calls == [SMALL]
    [weights] = tmp_path.glob("reader-*/model.safetensors")
    changed = bytearray(weights.read_bytes())
    changed[-40] ^= 1  # still a number
    weights.write_bytes(changed)
    kept = trained_reader(SMALL)
    assert calls == [SMALL, SMALL]
    assert torch.equal(kept.model.embedding.weight, made.model.embedding.weight)


def test_the_frequent_questions(tmp_path):
    page = "(ch-9)=\n# 题\n\n(sec-9-1)=\n## 9.1 甲？\n\n乙**丙**（{ref}`sec-3-2`）。\n"
    page += "\n(e)=\n:::{admonition} 勘误\n丁\n:::\n"
    page += "\n(sec-9-2)=\n## 9.2 戊？\n\n己<!-- s -->。\n"
    path = tmp_path / "faq.md"
    path.write_text(page, "utf-8")
    first, second = faq(path)
    assert (first.text, first.source) == ("甲？ 乙丙（3.2）。", "常见问题；第 9.1 节")
    assert (second.text, second.source) == ("戊？ 己。", "常见问题；第 9.2 节")
    with pytest.raises(InputError, match="No such file"):
        faq(tmp_path / "none.md")
