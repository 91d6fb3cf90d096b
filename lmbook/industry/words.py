"""Large numbers as a Chinese reader says them: 1.746e11 is 1750 亿 (chapters 2, 8)."""

import math

from lmbook.industry.arguments import at_least, whole

SIZES = ((1e12, "万亿"), (1e8, "亿"), (1e4, "万"))
LARGEST = 1e16  # from here on a power of ten says more
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def in_words(value: float, digits: int = 3) -> str:
    """``value``, rounded to so many digits, in 万, 亿 or 万亿, or as 3.14×10²³."""
    at_least(0, value=value)
    whole(digits=digits)
    value = float(f"{value:.{digits - 1}e}")  # 9.9996e7 is 1 亿, not 10000 万
    if value >= LARGEST:
        power = math.floor(math.log10(value) + 1e-9)
        lead = _rounded(value / 10**power, digits)
        raised = str(power).translate(SUPERSCRIPTS)
        return f"10{raised}" if lead == "1" else f"{lead}×10{raised}"
    for size, word in SIZES:
        if value >= size:
            return f"{_rounded(value / size, digits)} {word}"
    return _rounded(value, digits)


def _rounded(value: float, digits: int) -> str:
    number = float(f"{value:.{digits - 1}e}")
    return str(int(number)) if number.is_integer() else repr(number)
