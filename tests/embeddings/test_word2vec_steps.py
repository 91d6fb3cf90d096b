"""One step of word2vec: autograd, the formulas by hand, and differences agree."""

import numpy as np
import pytest

from lmbook.backprop import Tensor, gradient_check
from lmbook.embeddings import word2vec_steps as steps
from lmbook.errors import InputError

VOCAB, SIZE = 11, 7
RNG = np.random.default_rng(0)
INPUTS, OUTPUTS = RNG.normal(size=(2, VOCAB, SIZE))
NOISE = [5, 2, 5, 9]  # one word drawn twice


def by_autograd(loss, *arrays):
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    loss(*tensors).backward()
    return [tensor.grad for tensor in tensors]


CASES = {
    "skipgram": (steps.skipgram_loss, steps.skipgram_gradients, (3, 8, NOISE)),
    "cbow": (steps.cbow_loss, steps.cbow_gradients, ([1, 4, 1, 0, 6], 8, NOISE)),
    "no noise": (steps.skipgram_loss, steps.skipgram_gradients, (3, 8, [])),
    "target drawn": (steps.skipgram_loss, steps.skipgram_gradients, (3, 8, [8, 1])),
}


@pytest.mark.parametrize("outputs", [OUTPUTS, np.zeros_like(OUTPUTS)])
@pytest.mark.parametrize("name", CASES)
def test_gradients_by_hand_autograd_and_differences_agree(name, outputs):
    loss, gradients, where = CASES[name]
    found = gradients(INPUTS, outputs, *where)
    expected = by_autograd(lambda v, u: loss(v, u, *where), INPUTS, outputs)
    for mine, other in zip(found, expected, strict=True):
        assert np.allclose(mine, other, rtol=0, atol=1e-12)
    assert np.abs(found[1]).max() > 0.01
    assert gradient_check(lambda v, u: loss(v, u, *where), INPUTS, outputs) < 1e-6


def test_the_loss_is_that_of_the_paper():
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    h = INPUTS[[1, 4]].mean(axis=0)
    expected = -np.log(sigmoid(OUTPUTS[8] @ h))
    expected -= sum(np.log(sigmoid(-OUTPUTS[n] @ h)) for n in NOISE)
    found = steps.cbow_loss(Tensor(INPUTS), Tensor(OUTPUTS), [1, 4], 8, NOISE)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_log_sigmoid_of_large_scores():
    scores = Tensor([-1000.0, 0.0, 1000.0], requires_grad=True)
    found = steps.log_sigmoid(scores)
    found.sum().backward()
    assert found.data == pytest.approx([-1000, -np.log(2), 0])
    assert scores.grad == pytest.approx([1, 0.5, 0])


@pytest.mark.parametrize("seed", range(5))
def test_huffman_codes(seed):
    rng = np.random.default_rng(seed)
    counts = rng.zipf(1.3, 40 + seed).clip(max=10**6)
    tree = steps.huffman_tree(counts)
    codes = ["".join(map(str, code)) for code in tree.codes]
    for a in codes:
        assert sum(b.startswith(a) for b in codes) == 1  # a prefix of itself only
    p = counts / counts.sum()
    entropy = -(p * np.log2(p)).sum()
    length = (p * [len(code) for code in codes]).sum()
    assert entropy <= length < entropy + 1
    assert sum(2.0 ** -len(code) for code in codes) == 1  # no code is wasted
    assert [len(path) for path in tree.paths] == [len(code) for code in codes]
    assert {n for path in tree.paths for n in path} == set(range(len(counts) - 1))


def test_a_tree_worked_out_by_hand():
    tree = steps.huffman_tree([5, 1, 2, 1])
    assert [len(code) for code in tree.codes] == [1, 3, 2, 3]
    root = {path[0] for path in tree.paths}
    assert root == {2}  # the inner node that was made last
    # Two words that turn differently at a node have the same path up to it.
    assert np.array_equal(tree.paths[1], tree.paths[3])
    assert np.array_equal(tree.codes[1][:2], tree.codes[3][:2])


@pytest.mark.parametrize("target", [0, 3, VOCAB - 1])
def test_hierarchical_softmax(target):
    tree = steps.huffman_tree(np.arange(1, VOCAB + 1) ** 2)
    h, nodes = INPUTS[2], OUTPUTS[: VOCAB - 1]

    def loss(h, nodes):
        return steps.hierarchical_softmax_loss(h, nodes, tree, target)

    found = steps.hierarchical_softmax_gradients(h, nodes, tree, target)
    for mine, other in zip(found, by_autograd(loss, h, nodes), strict=True):
        assert np.allclose(mine, other, rtol=0, atol=1e-12)
    assert gradient_check(loss, h, nodes) < 1e-6
    losses = [
        steps.hierarchical_softmax_loss(Tensor(h), Tensor(nodes), tree, word).item()
        for word in range(VOCAB)
    ]
    assert np.exp(np.negative(losses)).sum() == pytest.approx(1, abs=1e-12)


def test_one_word_is_certain_and_bad_counts_are_refused():
    tree = steps.huffman_tree([7])
    assert len(tree.codes) == 1
    assert not len(tree.codes[0])
    for counts in ([], [3, -1], [[1, 2]], [1, np.nan]):
        with pytest.raises(InputError, match="counts must be"):
            steps.huffman_tree(counts)
