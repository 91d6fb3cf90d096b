r"""One step of word2vec on our own autograd, and its gradients by hand.  Section 3.3.

Names as in Rong 2014 (arXiv:1411.2738): h is the hidden layer, an input vector
(skip-gram) or the mean of several (CBOW); u are output vectors.  The losses take
tensors, the gradients plain arrays; both take the two matrices, (vocab_size, size), and
word numbers.  word2vec.py trains by the same formulas, fast.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmbook import activations
from lmbook.backprop import Tensor, embedding, log_softmax, stack
from lmbook.errors import InputError

Floats = NDArray[np.float64]
Ids = Sequence[int] | NDArray[np.integer]


def log_sigmoid(x: Tensor) -> Tensor:
    r""":math:`\log \sigma(x)`: the log-softmax of the two scores x and 0."""
    return log_softmax(stack([x, x * 0], axis=-1))[..., 0]


def skipgram_loss(
    inputs: Tensor, outputs: Tensor, word: int, target: int, noise: Ids
) -> Tensor:
    """Loss of one pair: ``word`` predicts ``target`` among the words of ``noise``."""
    h = embedding(inputs, word)
    return negative_sampling_loss(h, outputs, target, noise)


def cbow_loss(
    inputs: Tensor, outputs: Tensor, words: Ids, target: int, noise: Ids
) -> Tensor:
    """Loss of one window: the mean of the vectors of ``words`` predicts ``target``."""
    h = embedding(inputs, np.asarray(words)).mean(axis=0)
    return negative_sampling_loss(h, outputs, target, noise)


def negative_sampling_loss(
    h: Tensor, outputs: Tensor, target: int, noise: Ids
) -> Tensor:
    r""":math:`-\log\sigma(u_t \cdot h) - \sum_n \log\sigma(-u_n \cdot h)`.

    Mikolov et al. 2013 (arXiv:1310.4546), equation (4).
    """
    right = log_sigmoid(embedding(outputs, target) @ h)
    wrong = log_sigmoid(-(embedding(outputs, np.asarray(noise, int)) @ h))
    return -right - wrong.sum()


def skipgram_gradients(
    inputs: Floats, outputs: Floats, word: int, target: int, noise: Ids
) -> tuple[Floats, Floats]:
    """Gradients of :func:`skipgram_loss`, of the shapes of the two matrices."""
    to_h, to_outputs = negative_sampling_gradients(inputs[word], outputs, target, noise)
    to_inputs = np.zeros_like(inputs)
    # dL/dv_w = dL/dh
    to_inputs[word] = to_h
    return to_inputs, to_outputs


def cbow_gradients(
    inputs: Floats, outputs: Floats, words: Ids, target: int, noise: Ids
) -> tuple[Floats, Floats]:
    """Gradients of :func:`cbow_loss`, of the shapes of the two matrices."""
    h = inputs[words].mean(axis=0)
    to_h, to_outputs = negative_sampling_gradients(h, outputs, target, noise)
    to_inputs = np.zeros_like(inputs)
    # dL/dv_c = (1/C) dL/dh for each of the C words: twice for one that stands twice
    np.add.at(to_inputs, words, to_h / len(words))
    return to_inputs, to_outputs


def negative_sampling_gradients(
    h: Floats, outputs: Floats, target: int, noise: Ids
) -> tuple[Floats, Floats]:
    """Gradients of :func:`negative_sampling_loss`, for h and the output vectors."""
    rows = np.array([target, *noise])
    u = outputs[rows]
    # t_j = 1 for the target, 0 for noise
    t = np.zeros(len(rows))
    t[0] = 1
    # dL/ds_j = sigma(s_j) - t_j,  s_j = u_j . h
    to_scores = activations.sigmoid(u @ h) - t
    # dL/du_j = (sigma(s_j) - t_j) h: added up for a word that was drawn twice
    to_outputs = np.zeros_like(outputs)
    np.add.at(to_outputs, rows, to_scores[:, None] * h)
    # dL/dh = sum over j of (sigma(s_j) - t_j) u_j
    return to_scores @ u, to_outputs


# ---- hierarchical softmax ------------------------------------------------------------


@dataclass(frozen=True)
class HuffmanTree:
    """The way from the root to each word: inner nodes, and where it turns at each."""

    paths: list[NDArray[np.int64]]  # numbers of inner nodes, the root first
    codes: list[NDArray[np.int64]]  # 0 or 1 at each of them


def huffman_tree(counts: ArrayLike) -> HuffmanTree:
    """Join the two rarest again and again (Huffman 1952): common words, short codes.

    ``counts`` (vocab_size,) gives vocab_size - 1 inner nodes; the average length of a
    code lies within one bit above the entropy of the words.
    """
    counts = np.asarray(counts)
    if counts.ndim != 1 or not counts.size or not (counts >= 0).all():
        raise InputError("counts must be a list of numbers from 0 up, and not empty")
    num_words = len(counts)
    heap = [(count, node) for node, count in enumerate(counts.tolist())]
    heapq.heapify(heap)
    parent, turn = {}, {}
    for node in range(num_words, 2 * num_words - 1):
        joined = 0
        for bit in (0, 1):
            count, child = heapq.heappop(heap)
            parent[child], turn[child] = node, bit
            joined += count
        heapq.heappush(heap, (joined, node))
    paths, codes = [], []
    for node in range(num_words):
        path, code = [], []
        while node in parent:
            code.append(turn[node])
            node = parent[node]
            path.append(node - num_words)
        paths.append(np.array(path[::-1], np.int64))
        codes.append(np.array(code[::-1], np.int64))
    return HuffmanTree(paths, codes)


def hierarchical_softmax_loss(
    h: Tensor, nodes: Tensor, tree: HuffmanTree, target: int
) -> Tensor:
    r""":math:`-\sum_j \log \sigma((1 - 2 d_j)\, u_j \cdot h)` along the target's path.

    With code d: at each inner node j, turning to 0 has probability
    :math:`\sigma(u_j \cdot h)` and to 1 the rest, so that the words' probabilities add
    up to 1 (arXiv:1310.4546, equation (3)).  ``nodes`` is (vocab_size - 1, size).
    """
    sign = 1.0 - 2 * tree.codes[target]
    return -log_sigmoid((embedding(nodes, tree.paths[target]) @ h) * sign).sum()


def hierarchical_softmax_gradients(
    h: Floats, nodes: Floats, tree: HuffmanTree, target: int
) -> tuple[Floats, Floats]:
    """Gradients of :func:`hierarchical_softmax_loss` for h and the inner nodes."""
    u = nodes[tree.paths[target]]
    # dL/ds_j = sigma(s_j) - (1 - d_j),  s_j = u_j . h
    to_scores = activations.sigmoid(u @ h) - (1 - tree.codes[target])
    # dL/du_j = (sigma(s_j) - (1 - d_j)) h
    to_nodes = np.zeros_like(nodes)
    to_nodes[tree.paths[target]] = to_scores[:, None] * h
    # dL/dh = sum over j of (sigma(s_j) - (1 - d_j)) u_j
    return to_scores @ u, to_nodes
