"""Every notebook of the book passes every check of ``tools.notebooks.lint``."""

import pytest

from tools.notebooks.lint import CHECKS, Check, Page, contents, figure_numbers
from tools.notebooks.paths import BOOK, book_notebooks


@pytest.fixture(
    scope="module",
    params=book_notebooks(),
    ids=lambda path: path.relative_to(BOOK).as_posix(),
)
def page(request: pytest.FixtureRequest) -> Page:
    return Page(request.param)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_notebook(page: Page, check: Check):
    assert list(check(page)) == []


def test_table_of_contents():
    assert list(contents()) == []


def test_figure_numbers():
    assert list(figure_numbers()) == []
