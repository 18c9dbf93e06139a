"""What the library computes from a workbook's inputs, role by role: the other side of every comparison."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from eisenergy.billing.engine import bill
from eisenergy.billing.model import Bill, LineCode
from eisenergy.billing.rates import NotBillable
from eisenergy.billing.slots import price_slots
from eisenergy.blockruns import compile_runs
from eisenergy.findings import Finding, blocking
from eisenergy.period import NotInForce
from eisenergy.tariffs.model import RateKind, Tariff
from eisenergy.timeofuse import DayCalendar
from eisenergy.usage import measure
from eisenergy.workbook import gaps
from eisenergy.workbook.derivations import line_words, slot_words, told
from eisenergy.workbook.expected import Expected
from eisenergy.workbook.input_model import METER, Inputs
from eisenergy.workbook.things import exactly

if TYPE_CHECKING:
    import polars as pl

PRICES: Final = ("loss_factor", "ftpms", "cost_pos", "cost_neg")
SLOTS: Final = ("block", "energy_rate", "energy_cost", *PRICES, "loss_amount", "ftpms_amount", "deviation_amount")
_ALL: Final = ""  # every block
_ANY_DAY: Final = date(2021, 9, 1)
_AMOUNTS: Final = {
    "ftpms_amount": LineCode.FTPMS,
    "loss_amount": LineCode.LOSSES,
    "deviation_amount": LineCode.DEVIATION,
}


def compute(inputs: Inputs) -> Expected:
    """Compute every role from the inputs; what an input refuses is a finding, and what does not need it is computed."""
    expected = _computed(inputs)
    if ("line.total", None) not in expected.values:
        gaps.complete(inputs, expected, _computed)
    return expected


def _computed(inputs: Inputs) -> Expected:
    expected = Expected()
    _ended_or_not(inputs, expected)
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
        for line, corrected in inputs.corrected.items():
            # the one line of all of them is rounded once, as the bill's is
            whole = expected.values.get(("line.correction", None)) if len(inputs.corrected) == 1 else None
            given = float(sum((one.difference for one in corrected), Decimal(0)))
            expected.values["line.correction", line] = given if whole is None else whole
        expected.words["line.correction"] = lambda line: (
            "what earlier periods were billed too little or too much: "
            + ", ".join(f"{one.difference} ({one.origin})" for one in inputs.corrected.get(str(line), ()))
        )
    return expected


def _ended_or_not(inputs: Inputs, expected: Expected) -> None:
    """Take an empty cell among a block's rates for the end of the rate, unless the bill needs a rate there."""
    if inputs.lasting is None or inputs.readings is None or inputs.contract is None:
        return
    try:
        _made(inputs)
    except NotInForce as problem:
        ends = [(day, cell) for (name, day), cell in inputs.ends.items() if name == problem.name and day <= problem.day]
        if not ends:
            return  # another rate than those is missing: said where the bill is made
        sheet, _, cell = max(ends)[1].rpartition("!")
        expected.findings.append(
            blocking(
                "rate-missing",
                sheet,
                f"{sheet}!{cell}: found an empty cell, expected the {problem.name}, which the bill needs on {problem.day}. The rate of the row "
                "before is taken here. Fill the cell.",
                sheet=sheet,
                cell=cell,
            )
        )
        inputs.tariff = inputs.lasting
    except ValueError:
        return  # said where the bill is made


def _measured(inputs: Inputs, expected: Expected) -> None:
    """What needs no rates: block, energy and power of every interval, per block and in total."""
    if inputs.readings is None or inputs.calendar is None:
        return
    put = expected.values
    energy: dict[str, list[float]] = {}
    peaks: dict[str, tuple[float, datetime]] = {}
    places = _blocks_of_days(inputs.calendar, {start.date() for start in inputs.rows.values()})
    for row, start in inputs.rows.items():
        minute = start.hour * 60 + start.minute
        put["slot.hour", row] = start.hour if inputs.step == 60 else minute // inputs.step * inputs.step / 60
        put["slot.block", row] = places[start.date()][minute]
        put["slot.day_kind", row] = inputs.of_day.get(start.date())
    expected.words["slot.hour"] = lambda row: f"the interval starts at {inputs.rows[row]:%H:%M}"  # type: ignore[index]
    # in order of time: of equal maxima the first counts
    for row, kwh, kw in inputs.readings.sort("start").select("source_row", "kwh_import", "kw").iter_rows():
        start = inputs.rows[row]
        block = places[start.date()][start.hour * 60 + start.minute]
        energy.setdefault(block, []).append(kwh)
        power = kwh * 4 if kw is None else kw
        for name in (block, _ALL):
            if name not in peaks or power > peaks[name][0]:
                peaks[name] = (power, start)
    for block, values in energy.items():
        put["block.kwh", block] = math.fsum(values)
        put["block.max_kw", block], put["block.max_kw_at", block] = peaks[block]
    if peaks:
        put["total.kwh", None] = math.fsum(value for values in energy.values() for value in values)
        put["total.max_kw", None], put["total.max_kw_at", None] = peaks[_ALL]
    for block in _empty_blocks(inputs, energy):
        for name in ("kwh", "energy_cost", "max_kw", "max_kw_at", *_AMOUNTS):
            put[f"block.{name}", block] = 0.0
    if inputs.contract is not None and (factor := inputs.contract.loss_factor) is not None:
        for row, kwh in inputs.readings.select("source_row", "kwh_import").iter_rows():
            put["slot.loss_factor", row], put["slot.loss_amount", row] = float(factor.value), kwh * float(factor.value)


def _blocks_of_days(calendar: DayCalendar, days: Iterable[date]) -> dict[date, list[str]]:
    """The block of every minute of every day."""
    return {day: [block for start, end, block in calendar.day_blocks(day) for _ in range(start, end)] for day in days}


def _empty_blocks(inputs: Inputs, energy: Collection[str]) -> Iterator[str]:
    """Blocks of the calendar or the tariff that have no interval."""
    named = [block for calendar in inputs.kinds.values() for block in calendar.blocks]
    named += [] if inputs.tariff is None else inputs.tariff.blocks
    return (block for block in dict.fromkeys(named) if block not in energy)


def _hours(inputs: Inputs, expected: Expected) -> None:
    """The block of every row of the table of hours; subject: (minute of the day, kind of day)."""
    origins: dict[Hashable, str] = {}
    for kind, calendar in inputs.kinds.items():
        for minute in range(0, 1440, inputs.step):
            block = next(name for start, end, name in calendar.day_blocks(_ANY_DAY) if start <= minute < end)
            row = next(row for row in calendar.rows if any(minute in part for part in row.minutes()))
            expected.values["hour.block", (minute, exactly(kind))] = block
            on = f" on a day {kind}" if kind else ""
            hour = f"hour {minute // 60}" if inputs.step == 60 else f"{minute // 60:02d}:{minute % 60:02d}"
            origins[minute, exactly(kind)] = f"{hour}{on} belongs to {block} ({row.origin})"
    expected.words["hour.block"] = lambda subject: origins.get(subject, "")
    for day, kind in inputs.of_day.items():
        expected.values["kinds.day_kind", day] = kind
        if kind in inputs.columns:
            expected.values["kinds.column", day] = inputs.columns[kind]
    expected.words["kinds.day_kind"] = lambda day: f"{day} is a day {inputs.of_day.get(day, '')}"  # type: ignore[call-overload]


def _day_rates(inputs: Inputs, expected: Expected) -> None:
    tariff, period = inputs.tariff, inputs.period
    if tariff is None or period is None:
        return
    origins: dict[Hashable, str] = {}
    for block in tariff.rates.get(RateKind.DEMAND, {}):
        for day in sorted({*period, *inputs.days}):
            try:
                since, rate = tariff.rate(RateKind.DEMAND, block, day)
            except NotInForce:
                # what no look-up finds is zero in a spreadsheet; where it is charged, the bill is refused
                expected.values["day.demand", (day, block)] = 0.0
                origins[day, block] = f"no demand rate of {block} is in force on {day}"
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
                _priced(readings, inputs.tariff),
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
        for name in SLOTS:
            for row, value in zip(rows, frame[name].to_list(), strict=True):
                if value is not None or name in PRICES:
                    # a price that nobody has for the interval, and that it does not need: a look-up finds zero
                    expected.values[f"slot.{name}", row] = 0.0 if value is None else value
        slot_words(expected, dict(zip(rows, frame.to_dicts(), strict=True)))
    return whole


def _priced(readings: pl.DataFrame, tariff: Tariff) -> pl.DataFrame:
    """Forecasts without a price for missing them, of their own or of the tariff's, are left out: nothing is charged for them."""
    import polars as pl

    if tariff.rates.get(RateKind.COST_NEG):
        return readings
    return readings.with_columns(
        forecast_kwh=pl.when(pl.col("cost_neg").is_null() & pl.lit(bool(readings["cost_neg"].is_not_null().any())))
        .then(None)
        .otherwise("forecast_kwh")
    )


def _bill(inputs: Inputs, expected: Expected) -> Bill | None:
    try:
        return _made(inputs)
    except (NotInForce, NotBillable, ValueError) as problem:
        expected.findings.append(_refused(inputs, problem))
        return None


def _made(inputs: Inputs) -> Bill | None:
    if inputs.readings is None or inputs.contract is None or inputs.tariff is None:
        return None
    if inputs.calendar is None or inputs.period is None:
        return None
    runs = compile_runs(inputs.calendar, inputs.tariff.segments(inputs.period), inputs.timezone)
    readings = _priced(inputs.readings, inputs.tariff)
    return bill(
        inputs.contract,
        inputs.period,
        measure(METER, readings, runs, period=inputs.period, timezone=inputs.timezone),
        inputs.tariff,
        timezone=inputs.timezone,
        calendar_name=inputs.calendar.name,
        corrections=inputs.corrections,
    )


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
        expected.words[f"block.{role}"] = told(expected, f"block.{role}", what + " in {}")
        expected.words[f"total.{role}"] = told(expected, f"total.{role}", what)


def _lines(expected: Expected, made: Bill) -> None:
    for line in made.lines:
        expected.values[f"line.{line.code.value}", None] = float(line.amount)
        expected.words[f"line.{line.code.value}"] = line_words(line)
