"""The history's JavaScript held to lmbook.industry.growth; its points to the tables."""

import numpy as np
import pytest

from lmbook.errors import InputError
from lmbook.industry import facts
from lmbook.industry.growth import fit_growth, records
from lmbook.widgets.history import QUANTITIES, History, points, size, when
from tests.widgets.test_explorers import in_javascript


def some_points(seed: int, n: int) -> list[list]:
    rng = np.random.default_rng(seed)
    years = np.round(rng.uniform(2003, 2027, n), 2)
    values = np.exp(rng.normal(20, 4, n) + rng.uniform(-1, 1) * (years - 2015))
    opens = rng.random(n) < 0.5
    return [
        [
            float(year),
            float(value),
            f"m{i}",
            "org",
            bool(is_open),
            "source",
            "https://x",
        ]
        for i, (year, value, is_open) in enumerate(
            zip(years, values, opens, strict=True)
        )
    ]


def test_the_line_is_that_of_growth():
    widget = History()
    cases = [some_points(seed, n) for seed, n in enumerate((3, 4, 5, 17, 60, 77))]
    data = {"cases": cases, "t": widget.t}
    found = in_javascript(widget._esm, "data.cases.map((c) => m.line(c, data.t))", data)
    for case, line in zip(cases, found, strict=True):
        expected = fit_growth([p[0] for p in case], [p[1] for p in case])
        assert line["n"] == expected.num_points
        for name, factor in (
            ("rate", expected.factor),
            ("low", expected.low),
            ("high", expected.high),
        ):
            assert line[name] == pytest.approx(np.log(factor), rel=1e-9, abs=1e-9)
        assert line["start"] == pytest.approx(expected.start, rel=1e-12)
        assert line["level"] == pytest.approx(np.log(expected.value), rel=1e-12)


def test_two_months_make_no_line():
    case = [[2020.1, 5, "", "", True], [2021.2, 6, "", "", True]]
    script = "[m.line(data, [1, 1]), m.said(m.line(data, [1, 1]))]"
    line, said = in_javascript(History._esm, script, [*case, case[0]])
    assert line is None
    assert "至少要三个不同的月份" in said


def test_groups_and_years_are_those_of_python():
    case = some_points(9, 70)
    case[5][0] = case[6][0]  # two of one month
    settings = [
        {"group": group, "since": since, "until": until}
        for group in ("all", "records", "open", "closed")
        for since, until in ((2003, 2027), (2010, 2019))
    ]
    data = {"case": case, "settings": settings}
    script = "data.settings.map((s) => m.chosen(data.case, s).map((p) => p[2]))"
    results = in_javascript(History._esm, script, data)
    for setting, names in zip(settings, results, strict=True):
        inside = [p for p in case if setting["since"] <= p[0] < setting["until"]]
        if setting["group"] == "records":
            expected = records([p[0] for p in inside], [p[1] for p in inside])
            assert names == [inside[i][2] for i in expected]
            assert 1 < len(names) < len(inside)
        else:
            wanted = {"all": (True, False), "open": (True,), "closed": (False,)}
            kept = [p[2] for p in inside if p[4] in wanted[setting["group"]]]
            assert names == kept


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.746e11, "1750 亿"),
        (1.5576e9, "15.6 亿"),
        (2.78e12, "2.78 万亿"),
        (6.5e7, "6500 万"),
        (3.14e23, "3.14×10²³"),
        (1e25, "10²⁵"),
        (0.28, "0.28"),
        (60, "60"),
    ],
)
def test_numbers_in_words(value, words):
    assert in_javascript(History._esm, "[m.inWords(data)]", value) == [words]


@pytest.mark.parametrize(
    ("rate", "low", "high", "words"),
    [
        (0.69, 0.6, 0.78, "12 个月翻一番"),
        (-0.4, -0.6, -0.2, "21 个月减一半"),
        (0.1, -0.2, 0.4, "涨跌分不清"),
    ],
)
def test_the_pace_is_said_only_where_it_is_known(rate, low, high, words):
    fit = {"n": 9, "rate": rate, "low": low, "high": high}
    (said,) = in_javascript(History._esm, "[m.said(data)]", fit)
    assert said.startswith("9 个点，每年 <b>×")
    assert said.endswith(words)


def test_the_points_are_the_tables():
    models = facts.load("models")
    series = History().series
    assert list(series) == list(QUANTITIES)
    for quantity in ("params", "active", "tokens", "flops"):
        for year, value, name, org, is_open, source, address in series[quantity]:
            row = models[name]
            assert row.scope == "training"
            assert (year, value) == (when(row), size(row, quantity))
            assert (org, source, address) == (row.org, row.source, row.source_url)
            assert is_open == (row.open_weights in ("yes", "partial"))
        assert [p[0] for p in series[quantity]] == sorted(
            p[0] for p in series[quantity]
        )
    published = {p[2]: p[1] for p in series["params"]}
    assert published["GPT-3"] == 174_600_000_000
    assert "DeepSeek-R1" not in published  # V3's weights, trained further
    assert "GPT-4" not in published
    used = {p[2]: p[1] for p in series["active"]}
    assert (used["DeepSeek-V3"], published["DeepSeek-V3"]) == (37e9, 671e9)
    computed = {p[2]: p[1] for p in series["flops"]}
    assert computed["DeepSeek-V3"] == 6 * 37e9 * 1.48e13
    assert computed["GPT-3"] == 3.14e23
    prices = {p[2]: p[1] for p in series["price"]}
    assert prices["GPT-4 (8K)"] == 60


def test_months_are_in_the_middle():
    assert when(facts.load("models")["GPT-3"]) == 2020.375


def test_it_is_small_enough_for_a_page():
    assert len(str(History().get_state())) < 150_000


def test_what_it_is_given_is_checked():
    widget = History(quantity="tokens", group="open", since=2018, until=2024)
    assert (widget.quantity, widget.group) == ("tokens", "open")
    with pytest.raises(InputError, match="no option 'years'"):
        History(years=3)
    with pytest.raises(InputError, match="quantity"):
        History(quantity="size")
    with pytest.raises(InputError, match="1990"):
        History(since=1990)
    with pytest.raises(InputError, match="params, active, tokens, flops, price; got"):
        size(facts.load("models")["GPT-3"], "layers")
    assert points("tokens")
