"""The map of the chain: names that meet, figures that stand in other tables too."""

import re

import pytest

from lmbook.industry import facts

LINKS = facts.load("map")


def parts(cell):
    return cell.split("; ") if cell else []


def test_every_step_of_the_chain_has_its_place_once():
    placed = [step for row in LINKS for step in parts(row.steps)]
    assert sorted(placed) == sorted(facts.load("chain").rows)


def test_money_goes_from_link_to_link():
    for row in LINKS:
        assert set(parts(row.pays)) <= set(LINKS.rows), row.name
        assert row.name not in parts(row.pays)
    paid = {name for row in LINKS for name in parts(row.pays)}
    # Where money comes from, and rules that cost but are not paid for.
    assert set(LINKS.rows) - paid == {"Users", "Capital", "Standards", "Regulation"}


def test_users_reach_every_link_of_the_upstream():
    reached, front = set(), {"Users"}
    while front:
        reached |= front
        front = {p for name in front for p in parts(LINKS[name].pays)} - reached
    upstream = {row.name for row in LINKS if row.layer == "upstream"}
    assert upstream <= reached


def test_layers_stand_together_and_in_order():
    layers = [row.layer for row in LINKS]
    assert len(re.findall(r"(\S+)( \1)*", " ".join(layers))) == 6
    assert [row.order for row in LINKS] == list(range(1, len(layers) + 1))


def test_organisations_stand_for_links_that_there_are():
    placed = set()
    for row in facts.load("organisations"):
        assert set(parts(row.links)) <= set(LINKS.rows), row.name
        placed |= set(parts(row.links))
    assert set(LINKS.rows) - placed == {"Users"}


@pytest.mark.parametrize(
    ("link", "elsewhere", "unit"),
    [
        ("Power", "constants/global data-centre electricity 2024/value", 1),
        ("Cloud", "constants/H800 rental used by DeepSeek/value", 1),
        ("Frameworks", "constants/PaLM 540B on TPU v4/value", 1),
        ("Pre-training", "models/DeepSeek-V3/gpu_hours", 1),
        ("Post-training", "models/DeepSeek-R1/gpu_hours", 1),
        ("Engines", "throughput/DeepSeek-V3, writing/tokens_per_s", 1),
        ("Interfaces", "constants/DeepSeek-R1 API price, output/value", 1),
        ("Regulation", "constants/EU AI Act systemic-risk presumption/value", 1),
    ],
)
def test_a_figure_is_the_same_in_two_tables(link, elsewhere, unit):
    assert LINKS[link].value == pytest.approx(facts.fact(elsewhere) * unit, rel=0.003)


UNITS = {"万亿": 1e12, "亿": 1e8, "万": 1e4, "%": 0.01}


def test_the_words_say_the_figure():
    """In units of the text, or else the text has it in another form."""
    other = {"Regulation", "Standards"}
    for row in LINKS:
        text = row.figure_zh.replace(",", "")
        numbers = re.findall(r"([\d.]+) ?(万亿|亿|万|%)?", text)
        said = {float(n) * UNITS.get(unit, 1) for n, unit in numbers if n.strip(".")}
        assert row.name in other or any(
            s == pytest.approx(row.value, rel=1e-9) for s in said
        ), row.name
