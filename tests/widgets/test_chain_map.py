"""The map of the chain: what it shows is what the tables say."""

import pytest

from lmbook.errors import InputError
from lmbook.industry import facts
from lmbook.widgets.chain_map import ChainMap
from tests.widgets.test_explorers import in_javascript


def test_who_pays_whom():
    widget = ChainMap()
    rows = list(facts.load("map"))
    names = [row.name for row in rows]
    script = "data.names.map((name) => m.money(data.links, name))"
    found = in_javascript(
        ChainMap._esm, script, {"links": widget.links, "names": names}
    )
    paid = 0
    for row, one in zip(rows, found, strict=True):
        assert one["pays"] == (row.pays.split("; ") if row.pays else [])
        expected = [o.name for o in rows if o.pays and row.name in o.pays.split("; ")]
        assert one["paidBy"] == expected
        paid += len(expected)
    assert paid > 40


def test_organisations_of_a_region():
    widget = ChainMap(link="Chips", region="China")
    assert (widget.link, widget.region) == ("Chips", "China")
    data = {"organisations": widget.organisations}
    script = """["all", "China", "World"].map((region) =>
        m.makers(data.organisations, "Chips", region).map((one) => one.name))"""
    both, china, world = in_javascript(ChainMap._esm, script, data)
    assert sorted(both) == sorted(china + world)
    assert "华为" in china
    assert "英伟达" in world
    assert "阿斯麦" not in both


def test_what_is_shown_stands_in_the_tables():
    steps = facts.load("chain")
    for one, row in zip(ChainMap().links, facts.load("map"), strict=True):
        assert (one["figure"], one["url"]) == (row.figure_zh, row.source_url)
        assert one["primary"] == (row.verified == "primary")
        parts = row.steps.split("; ") if row.steps else []
        assert one["steps"] == [steps[name].name_zh for name in parts]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"link": "Chip"}, "no row of map named 'Chip'; did you mean 'Chips'"),
        ({"region": "Europe"}, "region must be one of all, China, World; got 'Europe'"),
    ],
)
def test_what_is_wrong_is_said(options, message):
    with pytest.raises(InputError, match=message):
        ChainMap(**options)
