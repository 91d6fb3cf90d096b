"""The book's own mixture of texts."""

import re

from lmbook.text.bookmix import book_text
from lmbook.text.corpora import read_corpus
from lmbook.text.uistrings import uistrings

HAN = re.compile("[\u4e00-\u9fff]")


def test_both_languages_stand_in_every_part():
    text = book_text()
    assert read_corpus("book") == text
    lines = text.splitlines()
    for tenth in range(10):
        part = lines[tenth * len(lines) // 10 : (tenth + 1) * len(lines) // 10]
        chinese = sum(bool(HAN.search(line)) for line in part) / len(part)
        pairs = sum("\t" in line for line in part) / len(part)
        assert 0.2 < chinese < 0.6
        assert 0 < pairs < 0.2
    english, chinese = uistrings()[0]
    assert f"{english}\t{chinese}" in lines
    assert len(lines) == len(text.split("\n")) - 1
