"""Numbers as the calculators take them: what is wrong with one is said by name.

They are Python's own: a product of NumPy's integers may overflow without a word.
"""

import reprlib
import sys
from collections.abc import Iterable

from lmbook.errors import InputError

# Far beyond any quantity of the world; products of three of them stay finite.
LEAST, MOST = 1e-100, 1e100


def positive(**values: float) -> None:
    """``InputError`` unless every value is a number greater than 0, from 1e-100 to
    1e100."""
    for name, value in values.items():
        if not (_is_number(value) and value > 0):
            raise _refused(name, "a number greater than 0", value)
        if not LEAST <= value <= MOST:
            raise _refused(name, f"from {LEAST} to {MOST}", value)


def at_least(least: float, **values: float) -> None:
    """``InputError`` unless every value is a finite number of at least ``least``."""
    for name, value in values.items():
        if not (_is_number(value) and value >= least):
            raise _refused(name, f"a number of at least {least}", value)


def finite(**values: float) -> None:
    """``InputError`` unless every value is a finite number."""
    for name, value in values.items():
        if not _is_number(value):
            raise _refused(name, "a finite number", value)


def whole(**values: int) -> None:
    """``InputError`` unless every value is a whole number of at least 1."""
    for name, value in values.items():
        if not (_is_number(value) and value >= 1 and value == int(value)):
            raise _refused(name, "a whole number of at least 1", value)


def share(**values: float) -> None:
    """``InputError`` unless every value is above 0 and at most 1."""
    for name, value in values.items():
        if not (_is_number(value) and LEAST <= value <= 1):
            raise _refused(name, "above 0 and at most 1", value)


def flag(**values: bool) -> None:
    """``InputError`` unless every value is True or False."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise _refused(name, "True or False", value)


def one_of(words: Iterable[object], **values: object) -> None:
    """``InputError`` unless every value is one of ``words``, of the same type."""
    words = list(words)
    for name, value in values.items():
        same = (word for word in words if isinstance(value, type(word)))
        if isinstance(value, bool) or value not in same:
            listed = ", ".join(map(str, words))
            raise InputError(
                f"{name} must be one of {listed}; got {reprlib.repr(value)}"
            )


def plain(column: Iterable[float]) -> list[float]:
    """A column's numbers as Python's own, where it is an array."""
    return column.tolist() if hasattr(column, "tolist") else list(column)


def _is_number(value: object) -> bool:
    """Whether it is one of Python's numbers, and finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -sys.float_info.max <= value <= sys.float_info.max


def _refused(name: str, wanted: str, value: object) -> InputError:
    said = f"{name} must be {wanted}, got {reprlib.repr(value)}"
    if hasattr(value, "dtype"):
        said += ": of NumPy's numbers only float64 is taken, others may overflow"
    return InputError(said)
