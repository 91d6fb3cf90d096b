# mypy: disable-error-code="call-arg, var-annotated, assignment"
r"""The inner loop of word2vec, compiled by Numba.  Taught in section 3.3.

- All words of a window share one set of negative samples (Ji et al. 2016,
  arXiv:1611.06172): a few rows of the output matrix are fetched once and used for
  every pair, so that most of the work is done in the nearest cache.  The scores of a
  window are computed before any of its vectors move.
- Subsampling, the window's size and the negatives are drawn inside the kernel.  What is
  drawn depends on the seed and the place in the text, not on the number of threads.
- Kernels let go of the interpreter's lock, and threads write to the same matrices
  without waiting for each other (Hogwild; Niu et al. 2011, arXiv:1106.5730).
- Compilers may not reorder a sum of floating-point numbers, so a plain loop for a dot
  product stays scalar; with leave to reorder (``fastmath``) the result depends on the
  width of the machine's vectors.  Here the order is written down: sixteen partial
  sums, or lanes, then a tree over them.  One thread gives the same bits on every
  machine.

Matrices are flat float32, their rows padded with zeros to a multiple of ``WIDTH``;
nothing checks the bounds.  All is in one file, since Numba compiles a cached function
again when its own file has changed, not when another has.  This module imports Numba:
import it inside a function.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

# ---- sixteen numbers at a time -------------------------------------------------------

WIDTH = 16
VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
INT = ir.IntType(32)


class LanesType(types.Type):
    """What Numba calls the type of sixteen lanes."""


LANES = LanesType("Lanes")


@register_model(LanesType)
class LanesModel(models.PrimitiveModel):
    """Sixteen lanes are one vector of LLVM's."""

    def __init__(self, manager, kind) -> None:
        super().__init__(manager, kind, VECTOR)


def _place(context, builder, signature, arguments, pointer):
    """Address of ``array[index]``, the first two arguments."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), pointer)


@intrinsic
def load(typing, array, index):
    """``array[index : index + WIDTH]``."""

    def code(*where):
        return where[1].load(_place(*where, VECTOR.as_pointer()), align=4)

    return LANES(array, types.intp), code


@intrinsic
def store(typing, array, index, lanes):
    """``array[index : index + WIDTH] = lanes``."""

    def code(*where):
        context, builder, _, arguments = where
        builder.store(arguments[2], _place(*where, VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, LANES), code


@intrinsic
def prefetch(typing, array, index):
    """Begin to fetch the cache line of ``array[index]``, to be written to soon."""

    def code(*where):
        context, builder, _, _ = where
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, INT, INT, INT])
        function = cgutils.get_or_insert_function(
            builder.module, kind, "llvm.prefetch.p0"
        )
        to_write, keep_near, data = INT(1), INT(3), INT(1)
        place = _place(*where, cgutils.voidptr_t)
        builder.call(function, [place, to_write, keep_near, data])
        return context.get_dummy_value()

    return types.void(array, types.intp), code


@intrinsic
def zeros(typing):
    """Sixteen zeros."""
    return LANES(), lambda *_: ir.Constant(VECTOR, None)


@intrinsic
def add_product(typing, lanes, a, b):
    """``lanes + a * b``, rounded twice (no fused multiply-add); b may be a number."""

    def code(context, builder, signature, arguments):
        lanes, a, b = arguments
        if signature.args[2] != LANES:
            one = builder.insert_element(ir.Constant(VECTOR, None), b, INT(0))
            b = _picked(builder, one, [0] * WIDTH)
        return builder.fadd(lanes, builder.fmul(a, b))

    return LANES(LANES, LANES, LANES if b == LANES else types.float32), code


@intrinsic
def total(typing, lanes):
    """The sum of the lanes: the halves are added until one number is left."""

    def code(context, builder, signature, arguments):
        (rest,) = arguments
        half = WIDTH // 2
        while half:
            low = _picked(builder, rest, range(half))
            high = _picked(builder, rest, range(half, 2 * half))
            rest = builder.fadd(low, high)
            half //= 2
        return builder.extract_element(rest, INT(0))

    return types.float32(LANES), code


def _picked(builder, lanes, places):
    places = list(places)
    mask = ir.Constant(ir.VectorType(INT, len(places)), places)
    return builder.shuffle_vector(lanes, lanes, mask)


@njit
def dot(x, i, y, j, size):
    lanes = zeros()
    for d in range(0, size, WIDTH):
        lanes = add_product(lanes, load(x, i + d), load(y, j + d))
    return total(lanes)


@njit
def add_row(x, i, y, j, size):
    """x += y, for one row; the product with 1 is exact."""
    for d in range(0, size, WIDTH):
        store(x, i + d, add_product(load(x, i + d), load(y, j + d), np.float32(1)))


@njit
def prefetch_row(x, i, size):
    for d in range(0, size, WIDTH):
        prefetch(x, i + d)


@njit
def average(mean, x, rows, m, size):
    """mean = the mean of m rows of x."""
    share = np.float32(1) / np.float32(m)
    for d in range(0, size, WIDTH):
        lanes = zeros()
        for i in range(m):
            lanes = add_product(lanes, load(x, rows[i] + d), share)
        store(mean, d, lanes)


# ---- word2vec ------------------------------------------------------------------------

# sigma(x) and -log sigma(x) at the ends of steps of 1/64 between -8 and 8; beyond, a
# score counts as 8: the probability is within 0.0004 of 0 or 1.
LIMIT = 8
STEPS = 64
_grid = np.arange(-LIMIT * STEPS, LIMIT * STEPS + 2) / STEPS
SIGMOID = (1 / (1 + np.exp(-_grid))).astype(np.float32)
NEG_LOG_SIGMOID = np.log1p(np.exp(-_grid)).astype(np.float32)

AHEAD = 2  # windows between asking memory for rows and using them


@njit
def random_bits(state):
    """64 random bits (splitmix64; Steele, Lea & Flood 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit
def below(bits, n):
    """The upper 32 random bits as an integer from 0 to n - 1."""
    return np.int64(((bits >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@njit
def lower(bits):
    """The lower 32 random bits."""
    return bits & np.uint64(0xFFFFFFFF)


@njit
def learn(x, rows, m, outputs, targets, n, size, rate, slopes, changes):
    r"""One step for m inputs and n outputs, of which the first is the right one.

    With scores :math:`s_{ik} = x_i \cdot o_k`, :math:`t_0 = 1`, else 0, and the
    negative gradients :math:`e_{ik} = t_k - \sigma(s_{ik})`,

    .. math:: o_k \mathrel{+}= \eta \sum_i e_{ik} x_i, \qquad
        \Delta x_i = \eta \sum_k e_{ik} o_k \text{ with the old } o.

    The changes of the inputs are left to the caller; returns the loss,
    :math:`-\log\sigma(s_{i0}) - \sum_{k>0} \log\sigma(-s_{ik})`, summed over i.
    """
    loss = 0.0
    for i in range(m):
        for k in range(n):
            score = dot(x, rows[i], outputs, targets[k], size)
            if not score > -LIMIT:  # also where it is not a number
                score = np.float32(-LIMIT)
            if score > LIMIT:
                score = np.float32(LIMIT)
            place = (score + np.float32(LIMIT)) * np.float32(STEPS)
            j = np.int64(place)
            part = place - np.float32(j)
            sigmoid = SIGMOID[j] + part * (SIGMOID[j + 1] - SIGMOID[j])
            loss += NEG_LOG_SIGMOID[j]
            loss += part * (NEG_LOG_SIGMOID[j + 1] - NEG_LOG_SIGMOID[j])
            if k == 0:
                slopes[i * n + k] = rate * (np.float32(1) - sigmoid)
            else:
                loss += score  # -log sigma(-s) = s - log sigma(s)
                slopes[i * n + k] = -rate * sigmoid
    for i in range(m):
        for d in range(0, size, WIDTH):
            lanes = zeros()
            for k in range(n):
                output = load(outputs, targets[k] + d)
                lanes = add_product(lanes, output, slopes[i * n + k])
            store(changes, i * size + d, lanes)
    for k in range(n):
        for d in range(0, size, WIDTH):
            lanes = load(outputs, targets[k] + d)
            for i in range(m):
                lanes = add_product(lanes, load(x, rows[i] + d), slopes[i * n + k])
            store(outputs, targets[k] + d, lanes)
    return loss


@njit(nogil=True, cache=True)
def train_sentences(
    ids, offsets, first, last, inputs, outputs, size, keep, alias,
    is_cbow, window, dynamic, negative, rate, state,
):  # fmt: skip
    """Train on the sentences ``first`` to ``last`` - 1; (loss, number of examples).

    ``keep`` (vocab_size,) uint32: a word stays if 32 random bits are not above it.
    ``alias`` (vocab_size, 2) uint32: see ``alias_table`` in word2vec.py.
    An example is a pair of words (skip-gram) or a window (CBOW).
    """
    longest = 0
    for s in range(first, last):
        longest = max(longest, offsets[s + 1] - offsets[s])
    words = np.empty(longest, np.int64)
    noise = np.empty(longest * negative, np.int64)
    widest = min(2 * window, longest)
    rows = np.empty(widest, np.int64)
    targets = np.empty(1 + negative, np.int64)
    slopes = np.empty(widest * (1 + negative), np.float32)
    changes = np.empty(widest * size, np.float32)
    mean = np.empty(size, np.float32)
    mean_row = np.zeros(1, np.int64)
    vocab_size = len(keep)
    loss = 0.0
    examples = 0
    for s in range(first, last):
        # Chance decides here, so no processor foresees a branch: sums instead.
        length = 0
        for place in range(offsets[s], offsets[s + 1]):
            words[length] = ids[place]
            length += np.int64(lower(random_bits(state)) <= keep[ids[place]])
        for i in range(length * negative):
            bits = random_bits(state)
            drawn = below(bits, vocab_size)
            other = np.int64(lower(bits) > alias[drawn, 0])
            noise[i] = drawn + other * (np.int64(alias[drawn, 1]) - drawn)
        for center in range(length):
            reach = window
            if dynamic:
                reach = 1 + below(random_bits(state), window)
            m = 0
            for place in range(max(0, center - reach), min(length, center + reach + 1)):
                if place != center:
                    rows[m] = words[place] * size
                    m += 1
            if m == 0:
                continue
            if center + AHEAD < length:
                prefetch_row(outputs, words[center + AHEAD] * size, size)
                for i in range(negative):
                    drawn = noise[(center + AHEAD) * negative + i]
                    prefetch_row(outputs, drawn * size, size)
            targets[0] = words[center] * size
            n = 1
            for i in range(center * negative, (center + 1) * negative):
                if noise[i] != words[center]:  # else left out, as in word2vec.c
                    targets[n] = noise[i] * size
                    n += 1
            if is_cbow:
                average(mean, inputs, rows, m, size)
                loss += learn(
                    mean, mean_row, 1, outputs, targets, n, size, rate, slopes, changes
                )
                for i in range(m):
                    add_row(inputs, rows[i], changes, 0, size)
                examples += 1
            else:
                loss += learn(
                    inputs, rows, m, outputs, targets, n, size, rate, slopes, changes
                )
                for i in range(m):
                    add_row(inputs, rows[i], changes, i * size, size)
                examples += m
    return loss, examples
