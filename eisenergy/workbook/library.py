"""What the library computes from a workbook's inputs, role by role: the other side of every comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from eisenergy.billing.engine import bill
from eisenergy.billing.model import Bill, BillLine, LineCode
from eisenergy.billing.rates import NotBillable
from eisenergy.billing.slots import price_slots
from eisenergy.findings import Finding, blocking
from eisenergy.period import NotInForce
from eisenergy.tariffs.model import RateKind
from eisenergy.timeofuse import compile_runs
from eisenergy.usage import measure
from eisenergy.workbook import gaps
from eisenergy.workbook.input_model import METER, Inputs
from eisenergy.workbook.input_rates import LONG_AGO
from eisenergy.workbook.model import Value

if TYPE_CHECKING:
    import polars as pl

Key = tuple[str, Hashable]
"""A role and what it is about: a row of the slot table, a block, an hour, (day, block) or ``None``."""

SLOTS: Final = {
    "hour": "hour",
    "block": "block",
    "energy_rate": "energy_rate",
    "energy_cost": "energy_cost",
    "loss_factor": "loss_factor",
    "loss_amount": "loss_amount",
    "ftpms": "ftpms",
    "ftpms_amount": "ftpms_amount",
    "cost_pos": "cost_pos",
    "cost_neg": "cost_neg",
    "deviation_amount": "deviation_amount",
}
_AMOUNTS: Final = {
    "ftpms_amount": LineCode.FTPMS,
    "loss_amount": LineCode.LOSSES,
    "deviation_amount": LineCode.DEVIATION,
}


@dataclass(slots=True, kw_only=True)
class Expected:
    """What every role is, by the library.

    :param values: value by role and subject
    :param words: how one of them came about, in a sentence with numbers
    """

    values: dict[Key, Value] = field(default_factory=dict)
    words: dict[str, Callable[[Hashable], str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def derivation(self, role: str, subject: Hashable) -> str:
        """Say how a value came about; empty where nothing is known."""
        tell = self.words.get(role)
        return tell(subject) if tell is not None and (role, subject) in self.values else ""


def compute(inputs: Inputs) -> Expected:
    """Compute every role from the inputs; what an input refuses is a finding, and what does not need it is computed."""
    expected = _computed(inputs)
    if ("line.total", None) not in expected.values:
        gaps.complete(inputs, expected, _computed)
    return expected


def _computed(inputs: Inputs) -> Expected:
    expected = Expected()
    _hours(inputs, expected)
    _day_rates(inputs, expected)
    _measured(inputs, expected)
    frame = _slots(inputs, expected)
    made = _bill(inputs, expected)
    if frame is not None:
        _sums(inputs, expected, frame)
    if made is not None:
        _blocks(inputs, expected, made)
        _lines(expected, made)
        for one in inputs.corrections:  # each is an input, whatever its cell is
            expected.values["line.correction", one.origin] = float(one.difference)
            expected.words["line.correction"] = lambda cell: (
                f"the correction of an earlier period, as it stands in {cell}"
            )
    return expected


def _measured(inputs: Inputs, expected: Expected) -> None:
    """What needs no rates: block, energy and power of every interval, per block and in total."""
    if inputs.readings is None or inputs.calendar is None:
        return
    zone = ZoneInfo(inputs.timezone)
    put = expected.values
    energy: dict[str, list[float]] = {}
    peaks: dict[str, tuple[float, datetime]] = {}
    blocks: dict[int, str] = {}
    for row, start in inputs.rows.items():
        minute = start.hour * 60 + start.minute
        if minute not in blocks:
            blocks[minute] = inputs.calendar.block_at(start.replace(tzinfo=zone))
        put["slot.hour", row], put["slot.block", row] = start.hour, blocks[minute]
    for row, kwh, kw in inputs.readings.select("source_row", "kwh_import", "kw").iter_rows():
        start = inputs.rows[row]
        block = blocks[start.hour * 60 + start.minute]
        energy.setdefault(block, []).append(kwh)
        power = kwh * 4 if kw is None else kw
        if block not in peaks or (power, -start.timestamp()) > (peaks[block][0], -peaks[block][1].timestamp()):
            peaks[block] = (power, start)
    for block, values in energy.items():
        put["block.kwh", block] = math.fsum(values)
        put["block.max_kw", block], put["block.max_kw_at", block] = peaks[block]
    if peaks:
        put["total.kwh", None] = math.fsum(value for values in energy.values() for value in values)
        top = max(peaks.values(), key=lambda one: (one[0], -one[1].timestamp()))
        put["total.max_kw", None], put["total.max_kw_at", None] = top
    if inputs.contract is not None and (factor := inputs.contract.loss_factor) is not None:
        for row, kwh in inputs.readings.select("source_row", "kwh_import").iter_rows():
            put["slot.loss_factor", row], put["slot.loss_amount", row] = float(factor.value), kwh * float(factor.value)


def _hours(inputs: Inputs, expected: Expected) -> None:
    if inputs.calendar is None:
        return
    calendar, zone = inputs.calendar, ZoneInfo(inputs.timezone)
    for hour in range(24):
        expected.values["hour.block", hour] = calendar.block_at(datetime(2021, 9, 1, hour, 30, tzinfo=zone))
    rows = {
        minute // 60: row.origin
        for row in calendar.rows
        for part in row.minutes()
        for minute in part
        if minute % 60 == 30
    }
    expected.words["hour.block"] = lambda hour: (
        f"hour {hour} belongs to {expected.values['hour.block', hour]} ({rows.get(int(str(hour)), '')})"
    )


def _day_rates(inputs: Inputs, expected: Expected) -> None:
    tariff, period = inputs.tariff, inputs.period
    if tariff is None or period is None:
        return
    origins: dict[Hashable, str] = {}
    for block in tariff.rates.get(RateKind.DEMAND, {}):
        for day in period:
            try:
                since, rate = tariff.rate(RateKind.DEMAND, block, day)
            except NotInForce:
                continue
            expected.values["day.demand", (day, block)] = float(rate.value)
            origins[day, block] = (
                f"demand rate of {block} on {day}: {rate.value} ({rate.origin}, in force from {since})"
            )
    expected.words["day.demand"] = lambda subject: origins.get(subject, "")


def _slots(inputs: Inputs, expected: Expected) -> pl.DataFrame | None:
    """Per-slot columns; a row that repeats an interval has the same prices."""

    if inputs.readings is None or inputs.contract is None or inputs.tariff is None:
        return None
    if inputs.calendar is None or inputs.period is None:
        return None
    whole: pl.DataFrame | None = None
    for readings in (inputs.readings, *inputs.repeats):
        try:
            frame = price_slots(
                _priced(readings),
                inputs.contract,
                inputs.tariff,
                inputs.calendar,
                period=inputs.period,
                timezone=inputs.timezone,
            )
        except (NotInForce, ValueError) as problem:
            expected.findings.append(_refused(inputs, problem))
            return whole
        whole = frame if whole is None else whole
        rows = readings.sort("start")["source_row"].to_list()
        for name, column in SLOTS.items():
            role = f"slot.{name}"
            for row, value in zip(rows, frame[column].to_list(), strict=True):
                if value is not None:
                    expected.values[role, row] = value
        _slot_words(expected, dict(zip(rows, frame.to_dicts(), strict=True)))
    return whole


def _priced(readings: pl.DataFrame) -> pl.DataFrame:
    """Forecasts without a price for missing them are left out: nothing is charged for them."""
    import polars as pl

    return readings.with_columns(
        forecast_kwh=pl.when(pl.col("cost_neg").is_null() & pl.lit(bool(readings["cost_neg"].is_not_null().any())))
        .then(None)
        .otherwise("forecast_kwh")
    )


def _slot_words(expected: Expected, rows: dict[int, dict[str, Any]]) -> None:
    def tell(text: Callable[[dict[str, Any]], str]) -> Callable[[Hashable], str]:
        return lambda row: text(rows[row]) if row in rows else ""

    words = {
        "hour": lambda s: f"the interval starts at {s['local']:%H:%M}",
        "block": lambda s: f"hour {s['hour']} of {s['day']} belongs to {s['block']}",
        "energy_rate": lambda s: f"rate of {s['block']} in force on {s['day']}: {s['energy_rate']}",
        "energy_cost": lambda s: f"{s['kwh']:g} kWh x {s['energy_rate']} = {s['energy_cost']:.10g}",
        "loss_factor": lambda s: f"the loss factor is {s['loss_factor']}",
        "loss_amount": lambda s: f"{s['kwh']:g} kWh x {s['loss_factor']} = {s['loss_amount']:.10g}",
        "ftpms": lambda s: f"FTPMS in {s['block']}: {s['ftpms']}",
        "ftpms_amount": lambda s: f"{s['kwh']:g} kWh x {s['ftpms']} = {s['ftpms_amount']:.10g}",
        "cost_pos": lambda s: f"cost of taking more than forecast: {s['cost_pos']}",
        "cost_neg": lambda s: f"cost of taking less than forecast: {s['cost_neg']}",
        "deviation_amount": lambda s: (
            "no forecast, so nothing is charged"
            if s["forecast_kwh"] is None or s["cost_neg"] is None
            else f"forecast {s['forecast_kwh']} kWh, taken {s['kwh']:g} kWh, at {s['cost_neg']} per kWh short: {s['deviation_amount']:.10g}"
        ),
    }
    for name, text in words.items():
        expected.words.setdefault(f"slot.{name}", tell(text))


def _bill(inputs: Inputs, expected: Expected) -> Bill | None:
    if inputs.readings is None or inputs.contract is None or inputs.tariff is None:
        return None
    if inputs.calendar is None or inputs.period is None:
        return None
    try:
        runs = compile_runs(inputs.calendar, inputs.tariff.segments(inputs.period), inputs.timezone)
        usage = measure(METER, _priced(inputs.readings), runs, period=inputs.period, timezone=inputs.timezone)
        return bill(
            inputs.contract,
            inputs.period,
            usage,
            inputs.tariff,
            timezone=inputs.timezone,
            calendar_name=inputs.calendar.name,
            corrections=inputs.corrections,
        )
    except (NotInForce, NotBillable, ValueError) as problem:
        expected.findings.append(_refused(inputs, problem))
        return None


def _refused(inputs: Inputs, problem: Exception) -> Finding:
    return blocking(
        "not-billable",
        inputs.texts.get("param.customer", "the workbook"),
        f"the bill cannot be made from the workbook's inputs: {str(problem).rstrip('.')}. Complete or correct them.",
    )


def _sums(inputs: Inputs, expected: Expected, frame: pl.DataFrame) -> None:
    """Sums per block and in total from the priced slots, for where a bill cannot be made."""
    import polars as pl

    for name, column in (
        ("kwh", "kwh"),
        ("energy_cost", "energy_cost"),
        ("ftpms_amount", "ftpms_amount"),
        ("loss_amount", "loss_amount"),
        ("deviation_amount", "deviation_amount"),
    ):
        for block in inputs.calendar.blocks if inputs.calendar else ():
            expected.values[f"block.{name}", block] = math.fsum(
                frame.filter(pl.col("block") == block)[column].to_list()
            )
        expected.values[f"total.{name}", None] = math.fsum(frame[column].to_list())


def _blocks(inputs: Inputs, expected: Expected, made: Bill) -> None:
    zone = ZoneInfo(inputs.timezone)
    put = expected.values
    for one in made.blocks:
        put["block.kwh", one.block] = float(one.kwh)
        put["block.energy_cost", one.block] = float(one.energy_amount)
        put["block.max_kw", one.block] = float(one.max_kw)
        if one.max_kw_at is not None:
            put["block.max_kw_at", one.block] = one.max_kw_at.astimezone(zone).replace(tzinfo=None)
        for name, code in _AMOUNTS.items():
            parts = [part.exact for part in made.line(code).parts if part.block == one.block]
            put[f"block.{name}", one.block] = float(sum(parts, Decimal(0)))
    top = max(one.max_kw for one in made.blocks)
    put["total.kwh", None] = float(made.kwh)
    put["total.energy_cost", None] = float(made.line(LineCode.ENERGY).exact)
    put["total.max_kw", None] = float(top)
    moments = [one.max_kw_at for one in made.blocks if one.max_kw == top and one.max_kw_at is not None]
    if moments:
        put["total.max_kw_at", None] = min(moments).astimezone(zone).replace(tzinfo=None)
    for name, code in _AMOUNTS.items():
        put[f"total.{name}", None] = float(made.line(code).exact)
    for role, what in (
        ("kwh", "kWh of all intervals"),
        ("energy_cost", "kWh times rate, of all intervals"),
        ("max_kw", "the highest kW"),
        ("max_kw_at", "the first interval with the highest kW"),
        ("ftpms_amount", "kWh times FTPMS, of all intervals"),
        ("loss_amount", "kWh times loss factor, of all intervals"),
        ("deviation_amount", "what was taken less than forecast, times its cost, of all intervals"),
    ):
        expected.words[f"block.{role}"] = _told(expected, f"block.{role}", what + " in {}")
        expected.words[f"total.{role}"] = _told(expected, f"total.{role}", what)


def _told(expected: Expected, role: str, what: str) -> Callable[[Hashable], str]:
    return lambda subject: f"{what.format(subject)}: {expected.values[role, subject]}"


def _lines(expected: Expected, made: Bill) -> None:
    for line in made.lines:
        expected.values[f"line.{line.code.value}", None] = float(line.amount)
        expected.words[f"line.{line.code.value}"] = _line_words(line)


def _line_words(line: BillLine) -> Callable[[Hashable], str]:
    def tell(_: Hashable) -> str:
        return " ".join((line.formula, *_parts(line), f"= {line.exact:f}, rounded {line.amount}."))

    return tell


def _parts(line: BillLine) -> Iterator[str]:
    for part in line.parts[:6]:
        since = f", from {part.rate_from}" if part.rate_from and part.rate_from > LONG_AGO else ""
        block = f"{part.block}: " if part.block else ""
        yield f"{block}{part.quantity:f} {part.unit} x {part.rate:f} ({part.origin}{since});"
    if len(line.parts) > 6:
        yield f"and {len(line.parts) - 6} more;"
