"""The table of intervals: which columns are inputs and which are formulas, and what each formula is."""

from __future__ import annotations

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


PRICES: Final = {LOSS: "loss_factor", FTPMS: "ftpms", POS: "cost_pos", NEG: "cost_neg"}


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
    :param own: some intervals have a price of their own: the column holds it, and the amount falls back where it is empty
    """

    source: From
    value: float = 0.0
    own: bool = False

    @property
    def given(self) -> bool:
        """Whether the column's cells are inputs."""
        return self.own or self.source is From.READINGS


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
    def prices(self) -> dict[int, PriceColumn]:
        """How each price's column is filled."""
        return {LOSS: self.loss, FTPMS: self.ftpms, POS: self.pos, NEG: self.neg}


def slots_of(bill: Bill, tariff: Tariff, calendar: DayCalendar, readings: pl.DataFrame) -> Slots:
    """Price a bill's intervals and decide how each price's column is filled.

    :param readings: ``frames.READINGS`` of the bill's meter
    """
    import polars as pl

    priced = price_slots(readings, bill.contract, tariff, calendar, period=bill.period, timezone=bill.timezone)
    beside = readings.select(
        "start",
        pl.coalesce("kw", pl.col("kwh_import") * 60 / SLOT_MINUTES).alias("kw"),
        *("kva", "kvar", "quality", "method"),
        *(pl.col(name).alias(f"own_{name}") for name in PRICES.values()),
    )
    frame = priced.join(beside, on="start", how="left", validate="1:1", maintain_order="left")
    loss = _column(frame, "loss_factor", From.DATED)
    ftpms = _column(frame.filter(pl.col("block").is_in(tariff.rules.ftpms_blocks)), "ftpms", From.TARIFF)
    return Slots(
        frame=frame,
        loss=loss,
        ftpms=ftpms,
        pos=_deviation(frame, "cost_pos", bool(tariff.rates.get(RateKind.COST_POS))),
        neg=_deviation(frame, "cost_neg", bool(tariff.rates.get(RateKind.COST_NEG))),
    )


def _column(rows: pl.DataFrame, name: str, otherwise: From) -> PriceColumn:
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
    some = not own.is_null().all()
    return PriceColumn(From.PARAMETER if one else otherwise, value=others[0] if one else 0.0, own=some)


def _deviation(frame: pl.DataFrame, name: str, in_tariff: bool) -> PriceColumn:
    """Of a deviation's cost: the analyst keeps it beside every reading, the tariff by block and date."""
    own = frame[f"own_{name}"]
    if own.is_null().all():
        return PriceColumn(From.TARIFF if in_tariff else From.NOBODY)
    needed = own.filter(frame["forecast_kwh"].is_not_null())
    if not in_tariff or not needed.is_null().any():
        return PriceColumn(From.READINGS)
    return PriceColumn(From.TARIFF, own=True)


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
        for column, name in PRICES.items():
            text = formulas.price(column, row)
            if text:
                page.formula(row, column, text, one[name] or 0.0, **style, num_format=RATE)
            else:
                _given(page, row, column, one[f"own_{name}"], given | {"num_format": RATE})
        page.formula(row, LOSS_AMOUNT, formulas.loss_amount(row), one["loss_amount"], **style, num_format=EXACT)
        page.formula(row, FTPMS_AMOUNT, formulas.ftpms_amount(row), one["ftpms_amount"], **style, num_format=EXACT)
        page.formula(row, DEVIATION, formulas.deviation(row), one["deviation_amount"], **style, num_format=EXACT)
        page.text(row, QUALITY, "estimada" if estimated else "medida", **given, align="center")


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
    """The formulas of one row that depend on the bill's rules and on where its prices come from."""

    def __init__(self, slots: Slots, tariff: Tariff, rates: RateSheet, loss_cell: str, ftpms_cell: str) -> None:
        self._rules, self._rates = tariff.rules, rates
        self._cells = {LOSS: loss_cell, FTPMS: ftpms_cell}
        self._columns = slots.prices
        self._every_forecast = not slots.frame["forecast_kwh"].is_null().any()

    def price(self, column: int, row: int) -> str:
        """Return a price's formula; empty where its cells are inputs, or nobody has such a price."""
        one = self._columns[column]
        if one.given or (one.source is From.NOBODY and column in (POS, NEG)):
            return ""
        text = self._fallback(column, row)
        if column == FTPMS:
            applies = self._applies(row)
            return f"=IF({applies},{text},0)" if applies else "=0"
        return f"={text}"

    def loss_amount(self, row: int) -> str:
        """Return the formula of an interval's losses."""
        base = COST if self._rules.loss_basis is LossBasis.ENERGY else KWH
        return f"={ref(row, base)}*{self._charged(LOSS, row)}"

    def ftpms_amount(self, row: int) -> str:
        """Return the formula of an interval's FTPMS; a price of the reading's own counts in FTPMS's blocks only."""
        text = f"{ref(row, KWH)}*{self._charged(FTPMS, row)}"
        return f"=IF({self._applies(row)},{text},0)" if self._columns[FTPMS].given else f"={text}"

    def deviation(self, row: int) -> str:
        """Return the formula of an interval's deviation; without a forecast there is none."""
        kwh, forecast = ref(row, KWH), ref(row, FORECAST)
        text = f"MAX(0,{forecast}-{kwh})*{self._charged(NEG, row)}"
        if self._rules.deviation_mode is DeviationMode.BOTH:
            text += f"+MAX(0,{kwh}-{forecast})*{self._charged(POS, row)}"
        return f"={text}" if self._every_forecast else f'=IF({forecast}="",0,{text})'

    def _applies(self, row: int) -> str:
        blocks = [f"{ref(row, BLOCK)}={literal(block)}" for block in self._rules.ftpms_blocks]
        return f"OR({','.join(blocks)})" if len(blocks) > 1 else "".join(blocks)

    def _charged(self, column: int, row: int) -> str:
        """Return the price that is charged: the interval's own cell, or what stands in where it is empty."""
        cell = ref(row, column)
        return f'IF({cell}="",{self._fallback(column, row)},{cell})' if self._columns[column].own else cell

    def _fallback(self, column: int, row: int) -> str:
        source = self._columns[column].source
        if source is From.TARIFF:
            kind = {FTPMS: RateKind.FTPMS, POS: RateKind.COST_POS, NEG: RateKind.COST_NEG}[column]
            return self._rates.lookup(kind, ref(row, BLOCK), ref(row, DATE)).removeprefix("=")
        if source is From.DATED:
            return self._rates.dated(ref(row, DATE)).removeprefix("=")
        return self._cells[column]
