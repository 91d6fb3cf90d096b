"""The table of errata is whole, stands where it says, and its numbers are right."""

import dataclasses
import re

import numpy as np
import pytest

from lmbook import activations
from lmbook.similarity import cosine_similarity, pearson_correlation
from tools import errata

TABLE = errata.load()
PAGES = {path: errata.markdown(path) for path in errata.pages()}
LABELS = {
    label: path
    for path, text in PAGES.items()
    for label in re.findall(r"^\((sec-[\d-]+|ch-\d+|cover)\)=$", text, re.MULTILINE)
}


def test_all_faults_and_omissions_are_there():
    assert len(TABLE) == 99 + 14


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_a_row_is_put_right_where_it_says(row):
    """Once the page of its section exists, the label and the box stand on it."""
    section = "-".join(row.label.split("-")[:3])  # sec-4-1 of sec-4-1-2
    if section not in LABELS:
        assert row.label not in LABELS
        return
    assert row.label in LABELS, f"no label {row.label}"
    text = PAGES[LABELS[row.label]]
    box = re.search(rf"^\(errata-{row.id}\)=$", text, re.MULTILINE)
    assert box, f"{row.id} has no box on {LABELS[row.label].name}"
    labels = r"^\(((?:sec|ch)-[\d-]+)\)=$"
    before = re.findall(labels, text[: box.start()], re.MULTILINE)
    assert before[-1].startswith(row.label) or row.label == section


def test_the_sections_so_far_are_complete():
    """What the article's own text says of them has its box, M01 to M14 included."""
    written = (*range(6, 12), 12, 13, 14, 16, 17, *range(22, 31), *range(40, 66))
    omissions = {"M03", "M05", "M06", "M09"}
    assert {f"E{n:02}" for n in written} | omissions <= set(errata.placed())


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_boxes_are_in_step_with_the_table(path):
    text = PAGES[path]
    assert errata.in_step(text, TABLE) == text


def test_a_changed_table_changes_the_box_and_nothing_else():
    page = "前\n\n(errata-E41)=\n:::{admonition} 勘误 E41\n:class: errata\n:::\n\n后\n"
    first = errata.in_step(page, TABLE)
    changed = dataclasses.replace(TABLE["E41"], correct="另一句话。")
    second = errata.in_step(first, TABLE | {"E41": changed})
    assert "0.95257413" in first
    assert "另一句话。" in second
    assert "0.95257413" not in second
    assert second.startswith("前\n\n(errata-E41)=")
    assert second.endswith(":::\n\n后\n")
    assert errata.in_step(second, TABLE) == first


def test_a_box_for_no_row_is_an_error():
    page = ":::{admonition} 勘误 E41、E100\n:class: errata\n:::\n"
    with pytest.raises(ValueError, match="no erratum E100"):
        errata.in_step(page, TABLE)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("E02,D", "E03,D", "in order"),
        ("E02,D", "E02,X", "E02 has an unknown kind"),
        (",sec-4-1-1\n", ",sec-4\n", "E41 has a malformed label"),
        ("id,kind", "id,sort", "columns must be"),
    ],
)
def test_a_broken_table_is_named(tmp_path, old, new, message):
    text = errata.TABLE.read_text("utf-8")
    assert old in text
    path = tmp_path / "errata.csv"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ValueError, match=message):
        errata.load(path)


def article_pearson_repaired(a, b):
    a, b = a - a.mean(), b - b.mean()
    return np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sqrt(np.sum(b**2)))


A, B, C = np.array([1, 2, 3]), np.array([4, 5, 6]), np.array([6, 5, 1])
COMPUTED = {
    "E26": str(activations.sigmoid(A @ A + np.array([4, 5, 6]))),
    "E41": str(activations.sigmoid(A)),
    "E43": str(activations.tanh(A)),
    "E48": str(0.5 * (2 - A) ** 2),
    "E49": f"{2 + np.sqrt(2 * 0.25):.4f}",
    "E54": repr(float(A @ B / (np.linalg.norm(A) * np.linalg.norm(B)))),
    "E56": repr(float(article_pearson_repaired(A, B))),
    "E58": f"{cosine_similarity(A, C):.4f}",
    "E61": "4,178,704",
    "E62": f"{np.log(10_000):.4f}",
}


@pytest.mark.parametrize("id", COMPUTED)
def test_numbers_that_the_table_calls_computed(id):
    plain = TABLE[id].correct
    assert COMPUTED[id] in plain


def test_pearson_of_the_articles_vectors():
    assert pearson_correlation(A, B) == pytest.approx(1)
    assert f"{pearson_correlation(A, C):.4f}" in TABLE["E58"].correct
