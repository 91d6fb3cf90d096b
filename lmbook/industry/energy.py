"""Electricity and carbon of device hours."""

from lmbook.industry import facts
from lmbook.industry.arguments import at_least, positive


def energy_kwh(
    hours: float, watts: float, utilisation: float = 1.0, pue: float = 1.0
) -> float:
    r"""Kilowatt-hours, :math:`h \cdot W \cdot u \cdot \text{PUE} / 1000`.

    ``hours`` of one device, ``watts`` its rated power, ``utilisation`` the mean power
    as a share of that (above 1 where host and network are counted in), ``pue`` what
    the building draws for each kilowatt-hour of the computers, at least 1 (Patterson
    et al. 2021, arXiv:2104.10350, section 2).
    """
    positive(hours=hours, watts=watts, utilisation=utilisation)
    at_least(1, pue=pue)
    return hours * watts * utilisation * pue / 1000


def carbon_kg(kwh: float, kg_per_kwh: float) -> float:
    """Kilograms of CO2 equivalent, the product of the two."""
    positive(kwh=kwh)
    at_least(0, kg_per_kwh=kg_per_kwh)
    return kwh * kg_per_kwh


def grid(name: str) -> float:
    """Kilograms of CO2 equivalent per kWh, of a row of the table ``grids``."""
    return facts.load("grids")[name].kg_per_kwh


def electricity_price(kwh: float, per_kwh: float) -> float:
    """Money for electricity, in the currency of ``per_kwh``."""
    positive(kwh=kwh, per_kwh=per_kwh)
    return kwh * per_kwh
