"""勘误 and 术语表 in the built book: whole, and every link leads somewhere."""

import dataclasses
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from tools import errata, glossary
from tools.site import appendix

IDS = list(errata.load())


@pytest.fixture(scope="module")
def pages(site) -> dict[str, str]:
    names = ("errata", "glossary", "ch01_introduction/index")
    return {name: (site / "book" / f"{name}.html").read_text("utf-8") for name in names}


def follow(link: str, page: Path) -> None:
    """The link leads to a page of the book that has the place it names."""
    path, _, fragment = unquote(unescape(link)).partition("#")
    target = (page.parent / path).resolve() if path else page
    assert target.is_file(), link
    if fragment:
        assert f'id="{fragment}"' in target.read_text("utf-8"), link


@pytest.mark.parametrize("id", IDS)
def test_an_erratum_is_listed_once_and_leads_to_its_box(id, pages, site):
    html = pages["errata"]
    assert html.count(f'id="list-{id.lower()}"') == 1
    item = html.split(f'id="list-{id.lower()}"')[1].split("改正处：")[1]
    link = re.match(r'(?:<[^>]*>)*?<a [^>]*href="([^"]+)"', item)
    if id in errata.placed():
        assert link, f"{id} has a box and no link"
        assert link[1].endswith(f"#errata-{id.lower()}")
        follow(link[1], site / "book" / "errata.html")
    else:
        assert item.startswith(appendix.number_of(errata.load()[id].label))
        assert "（待写）" in item[:20]


def test_every_term_stands_in_the_glossary(pages, site):
    html = pages["glossary"]
    names = re.findall(r"<dt[^>]*>(.*?)<a class", html, re.DOTALL)
    plain = [unescape(re.sub(r"<[^>]+>", "", name)).strip() for name in names]
    plain = [name.replace("’", "'") for name in plain]
    for row in glossary.load():
        assert row["chinese"] in plain
        assert row["english"].lower() in [name.lower() for name in plain]
    for link in re.findall(r'<dd>.*?href="([^"]+)"', html, re.DOTALL):
        follow(link, site / "book" / "glossary.html")


def test_every_abbreviation_leads_to_its_term(pages, site):
    page = site / "book" / "ch01_introduction" / "index.html"
    for row in glossary.load():
        if row["abbreviation"]:
            assert f"<p>{row['abbreviation']}</p>" in pages["ch01_introduction/index"]
    links = re.findall(r'href="(\.\./glossary\.html#[^"]+)"', page.read_text("utf-8"))
    assert len(links) >= sum(bool(row["abbreviation"]) for row in glossary.load())
    for link in links:
        follow(link, page)


@pytest.mark.parametrize(
    ("section", "group"),
    [
        ("1.4.1、9.1", "1"),
        ("摘要、1.1", "1"),
        ("10", "10"),
        ("6.1–6.3", "6"),
        ("全文", "0"),
        ("署名", "10"),
    ],
)
def test_groups_of_the_list(section, group):
    row = dataclasses.replace(errata.load()["E01"], article_section=section)
    assert appendix.group_of(row) == group


def test_what_is_coming_is_said():
    row = errata.load()["E92"]
    assert "改正处：8.1（待写）" in appendix.erratum(row, {})
    assert "核实" in appendix.erratum(row, {})
    term = {"chinese": "词", "english": "word", "abbreviation": "Word"}
    term |= {"definition": "话。", "label": "ch-8", "avoid": "字词"}
    text = appendix.term(term, {})
    assert text.startswith("词\nword\n    话。")
    assert "第 8 章（待写）" in text
    assert "本书不写作“字词”" in text
