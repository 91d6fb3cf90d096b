"""Every section of the source article has its place in the book, under its heading.

``COMING`` lists the sections that are not written yet.  The list is held to the truth
both ways: what it names does not stand, what it does not name stands.
"""

import re

import pytest

from tools import errata, glossary
from tools.labels import places

# A number stands for all beneath it.
COMING: tuple[str, ...] = ()
# Sections of the book's own, which the article lacks.
COMING_OWN = ()
OUTLINE = {
    row["number"]: row["heading"]
    for row in glossary._rows(glossary.OUTLINE, ["number", "heading"])
}
PLACES = places()


def label_of(number: str) -> str:
    return f"sec-{number.replace('.', '-')}" if "." in number else f"ch-{number}"


def is_coming(number: str, coming: tuple[str, ...] = COMING) -> bool:
    return any(number == c or number.startswith(f"{c}.") for c in coming)


def number_of(label: str) -> str:
    return label.split("-", 1)[1].replace("-", ".")


def test_the_outline_is_the_articles():
    assert len(OUTLINE) == 78
    assert [n for n in OUTLINE if "." not in n] == [str(n) for n in range(1, 11)]
    assert OUTLINE["3.3.2"] == "GloVe"
    assert OUTLINE["9.4"] == "LLM在哪些实际应用场景中具有优势？"
    assert set(COMING) <= set(OUTLINE)


@pytest.mark.parametrize("number", OUTLINE)
def test_a_section_has_its_place(number):
    """The book's own term may follow the article's heading in parentheses."""
    label, heading = label_of(number), OUTLINE[number]
    if is_coming(number):
        assert label not in PLACES, f"{number} stands: take it from COMING"
        return
    assert label in PLACES, f"{number} has no place in the book"
    shown = number if "." in number else f"第 {number} 章"
    title = PLACES[label].title
    assert re.fullmatch(rf"{re.escape(f'{shown} {heading}')}(（.+）)?", title), title


@pytest.mark.parametrize("number", COMING_OWN)
def test_an_own_section_that_is_coming_does_not_stand(number):
    assert label_of(number) not in PLACES, f"{number} stands: take it from COMING_OWN"


def test_every_erratum_of_a_written_section_has_its_box():
    placed = errata.placed()
    coming = COMING + COMING_OWN
    for row in errata.load().values():
        if is_coming(number_of(row.label), coming):
            continue
        assert row.label in PLACES, f"{row.id}: no place {row.label}"
        assert row.id in placed, f"{row.id} has no box"


def test_every_term_of_a_written_section_has_its_place():
    for row in glossary.load():
        if not is_coming(number_of(row["label"]), COMING + COMING_OWN):
            assert row["label"] in PLACES, f"{row['chinese']}: no {row['label']}"
