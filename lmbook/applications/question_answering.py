"""Questions answered in two ways: the article's section 6.3.

A passage that was handed over is found (:mod:`lmbook.applications.retrieval`): the
answer stands in it, and it says where; what no passage holds is not known.  Or a
fine-tuned model reads a story and writes the answer: it always has one, right or not.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import lmbook
from lmbook.applications.retrieval import BM25, topic
from lmbook.errors import InputError
from lmbook.generation import Sampling, generate
from lmbook.generation.sampling import whole
from lmbook.text.microworld.texts import Text
from lmbook.training.examples import ROWS, Example, log_probs
from lmbook.training.tuning import Learned, encoder_of

DONT_KNOW = "不知道：给出的材料里没有答案。"
# Chosen on the trial part of CMRC 2018, whose 256 paragraphs were the passages: with
# jieba's words it answers 94 % of the questions, and refuses 91 % of them once the
# paragraph that answers them is taken away.
THRESHOLD = 0.3
BOOK = Path(lmbook.__file__).parents[1] / "book"
# Of a page in MyST what is no text: boxes, code, comments, labels, signs of emphasis;
# and a role, of which the label is kept.
MARKUP = re.compile(r"(?s):::.*?:::|```.*?```|<!--.*?-->|\n\(\S+\)=|\*\*")
ROLE = re.compile(r"\{\w+\}`(?:sec-)?([^`<]*?)(?: <[^>]*>)?`")


@dataclass(frozen=True)
class Passage:
    """A text that may hold an answer, and where it stands, for people to look up."""

    text: str
    source: str


@dataclass(frozen=True)
class Answer:
    """What was answered; ``source`` is where it stands, "" where a model wrote it.

    ``confidence``, from 0 to 1: of a passage the share of the question that it covers
    (:class:`lmbook.applications.retrieval.Found`); of a written answer its
    probability, which says how sure the model is, not that it is right.
    ``is_known``: False where no passage fits.
    """

    text: str
    source: str
    confidence: float
    is_known: bool = True

    def __str__(self) -> str:
        return f"{self.text}（{self.source}）" if self.source else self.text


class QuestionAnswerer:
    """Answers from passages, or from a story by a model that has learned to read one.

    >>> answerer = QuestionAnswerer([Passage("猫吃鱼。", "第 3 页")])
    >>> print(answerer.answer_question("猫吃什么？"))
    猫吃鱼。（第 3 页）
    >>> print(answerer.answer_question("天有多高？"))
    不知道：给出的材料里没有答案。

    ``passages`` are indexed by ``index``, by default BM25 over jieba's words; from a
    share of ``threshold`` of the question on, 0 to 1, the best one is the answer.
    ``reader``: a model that was fine-tuned on :func:`story_prompt` and its answers; it
    writes at most ``length`` tokens.
    """

    def __init__(
        self,
        passages: Iterable[Passage] = (),
        reader: Learned | None = None,
        *,
        threshold: float = THRESHOLD,
        index: BM25 | None = None,
        length: int = 60,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise InputError(f"threshold must be from 0 to 1, got {threshold}")
        if whole("length", length) < 1:
            raise InputError(f"length must be at least 1, got {length}")
        self.passages, self.reader = list(passages), reader
        if not self.passages and reader is None:
            raise InputError("nothing to answer from: give passages or a reader")
        self.threshold, self.length = threshold, length
        self.index = index or BM25(level="word")
        if self.passages:
            self.index.fit(passage.text for passage in self.passages)

    @classmethod
    def default(cls) -> Self:
        """One that knows the book's glossary and frequent questions, and reads stories.

        Its reader is trained on the first call, in about two minutes, and kept
        (:func:`lmbook.training.story_reader.trained_reader`).
        """
        from lmbook.training.story_reader import trained_reader

        reader: Any = trained_reader()  # its tokenizer is one of pairs
        return cls([*glossary(), *faq()], reader)

    def answer_question(self, question: str, story: str | None = None) -> Answer:
        """The passage that fits the question; with a ``story``, what the reader writes.

        ``InputError`` for an empty question, and where there are no passages or no
        reader; for a story too long for the model as well.
        """
        if story is not None:
            return self.answer_questions([(question, story)])[0]
        _require_text(question)
        if not self.passages:
            raise InputError("no passages were handed over: give a story with it")
        found = self.index.search(topic(question), topn=1)
        if not found or found[0].share < self.threshold:
            share = found[0].share if found else 0.0
            return Answer(DONT_KNOW, "", share, is_known=False)
        passage = self.passages[found[0].passage]
        return Answer(passage.text, passage.source, found[0].share)

    def answer_questions(self, asked: Sequence[tuple[str, str]]) -> list[Answer]:
        """What the reader writes for every (question, story), many at a time: the most
        probable token each time, until the line ends."""
        if self.reader is None:
            raise InputError("no reader was handed over: a story needs one")
        encoder = encoder_of(self.reader)
        for question, _ in asked:
            _require_text(question)
        prompts = [
            encoder.prompt(story_prompt(question, story)) for question, story in asked
        ]
        answers: list[Answer] = []
        for start in range(0, len(prompts), ROWS):
            answers += self._written(prompts[start : start + ROWS], encoder.end)
        return answers

    def _written(self, prompts: list[list[int]], end: int) -> list[Answer]:
        assert self.reader is not None
        model, tokenizer = self.reader.model, self.reader.tokenizer
        # Published models may have room for more tokens than their tokenizer has.
        spare = tuple(range(len(tokenizer), model.config.vocab_size))
        unknown = () if tokenizer.unknown_id is None else (tokenizer.unknown_id,)
        greedy = Sampling(temperature=0.0, avoid=(*spare, *unknown))
        written = generate(model, prompts, self.length, greedy, end=end)
        examples = []
        for prompt, new in zip(prompts, written, strict=True):
            room = model.context_length - len(prompt) + 1  # the last one is not read
            examples.append(Example((*prompt, *new[:room]), len(new[:room])))
        sure = log_probs(model, examples).exp().tolist()
        texts = [
            tokenizer.decode(e.ids[-e.num_answer :]).strip("\n ") for e in examples
        ]
        return [
            Answer(text, "", share) for text, share in zip(texts, sure, strict=True)
        ]


def story_prompt(question: str, story: str) -> str:
    """What is read before an answer is written: story and question, a line each."""
    return f"{story}\n{question}\n"


def story_task(texts: Iterable[Text]) -> list[tuple[str, str]]:
    """Documents of the artificial world (stream "qa") as prompts and answers, for
    :meth:`lmbook.training.finetuning.FineTunedModel.fit`."""
    return [(story_prompt(text.question, text.story), text.answer) for text in texts]


def accuracy_by_kind(
    answerer: QuestionAnswerer, texts: Iterable[Text]
) -> dict[str, float]:
    """Share of right answers to the artificial world's questions, by their kind.

    Right is what the world answers, word for word, as far as the reader's tokenizer
    can write it.  The kind "all" is all of them.
    """
    asked = list(texts)
    if not asked or answerer.reader is None:
        raise InputError("accuracy needs texts of the world and a reader")
    tokenizer = answerer.reader.tokenizer
    answers = answerer.answer_questions([(t.question, t.story) for t in asked])
    right = defaultdict(list)
    for text, answer in zip(asked, answers, strict=True):
        expected = tokenizer.decode(tokenizer.encode(text.answer)).strip("\n ")
        for kind in ("all", text.kind):
            right[kind].append(answer.text == expected)
    return {kind: sum(found) / len(found) for kind, found in right.items()}


def glossary(path: str | Path = BOOK / "glossary.csv") -> list[Passage]:
    """The terms of the book's glossary, each with its definition and its section.

    ``InputError`` where lmbook is installed without the book.
    """
    passages = []
    for row in csv.DictReader(_read(path).splitlines()):
        names = [name for name in (row["english"], row["abbreviation"]) if name]
        text = f"{row['chinese']}（{', '.join(names)}）：{row['definition']}"
        section = row["label"].removeprefix("sec-").replace("-", ".")
        passages.append(Passage(text, f"术语表；第 {section} 节"))
    return passages


def faq(path: str | Path = BOOK / "ch09_faq.md") -> list[Passage]:
    """The book's frequent questions, each with its answer; errors as above."""
    text = ROLE.sub(lambda m: m[1].replace("-", "."), MARKUP.sub("", _read(path)))
    _, *parts = re.split(r"(?m)^## (\S+) ", text)
    return [
        Passage(" ".join(told.split()), f"常见问题；第 {number} 节")
        for number, told in zip(parts[::2], parts[1::2], strict=True)
    ]


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError as error:
        raise InputError(f"the book's page {path}: {error.strerror}") from None


def _require_text(question: str) -> None:
    if not isinstance(question, str) or not question.strip():
        raise InputError(f"a question must be a text, not empty; got {question!r}")
