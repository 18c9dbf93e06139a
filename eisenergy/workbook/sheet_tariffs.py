"""The tariff's sheet: rates by block and date as inputs, and the demand rate of every day of the period as formulas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from eisenergy.accounts import Sourced
from eisenergy.billing.model import Bill
from eisenergy.period import Dated, NotInForce, Period
from eisenergy.tariffs.model import RateKind, ScalarKind, Tariff
from eisenergy.workbook.layout import INPUT, MUTED, RULE, Page, comparable, fixed, literal, ref

NAME: Final = "Tarifas"
HEADERS: Final = {
    RateKind.ENERGY: "Tarifa kWh",
    RateKind.DEMAND: "Tarifa demanda",
    RateKind.FTPMS: "FTPMS",
    RateKind.COST_POS: "Costo Desv POS",
    RateKind.COST_NEG: "Cost Des Neg",
}
BLOCK, SINCE, FIRST_KIND = 1, 2, 3
_INPUT: Final = {"font_color": INPUT, "border": 1, "border_color": RULE}
_MADE: Final = {"border": 1, "border_color": RULE}


@dataclass(frozen=True, slots=True)
class RateSheet:
    """Where the rates stand.

    :param last: last row of the rates
    :param columns: kind -> its column
    :param plain: every block can be a criterion of SUMIFS as it is
    :param days: last row of the table of days
    :param demand: block -> column of its demand rate per day
    :param losses: column and last row of the dated loss factor, where there is one
    """

    last: int
    columns: Mapping[RateKind, int]
    plain: bool
    days: int
    demand: Mapping[str, int]
    losses: tuple[int, int] | None

    def lookup(self, kind: RateKind, block: str, day: str, *, here: bool = False) -> str:
        """Return the formula of the newest rate not after a day.

        :param block: the cell of the block, or its name between quotes
        :param here: the formula stands on the tariff's own sheet
        """
        sheet = "" if here else NAME
        blocks, dates, values = (
            fixed(2, column, self.last, sheet=sheet) for column in (BLOCK, SINCE, self.columns[kind])
        )
        newest = f"SUMPRODUCT(MAX(({blocks}={block})*({dates}<={day})*{dates}))"
        if self.plain:
            return f"=SUMIFS({values},{blocks},{block},{dates},{newest})"
        return f"=SUMPRODUCT(({blocks}={block})*({dates}={newest})*{values})"

    def average(self, block: str) -> str:
        """Return a block's demand rate, weighted by days."""
        return f"AVERAGE({fixed(2, self.demand[block], self.days, sheet=NAME)})"

    def dated(self, day: str) -> str:
        """Return the formula of the newest loss factor not after a day."""
        assert self.losses is not None  # only asked for where the factor changes inside the period
        column, last = self.losses
        dates, values = fixed(2, column, last, sheet=NAME), fixed(2, column + 1, last, sheet=NAME)
        return f"=SUMIFS({values},{dates},SUMPRODUCT(MAX(({dates}<={day})*{dates})))"


def write(page: Page, tariff: Tariff, bill: Bill, *, dated_losses: bool) -> RateSheet:
    """Write the tariff's sheet, and return how formulas find a rate in it.

    :param dated_losses: the tariff's loss factor changes inside the period, and every interval looks its own up
    """
    kinds = [kind for kind in HEADERS if kind in (RateKind.ENERGY, RateKind.DEMAND) or tariff.rates.get(kind)]
    columns = {kind: FIRST_KIND + number for number, kind in enumerate(kinds)}
    last = _rates(page, tariff, columns)
    blocks = tuple(tariff.rates.get(RateKind.DEMAND, {}))
    first_day = FIRST_KIND + len(kinds) + 2  # a column for the origin, and an empty one
    sheet = RateSheet(
        last=last,
        columns=columns,
        plain=all(map(comparable, {*tariff.blocks, *blocks, *(block.block for block in bill.blocks)})),
        days=bill.period.days + 1,
        demand={block: first_day + number for number, block in enumerate(blocks, 1)},
        losses=None,
    )
    _days(page, tariff, bill.period, first_day, sheet)
    if dated_losses:
        sheet = _losses(page, tariff.scalars[ScalarKind.LOSS_FACTOR], first_day + len(blocks) + 2, sheet)
    page.sheet.freeze_panes(1, 0)
    return sheet


def _rates(page: Page, tariff: Tariff, columns: Mapping[RateKind, int]) -> int:
    """One row per block and date on which any of its rates changes; return the last row."""
    page.headers(1, 1, ("Bloque", "VigenteDesde", *(HEADERS[kind] for kind in columns), "Origen"))
    blocks = list(dict.fromkeys(block for kind in columns for block in tariff.rates.get(kind, {})))
    order = {block: number for number, block in enumerate(blocks)}
    starts = {
        (day, block) for kind in columns for block, dated in tariff.rates.get(kind, {}).items() for day in dated.starts
    }
    row = 1
    for day, block in sorted(starts, key=lambda pair: (pair[0], order[pair[1]])):
        row += 1
        page.text(row, BLOCK, block, **_INPUT)
        page.day(row, SINCE, day, **_INPUT)
        origins = []
        for kind, column in columns.items():
            style = {"num_format": "0.0000##", **_INPUT}
            found = _in_force(tariff.rates.get(kind, {}).get(block), day)
            if found is None:
                page.blank(row, column, **style)
                continue
            since, rate = found
            # a rate that goes on while another of the block's changes is repeated: the newest row must hold all of them
            if since != day:
                style |= {"font_color": MUTED, "italic": True}
            elif rate.origin not in origins:
                origins.append(rate.origin)
            page.number(row, column, rate.value, **style)
        page.text(row, FIRST_KIND + len(columns), _joined(origins), font_color=MUTED, border=1, border_color=RULE)
    page.widths(12, 13, *([12] * len(columns)), 44, 3)
    return row


def _days(page: Page, tariff: Tariff, period: Period, first: int, sheet: RateSheet) -> None:
    page.headers(1, first, ("Dia", *(f"Demanda {block}" for block in sheet.demand)))
    for row, day in enumerate(period, 2):
        page.day(row, first, day, **_INPUT)
        for block, column in sheet.demand.items():
            found = _in_force(tariff.rates[RateKind.DEMAND][block], day)
            page.formula(
                row,
                column,
                sheet.lookup(RateKind.DEMAND, literal(block), ref(row, first), here=True),
                Decimal(0) if found is None else found[1].value,
                **_MADE,
                num_format="0.0000##",
            )
    page.widths(13, *([11] * len(sheet.demand)), 3, first=first)


def _losses(page: Page, dated: Dated[Sourced], column: int, sheet: RateSheet) -> RateSheet:
    """The loss factor with its dates, where it changes inside the period."""
    page.headers(1, column, ("PerdidasDesde", "Factor de perdidas", "Origen"))
    row = 1
    for day, value in dated.values:
        row += 1
        page.day(row, column, day, **_INPUT)
        if value is None:
            page.blank(row, column + 1, **_INPUT)
        else:
            page.number(row, column + 1, value.value, **_INPUT, num_format="0.0000##")
            page.text(row, column + 2, value.origin, font_color=MUTED, border=1, border_color=RULE)
    page.widths(14, 12, 34, first=column)
    return RateSheet(sheet.last, sheet.columns, sheet.plain, sheet.days, sheet.demand, (column, row))


def _joined(origins: list[str]) -> str:
    """Join origins; cells of one sheet follow its name once."""
    groups: dict[str, list[str]] = {}
    for origin in origins:
        sheet, mark, cell = origin.rpartition("!")
        groups.setdefault(sheet + mark if mark else origin, []).extend([cell] if mark else [])
    return "; ".join(head + ", ".join(cells) for head, cells in groups.items())


def _in_force(dated: Dated[Sourced] | None, day: date) -> tuple[date, Sourced] | None:
    try:
        return None if dated is None else dated.entry(day)
    except NotInForce:
        return None
