r"""Numerals in Chinese prose and in tables, with their units, as plain numbers.

``1750 亿``, ``175B 参数``, ``3.14×10²³ FLOPs``, ``1287 MWh``, ``41 %`` become a value
in a base unit (Wh, B, FLOP/s, g, h …), the digits written, and the kind of the unit,
so that two of them can be compared.
"""

import math
import re
from dataclasses import dataclass

# Numbers as they are written; of 3.14×10²³ everything.
_ALONE = r"(?<![A-Za-z0-9_.\-])"  # not the 3 of GPT-3, nor the 5 of 2.5
NUMERAL = re.compile(
    rf"{_ALONE}\d{{1,3}}(?:[,\u202f]\d{{3}})+(?:\.\d+)?(?!\d)"
    rf"|{_ALONE}\d+(?:\.\d+)?(?:e\d+)?(?!\d)"
)
MAGNITUDES = {
    "万亿": 1e12, "千亿": 1e11, "百亿": 1e10, "十亿": 1e9, "千万": 1e7, "百万": 1e6,
    "十万": 1e5, "亿": 1e8, "万": 1e4, "千": 1e3, "百": 1e2,
    "trillion": 1e12, "billion": 1e9, "million": 1e6, "thousand": 1e3,
}  # fmt: skip
PREFIXES = {
    "": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
}  # fmt: skip
# Units that take a prefix; longest first.
SI = {"FLOP/s": "speed", "FLOPs": "work", "FLOP": "work", "Wh": "energy", "W": "power",
      "B/s": "bandwidth", "B": "memory"}  # fmt: skip
WORDS = {
    "千瓦时": ("energy", 1e3), "兆瓦时": ("energy", 1e6), "吉瓦时": ("energy", 1e9),
    "太瓦时": ("energy", 1e12), "度电": ("energy", 1e3), "千瓦": ("power", 1e3),
    "兆瓦": ("power", 1e6), "吉瓦": ("power", 1e9), "瓦": ("power", 1.0),
    "美元": ("USD", 1.0), "USD": ("USD", 1.0), "元": ("CNY", 1.0), "欧元": ("EUR", 1.0),
    "吨": ("mass", 1e6), "千克": ("mass", 1e3), "公斤": ("mass", 1e3),
    "kg": ("mass", 1e3),
    "克": ("mass", 1.0), "小时": ("time", 1.0), "卡时": ("time", 1.0),
    "天": ("time", 24.0), "分钟": ("time", 1 / 60),
    "参数": ("parameters", 1.0), "parameters": ("parameters", 1.0),
    "次浮点运算": ("work", 1.0), "词元": ("tokens", 1.0),
    "tokens": ("tokens", 1.0), "token": ("tokens", 1.0),
    "倍": ("ratio", 1.0), "成": ("ratio", 0.1), "家": ("firms", 1.0),
    "纳米": ("length", 1.0), "nm": ("length", 1.0),
}  # fmt: skip
COLUMN_WORDS = {"h": ("time", 1.0), "t": ("mass", 1e6), "1": ("ratio", 1.0)}

_magnitude = "|".join(sorted(MAGNITUDES, key=len, reverse=True))
_si = "|".join(
    sorted((p + u for p in PREFIXES for u in SI if p + u != "B"), key=len, reverse=True)
)
_words = "|".join(sorted(WORDS, key=len, reverse=True))
_chip = r"(?:[个颗块张]\s?)?(?:GPU|TPU|NPU|[HAV]\d00|芯片|卡)?[\s·]?"
_unit = rf"(?:(?P<si>{_si})(?![A-Za-z])|{_chip}(?P<word>{_words})(?![a-z]))"
_scale = rf"\s?[多余]?\s?(?P<scale>{_magnitude})[多余]?"
TAIL = re.compile(rf"\s?(?P<percent>[%％])|(?:{_scale})?[多余]?\s?{_unit}?")
# 175B parameters; Llama 2 7B is a name.
LETTER = re.compile(
    r"\s?(?P<letter>[KMBT])\s?的?\s?个?\s?(?P<of>参数|词元|tokens?\b|上下文)"
)
BARE_LETTER = re.compile(r"(?P<letter>[KMBT])(?![A-Za-z/])")
# A numeral with a unit that a reader would ask the source of; years and ordinals not.
WITH_UNIT = re.compile(
    rf"{_ALONE}\d+(?:\.\d+)?e\d+|(?:{NUMERAL.pattern})(?:\s?[%％]"
    rf"|\s?[多余]?\s?(?:{_magnitude})|\s?(?:{_si})(?![A-Za-z])"
    rf"|\s?[多余]?\s?{_chip}(?:{_words})(?![a-z])"
    r"|\s?[KMBT]\s?的?\s?个?\s?(?:参数|词元|tokens?\b|上下文))"
)
CHINESE = re.compile(
    r"(?<![第十百千万亿零一二两三四五六七八九])[一二两三四五六七八九][一二三四五六七八九十百千零点]*"
    r"[多余来]?(?:万亿|亿|(?<!一)万|千万|百万)"
)
LATEX = re.compile(r"\$([^$\n]*)\$")
POWER = re.compile(
    r"(?:(\d+(?:\.\d+)?)\s?(?:×|\\times|\\cdot)\s?)?10\^(?:\{(\d+)\}|(\d+))"
)
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
MOST_ROUNDED = 0.05


@dataclass(frozen=True)
class Quantity:
    """A value in the base unit of its kind ("" if unknown); ``digits`` significant."""

    value: float
    kind: str
    digits: int
    number: float  # without its unit

    @classmethod
    def of(cls, value: float, unit: str) -> "Quantity":
        """A cell of a table in the unit of its column."""
        kind, scale = "", 1.0
        first = unit.split(" per ")[0].split("/token")[0].strip()
        if found := re.fullmatch(r"10\^(\d+) (\w+)", first):
            scale, first = 10.0 ** int(found[1]), found[2]
        if first in COLUMN_WORDS or first in WORDS:
            kind, size = COLUMN_WORDS.get(first) or WORDS[first]
            scale *= size
        else:
            for name, of in SI.items():
                prefix = first.removesuffix(name)
                if first.endswith(name) and prefix in PREFIXES:
                    kind, scale = of, scale * PREFIXES[prefix]
                    break
        return cls(value * scale, kind, 17, value)

    def same_digits(self, other: "Quantity") -> bool:
        """The same numeral, rounded as this one is: its unit stood elsewhere."""
        return _rounds_to(other.number, self.number, self.digits)


def readable(text: str) -> str:
    r"""Powers of ten as 3.14e23, whether written 10²³ or in a formula."""
    raised = re.sub(
        r"10([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda f: f"10^{f[1].translate(RAISED)}", text
    )

    def number(found: re.Match[str]) -> str:
        return f"{found[1] or '1'}e{found[2] or found[3]}"

    def formula(found: re.Match[str]) -> str:
        inside = found[1].replace(r"\,", "").replace(r"\%", "%").replace("{,}", ",")
        inside = POWER.sub(number, inside.strip())
        plain = re.fullmatch(r"(?:\\approx|≈|\\sim|\\pm)?\s*([\d.,e]+ ?%?)", inside)
        return plain[1] if plain else " "

    return POWER.sub(number, LATEX.sub(formula, raised))


def quantity(text: str, numeral: re.Match[str]) -> Quantity:
    """The numeral found in a readable text, with the unit that follows it there."""
    written = re.sub("[,\u202f]", "", numeral[0])
    mantissa = written.split("e")[0]
    digits = len(mantissa.replace(".", "").lstrip("0"))
    if "." not in mantissa:
        digits = len(mantissa.rstrip("0").lstrip("0"))
    number = float(written)
    rest = text[numeral.end() : numeral.end() + 24]
    kind, scale = "", 1.0
    if letter := LETTER.match(rest) or BARE_LETTER.match(rest):
        scale = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}[letter["letter"]]
        kind = WORDS.get(letter.groupdict().get("of") or "", ("",))[0]
    elif tail := TAIL.match(rest):
        if tail["percent"]:
            kind, scale = "ratio", 0.01
        else:
            scale = MAGNITUDES.get(tail["scale"] or "", 1.0)
            if tail["word"]:
                kind, size = WORDS[tail["word"]]
                scale *= size
            elif tail["si"]:
                name = next(u for u in SI if tail["si"].endswith(u))
                kind = SI[name]
                scale *= PREFIXES[tail["si"].removesuffix(name)]
    return Quantity(number * scale, kind, max(digits, 1), number)


def agrees(said: Quantity, stated: Quantity) -> bool:
    """Is what is said the stated value, rounded to the digits said, of one kind?"""
    if said.kind and stated.kind and said.kind != stated.kind:
        return False
    return _rounds_to(stated.value, said.value, said.digits)


def _rounds_to(exact: float, rounded: float, digits: int) -> bool:
    if exact == rounded:
        return True
    if exact <= 0 or rounded <= 0:
        return False
    unit = 10.0 ** (math.floor(math.log10(rounded) + 1e-12) - digits + 1)
    close = abs(exact - rounded) <= 0.5 * unit * (1 + 1e-9)
    return close and abs(exact / rounded - 1) <= MOST_ROUNDED
