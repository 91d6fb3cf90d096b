r"""How alike two vectors are: cosine and Pearson.  Taught in section 4.3."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def cosine_similarity(a: ArrayLike, b: ArrayLike) -> float:
    r"""Cosine of the angle between two vectors of the same length.

    .. math:: \cos\theta = \frac{a \cdot b}{\lVert a \rVert \, \lVert b \rVert}

    Between -1 and 1.  Each vector is first divided by its largest entry, so that
    entries of 1e200 or 1e-200 neither overflow nor vanish when squared.  Raises
    ``ValueError`` where it is undefined: empty, of different lengths, not finite,
    or a vector of zeros, which has no direction.  Section 4.3.1.
    """
    a, b = _vector_pair(a, b)
    for name, vector in (("first", a), ("second", b)):
        if not vector.any():
            raise ValueError(f"the {name} vector is zero: it has no direction")
    return float(np.clip(_unit(a) @ _unit(b), -1, 1))


def pearson_correlation(a: ArrayLike, b: ArrayLike) -> float:
    r"""Pearson's correlation: the cosine of the two vectors after centring.

    .. math:: r = \cos(a - \bar a, \; b - \bar b)

    Between -1 and 1.  Raises ``ValueError`` where it is undefined: empty, of
    different lengths, not finite, or a constant vector, which does not vary.
    Section 4.3.2.
    """
    a, b = _vector_pair(a, b)
    for name, vector in (("first", a), ("second", b)):
        if (vector == vector[0]).all():
            raise ValueError(f"the {name} vector is constant: it does not vary")
    return cosine_similarity(_centred(a), _centred(b))


def _vector_pair(a: ArrayLike, b: ArrayLike) -> tuple[NDArray, NDArray]:
    pair = []
    for name, values in (("first", a), ("second", b)):
        vector = np.asarray(values)
        if vector.size and vector.dtype.kind not in "biuf":
            raise ValueError(f"the {name} vector holds {vector.dtype}, not numbers")
        if vector.ndim != 1:
            raise ValueError(f"expected vectors; the {name} has shape {vector.shape}")
        if vector.size == 0:
            raise ValueError(f"the {name} vector is empty")
        vector = vector.astype(np.float64)
        if not np.isfinite(vector).all():
            raise ValueError(f"the {name} vector has an entry that is NaN or infinite")
        pair.append(vector)
    if pair[0].shape != pair[1].shape:
        raise ValueError(
            f"the vectors differ in length: {pair[0].size} and {pair[1].size}"
        )
    return pair[0], pair[1]


def _unit(vector: NDArray) -> NDArray:
    scaled = _largest_one(vector)
    return scaled / np.sqrt(scaled @ scaled)


def _centred(vector: NDArray) -> NDArray:
    scaled = _largest_one(vector)
    return scaled - scaled.mean()


def _largest_one(vector: NDArray) -> NDArray:
    """The vector over its largest absolute entry; underflow to 0 does no harm."""
    exponent = np.frexp(np.abs(vector).max())[1]
    with np.errstate(under="ignore"):
        return np.ldexp(vector, -exponent)
