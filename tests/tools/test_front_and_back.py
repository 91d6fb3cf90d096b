"""What frames the book: the teacher's page, the questions, the recommendations."""

import re

import pytest

from tools.errata import BOX, markdown, pages
from tools.labels import places
from tools.notebooks.paths import BOOK, book_notebooks

FAQ = BOOK / "ch09_faq.md"
RESOURCES = BOOK / "ch07_resources.md"
TEACHING = BOOK / "ch01_introduction" / "teaching.md"
QUESTIONS = {
    label: place for label, place in places([FAQ]).items() if label.startswith("sec-9-")
}
# What the article recommended and nobody else has seen, or under another name.
INVENTED = ("《自然语言处理与深度学习》", "纳米学位》", "Zameer", "2101.00004")


def test_there_are_questions_enough():
    assert list(QUESTIONS) == [f"sec-9-{n}" for n in range(1, len(QUESTIONS) + 1)]
    assert len(QUESTIONS) == 28
    assert "二十八个问题" in (BOOK / "index.md").read_text("utf-8")
    assert all(place.title.endswith("？") for place in QUESTIONS.values())


@pytest.mark.parametrize("label", QUESTIONS)
def test_an_answer_leads_to_a_section(label):
    text = BOX.sub("", QUESTIONS[label].text)
    links = re.findall(r"\{ref\}`(?:[^`<]*<)?([\w-]+)>?`", text)
    assert [link for link in links if not link.startswith(("sec-9-", "ch-9"))]


def test_exercises_that_are_named_exist():
    exist = set()
    for path in book_notebooks():
        exist |= set(re.findall(r"^\*\*练习 ([\d.]+)\*\*", markdown(path), re.M))
    for path in (TEACHING, FAQ, BOOK / "ch01_introduction" / "index.md"):
        for named in re.findall(
            r"练习 ((?:\d+\.\d+\.\d+、?)+)", path.read_text("utf-8")
        ):
            for number in named.strip("、").split("、"):
                assert number in exist, f"{path.name}: no exercise {number}"


def test_the_course_has_twelve_weeks():
    weeks = re.findall(r"^\| (\d+) \|", TEACHING.read_text("utf-8"), re.M)
    assert weeks == [str(n) for n in range(1, 13)]


def test_what_was_invented_is_not_recommended():
    text = BOX.sub("", RESOURCES.read_text("utf-8"))
    assert [name for name in INVENTED if name in text] == []


def test_links_are_whole_and_given_once():
    text = BOX.sub("", RESOURCES.read_text("utf-8"))
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) >= 50
    assert all(re.fullmatch(r"https://[\w.-]+\.[a-z]+/\S*", link) for link in links)
    assert len(set(links)) == len(links)


def test_no_page_but_these_and_the_chapters():
    names = {path.relative_to(BOOK).as_posix() for path in pages()}
    loose = {name for name in names if not re.match(r"ch\d\d_", name)}
    assert loose == {"index.md", "errata.md", "glossary.md"}
