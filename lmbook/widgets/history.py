"""How models grew: size, data, compute, price over time, with a line (section 2.1)."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from lmbook.errors import InputError
from lmbook.industry import facts
from lmbook.industry.facts import Row
from lmbook.industry.growth import t_quantile
from lmbook.industry.training_costs import training_flops

HERE = Path(__file__).parent
QUANTITIES = {
    "params": "参数总量",
    "active": "一个词元用到的参数",
    "tokens": "训练读的词元",
    "flops": "训练的浮点运算",
    "price": "每百万词元的标价，美元",
}
GROUPS = ("all", "records", "open", "closed")
FIRST, LAST = 2003, 2027
OPTIONS = ("quantity", "group", "since", "until")


class History(anywidget.AnyWidget):
    """Every model of the table ``models`` that publishes a quantity, on its month.

    The reader chooses the quantity ("params", "active", "tokens", "flops", "price"), a
    group ("all"; "records", above all earlier ones; "open" or "closed" weights) and
    the years; the page fits :func:`lmbook.industry.growth.fit_growth` to them, says
    the growth a year and its 95 % interval.  A touched point tells its row and source;
    marks along the bottom are the table ``milestones``.  No kernel is needed.

    Raises ``InputError`` for an unknown option or a value that it cannot have.
    """

    _esm = (HERE / "history.js").read_text("utf-8")
    _css = "\n".join(
        (HERE / name).read_text("utf-8") for name in ("explorer.css", "history.css")
    )

    # {quantity: [[year, value, name, organisation, open weights, source, address]]}
    series = traitlets.Dict().tag(sync=True)
    labels = traitlets.Dict(QUANTITIES).tag(sync=True)
    # [year, name, organisation, what happened]
    events: traitlets.List = traitlets.List().tag(sync=True)
    # 97.5 % quantiles of Student's t for 1, 2, 3 ... degrees of freedom.
    t = traitlets.List(traitlets.Float()).tag(sync=True)
    quantity = traitlets.Enum(list(QUANTITIES), "params").tag(sync=True)
    group = traitlets.Enum(list(GROUPS), "all").tag(sync=True)
    since = traitlets.Int(2017, min=FIRST, max=LAST).tag(sync=True)
    until = traitlets.Int(LAST, min=FIRST, max=LAST).tag(sync=True)

    def __init__(self, **options: Any) -> None:
        for name in options:
            if name not in OPTIONS:
                raise InputError(f"no option {name!r}; options: {', '.join(OPTIONS)}")
        series = {quantity: points(quantity) for quantity in QUANTITIES}
        most = max(len(rows) for rows in series.values())
        try:
            super().__init__(
                series=series,
                events=[
                    [when(row), row.name, row.org, row.what_zh]
                    for row in facts.load("milestones")
                    if row.year >= FIRST
                ],
                t=[t_quantile(0.975, degrees) for degrees in range(1, most)],
                **options,
            )
        except traitlets.TraitError as error:
            raise InputError(str(error)) from None


def when(row: Row) -> float:
    """The middle of a row's month, as a year: 2020.375 is the middle of May 2020."""
    return round(row.year + (row.month - 0.5) / 12, 4)


def size(row: Row, quantity: str) -> float | None:
    """What a row of ``models`` says of a quantity, None if it says nothing.

    "active" is the size itself where all parameters are used; "flops" is what was
    published, or :math:`6ND` of the parameters in use.
    """
    active = row.params_active or row.params_total
    match quantity:
        case "params":
            return row.params_total
        case "active":
            return active
        case "tokens":
            return row.train_tokens
        case "flops" if row.train_flops:
            return row.train_flops
        case "flops" if active and row.train_tokens:
            return training_flops(active, row.train_tokens)
        case "flops":
            return None
    raise InputError(
        f"quantity must be one of {', '.join(QUANTITIES)}; got {quantity!r}"
    )


def points(quantity: str) -> list[list[Any]]:
    """The points of a quantity in the order of time, as the trait ``series`` has them.

    Runs from the start only: what went on with another model's weights is left out.
    """
    if quantity == "price":
        found = [
            (row, row.output_usd, row.open_weights == "yes")
            for row in facts.load("prices")
        ]
    else:
        found = [
            (row, value, row.open_weights in ("yes", "partial"))
            for row in facts.load("models")
            if row.scope == "training" and (value := size(row, quantity))
        ]
    rows = [
        [when(row), value, row.name, row.org, is_open, row.source, row.source_url]
        for row, value, is_open in found
    ]
    return sorted(rows, key=lambda point: point[0])
