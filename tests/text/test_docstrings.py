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


def prose(doc):
    tree = docstrings.ast.parse(f"def f():\n    {doc!r}")
    return [p for found in docstrings._docs(tree) for p in docstrings._prose(found)]


def test_markup_goes_and_code_is_left_out():
    doc = """The sum of `a` and :func:`~numpy.b`, see also
    `the page <https://x.org/>`__ [1]_.

    bdtri(k, n, y, out=None)

    Parameters
    ----------
    a : array_like
        The first of the two **numbers** to be added,
        as long as
        it is one.
    axis
        Axis along which it is computed.

    See Also
    --------
    c : Another function that is like it.

    Notes
    -----
    It is known that :math:`0 < \\alpha` for every one::

        for this is code that looks like a sentence.

    .. math::

        where this is a formula with many words.

    .. versionadded:: 1.2
        This note about the version is a sentence.

    - The first item goes on
      in a second line.
    - The second item is short.

    >>> add(1, 2)
    the output of an example, as a sentence.

    References
    ----------
    .. [1] A. Author, "A title of some words."
       The journal that it is in.
    """
    assert prose(doc) == [
        "The sum of a and numpy.b, see also the page [1].",
        "The first of the two numbers to be added, as long as it is one.",
        "Axis along which it is computed.",
        r"It is known that 0 < \alpha for every one:",
        "This note about the version is a sentence.",
        "The first item goes on in a second line.",
        "The second item is short.",
    ]
