"""Numerals in prose become values that can be compared with a table's."""

import pytest

from tools.quantities import (
    CHINESE,
    NUMERAL,
    WITH_UNIT,
    Quantity,
    agrees,
    quantity,
    readable,
)


def read(text: str) -> list[Quantity]:
    text = readable(text)
    return [quantity(text, found) for found in NUMERAL.finditer(text)]


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("1750 亿个参数", 1.75e11, ""),
        ("175B 参数", 1.75e11, "parameters"),
        ("14.8 万亿词元", 1.48e13, "tokens"),
        (r"$3.14\times10^{23}$ FLOPs", 3.14e23, "work"),
        ("3.14×10²³ 次浮点运算", 3.14e23, "work"),
        (r"$10^{25}$", 1e25, ""),
        ("1,287 MWh", 1.287e9, "energy"),
        ("1287 兆瓦时", 1.287e9, "energy"),
        ("41 %", 0.41, "ratio"),
        (r"$41\%$", 0.41, "ratio"),
        ("278.8 万 GPU 小时", 2.788e6, "time"),
        ("60 张 GPU 小时", 60, "time"),
        ("557.6 万美元", 5.576e6, "USD"),
        ("3.35 TB/s", 3.35e12, "bandwidth"),
        ("80 GB", 8e10, "memory"),
        ("16 GiB", 2.0**34, "memory"),
        ("989 TFLOP/s", 9.89e14, "speed"),
        ("552 吨", 5.52e8, "mass"),
        ("2.7 billion pages", 2.7e9, ""),
    ],
)
def test_a_numeral_is_read_with_its_unit(text, value, kind):
    (found,) = read(text)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.kind in (kind, "parameters" if "参数" in text else kind)


@pytest.mark.parametrize("text", ["GPT-3", "H100", "arXiv", "$x_1 + 3$", "v0.11"])
def test_names_and_formulas_hold_no_numeral(text):
    assert read(text) == []


@pytest.mark.parametrize(
    ("value", "unit", "said", "right"),
    [
        (1.746e11, "parameters", "1750 亿", True),
        (1.746e11, "parameters", "1746 亿", True),
        (1.746e11, "parameters", "1740 亿", False),
        (1.746e11, "parameters", "1700 亿", True),
        (1.746e11, "parameters", "2000 亿", False),  # 15 % off, though one digit
        (1.746e11, "parameters", "1750 万", False),
        (8030261248, "parameters", "80.3 亿", True),
        (8030261248, "parameters", "8B 参数", True),
        (1287, "MWh", "1.287 GWh", True),
        (1287, "MWh", "1287 万美元", False),
        (1287, "MWh", "1287 吨", False),
        (0.41, "1", "41 %", True),
        (0.41, "1", "0.41", True),
        (0.41, "1", "42 %", False),
        (3.35, "TB/s", "3350 GB/s", True),
        (3.35, "TB/s", "3350 GB", False),
        (2788000, "h", "278.8 万 GPU 小时", True),
        (415, "TWh per year", "4150 亿千瓦时", True),
        (20, "tokens/parameter", "20 个词元", True),
        (2.0, "USD per GPU-hour", "2 美元", True),
        (2.0, "USD per GPU-hour", "2 元", False),
        (117, "10^6 parameters", "1.17 亿", True),
        (5.4e13, "tokens", "54 万亿词元", True),
        (5.4e13, "tokens", "54 万亿参数", False),
    ],
)
def test_it_agrees_with_a_cell_if_it_is_the_cell_rounded(value, unit, said, right):
    (claim,) = read(said)
    assert agrees(claim, Quantity.of(value, unit)) is right


@pytest.mark.parametrize(
    "text",
    [
        *("1750 亿", "41 %", "80 GB", "1287 MWh", "3 倍", "200 美元", "300 多亿"),
        *("175B 参数", "128K 上下文", "24 小时", "552 吨", r"$3.14\times10^{23}$"),
        *("278.8 万 GPU 小时", "3.35 TB/s", "20 家"),
    ],
)
def test_what_asks_for_a_source(text):
    assert WITH_UNIT.search(readable(text))


@pytest.mark.parametrize(
    "text",
    [
        *("2017 年 6 月 12 日", "第 3 章", "练习 2.1.3", "图 2.1", "Llama 2 7B 模型"),
        *("GPT-3", "12 层", "$n = 3$", "16 个单元", "H100"),
    ],
)
def test_what_does_not(text):
    assert not WITH_UNIT.search(readable(text))


def test_numbers_in_words():
    for words in ("两千亿", "三百万", "五万七千", "一亿", "四百多万"):
        assert CHINESE.search(words), words
    for words in ("万一", "千万别", "第一", "几万", "数十亿", "一万"):
        assert not CHINESE.search(words), words
