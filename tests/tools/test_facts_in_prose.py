"""What the book's prose says of the industry stands in a table, or in an output."""

import pytest

from tools import facts_in_prose
from tools.errata import pages
from tools.facts_in_prose import faults, is_strict, of_page
from tools.notebooks.paths import BOOK

GPT3 = "<!-- fact: models/GPT-3/params_total -->"


@pytest.mark.parametrize("path", pages(), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_page(path):
    assert of_page(path) == []


@pytest.mark.parametrize(
    "text",
    [
        f"GPT-3 有 1750 亿{GPT3}个参数。",
        f"GPT-3 有 1750 亿个参数{GPT3}，读了 3000 亿<!-- fact: "
        "models/GPT-3/train_tokens -->个词元。",
        f"| GPT-3 | 1746 亿{GPT3} |",
        "用了 $3.14\\times10^{23}$<!-- fact: models/GPT-3/train_flops --> 次浮点运算。",
        "OpenAI<!-- fact: models/GPT-3/org -->，"
        "2020 年<!-- fact: models/GPT-3/year -->",
        "有 27 亿页<!-- fact: chain/Crawling and acquisition/public_figure -->。",
        "到 2030 年是 945 TWh<!-- fact: "
        "constants/global data-centre electricity 2030, base case/value -->。",
        f"都是 1750 亿{GPT3}<!-- fact: models/OPT-175B/params_total -->。",
        "设每天 100 万次<!-- given: 例题的假设 -->。",
        "```python\nx = '1750 亿'\n```\n\n`1750 亿` 和 $$1750 亿$$",
        ":::{admonition} 勘误 E10\n:class: errata\n15 亿\n:::",
        "2019 年 11 月，第 3 章，图 2.1，12 层。",
    ],
)
def test_what_passes(text):
    assert list(faults(text, strict=True)) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"GPT-3 有 1740 亿{GPT3}个参数。", "params_total is 174600000000 parameters"),
        (f"GPT-3 有 1750 万{GPT3}个参数。", "the page says 1750 万"),
        (f"GPT-3{GPT3}", "no numeral stands before"),
        (f"那年是 2020 年，GPT-3 的参数{GPT3}", "the page says 2020"),
        (f"一行\n{GPT3} 又一行", "can't begin a line"),
        ("3<!-- fact: models/GPT-33/year -->", "did you mean 'GPT-3'"),
        ("3<!-- fact: models/GPT-4/params_total -->", "is empty"),
        ("3<!-- fact: models/GPT-3 -->", "neither 'fact: table/row/column'"),
        ("Google<!-- fact: models/GPT-3/org -->", "no numeral stands before"),
        ("3<!-- given -->", "neither"),
    ],
)
def test_what_is_wrong_on_any_page(text, message):
    (fault,) = faults(text)
    assert message in fault


@pytest.mark.parametrize(
    "text",
    [
        "它有 1750 亿个参数。",
        "花了 557.6 万美元。",
        "效率是 41 %。",
        "有两千亿个参数。",
    ],
)
def test_a_figure_without_source_fails_where_it_must_have_one(text):
    assert list(faults(text)) == []
    (fault,) = faults(text, strict=True)
    assert "source" in fault


def test_a_comment_speaks_of_one_numeral():
    text = f"从 15 亿到 1750 亿{GPT3}"
    (fault,) = faults(text, strict=True)
    assert "'15 亿'" in fault


def test_what_the_page_prints_needs_no_comment():
    text = "账单一共 12.3 万美元，其中电费占 7 %。"
    assert list(faults(text, "total 129,000 USD\n电 6.8%", strict=True))
    assert list(faults(text, "total 123,004 USD\n电 6.8%", strict=True)) == []
    assert list(faults(text, "万美元：12.30\n电 6.8%", strict=True)) == []


def test_the_pages_on_the_industry_are_strict():
    for name, strict in (
        ("ch02_core_concepts/s1_history.ipynb", True),
        ("ch02_core_concepts/s2_core_ideas.ipynb", False),
        ("ch02_core_concepts/s3_industry_chain.ipynb", True),
        ("ch07_tools/index.md", True),
        ("ch08_outlook.ipynb", True),
        ("ch09_faq.md", False),
    ):
        assert is_strict(BOOK / name) is strict, name


def test_the_command_says_what_it_found(monkeypatch, capsys):
    page = BOOK / "ch08_outlook.ipynb"
    monkeypatch.setattr(facts_in_prose, "pages", lambda: [page])
    monkeypatch.setattr(facts_in_prose, "of_page", lambda path: ["no source"])
    assert facts_in_prose.main() == 1
    assert capsys.readouterr().out == "book/ch08_outlook.ipynb: no source\n"
    monkeypatch.setattr(facts_in_prose, "of_page", lambda path: [])
    assert facts_in_prose.main() == 0
