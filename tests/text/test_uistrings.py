"""The interface's strings are clean pairs, and those the book's numbers come from."""

import importlib.metadata
import json
import re
import warnings

import pytest

from lmbook.errors import InputError
from lmbook.text import uistrings

LOCKED = importlib.metadata.version(uistrings.PACKAGE) == uistrings.VERSION


@pytest.fixture(scope="module")
def pairs():
    with warnings.catch_warnings():
        warnings.simplefilter("error" if LOCKED else "ignore")
        return uistrings.uistrings()


def test_about_three_thousand_pairs_each_english_text_once(pairs):
    assert 2_800 < len(pairs) < 3_500
    assert len({english for english, _ in pairs}) == len(pairs)
    assert ("Notifications", "通知") in pairs


def test_they_are_clean(pairs):
    for english, chinese in pairs:
        for text in (english, chinese):
            assert text == " ".join(text.split())
            assert not re.search(r"</?[a-z]+[^>]*>|&[a-z]+;|[{}\4\0]|%%", text), text
        assert re.search(r"[A-Za-z]{2}", re.sub(r"%\d", "", english))
        assert re.search(r"[\u4e00-\u9fff]", chinese)
        assert english != chinese


def test_both_sides_have_the_same_placeholders(pairs):
    assert sum("%1" in english for english, _ in pairs) > 100
    for english, chinese in pairs:
        one, other = (sorted(re.findall(r"%\d", text)) for text in (english, chinese))
        assert one == other, english


def test_any_cut_has_long_and_short_ones(pairs):
    thirds = [pairs[:1000], pairs[1000:2000], pairs[2000:]]
    means = [sum(len(e) for e, _ in third) / len(third) for third in thirds]
    assert max(means) / min(means) < 1.2


def test_what_is_no_sentence_is_dropped(monkeypatch, tmp_path):
    catalogue = {
        "": {"domain": "jupyterlab", "language": "zh-CN"},
        "Open  the\nfile": ["打开 文件 "],
        "menu\4File": ["文件"],
        "%1 of %2": ["%1/%2"],
        "Cell %1": ["单元格"],
        "%1 (%2)": ["%1（%2）"],
        "Python": ["Python"],
        "See <a href='x'>here</a>": ["见<a href='x'>此处</a>"],
        'Example: {"a": 1}': ["示例"],
        "Empty": [""],
        "Move %1 cells": ["移动 %1 个单元格", "另一种"],
        "100%% sure": ["100%% 确定"],
    }
    for name, extra in (
        ("b", {"menu\4File": ["档案"], "New": ["新建"]}),
        ("a", catalogue),
    ):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(extra), "utf-8")
    files = sorted(tmp_path.glob("*.json"))
    monkeypatch.setattr(uistrings, "_catalogues", lambda: files)
    with pytest.warns(UserWarning, match="expect other numbers"):
        assert sorted(uistrings.uistrings()) == [
            ("File", "文件"),
            ("Move %1 cells", "移动 %1 个单元格"),
            ("New", "新建"),
            ("Open the file", "打开 文件"),
        ]


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(uistrings, "PACKAGE", "no-such-language-pack")
    with pytest.raises(InputError, match="pip install no-such-language-pack=="):
        uistrings.uistrings()
