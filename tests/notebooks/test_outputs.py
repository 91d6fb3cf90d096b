"""The rules of comparison that the book's cells ask for.

``conftest.py`` puts below this file every notebook of the book, a test for each of
its code cells: it is run, and its outputs compared with those that are stored.
"""

from tools.notebooks.compare import Rule
from tools.notebooks.paths import book_notebooks, read

OWN_AT_MOST = 0.08


def test_few_cells_are_exempt_from_comparison():
    rules = [
        Rule.of(cell)
        for path in book_notebooks()
        for cell in read(path).cells
        if cell.cell_type == "code"
    ]
    own = [rule.reason for rule in rules if rule.compare == "own"]
    assert len(own) <= OWN_AT_MOST * len(rules), own
