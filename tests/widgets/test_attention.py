"""The viewer's page reads back the maps that it was given, and checks its input."""

import numpy as np
import pytest
import torch
import traitlets

from lmbook.errors import InputError
from lmbook.models.attention import attention_weights
from lmbook.widgets.attention import AttentionViewer
from tests.widgets.test_explorers import in_javascript

LAYERS, HEADS = 3, 2


def maps_of(size: int, seed: int = 0) -> np.ndarray:
    """Causal attention of every layer and head, as a model would have it."""
    torch.manual_seed(seed)
    q, k = 3 * torch.randn(2, LAYERS, HEADS, size, 5, dtype=torch.float64)
    return attention_weights(q, k).numpy()


def viewer(**options) -> AttentionViewer:
    texts = [list("天地玄黄宇宙洪"), list("日月盈昃")]
    return AttentionViewer(texts, [maps_of(7), maps_of(4, 1)], **options)


def test_every_row_comes_back():
    shown = viewer()
    script = """data.map(({maps, tokens}) => tokens.map((_, i) =>
        [0, 1, 2].map((l) => [0, 1].map((h) =>
            m.row(m.unpack(maps), tokens.length, 2, l, h, i)))))"""
    found = in_javascript(AttentionViewer._esm, script, shown.examples)
    for rows, weights in zip(found, (maps_of(7), maps_of(4, 1)), strict=True):
        for i, by_layer in enumerate(rows):
            expected = weights[:, :, i, : i + 1]
            assert np.allclose(by_layer, expected, rtol=0, atol=0.5 / 255 + 1e-9)


def test_the_strongest_come_first_and_the_nearer_of_equals():
    script = "data.map((weights) => m.strongest(weights, 3))"
    data = [[0.1, 0.4, 0.0, 0.4, 0.1], [1.0], [0.004, 0.996]]
    found = in_javascript(AttentionViewer._esm, script, data)
    assert found == [
        [[3, 0.4], [1, 0.4], [4, 0.1]],
        [[0, 1]],
        [[1, 0.996]],
    ]


def test_what_it_holds():
    guesses = [[("玄", 0.12345)] * 7, []]
    shown = viewer(guesses=guesses, names=["甲", "乙"], layer=2, head=1, token=3)
    assert (shown.num_layers, shown.num_heads) == (LAYERS, HEADS)
    assert [one["name"] for one in shown.examples] == ["甲", "乙"]
    assert shown.examples[0]["guesses"][0] == ["玄", 0.123]
    assert shown.examples[1]["guesses"] == []
    assert viewer().examples[1]["name"] == "例 2"
    shown.token = 6
    for name, value, end in (("layer", 3, 2), ("head", -1, 1), ("example", 2, 1)):
        with pytest.raises(traitlets.TraitError, match=f"{name} must be 0 to {end}"):
            setattr(shown, name, value)
    with pytest.raises(traitlets.TraitError, match="token must be 0 to 6, got 7"):
        shown.token = 7


def test_what_it_is_given_is_checked():
    text, maps = list("天地玄黄"), maps_of(4)
    with pytest.raises(InputError, match="got 1 texts and 2 maps"):
        AttentionViewer([text], [maps, maps])
    with pytest.raises(InputError, match="got 0 texts"):
        AttentionViewer([], [])
    with pytest.raises(InputError, match=r"maps of 3 tokens .*; got \(3, 2, 4, 4\)"):
        AttentionViewer([text[:3]], [maps])
    with pytest.raises(InputError, match=r"the same for all texts; got \(1, 2, 4, 4\)"):
        AttentionViewer([text, text], [maps, maps[:1]])
    with pytest.raises(InputError, match="4 tokens need as many guesses, got 1"):
        AttentionViewer([text], [maps], guesses=[[("天", 1.0)]])
    with pytest.raises(InputError, match="1 texts need as many names"):
        AttentionViewer([text], [maps], names=["甲", "乙"])
    with pytest.raises(InputError, match="rows of sum 1"):
        AttentionViewer([text], [maps * 0.9])
    with pytest.raises(InputError, match="zero above the diagonal"):
        AttentionViewer([text], [np.full((1, 1, 4, 4), 0.25)])
    long = np.broadcast_to(np.tril(np.ones((400, 400))), (2, 2, 400, 400))
    long = long / long.sum(-1, keepdims=True)
    with pytest.raises(InputError, match="300,000 weights at most, got 320,800"):
        AttentionViewer([["天"] * 400], [long])
