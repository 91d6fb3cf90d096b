"""A map of word vectors: search, neighbours, analogies (sections 3.3 and 4.3)."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray

from lmbook.embeddings.vectors import WordVectors
from lmbook.errors import InputError

HERE = Path(__file__).parent
SCALE = 32_767  # of an entry of a unit vector, kept in 16 bits
MOST_NUMBERS = 150_000  # 400 KB in the page


class WordMap(anywidget.AnyWidget):
    """The ``words`` on the plane of their two widest directions.

    A word that is searched or touched lights up its neighbours, by the cosine of the
    whole vectors, not by the distance on the map; ``a : b = c : ?`` draws the analogy.
    No kernel is needed: the page has the vectors and computes everything itself.
    ``mode`` is "neighbours", of ``word``, or "analogy", of the three ``terms``.

    Raises ``InputError`` for less than five words, for one with a zero vector, and
    where the table has more than 150,000 numbers; an unknown word is a KeyError.
    """

    _esm = (HERE / "wordmap.js").read_text("utf-8")
    _css = "\n".join(
        (HERE / name).read_text("utf-8") for name in ("explorer.css", "wordmap.css")
    )

    words = traitlets.List(traitlets.Unicode()).tag(sync=True)
    points = traitlets.List(traitlets.Float()).tag(sync=True)  # x, y, x, y ...
    # Unit vectors, 16-bit integers over SCALE, the low byte first, in base64.
    vectors = traitlets.Unicode().tag(sync=True)
    mode = traitlets.Enum(["neighbours", "analogy"], "neighbours").tag(sync=True)
    word = traitlets.Unicode().tag(sync=True)
    terms = traitlets.List(traitlets.Unicode(), minlen=3, maxlen=3).tag(sync=True)

    def __init__(self, wv: WordVectors, words: Sequence[str], **options: Any) -> None:
        words = list(dict.fromkeys(words))
        if len(words) < 5 or len(words) * wv.size > MOST_NUMBERS:
            raise InputError(
                f"the map takes from 5 words to {MOST_NUMBERS // wv.size} of size "
                f"{wv.size}, got {len(words)}"
            )
        rows = np.array([wv.get_word_vector(word) for word in words], np.float64)
        norms = np.linalg.norm(rows, axis=1)
        if not norms.all():
            raise InputError(f"{words[int(norms.argmin())]!r} has a vector of zeros")
        unit = rows / norms[:, None]
        chosen = {"word": words[0], "terms": words[:3], **options}
        super().__init__(
            words=words,
            points=plane(unit).ravel().tolist(),
            vectors=base64.b64encode(np.rint(unit * SCALE).astype("<i2")).decode(),
            **chosen,
        )

    @traitlets.validate("word", "terms")
    def _on_the_map(self, proposal: Any) -> Any:
        value = proposal.value
        for word in [value] if isinstance(value, str) else value:
            if word not in self.words:
                raise traitlets.TraitError(f"{word!r} is not one of the map's words")
        return value


def plane(unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Principal components 1 and 2 of the rows, scaled to ±1, to four digits.

    The largest entry of each direction is made positive, so that the map is not
    mirrored from one machine to the next.
    """
    centred = unit - unit.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    directions = directions[:, [-1, -2]]
    largest = np.abs(directions).argmax(axis=0)
    directions *= np.sign(directions[largest, [0, 1]])
    points = centred @ directions
    return np.round(points / np.abs(points).max(), 4)
