"""What one page quotes of another's numbers stands there."""

import nbformat
import pytest

from tools import shown
from tools.errata import markdown, pages


@pytest.fixture(scope="module")
def sections():
    return shown.sections()


@pytest.mark.parametrize("path", pages(), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_quotations_hold(path, sections):
    assert list(shown.faults(markdown(path), sections)) == []


def test_there_are_quotations():
    quoted = [len(shown.QUOTED.findall(markdown(path))) for path in pages()]
    assert sum(quoted) > 50


@pytest.mark.parametrize(
    ("quotation", "fault"),
    [
        ("是 0.85<!-- shown: sec-9-9 -->", None),
        ("从 1 到 2,746<!-- shown: sec-9-9 -->，", None),
        ("是 0.8<!-- shown: sec-9-9 -->", "sec-9-9 does not show 0.8"),
        ("是 746<!-- shown: sec-9-9 -->", "sec-9-9 does not show 746"),
        ("是 2<!-- shown: sec-9-9 -->", "sec-9-9 does not show 2"),
        ("是 0.85<!-- shown: sec-9-8 -->", "no section sec-9-8"),
        ("没有数<!-- shown: sec-9-9 -->", "no numeral before the quotation of sec-9-9"),
    ],
)
def test_a_number_stands_alone_or_not(quotation, fault):
    text = {"sec-9-9": "把握平均 0.85；排第 2,746，"}
    assert list(shown.faults(quotation, text)) == [fault] * (fault is not None)


def test_outputs_are_read_and_code_is_not(tmp_path):
    printed = nbformat.v4.new_output("stream", text="答案 42\n")
    cells = [
        nbformat.v4.new_markdown_cell("(sec-9-9)=\n# 9.9 题"),
        nbformat.v4.new_code_cell("print(6 * 7 + 1000 - 1000)", outputs=[printed]),
    ]
    path = tmp_path / "s9_it.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    text = shown.with_outputs(path)
    assert shown.stands("42", text)
    assert not shown.stands("1000", text)
