"""Chinese words typed into the search field find the sections they stand in."""

import csv
import json
import re

import pytest

from tests.site.browser import reading
from tests.site.conftest import ROOT, SITE

pytestmark = pytest.mark.browser


def results(page, home: str, query: str) -> list[str]:
    page.goto(f"{home}/search.html?q={query}")
    page.wait_for_function(
        "document.querySelector('#search-results p')?.textContent.match(/\\d|没有|未/)"
    )
    page.wait_for_function("!document.querySelector('#search-progress')?.textContent")
    links = page.locator("#search-results li a")
    return [links.nth(i).get_attribute("href") or "" for i in range(links.count())]


@pytest.fixture(scope="module")
def reader(site, browser):
    with reading(browser, site.as_uri()) as found:
        yield found


@pytest.mark.parametrize(
    ("query", "section"),
    [
        ("反向传播", "ch04_mathematics/s2_gradients"),
        ("词向量", "ch04_mathematics/s3_similarity"),
        ("余弦相似性", "ch04_mathematics/s3_similarity"),
        ("长短期记忆网络", "ch05_project/s2_lstm"),
        ("softmax", "ch04_mathematics/s1_activations"),
        ("LSTM", "ch05_project/s2_language_model"),
        ("激活函数 导数", "ch04_mathematics/s1_activations"),
    ],
)
def test_a_term_finds_its_section(site, reader, query, section):
    found = results(reader.page, site.as_uri(), query)
    assert any(section in link for link in found), found
    assert reader.complaints == []


def test_the_search_field_leads_there(site, reader):
    page = reader.page
    page.goto((site / "book" / "index.html").as_uri())
    page.locator(".search-button-field, .search-button").first.click()
    page.locator("input[type=search]:visible").first.fill("皮尔逊")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")
    text = page.locator("#search-results").inner_text()
    assert "4.3 词向量模型中的相似性计算" in text


def test_nonsense_finds_nothing(site, reader):
    assert results(reader.page, site.as_uri(), "饕餮盛宴") == []


def article(path) -> str:
    return path.read_text("utf-8").split("<article")[1].split("</article>")[0]


def glossary_terms() -> list[str]:
    with open(ROOT / "book" / "glossary.csv", encoding="utf-8", newline="") as file:
        terms = [row["chinese"] for row in csv.DictReader(file)]
    return [term for term in terms if len(term) > 1]  # a single sign is not indexed


def test_every_term_of_the_glossary_finds_a_page_it_stands_on(site, reader):
    """All terms in one page load: the index and its search are the page's own."""
    texts = {
        path.relative_to(SITE).with_suffix("").as_posix(): re.sub(
            r"<script.*?</script>|<[^>]+>", "", article(path), flags=re.DOTALL
        )
        for path in (SITE / "book").rglob("*.html")
    }
    page = reader.page
    page.goto((site / "search.html").as_uri() + "?q=x")
    page.wait_for_function("window.Search?._index ?? (typeof Search !== 'undefined')")
    missed = []
    for term in glossary_terms():
        pages = [name for name, text in texts.items() if term in text]
        if not pages:
            continue
        cut = page.evaluate(f"splitQuery({json.dumps(term.lower())})")
        found = page.evaluate(
            """words => { const {docnames, terms, titleterms} = Search._index;
            const docs = w => [terms[w], titleterms[w]].flat().filter(
                d => d !== undefined).map(d => docnames[d]);
            return words.map(w => docs(stemmer(w))).reduce(
                (a, b) => a.filter(d => b.includes(d)));
            function stemmer(w) { return new Stemmer().stemWord(w); } }""",
            cut,
        )
        if not set(found) & set(pages):
            missed.append((term, cut))
    assert not missed
