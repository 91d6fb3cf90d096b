"""The book's own mixture, Chinese and English, that its default model learns from.

Made from what is installed: the prose of NumPy's and SciPy's documentation, the
artificial world in both languages, JupyterLab's interface.  Used in section 6.1.
"""

import random

from lmbook.text.docstrings import docstrings
from lmbook.text.uistrings import uistrings

WORLD_TOKENS = 200_000  # words and signs of the world in each language
BLOCK = 20  # lines of one kind that stand together
SEED = 0


def book_text() -> str:
    """A paragraph, a story or a pair of texts a line.

    Blocks of one kind follow one another in an order drawn at random: a text mostly
    goes on in its language, and the parts before and after any cut are alike.  Of the
    characters half are English prose (every other paragraph of the documentation),
    most of the rest the world's.
    """
    from lmbook.text.microworld import microworld_text

    kinds = [
        docstrings().splitlines()[::2],
        [f"{english}\t{chinese}" for english, chinese in uistrings()],
        microworld_text("en", WORLD_TOKENS, seed=SEED).splitlines(),
        # Another seed, or the two would tell the same stories.
        microworld_text("zh", WORLD_TOKENS, seed=SEED + 1).splitlines(),
    ]
    blocks = [
        lines[start : start + BLOCK]
        for lines in kinds
        for start in range(0, len(lines), BLOCK)
    ]
    random.Random(SEED).shuffle(blocks)
    return "".join(line + "\n" for block in blocks for line in block)
