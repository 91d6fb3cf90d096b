"""A long text cut where the cut changes no token, so that little memory is needed."""

import re
from collections.abc import Iterator

PIECE = 2**18  # characters


def pieces(text: str, boundary: re.Pattern[str], size: int = PIECE) -> Iterator[str]:
    """Consecutive parts of the text, each of ``size`` characters or some more.

    A part ends where ``boundary``, which matches between two characters, first
    matches; the last one ends with the text.  Joined, they are the text.
    """
    start = 0
    while start < len(text):
        found = boundary.search(text, start + size)
        end = found.start() if found else len(text)
        yield text[start:end]
        start = end
