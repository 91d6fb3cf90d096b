"""Every head of a trained model on a text: who looks at whom (section 3.6)."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import ArrayLike

from lmbook.errors import InputError

HERE = Path(__file__).parent
SCALE = 255  # of a weight, kept in 8 bits
MOST_BYTES = 300_000  # of all maps, 400 KB in the page


class AttentionViewer(anywidget.AnyWidget):
    """Texts and the attention ``maps`` of every layer and head on them.

    ``texts``: for each example its tokens; ``maps``: for each example the weights
    (num_layers, num_heads, T, T) of its T tokens, causal, rows of sum 1, as
    :func:`lmbook.models.attention_maps.attention_maps` gives them.  ``guesses``: for
    each example what the model thinks comes after each token, (token, probability);
    None where that is not shown.  ``names`` of the examples.

    ``example``, ``layer``, ``head`` and ``token``, from 0, say what is chosen.  No
    kernel is needed: the page has the maps.  Raises ``InputError`` where the sizes
    don't fit, a map is no causal attention, or all maps have more than 300,000
    weights.
    """

    _esm = (HERE / "attention.js").read_text("utf-8")
    _css = "\n".join(
        (HERE / name).read_text("utf-8") for name in ("explorer.css", "attention.css")
    )

    # {name, tokens, guesses, maps}: weights over SCALE, one byte each, of the lower
    # triangles row by row, layer by layer and head by head, in base64.
    examples = traitlets.List(traitlets.Dict()).tag(sync=True)
    num_layers = traitlets.Int().tag(sync=True)
    num_heads = traitlets.Int().tag(sync=True)
    example = traitlets.Int(0).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    token = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        texts: Sequence[Sequence[str]],
        maps: Sequence[ArrayLike],
        guesses: Sequence[Sequence[tuple[str, float]]] | None = None,
        names: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        arrays = [np.asarray(weights, np.float64) for weights in maps]
        if not texts or len(texts) != len(arrays):
            raise InputError(
                "the viewer takes maps for each text, at least one, "
                f"got {len(texts)} texts and {len(arrays)} maps"
            )
        names = names or [f"例 {number}" for number in range(1, len(texts) + 1)]
        given = guesses or [[]] * len(texts)
        if len(names) != len(texts) or len(given) != len(texts):
            raise InputError(
                f"{len(texts)} texts need as many names and guesses, "
                f"got {len(names)} and {len(given)}"
            )
        for tokens, weights, guessed in zip(texts, arrays, given, strict=True):
            _check(list(tokens), weights, len(guessed), arrays[0].shape[:2])
        packed = [_packed(weights) for weights in arrays]
        if sum(map(len, packed)) > MOST_BYTES:
            raise InputError(
                f"the page takes {MOST_BYTES:,} weights at most, "
                f"got {sum(map(len, packed)):,}"
            )
        rows = zip(names, texts, given, packed, strict=True)
        super().__init__(
            examples=[
                {
                    "name": name,
                    "tokens": list(tokens),
                    "guesses": [[word, round(float(p), 3)] for word, p in guessed],
                    "maps": base64.b64encode(weights).decode(),
                }
                for name, tokens, guessed, weights in rows
            ],
            num_layers=arrays[0].shape[0],
            num_heads=arrays[0].shape[1],
            **options,
        )

    @traitlets.validate("example", "layer", "head", "token")
    def _in_range(self, proposal: Any) -> int:
        name, value = proposal.trait.name, proposal.value
        tokens = max((len(one["tokens"]) for one in self.examples), default=1)
        ends = {"example": len(self.examples), "token": tokens}
        end = int(ends.get(name) or getattr(self, f"num_{name}s") or 1)
        if not 0 <= value < end:
            raise traitlets.TraitError(f"{name} must be 0 to {end - 1}, got {value}")
        return value


def _check(
    tokens: list[str], weights: np.ndarray, guessed: int, heads: tuple[int, ...]
) -> None:
    size = len(tokens)
    if weights.ndim != 4 or weights.shape != (*heads, size, size) or not size:
        raise InputError(
            f"maps of {size} tokens are (num_layers, num_heads, {size}, {size}), the "
            f"first two the same for all texts; got {weights.shape}"
        )
    if guessed not in (0, size):
        raise InputError(f"{size} tokens need as many guesses, got {guessed}")
    sums = weights.sum(axis=-1)
    if not np.allclose(sums, 1, atol=1e-3) or np.abs(np.triu(weights, 1)).max() > 0:
        raise InputError(
            "a map is causal attention: rows of sum 1, zero above the diagonal"
        )


def _packed(weights: np.ndarray) -> bytes:
    below = np.tril_indices(weights.shape[-1])
    return np.rint(weights[:, :, *below] * SCALE).astype(np.uint8).tobytes()
