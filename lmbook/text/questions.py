"""Reading comprehension: paragraphs, questions, and answers that stand in them.

The layout is that of SQuAD (Rajpurkar et al. 2016), used by CMRC 2018 (Cui et al.
2019) too.  Section 6.3.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmbook.errors import InputError
from lmbook.text.datasets import DATASETS
from lmbook.text.downloads import read_parts
from lmbook.text.reading import decode, read_text


@dataclass(frozen=True)
class Question:
    """A question on a paragraph, with the answers that several people gave."""

    id: str
    context: str
    question: str
    answers: tuple[str, ...]
    answer_starts: tuple[int, ...]  # context[start:start + len(answer)] == answer


def read_questions(name_or_path: str | Path, split: str = "train") -> list[Question]:
    """The questions of ``cmrc2018`` or of a JSON file in SQuAD's layout.

    ``split`` is train, dev or trial; a file has none.  Where the text at a recorded
    start is not the answer (a few of CMRC's are off by the spaces cut from the
    paragraph), the start becomes that of the nearest occurrence, and -1 where the
    answer does not stand in the paragraph.
    Raises ``InputError`` for a file of another layout.
    """
    name = str(name_or_path)
    dataset = DATASETS.get(name)
    if dataset is None:
        try:
            return parse(read_text(name_or_path), name)
        except FileNotFoundError:
            raise InputError(
                f"no questions and no file named {name!r} "
                "(corpora: cmrc2018; or a path)"
            ) from None
    if dataset.kind != "questions":
        raise InputError(f"{name} holds no questions; cmrc2018 does")
    if split not in dataset.parts:
        known = ", ".join(dataset.parts)
        raise InputError(f"split must be one of {known}, got {split!r}")
    data = read_parts(dataset, [split])[split]
    return parse(decode(data, name), f"{name}, {split}")


def parse(text: str, name: str) -> list[Question]:
    """The questions in a JSON text of SQuAD's layout; errors call it ``name``."""
    try:
        return list(_questions(json.loads(text)))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{name} is not in SQuAD's layout (data, paragraphs, context, qas, "
            f"question, answers, text, answer_start): {error}"
        ) from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{name} is not JSON: {error}") from None


def _questions(content: Any) -> Iterator[Question]:
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            context = paragraph["context"]
            for asked in paragraph["qas"]:
                answers = asked.get("answers", [])
                yield Question(
                    str(asked["id"]),
                    context,
                    asked["question"],
                    tuple(answer["text"] for answer in answers),
                    tuple(_start(context, answer) for answer in answers),
                )


def _start(context: str, answer: dict[str, Any]) -> int:
    text, start = answer["text"], answer["answer_start"]
    if context.startswith(text, start):
        return start
    after = context.find(text, max(0, start))
    before = context.rfind(text, 0, max(0, start) + len(text))
    found = [place for place in (before, after) if place >= 0]
    return min(found, key=lambda place: abs(place - start), default=-1)
