"""The table of intervals: which columns are inputs and which are formulas, and what each formula is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from eisenergy.billing.model import Bill
from eisenergy.billing.slots import price_slots
from eisenergy.frames import ESTIMATED, SLOT_MINUTES
from eisenergy.tariffs.model import DeviationMode, LossBasis, RateKind, Tariff
from eisenergy.timeofuse import DayCalendar
from eisenergy.workbook.layout import (
    DAY,
    EXACT,
    INPUT,
    RATE,
    RULE,
    Page,
    fixed,
    literal,
    ref,
    serial,
)
from eisenergy.workbook.layout import ESTIMATED as SHADE
from eisenergy.workbook.sheet_calendar import HourLookup
from eisenergy.workbook.sheet_tariffs import RateSheet

if TYPE_CHECKING:
    import polars as pl

HEADERS: Final = (
    *("Date", "Time", "kWh", "kW", "kVA", "kVAR", "Hora", "Block", "Pronostico kWh", "Tarifa kWh", "Costo energia"),
    *("Factor de perdidas", "Ajuste perdidas", "FTPMS", "Recargo FTPMS", "Costo Desv POS", "Cost Des Neg"),
    *("Cargo desviacion", "Lectura"),
)
(
    DATE,
    TIME,
    KWH,
    KW,
    KVA,
    KVAR,
    HOUR,
    BLOCK,
    FORECAST,
    RATE_KWH,
    COST,
    LOSS,
    LOSS_AMOUNT,
    FTPMS,
    FTPMS_AMOUNT,
    POS,
    NEG,
    DEVIATION,
    QUALITY,
) = range(1, 20)
OWN: Final = "{} (lectura)"
"""Header of a price that came with some of the readings, beside the column that is charged."""


class From(StrEnum):
    """Where the cells of a price's column come from."""

    PARAMETER = "parameter"  # one value for all, in the header's cell
    READINGS = "readings"  # a value of its own in every interval
    TARIFF = "tariff"  # the table of rates, by block and date
    DATED = "dated"  # the table of a value that changes with the date
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class PriceColumn:
    """How a price's column is filled.

    :param source: where it comes from, or what stands in where the readings have none
    :param value: the one value, where there is one
    :param own: column of the readings' own price, where only some intervals have one
    """

    source: From
    value: float = 0.0
    own: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """The bill's intervals.

    :param frame: in order of time: the columns of :func:`eisenergy.billing.slots.price_slots`, and ``kw``, ``kva``, ``kvar``,
        ``quality``, ``method``, ``own_loss_factor``, ``own_ftpms``, ``own_cost_pos``, ``own_cost_neg``
    :param loss: of every interval; ``ftpms``: of those in its blocks
    """

    frame: pl.DataFrame
    loss: PriceColumn
    ftpms: PriceColumn
    pos: PriceColumn
    neg: PriceColumn

    @property
    def estimated(self) -> int:
        """How many intervals are estimates."""
        return int((self.frame["quality"] == ESTIMATED).sum())

    @property
    def headers(self) -> tuple[str, ...]:
        """The table's headers."""
        extra = {column.own: name for name, column in self._prices() if column.own is not None}
        return (*HEADERS, *(OWN.format(HEADERS[column - 1]) for _, column in sorted(extra.items())))

    def _prices(self) -> list[tuple[int, PriceColumn]]:
        return [(LOSS, self.loss), (FTPMS, self.ftpms), (POS, self.pos), (NEG, self.neg)]


def slots_of(bill: Bill, tariff: Tariff, calendar: DayCalendar, readings: pl.DataFrame) -> Slots:
    """Price a bill's intervals and decide how each price's column is filled.

    :param readings: ``frames.READINGS`` of the bill's meter
    """
    import polars as pl

    priced = price_slots(readings, bill.contract, tariff, calendar, period=bill.period, timezone=bill.timezone)
    prices = ("loss_factor", "ftpms", "cost_pos", "cost_neg")
    beside = readings.select(
        "start",
        pl.coalesce("kw", pl.col("kwh_import") * 60 / SLOT_MINUTES).alias("kw"),
        *("kva", "kvar", "quality", "method"),
        *(pl.col(name).alias(f"own_{name}") for name in prices),
    )
    frame = priced.join(beside, on="start", how="left", validate="1:1", maintain_order="left")
    spare = iter(range(len(HEADERS) + 1, len(HEADERS) + 5))
    loss = _column(frame, "loss_factor", spare, From.DATED)
    in_blocks = frame.filter(pl.col("block").is_in(tariff.rules.ftpms_blocks))
    ftpms = _column(in_blocks, "ftpms", spare, From.TARIFF)
    if ftpms.source is From.READINGS:  # outside its blocks the readings' price does not count
        ftpms = PriceColumn(From.PARAMETER, own=next(spare))
    return Slots(
        frame=frame,
        loss=loss,
        ftpms=ftpms,
        pos=_deviation(frame, "cost_pos", spare, bool(tariff.rates.get(RateKind.COST_POS))),
        neg=_deviation(frame, "cost_neg", spare, bool(tariff.rates.get(RateKind.COST_NEG))),
    )


def _column(rows: pl.DataFrame, name: str, spare: Iterator[int], otherwise: From) -> PriceColumn:
    """Of a price that applies to rows; ``otherwise`` is where it comes from when neither one value nor the readings give it."""
    values, own = rows[name], rows[f"own_{name}"]
    if values.is_null().all():
        return PriceColumn(From.NOBODY)
    if values.n_unique() == 1:
        return PriceColumn(From.PARAMETER, value=values[0])
    if not own.is_null().any():
        return PriceColumn(From.READINGS)
    others = rows.filter(own.is_null())[name].drop_nulls()
    one = others.n_unique() == 1
    column = None if own.is_null().all() else next(spare)
    return PriceColumn(From.PARAMETER if one else otherwise, value=others[0] if one else 0.0, own=column)


def _deviation(frame: pl.DataFrame, name: str, spare: Iterator[int], in_tariff: bool) -> PriceColumn:
    """Of a deviation's cost: the analyst keeps it beside every reading, the tariff by block and date."""
    own = frame[f"own_{name}"]
    if own.is_null().all():
        return PriceColumn(From.TARIFF if in_tariff else From.NOBODY)
    needed = own.filter(frame["forecast_kwh"].is_not_null())
    if not in_tariff or not needed.is_null().any():
        return PriceColumn(From.READINGS)
    return PriceColumn(From.TARIFF, own=next(spare))


@dataclass(frozen=True, slots=True)
class Area:
    """Where the table of intervals stands.

    :param first: row of the first interval; the header is above it
    """

    first: int
    last: int

    def column(self, number: int) -> str:
        """Return a column's cells as formulas name them."""
        return fixed(self.first, number, self.last)


def write(
    page: Page,
    slots: Slots,
    tariff: Tariff,
    area: Area,
    hours: HourLookup,
    rates: RateSheet,
    *,
    loss_cell: str,
    ftpms_cell: str,
) -> None:
    """Write the intervals below their header.

    :param loss_cell: the parameter's cell, with ``$``; likewise ``ftpms_cell``
    """
    formulas = _Formulas(slots, tariff, rates, loss_cell, ftpms_cell)
    frame = slots.frame
    decimals = max((_decimals(value) for value in frame["kwh"].to_list()), default=2)
    amount = "#,##0." + "0" * min(max(decimals, 2), 4)
    columns = {name: number for number, name in enumerate(frame.columns)}
    for row, values in enumerate(frame.iter_rows(), area.first):
        one = {name: values[number] for name, number in columns.items()}
        estimated = one["quality"] == ESTIMATED
        style: dict[str, Any] = {"bottom": 4, "bottom_color": RULE} | ({"bg_color": SHADE} if estimated else {})
        given = style | {"font_color": INPUT}
        page.number(row, DATE, serial(one["day"]), **given, num_format=DAY, align="left", indent=1)
        page.clock(row, TIME, one["local"].time(), **given, align="center")
        for column, name in ((KWH, "kwh"), (KW, "kw"), (KVA, "kva"), (KVAR, "kvar"), (FORECAST, "forecast_kwh")):
            _given(page, row, column, one[name], given | {"num_format": amount})
        page.formula(row, HOUR, hours.hour(ref(row, TIME)), _hour(one, hours.step), **style, align="center")
        page.formula(row, BLOCK, hours.block(ref(row, HOUR), ref(row, DATE)), one["block"], **style, align="center")
        page.formula(
            row,
            RATE_KWH,
            rates.lookup(RateKind.ENERGY, ref(row, BLOCK), ref(row, DATE)),
            one["energy_rate"],
            **style,
            num_format=RATE,
        )
        page.formula(row, COST, f"={ref(row, KWH)}*{ref(row, RATE_KWH)}", one["energy_cost"], **style, num_format=EXACT)
        for column, name in ((LOSS, "loss_factor"), (FTPMS, "ftpms"), (POS, "cost_pos"), (NEG, "cost_neg")):
            text = formulas.price(column, row)
            if text:
                page.formula(row, column, text, one[name] or 0.0, **style, num_format=RATE)
            else:
                _given(page, row, column, formulas.given(column, one), given | {"num_format": RATE})
        page.formula(row, LOSS_AMOUNT, formulas.loss_amount(row), one["loss_amount"], **style, num_format=EXACT)
        page.formula(
            row, FTPMS_AMOUNT, f"={ref(row, KWH)}*{ref(row, FTPMS)}", one["ftpms_amount"], **style, num_format=EXACT
        )
        page.formula(row, DEVIATION, formulas.deviation(row), one["deviation_amount"], **style, num_format=EXACT)
        page.text(row, QUALITY, "estimada" if estimated else "medida", **given, align="center")
        for column, name in formulas.own.items():
            _given(page, row, column, one[f"own_{name}"], given | {"num_format": RATE})


def _given(page: Page, row: int, column: int, value: float | None, style: dict[str, Any]) -> None:
    if value is None:
        page.blank(row, column, **style)
    else:
        page.number(row, column, value, **style)


def _hour(one: dict[str, Any], step: int) -> float:
    local = one["local"]
    return float(local.hour if step == 60 else local.hour + local.minute / 60)


def _decimals(value: float) -> int:
    text = f"{value:.6f}".rstrip("0")
    return len(text) - text.index(".") - 1


class _Formulas:
    """The formulas of one row that depend on the bill's rules."""

    def __init__(self, slots: Slots, tariff: Tariff, rates: RateSheet, loss_cell: str, ftpms_cell: str) -> None:
        self._slots, self._rules, self._rates = slots, tariff.rules, rates
        self._cells = {LOSS: loss_cell, FTPMS: ftpms_cell}
        self._columns = {LOSS: slots.loss, FTPMS: slots.ftpms, POS: slots.pos, NEG: slots.neg}
        names = {LOSS: "loss_factor", FTPMS: "ftpms", POS: "cost_pos", NEG: "cost_neg"}
        self._names = names
        self.own = {one.own: names[column] for column, one in self._columns.items() if one.own is not None}
        self._every_forecast = not slots.frame["forecast_kwh"].is_null().any()

    def price(self, column: int, row: int) -> str:
        """Return a price's formula; empty where its cells are inputs."""
        one = self._columns[column]
        applies = ",".join(f"{ref(row, BLOCK)}={literal(block)}" for block in self._rules.ftpms_blocks)
        if column == FTPMS and not applies:
            return ""
        if column == FTPMS or (one.source not in (From.READINGS, From.NOBODY) or column == LOSS):
            if one.source is From.READINGS:
                return ""
            text = self._fallback(column, one, row)
        else:
            return ""
        if one.own is not None:
            text = f'IF({ref(row, one.own)}="",{text},{ref(row, one.own)})'
        if column == FTPMS:
            several = len(self._rules.ftpms_blocks) > 1
            text = f"IF({f'OR({applies})' if several else applies},{text},0)"
        return f"={text}"

    def _fallback(self, column: int, one: PriceColumn, row: int) -> str:
        if one.source is From.TARIFF:
            kind = {FTPMS: RateKind.FTPMS, POS: RateKind.COST_POS, NEG: RateKind.COST_NEG}[column]
            return self._rates.lookup(kind, ref(row, BLOCK), ref(row, DATE)).removeprefix("=")
        if one.source is From.DATED:
            return self._rates.dated(ref(row, DATE)).removeprefix("=")
        return self._cells[column]

    def given(self, column: int, one: dict[str, Any]) -> float | None:
        """Return a price that stands in its cell as an input."""
        if column == FTPMS:
            return 0.0
        value: float | None = one[f"own_{self._names[column]}"]
        return value

    def loss_amount(self, row: int) -> str:
        """Return the formula of an interval's losses."""
        base = COST if self._rules.loss_basis is LossBasis.ENERGY else KWH
        return f"={ref(row, base)}*{ref(row, LOSS)}"

    def deviation(self, row: int) -> str:
        """Return the formula of an interval's deviation; without a forecast there is none."""
        kwh, forecast = ref(row, KWH), ref(row, FORECAST)
        text = f"MAX(0,{forecast}-{kwh})*{ref(row, NEG)}"
        if self._rules.deviation_mode is DeviationMode.BOTH:
            text += f"+MAX(0,{kwh}-{forecast})*{ref(row, POS)}"
        return f"={text}" if self._every_forecast else f'=IF({forecast}="",0,{text})'
