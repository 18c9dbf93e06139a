"""Who gets which files: the customers of the master, the shape of each one's files, and what is wrong with some of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from openpyxl import load_workbook

from eisenergy.period import BillingMonth
from eisenergy.sheets import fold

SEED: Final = 20210901
FIRST: Final = BillingMonth(2020, 9)
MONTHS: Final = tuple(str(FIRST.plus(n)) for n in range(13))
"""September 2020 to September 2021."""

CUSTOMERS: Final = "Datos de clientes para facturación.xlsx"
BLOCKS: Final = "Bloques horarios.xlsx"
TARIFF: Final = "Tarifas EIS-TOU.xlsx"
SHIPPED: Final = {
    ("5614086", "2021-09"): "Ejemplo de procesamiento de descargas de medidores.xlsx",
    ("5741444", "2021-09"): "5741444.csv",
}
"""Months that a shipped file holds already."""

REGISTER_AT: Final = {"5741444": (date(2021, 9, 1), 184_220_500)}
"""Register [Wh] at the start of a day, where a shipped file continues it."""

ACTIVITIES: Final = {
    "fabricacion de productos de acero": ("steel works", "analyst"),
    "restaurantes": ("restaurant", "log"),
    "venta al por menor": ("supermarket", "workbook"),
    "hoteles": ("hotel", "register-first log"),
    "panaderias": ("bakery", "cp1252"),
    "confeccion": ("textile mill", "iso"),
    "servicios medicos": ("clinic", "english"),
    "agricultura": ("solar farm", "several months"),
}
"""Economic activity (folded) -> load profile, shape of the files."""


class BadMasters(ValueError):
    """A shipped reference file that cannot serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """One customer of the master, and how its meter is read."""

    contract: str
    name: str
    meter: str
    node: str
    contracted_kw: int
    loss_factor: float
    start: date
    profile: str
    shape: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blemish:
    """What is wrong with one month of one meter.

    :param gap: local start of the first missing interval, and how many are missing
    :param repeat: local start of the first interval that is written twice, and how many are
    :param late: local start of an interval whose stamp misses the grid, and by how many seconds
    """

    gap: tuple[str, int] | None = None
    repeat: tuple[str, int] | None = None
    late: tuple[str, int] | None = None


BLEMISHES: Final = {
    ("5614086", "2021-02"): Blemish(gap=("2021-02-14T03:00", 6)),
    ("5614086", "2021-06"): Blemish(repeat=("2021-06-08T10:00", 2)),
    ("5741444", "2020-12"): Blemish(gap=("2020-12-27T01:15", 12), late=("2020-12-03T16:30", 9)),
    ("5741444", "2021-05"): Blemish(repeat=("2021-05-19T13:15", 4)),
    ("5741501", "2021-01"): Blemish(gap=("2021-01-31T22:00", 8)),
    ("5741501", "2021-07"): Blemish(late=("2021-07-13T09:45", 41)),
    ("5741502", "2021-04"): Blemish(gap=("2021-04-03T17:00", 20), repeat=("2021-04-22T08:30", 3)),
    ("5741502", "2021-08"): Blemish(late=("2021-08-05T23:45", 6)),
    ("5741503", "2021-03"): Blemish(gap=("2021-03-09T14:30", 5), repeat=("2021-03-25T02:00", 1)),
    ("5741504", "2020-10"): Blemish(gap=("2020-10-18T00:00", 16)),
    ("5741504", "2021-06"): Blemish(late=("2021-06-29T11:15", 128)),
    ("5741505", "2021-05"): Blemish(repeat=("2021-05-11T15:00", 2)),
    ("5741505", "2021-09"): Blemish(gap=("2021-09-12T05:30", 6)),
    ("5741506", "2020-11"): Blemish(gap=("2020-11-22T11:00", 10)),
    ("5741506", "2021-07"): Blemish(repeat=("2021-07-04T12:45", 2), late=("2021-07-20T06:15", 17)),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What the analyst's workbook carries beside the readings.

    :param blocks: name of the block of each hour 0 to 23
    :param rates: block -> (first day, kWh rate, FTPMS, cost of taking more, cost of taking less), oldest first
    """

    blocks: tuple[str, ...]
    rates: dict[str, tuple[tuple[date, float, float, float, float], ...]]

    def at(self, start: datetime) -> tuple[str, float, float, float, float]:
        """Block, kWh rate, FTPMS and deviation costs of the interval that starts then."""
        block = self.blocks[start.hour]
        rates = [entry for entry in self.rates[block] if entry[0] <= start.date()]
        if not rates:
            raise BadMasters(f"{TARIFF}: no rate of block {block} on {start:%Y-%m-%d}; add one that starts before.")
        return block, *rates[-1][1:]


def supplies(masters: Path) -> tuple[Supply, ...]:
    """Read the customers.

    :param masters: folder of the shipped reference files
    :raises BadMasters: for a missing column or an activity without a load
    """
    result = []
    for place, row in _rows(masters / CUSTOMERS, ("Medidor", "Actividad económica", "Fecha inicio")):
        plan = ACTIVITIES.get(fold(str(row["Actividad económica"])))
        if plan is None:
            raise BadMasters(
                f"{place}: no load is known for the activity {row['Actividad económica']!r}; known are "
                f"{', '.join(ACTIVITIES)}. Use one of them, or add a profile in eisenergy.samples.loads."
            )
        result.append(
            Supply(
                contract=str(row["Contrato No."]),
                name=str(row["Cliente"]),
                meter=str(row["Medidor"]),
                node=str(row["Nodo"]),
                contracted_kw=int(row["PotenciaContratada (kW)"]),
                loss_factor=float(row["FactorPerdidas"]),
                start=row["Fecha inicio"].date(),
                profile=plan[0],
                shape=plan[1],
            )
        )
    return tuple(result)


def prices(masters: Path) -> Prices:
    """Read the blocks' hours and the tariff.

    :raises BadMasters: for a missing column or an hour without a block
    """
    hours: dict[int, str] = {}
    for _, row in _rows(masters / BLOCKS, ("HoraInicial", "HoraFinal", "Bloque")):
        start, last = int(row["HoraInicial"]), int(row["HoraFinal"])
        for step in range((last - start) % 24 + 1):
            hours[(start + step) % 24] = str(row["Bloque"])
    if len(hours) < 24:
        raise BadMasters(f"{BLOCKS}: {24 - len(hours)} hours of the day have no block; every hour needs one.")
    rates: dict[str, list[tuple[date, float, float, float, float]]] = {}
    columns = (
        "Cargo por energía (USD/kWh)",
        "FTPMS (USD/kWh)",
        "Costo Desv POS (USD/kWh)",
        "Cost Des Neg (USD/kWh)",
    )
    for _, row in _rows(masters / TARIFF, ("Bloque", "Vigente desde", *columns)):
        energy, ftpms, more, less = (float(row[name]) for name in columns)
        rates.setdefault(str(row["Bloque"]), []).append((row["Vigente desde"].date(), energy, ftpms, more, less))
    return Prices(
        blocks=tuple(hours[hour] for hour in range(24)),
        rates={block: tuple(sorted(entries)) for block, entries in rates.items()},
    )


def _rows(path: Path, needed: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    """The rows below the header of a reference file's first sheet, each with its place."""
    if not path.is_file():
        raise BadMasters(f"{path.name}: not found in {path.parent}; expected the folder of the shipped sample files.")
    book = load_workbook(path, read_only=True)
    try:
        sheet = book.worksheets[0]
        rows = [tuple(row) for row in sheet.iter_rows(values_only=True)]
        for index, row in enumerate(rows):
            if set(needed) <= set(row):
                names = [str(name) for name in row]
                return [
                    (f"{path.name}, sheet {sheet.title!r}, row {number}", dict(zip(names, cells, strict=False)))
                    for number, cells in enumerate(rows[index + 1 :], start=index + 2)
                    if any(cell is not None for cell in cells)
                ]
    finally:
        book.close()
    raise BadMasters(f"{path.name}: no row holds the headers {', '.join(needed)}; restore the shipped file.")
