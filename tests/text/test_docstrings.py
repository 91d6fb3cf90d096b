"""The corpus of docstrings is prose, and the text the book's numbers come from."""

import importlib.metadata
import re
import warnings

import pytest

from lmbook.text import docstrings, split_words

LOCKED = all(
    importlib.metadata.version(package) == version
    for package, version in docstrings.VERSIONS.items()
)


@pytest.fixture(scope="module")
def corpus():
    with warnings.catch_warnings():
        warnings.simplefilter("error" if LOCKED else "ignore")
        return docstrings.docstrings()


def test_locked_versions_give_the_books_text(corpus):
    lines = corpus.splitlines()
    assert len(lines) == len(set(lines))
    assert len(split_words(corpus)) > 500_000
    assert len(set(split_words(corpus))) > 10_000


def test_it_is_prose(corpus):
    assert ">>>" not in corpus
    assert not re.search(r"^\.\. |={3,}|:func:`", corpus, re.MULTILINE)
    assert "Return the maximum of an array or maximum along an axis." in corpus


def test_another_text_is_announced(monkeypatch):
    monkeypatch.setattr(docstrings, "SHA256", "0" * 64)
    with pytest.warns(UserWarning, match="expect other numbers"):
        docstrings.docstrings()


def test_markup_goes_and_code_is_left_out():
    doc = """Sum of `a` and :func:`~numpy.b`, as in [1]_.

    Parameters
    ----------
    a : array_like
        The first of the two **numbers** to be added.

    >>> add(1, 2)
    3

    See below::

        x = 1
    """
    kept = list(
        docstrings._prose(
            docstrings.ast.get_docstring(
                docstrings.ast.parse(f"def f():\n    {doc!r}").body[0]
            )
        )
    )
    assert kept == [
        "Sum of a and numpy.b, as in.",
        "The first of the two numbers to be added.",
    ]
