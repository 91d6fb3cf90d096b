"""The map of the industry chain: its links and the money between them (2.3)."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from lmbook.errors import InputError
from lmbook.industry import facts

HERE = Path(__file__).parent
REGIONS = ("all", "China", "World")
GITHUB = "https://github.com/"


class ChainMap(anywidget.AnyWidget):
    """The table ``map`` to walk in: touch a link, see its money, makers and figure.

    Arrows run from the chosen link to those that it pays and to it from those that pay
    it; arrow keys go from link to link.  ``region`` shows organisations of "China",
    of the rest of the "World", or "all".  On paper the whole table is printed.  No
    kernel is needed.

    Raises ``InputError`` for an unknown link or region.
    """

    _esm = (HERE / "chain_map.js").read_text("utf-8")
    _css = "\n".join(
        (HERE / name).read_text("utf-8") for name in ("explorer.css", "chain_map.css")
    )

    links = traitlets.List(traitlets.Dict()).tag(sync=True)
    organisations = traitlets.List(traitlets.Dict()).tag(sync=True)
    link = traitlets.Unicode().tag(sync=True)
    region = traitlets.Enum(REGIONS, "all").tag(sync=True)

    def __init__(self, link: str = "Interfaces", region: str = "all") -> None:
        if region not in REGIONS:
            listed = ", ".join(REGIONS)
            raise InputError(f"region must be one of {listed}; got {region!r}")
        super().__init__(
            links=[_link(row) for row in facts.load("map")],
            organisations=[_organisation(row) for row in facts.load("organisations")],
            link=facts.load("map")[link].name,
            region=region,
        )


def names(cell: str | None) -> list[str]:
    """The names in a cell that separates them by semicolons."""
    return cell.split("; ") if cell else []


def _link(row: facts.Row) -> dict[str, Any]:
    steps = facts.load("chain")
    return {
        "name": row.name,
        "nameZh": row.name_zh,
        "layer": row.layer_zh,
        "what": row.what_zh,
        "pays": names(row.pays),
        "paysZh": row.pays_zh,
        "cost": row.cost_driver_zh,
        "steps": [steps[step].name_zh for step in names(row.steps)],
        "tools": names(row.tools),
        "figure": row.figure_zh,
        "source": row.source,
        "url": row.source_url,
        "primary": row.verified == "primary",
    }


def _organisation(row: facts.Row) -> dict[str, Any]:
    return {
        "name": row.name_zh,
        "region": row.region,
        "links": names(row.links),
        "role": row.role_zh,
        "url": row.source_url,
    }
