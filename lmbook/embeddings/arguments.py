"""Arguments that are numbers, checked; the error names the argument."""

import math
import operator

from lmbook.errors import InputError


def integer(name: str, value: int, least: int = 1) -> int:
    """``value`` as an int of at least ``least``."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{name} must be an integer, got {value!r}") from None
    if number < least:
        raise InputError(f"{name} must be at least {least:,}, got {number:,}")
    return number


def number(name: str, value: float, *, positive: bool = False) -> float:
    """``value`` as a finite float from 0 up; above 0 if ``positive``."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a number, got {value!r}") from None
    if not 0 <= found < math.inf or (positive and not found):
        accepted = "above 0" if positive else "from 0 up"
        raise InputError(f"{name} must be a number {accepted}, got {value}")
    return found
