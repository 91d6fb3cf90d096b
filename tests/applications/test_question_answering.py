"""Answers that stand somewhere, answers that a model writes, and none at all."""

import math
from itertools import islice

import pytest
import torch

from lmbook.applications.question_answering import (
    DONT_KNOW,
    Answer,
    Passage,
    QuestionAnswerer,
    accuracy_by_kind,
    glossary,
    story_prompt,
    story_task,
)
from lmbook.applications.retrieval import BM25
from lmbook.errors import InputError
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.text.microworld import MicroWorld
from lmbook.text.tokenizers import BPETokenizer, CharTokenizer
from lmbook.training import TrainConfig
from lmbook.training.finetuning import FineTunedModel
from lmbook.training.pretraining import PretrainedModel

PASSAGES = [
    Passage("反向传播用链式法则求梯度。", "第 4.2 节"),
    Passage("Word vectors are learned from neighbouring words.", "section 3.3"),
    Passage("门决定记住什么、忘掉什么。", "第 5.2 节"),
]
STORY_QUESTIONS = [
    ("ab在哪里？", "ab去车站。cd去浴室。"),
    ("cd在哪里？", "cd去车站。"),
    ("ab去车站？", "ab去浴室。cd去浴室。ab去车站。"),
]


class Reader:
    """A model that has learned nothing, with large weights: sure of its nonsense."""

    def __init__(self, context_length=43, tokenizer=None, spare=0):
        text = "abcd在去哪里车站浴室。？\n"
        self.tokenizer = tokenizer or CharTokenizer.train(text)
        torch.manual_seed(0)
        vocab_size = len(self.tokenizer) + spare
        config = GPTConfig(vocab_size, context_length, 12, 2, 3, init_std=0.3)
        self.model = GPT(config).eval()


@pytest.fixture
def answerer():
    return QuestionAnswerer(PASSAGES)


def by_hand(reader, question, story, length):
    """The most probable token each time, the whole text read anew for it."""
    tokens, tokenizer = reader.tokenizer.tokens, reader.tokenizer
    ids = [tokens.index("\n"), *tokenizer.encode(story_prompt(question, story))]
    new, log_prob = [], 0.0
    room = reader.model.context_length - len(ids) + 1
    while len(new) < min(length, room):
        logits, _ = reader.model(torch.tensor([[*ids, *new]]))
        log_probs = logits[0, -1].log_softmax(-1)
        log_probs[tokenizer.unknown_id] = -math.inf
        new.append(int(log_probs.argmax()))
        log_prob += log_probs.max().item()
        if tokens[new[-1]] == "\n":
            break
    return tokenizer.decode(new).strip("\n "), math.exp(log_prob)


def test_the_answer_is_a_passage_and_where_it_stands(answerer):
    answer = answerer.answer_question("怎么求梯度？")
    assert answer.text == PASSAGES[0].text
    assert answer.source == "第 4.2 节"
    assert answer.is_known
    assert str(answer) == "反向传播用链式法则求梯度。（第 4.2 节）"
    english = answerer.answer_question("How are word vectors learned?")
    assert english.source == "section 3.3"


def test_what_no_passage_holds_is_not_known(answerer):
    for question in ("今天天气怎么样？", "是什么？", "？"):
        answer = answerer.answer_question(question)
        assert answer == Answer(DONT_KNOW, "", answer.confidence, is_known=False)
        assert str(answer) == DONT_KNOW
    # One word of several that are unknown is not enough.
    weak = answerer.answer_question("明天去北京的门")
    assert not weak.is_known
    assert 0 < weak.confidence < answerer.threshold


def test_the_threshold_decides(answerer):
    share = answerer.answer_question("怎么求梯度？").confidence
    for threshold, is_known in ((share - 1e-9, True), (share + 1e-9, False)):
        other = QuestionAnswerer(PASSAGES, threshold=threshold)
        assert other.answer_question("怎么求梯度？").is_known == is_known


def test_an_index_of_ones_own():
    index = BM25(k1=0.5, level="char")
    answerer = QuestionAnswerer(PASSAGES, threshold=0.0, index=index)
    assert answerer.index is index
    found = index.search("梯 度")
    answer = answerer.answer_question("梯度是什么？")
    assert answer.confidence == found[0].share


def test_the_book_s_glossary():
    answer = QuestionAnswerer(glossary()).answer_question("什么是人工智能？")
    assert answer.text.startswith("人工智能（artificial intelligence, AI）：")
    assert answer.source == "术语表；第 1.4.3 节"
    assert not QuestionAnswerer(glossary()).answer_question("今天天气怎么样？").is_known


def test_without_the_book(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: No such file"):
        glossary(tmp_path / "none.csv")


def test_most_terms_of_the_glossary_are_found():
    passages = glossary()
    answerer = QuestionAnswerer(passages)
    right = [
        answerer.answer_question(f"什么是{passage.text.split('（')[0]}？").text
        == passage.text
        for passage in passages
    ]
    assert sum(right) / len(right) > 0.8


@pytest.mark.parametrize("length", [1, 9, 30])
def test_the_reader_writes_the_most_probable_tokens(length):
    reader = Reader()
    answerer = QuestionAnswerer(reader=reader, length=length)
    for question, story in STORY_QUESTIONS:
        answer = answerer.answer_question(question, story)
        text, probability = by_hand(reader, question, story, length)
        assert answer.text == text
        assert answer.confidence == pytest.approx(probability, rel=1e-4)
        assert (answer.source, answer.is_known) == ("", True)
        assert str(answer) == answer.text


def test_many_questions_and_each_alone(monkeypatch):
    monkeypatch.setattr("lmbook.applications.question_answering.ROWS", 2)
    answerer = QuestionAnswerer(reader=Reader(29), length=20)
    together = answerer.answer_questions(STORY_QUESTIONS)
    alone = [answerer.answer_question(*asked) for asked in STORY_QUESTIONS]
    assert [a.text for a in together] == [a.text for a in alone]
    assert len({len(answer.text) for answer in alone}) > 1
    for a, b in zip(together, alone, strict=True):
        assert a.confidence == pytest.approx(b.confidence, rel=1e-4)


@pytest.mark.parametrize("context_length", [27, 29, 43])
def test_an_answer_ends_where_the_context_does(context_length):
    """Past it the model would forget the story's beginning, and go on all the same."""
    reader = Reader(context_length)
    output = torch.nn.Parameter(reader.model.output.weight.detach().clone())
    output.data[reader.tokenizer.tokens.index("\n")] = 0.0  # hardly ever written
    reader.model.output.weight = output
    answerer = QuestionAnswerer(reader=reader, length=25)
    answers = answerer.answer_questions(STORY_QUESTIONS)
    for asked, answer in zip(STORY_QUESTIONS, answers, strict=True):
        text, probability = by_hand(reader, *asked, 25)
        assert answer.text == text
        assert answer.confidence == pytest.approx(probability, rel=1e-4)
    assert max(len(answer.text) for answer in answers) >= 13


def test_tokens_that_can_be_no_answer():
    """Neither ``<unk>`` nor what only the model has room for is written."""
    reader = Reader(spare=7)
    with torch.no_grad():
        reader.model.embedding.weight[reader.tokenizer.unknown_id] *= 30
        reader.model.embedding.weight[len(reader.tokenizer) :] *= 30
    answer = QuestionAnswerer(reader=reader).answer_question("ab在?", "xyz")
    assert "<unk>" not in answer.text
    assert set(answer.text) <= set(reader.tokenizer.tokens)


def test_both_ways_in_one(answerer):
    both = QuestionAnswerer(PASSAGES, Reader(), length=5)
    question, story = STORY_QUESTIONS[0]
    assert both.answer_question("求梯度") == answerer.answer_question("求梯度")
    assert both.answer_question(question, story).source == ""


def test_a_fine_tuned_model_answers_its_questions():
    """Stories of one sentence: learned in seconds."""
    places = {"甲": "车站", "乙": "浴室", "丙": "门"}
    task = [
        (story_prompt(f"{who}在哪里？", f"{who}去{where}。"), f"在{where}。")
        for who, where in places.items()
    ]
    train = TrainConfig(5, 7, optimizer="adamw", learning_rate=0.01, device="cpu")
    config = GPTConfig(100, 23, 12, 2, 3, position="rotary", tied=False)
    lines = [prompt.replace("\n", "") + answer for prompt, answer in task]
    start = PretrainedModel(config, train=train).fit(lines * 9, 3)
    reader = FineTunedModel(start, train=train).fit(task * 9, 20)
    answerer = QuestionAnswerer(reader=reader)
    for who, where in places.items():
        answer = answerer.answer_question(f"{who}在哪里？", f"{who}去{where}。")
        assert answer.text == f"在{where}。"
        assert answer.confidence > 0.5


class Oracle(QuestionAnswerer):
    """Says what it was told: wrong on every question of one kind."""

    def __init__(self, texts, wrong):
        super().__init__(reader=Reader(tokenizer=BPETokenizer.train("a b", 258)))
        self.known = {
            (t.question, t.story): "?" if t.kind == wrong else t.answer for t in texts
        }

    def answer_questions(self, asked):
        return [Answer(self.known[pair], "", 1.0) for pair in asked]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_accuracy_by_kind(language):
    texts = list(islice(MicroWorld(language).texts("qa", 5), 60))
    kinds = {text.kind for text in texts}
    found = accuracy_by_kind(Oracle(texts, "is_in"), texts)
    wrong = sum(text.kind == "is_in" for text in texts)
    assert wrong
    expected = {kind: float(kind != "is_in") for kind in kinds}
    assert found == expected | {"all": 1 - wrong / 60}


def test_the_world_s_stories_as_a_task():
    [text] = islice(MicroWorld("zh").texts("qa", 5), 1)
    [(prompt, answer)] = story_task([text])
    assert prompt == f"{text.story}\n{text.question}\n"
    assert text.text == prompt.replace("\n", "") + answer


@pytest.mark.parametrize("question", ["", " \n", None])
def test_no_question(answerer, question):
    with pytest.raises(InputError, match="a question must be a text, not empty"):
        answerer.answer_question(question)
    with pytest.raises(InputError, match="a question must be a text, not empty"):
        QuestionAnswerer(reader=Reader()).answer_question(question, "ab")


def test_what_is_missing_is_named(answerer):
    with pytest.raises(InputError, match="give passages or a reader"):
        QuestionAnswerer()
    with pytest.raises(InputError, match="no reader was handed over"):
        answerer.answer_question("a?", "a")
    with pytest.raises(InputError, match="no passages were handed over"):
        QuestionAnswerer(reader=Reader()).answer_question("a?")
    with pytest.raises(InputError, match="threshold must be from 0 to 1, got 2"):
        QuestionAnswerer(PASSAGES, threshold=2)
    with pytest.raises(InputError, match="length must be at least 1, got 0"):
        QuestionAnswerer(PASSAGES, length=0)
    with pytest.raises(InputError, match="have 96 tokens; the model sees at most 43"):
        QuestionAnswerer(reader=Reader()).answer_question("ab?", "a" * 90)
    with pytest.raises(InputError, match="accuracy needs texts"):
        accuracy_by_kind(answerer, [])
