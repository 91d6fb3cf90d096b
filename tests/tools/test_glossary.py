"""One term for one thing, in the whole book."""

import pytest

from tools import glossary
from tools.errata import markdown, pages


def test_the_table_is_sound():
    rows = glossary.load()
    assert len(rows) >= 90
    assert {"反向传播", "词向量", "余弦相似性"} <= {row["chinese"] for row in rows}


@pytest.mark.parametrize("path", pages(), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_no_page_uses_an_avoided_variant(path):
    assert list(glossary.misuses(markdown(path))) == []


def test_a_variant_is_found_in_prose_only():
    assert list(glossary.misuses("这里讲词嵌入。")) == [("词嵌入", "词向量")]
    for innocent in (
        "`词嵌入`",
        "原文写“词嵌入”。",
        "```\n词嵌入\n```",
        ":::{admonition} 勘误 E41\n:class: errata\n词嵌入\n:::",
    ):
        assert list(glossary.misuses(innocent)) == []


def test_a_mirrored_heading_may_keep_the_articles_words(monkeypatch):
    monkeypatch.setattr(glossary, "mirrored_headings", lambda: {"词嵌入简介"})
    assert list(glossary.misuses("## 3.3.1 词嵌入简介\n")) == []
    assert list(glossary.misuses("## 3.3.1 再谈词嵌入\n"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n梯度,", "\n权重,", "stands twice"),
        ("chinese,english", "english,chinese", "columns must be"),
        (",词嵌入 词矢量", ",梯度", "a term and to be avoided"),
        (",sec-4-2,后向传播", ",4.2,后向传播", "malformed label"),
    ],
)
def test_a_broken_table_is_named(tmp_path, old, new, message):
    text = glossary.TABLE.read_text("utf-8")
    assert old in text
    path = tmp_path / "glossary.csv"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ValueError, match=message):
        glossary.load(path)
