"""Numbers as the calculators take them: what is wrong with one is said by name."""

from collections.abc import Iterable
from math import isfinite
from numbers import Real

from lmbook.errors import InputError


def positive(**values: float) -> None:
    """``InputError`` unless every value is a finite number greater than 0."""
    for name, value in values.items():
        if not (_is_number(value) and value > 0):
            raise InputError(f"{name} must be a number greater than 0, got {value!r}")


def at_least(least: float, **values: float) -> None:
    """``InputError`` unless every value is a finite number of at least ``least``."""
    for name, value in values.items():
        if not (_is_number(value) and value >= least):
            raise InputError(
                f"{name} must be a number of at least {least}, got {value!r}"
            )


def whole(**values: int) -> None:
    """``InputError`` unless every value is a whole number of at least 1."""
    for name, value in values.items():
        if not (_is_number(value) and value >= 1 and value == int(value)):
            raise InputError(
                f"{name} must be a whole number of at least 1, got {value!r}"
            )


def share(**values: float) -> None:
    """``InputError`` unless every value is above 0 and at most 1."""
    for name, value in values.items():
        if not (_is_number(value) and 0 < value <= 1):
            raise InputError(f"{name} must be above 0 and at most 1, got {value!r}")


def one_of(words: Iterable[object], **values: object) -> None:
    """``InputError`` unless every value is one of ``words``."""
    words = list(words)
    for name, value in values.items():
        if value not in words:
            listed = ", ".join(map(str, words))
            raise InputError(f"{name} must be one of {listed}; got {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
