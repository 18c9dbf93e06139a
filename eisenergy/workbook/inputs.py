"""The inputs of a bill as they stand in a workbook: readings, rates, hours and parameters; never what a formula computed.

A cell that cannot be used is a finding, and what can be computed without it is computed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from eisenergy.accounts import Contract, Customer, Meter, Site, Sourced
from eisenergy.billing.corrections import Correction
from eisenergy.findings import Finding, blocking, warning
from eisenergy.period import Dated, NotInForce, Overlap, Period
from eisenergy.sheets import cell as name_of
from eisenergy.sheets import fold
from eisenergy.tariffs.model import BillingRules, DemandBasis, DeviationMode, LossBasis, RateKind, ScalarKind, Tariff
from eisenergy.timeofuse import BlockHours, CalendarError, DayCalendar
from eisenergy.workbook.book import Book
from eisenergy.workbook.meaning import Thing, Understanding
from eisenergy.workbook.model import Value

if TYPE_CHECKING:
    import polars as pl

METER: Final = "meter"
LONG_AGO: Final = date(1900, 1, 1)
_START: Final = datetime(1899, 12, 30)  # noqa: DTZ001
_NUMBER: Final = re.compile(r"[-+]?\d{1,3}([.,]?\d{3})*([.,]\d+)?|[-+]?\d+([.,]\d+)?")
_DAY: Final = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_HOURS: Final = 24


@dataclass(slots=True, kw_only=True)
class Inputs:
    """What the library bills from.

    :param rows: row of the slot table -> local start of its interval
    :param readings: columns of ``frames.READINGS``; ``source_row`` is the row of the sheet
    :param values: parameter, for example ``param.vat`` -> number
    :param texts: parameter -> text
    :param repeats: rows that bring an interval again, each frame with one row per interval
    :param corrections: what the workbook carries of earlier periods
    """

    timezone: str
    rows: dict[int, datetime] = field(default_factory=dict)
    readings: pl.DataFrame | None = None
    values: dict[str, Sourced] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    tariff: Tariff | None = None
    calendar: DayCalendar | None = None
    contract: Contract | None = None
    period: Period | None = None
    repeats: list[pl.DataFrame] = field(default_factory=list)
    corrections: tuple[Correction, ...] = ()
    findings: list[Finding] = field(default_factory=list)


def collect(book: Book, found: Understanding, timezone: str, tariff: Tariff | None = None) -> Inputs:
    """Read the inputs.

    :param timezone: IANA name of the sheet's dates and times
    :param tariff: to be used instead of the workbook's own rates, which are compared with it
    """
    inputs = Inputs(timezone=timezone)
    _parameters(book, found, inputs)
    _calendar(book, found, inputs)
    own = _tariff(book, found, inputs)
    inputs.tariff = own if tariff is None else tariff
    if tariff is not None and own is not None:
        _compare(book, found, tariff, inputs)
    _slots(book, found, inputs)
    _contract(inputs)
    _corrections(book, found, inputs)
    return inputs


# ------------------------------------------------------------------------------------------------------------ cells


def number_of(value: Value) -> float | None:
    """Return the number in a cell, also one that is a text; ``None`` where there is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        text = value.strip().replace("\u00a0", "").replace(" ", "")
        if _NUMBER.fullmatch(text):
            if "," in text and "." in text:
                decimal = max(",", ".", key=text.rfind)
                text = text.replace("." if decimal == "," else ",", "").replace(decimal, ".")
            return float(text.replace(",", "."))
    return None


def day_of(value: Value) -> datetime | None:
    """Return the local day, or moment, in a cell: a date, a serial number, or a text such as ``15/09/2021``."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001
    if isinstance(value, int | float) and not isinstance(value, bool) and 20_000 < value < 80_000:
        return _START + timedelta(days=round(float(value) * 86_400) / 86_400)
    if isinstance(value, str):
        text = value.strip()
        try:
            return datetime.fromisoformat(text).replace(tzinfo=None)
        except ValueError:
            if match := _DAY.match(text):
                try:
                    return datetime(int(match[3]), int(match[2]), int(match[1]))  # noqa: DTZ001
                except ValueError:
                    return None
    return None


def minutes_of(value: Value) -> int | None:
    """Return the minutes since midnight in a cell: a time, a fraction of a day, a moment, or a text such as ``18:15``."""
    if isinstance(value, datetime):
        return value.hour * 60 + value.minute
    if isinstance(value, time):
        return value.hour * 60 + value.minute
    if isinstance(value, timedelta):
        return round(value.total_seconds() / 60)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return round(float(value) * 1440)
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d{1,2}):(\d\d)(:\d\d)?\s*", value)):
        return int(match[1]) * 60 + int(match[2])
    return None


def exact(value: float) -> Decimal:
    """Return a cell's number as it is shown: the shortest decimal that is this number."""
    return Decimal(repr(value)) if value != int(value) or abs(value) > 1e15 else Decimal(int(value))


def _origin(thing: Thing, place: tuple[int, int]) -> str:
    return f"{thing.sheet}!{name_of(place[0] - 1, place[1] - 1)}"


def _at(thing: Thing, place: tuple[int, int]) -> dict[str, str]:
    return {"sheet": thing.sheet, "cell": name_of(place[0] - 1, place[1] - 1)}


def _values(book: Book, thing: Thing | None, *, typed: bool = False) -> dict[int, tuple[tuple[int, int], Value]]:
    """Row -> (place, value) of a column; where it is a column of formulas, numbers typed over them are none of its values."""
    if thing is None:
        return {}
    grid = book.grids[thing.sheet]
    formulas = set(thing.formulas)
    mostly = len(formulas) * 2 > len(thing.cells)
    return {
        place[0]: (place, grid.values.get(place))
        for place in thing.cells
        if (not mostly or typed or place in formulas) and (typed or not mostly)
    }


# ------------------------------------------------------------------------------------------------------- parameters


def _parameters(book: Book, found: Understanding, inputs: Inputs) -> None:
    for thing in found.things:
        if not thing.role.startswith("param."):
            continue
        place = thing.cells[0]
        value = book.grids[thing.sheet].values.get(place)
        if isinstance(value, str) and (number := number_of(value)) is None:
            inputs.texts[thing.role] = value
            continue
        number = number_of(value)
        if number is None:
            moment = day_of(value)
            if moment is not None:
                inputs.texts[thing.role] = moment.date().isoformat()
            continue
        inputs.values[thing.role] = Sourced(exact(number), _origin(thing, place))


# --------------------------------------------------------------------------------------------------------- calendar


def _calendar(book: Book, found: Understanding, inputs: Inputs) -> None:
    rows = _hour_rows(book, found, inputs) or _single_hours(book, found)
    if not rows:
        return
    try:
        inputs.calendar = DayCalendar(name="workbook", rows=tuple(rows))
    except CalendarError as problem:
        thing = found.one("hours.first") or found.one("hour.hour")
        assert thing is not None
        inputs.findings.append(
            blocking(
                "bad-hours",
                thing.sheet,
                f"{book.file}: {problem} Correct the table of hours.",
                sheet=thing.sheet,
                cell=name_of(thing.cells[0][0] - 1, thing.cells[0][1] - 1),
            )
        )
        inputs.calendar = _first_wins(rows)


def _hour_rows(book: Book, found: Understanding, inputs: Inputs) -> list[BlockHours]:
    first, last, block = (_values(book, found.one(f"hours.{name}")) for name in ("first", "last", "block"))
    thing = found.one("hours.first")
    if thing is None or not last or not block:
        return []
    rows = []
    for row, (place, value) in first.items():
        start, end = number_of(value), number_of(last.get(row, (place, None))[1])
        name = block.get(row, (place, None))[1]
        if start is None or end is None or name is None or not (0 <= start < _HOURS and 0 <= end <= _HOURS):
            inputs.findings.append(
                blocking(
                    "bad-hours",
                    thing.sheet,
                    f"{_origin(thing, place)}: found {value!r} to {last.get(row, (place, None))[1]!r} for {name!r}, expected the first and "
                    "the last hour (0 to 23) of a block. Correct the row.",
                    **_at(thing, place),
                )
            )
            continue
        rows.append(
            BlockHours(
                start_minute=int(start * 60),
                end_minute=min(1440, int(end * 60) + 60),
                block=found.block_of(name) or str(name).strip(),
                origin=_origin(thing, place),
            )
        )
    return rows


def _single_hours(book: Book, found: Understanding) -> list[BlockHours]:
    """The table of 24 hours, where it is an input itself."""
    hour, block = found.one("hour.hour"), found.one("hour.block")
    if hour is None or block is None or block.formulas:
        return []
    names = _values(book, block)
    rows = []
    for row, (place, value) in _values(book, hour).items():
        number, name = number_of(value), names.get(row, (place, None))[1]
        if number is not None and name is not None and 0 <= number < _HOURS:
            rows.append(
                BlockHours(
                    start_minute=int(number) * 60,
                    end_minute=int(number) * 60 + 60,
                    block=found.block_of(name) or str(name).strip(),
                    origin=_origin(hour, place),
                )
            )
    return rows


def _first_wins(rows: list[BlockHours]) -> DayCalendar | None:
    """A calendar in which the first row that claims an hour has it, as a look-up in a spreadsheet finds it."""
    hours: dict[int, str] = {}
    for row in rows:
        for part in row.minutes():
            for minute in range(part.start, part.stop, 60):
                hours.setdefault(minute // 60, row.block)
    if len(hours) < _HOURS:
        return None
    return DayCalendar(
        name="workbook",
        rows=tuple(BlockHours(start_minute=h * 60, end_minute=h * 60 + 60, block=hours[h]) for h in sorted(hours)),
    )


# ----------------------------------------------------------------------------------------------------------- tariff


def _tariff(book: Book, found: Understanding, inputs: Inputs) -> Tariff | None:
    block, since = found.one("rates.block"), found.one("rates.from")
    if block is None or since is None:
        return None
    blocks, starts = _values(book, block), _values(book, since)
    rates: dict[RateKind, dict[str, Dated[Sourced]]] = {}
    for kind in RateKind:
        thing = found.one(f"rates.{kind.value}")
        if thing is None:
            continue
        by_block: dict[str, list[tuple[date, Sourced]]] = {}
        for row, (place, value) in _values(book, thing).items():
            number, start = number_of(value), day_of(starts.get(row, (place, None))[1])
            name = found.block_of(blocks.get(row, (place, None))[1])
            if number is None or start is None or name is None:
                if value is not None:
                    inputs.findings.append(_bad_rate(thing, place, value, start, name))
                continue
            by_block.setdefault(name, []).append((start.date(), Sourced(exact(number), _origin(thing, place))))
        rates[kind] = {
            name: _dated(f"{kind.value} rate of {name}", pairs, thing, inputs) for name, pairs in by_block.items()
        }
    if ftpms := inputs.values.get("param.ftpms"):
        rates.setdefault(
            RateKind.FTPMS, {name: Dated.of("FTPMS", ((LONG_AGO, ftpms),)) for name in found.blocks.values()}
        )
    scalars = {
        kind: Dated.of(kind.value, ((LONG_AGO, inputs.values[role]),))
        for kind, role in ((ScalarKind.VAT_RATE, "param.vat"),)
        if role in inputs.values
    }
    return Tariff(
        name="workbook",
        currency="USD",
        calendar="workbook",
        rates=rates,
        scalars=scalars,
        rules=_rules(book, found, inputs, rates),
    )


def _bad_rate(thing: Thing, place: tuple[int, int], value: Value, start: datetime | None, name: str | None) -> Finding:
    what = "no first day of validity" if start is None else "no block" if name is None else "no number"
    return blocking(
        "bad-rate",
        thing.sheet,
        f"{_origin(thing, place)}: found {value!r} with {what} in its row, expected a rate with its block and first day. Correct the row.",
        **_at(thing, place),
    )


def _dated(name: str, pairs: list[tuple[date, Sourced]], thing: Thing, inputs: Inputs) -> Dated[Sourced]:
    try:
        return Dated.of(name, tuple(pairs))
    except Overlap as problem:
        seen: dict[date, Sourced] = {}
        for start, value in pairs:
            if start in seen:
                place = value.origin.rpartition("!")[2]
                inputs.findings.append(
                    blocking("rates-overlap", thing.sheet, f"{value.origin}: {problem}", sheet=thing.sheet, cell=place)
                )
            seen.setdefault(start, value)
        return Dated.of(name, tuple(seen.items()))


def _rules(
    book: Book, found: Understanding, inputs: Inputs, rates: dict[RateKind, dict[str, Dated[Sourced]]]
) -> BillingRules:
    texts = {role: fold(text) for role, text in inputs.texts.items()}
    demand = rates.get(RateKind.DEMAND, {})
    block = found.block_of(inputs.texts.get("param.demand_rate_block")) or _block_in_formula(book, found, "line.demand")
    if "param.ftpms_blocks" in inputs.texts:
        named = [found.block_of(part) for part in re.split(r"[,;/]| y | and ", inputs.texts["param.ftpms_blocks"])]
        applies = tuple(one for one in named if one)
    elif found.one("rates.ftpms") is not None:
        applies = tuple(rates.get(RateKind.FTPMS, {}))
    else:
        applies = tuple(name for name in found.blocks.values() if name.upper() in ("PUNTA", "PEAK"))
        if not applies and (named_block := _block_in_formula(book, found, "slot.ftpms")):
            applies = (named_block,)
    return BillingRules(
        demand_basis=DemandBasis.BLOCK_MAX
        if texts.get("param.demand_basis") in ("block max", "maximo por bloque", "por bloque")
        else DemandBasis.PERIOD_MAX,
        demand_rate_block=block if block in demand else next(iter(demand), None),
        loss_basis=LossBasis.ENERGY
        if texts.get("param.loss_basis") in ("energy", "energia")
        else LossBasis.CHARGE_PER_KWH,
        ftpms_blocks=applies,
        deviation_mode=DeviationMode.BOTH
        if texts.get("param.deviation_mode") in ("both", "ambas", "ambos")
        else DeviationMode.SHORTFALL,
    )


def _block_in_formula(book: Book, found: Understanding, role: str) -> str | None:
    thing = found.one(role)
    if thing is None or not thing.formulas:
        return None
    texts = re.findall(r'"([^"]*)"', book.grids[thing.sheet].formulas[thing.formulas[0]])
    return next((block for text in texts if (block := found.block_of(text))), None)


def _compare(book: Book, found: Understanding, tariff: Tariff, inputs: Inputs) -> None:
    """Compare the workbook's rates with a tariff given from outside."""
    block, since = _values(book, found.one("rates.block")), _values(book, found.one("rates.from"))
    for kind in RateKind:
        thing = found.one(f"rates.{kind.value}")
        for row, (place, value) in _values(book, thing).items():
            number, start = number_of(value), day_of(since.get(row, (place, None))[1])
            name = found.block_of(block.get(row, (place, None))[1])
            if thing is None or number is None or start is None or name is None or kind not in tariff.rates:
                continue
            try:
                given = tariff.rate(kind, name, start.date())[1]
            except NotInForce as problem:
                given, why = None, str(problem)
            if given is not None and given.value == exact(number):
                continue
            why = why if given is None else f"{given.value} ({given.origin})"
            inputs.findings.append(
                blocking(
                    "rate-differs",
                    thing.sheet,
                    f"{_origin(thing, place)}: found {number:g} as {kind.value} rate of {name} from {start:%Y-%m-%d}, expected {why}. "
                    f"Correct the cell, or the tariff {tariff.name}.",
                    **_at(thing, place),
                )
            )


# ------------------------------------------------------------------------------------------------------------ slots


def _slots(book: Book, found: Understanding, inputs: Inputs) -> None:
    import polars as pl

    from eisenergy.frames import conform

    dates, times, stamps = (_values(book, found.one(f"slot.{name}"), typed=True) for name in ("date", "time", "stamp"))
    kwh = found.one("slot.kwh")
    columns = {
        name: _values(book, found.one(f"slot.{role}"))
        for name, role in (
            ("kwh_import", "kwh"),
            ("kw", "kw"),
            ("kva", "kva"),
            ("kvar", "kvar"),
            ("forecast_kwh", "forecast"),
            ("loss_factor", "loss_factor"),
            ("ftpms", "ftpms"),
            ("cost_pos", "cost_pos"),
            ("cost_neg", "cost_neg"),
        )
    }
    if kwh is None or not (dates or stamps):
        return
    zone = ZoneInfo(inputs.timezone)
    rows = []
    for place in kwh.cells:
        row = place[0]
        energy = number_of(columns["kwh_import"].get(row, (place, None))[1])
        start = _start(dates.get(row), times.get(row), stamps.get(row))
        if start is None:
            if energy is not None:
                thing = found.one("slot.date") or found.one("slot.stamp") or kwh
                inputs.findings.append(
                    blocking(
                        "row-without-time",
                        thing.sheet,
                        f"{_origin(thing, (row, thing.column))}: the row has {energy:g} kWh, but no date and time that can be read. "
                        "Type them as a date and a time.",
                        **_at(thing, (row, thing.column)),
                    )
                )
            continue
        inputs.rows[row] = start
        if energy is None:
            continue
        figures = {name: number_of(column[row][1]) for name, column in columns.items() if row in column}
        rows.append(
            {
                "client": "workbook",
                "meter": METER,
                "start": start.replace(tzinfo=zone).astimezone(UTC),
                **figures,
                "quality": "measured",
                "source": book.file,
                "source_row": row,
            }
        )
    if not rows:
        return
    frame = pl.DataFrame(rows, infer_schema_length=None)
    repeated = frame.filter(~pl.col("start").is_first_distinct())
    for row in repeated["source_row"].to_list():
        inputs.findings.append(
            blocking(
                "slot-repeated",
                kwh.sheet,
                f"{_origin(kwh, (row, kwh.column))}: the interval {inputs.rows[row]:%Y-%m-%d %H:%M} stands in another row already. Expected "
                "one row per interval. Remove one of them.",
                **_at(kwh, (row, kwh.column)),
            )
        )
    inputs.readings = conform(frame.filter(pl.col("start").is_first_distinct()))
    while not repeated.is_empty():
        inputs.repeats.append(conform(repeated.filter(pl.col("start").is_first_distinct())))
        repeated = repeated.filter(~pl.col("start").is_first_distinct())
    days = sorted({moment.date() for moment in inputs.rows.values()})
    inputs.period = Period(days[0], days[-1] + timedelta(days=1))
    expected = len(range((days[-1] - days[0]).days + 1)) * 96
    if inputs.readings.height != expected:
        inputs.findings.append(
            warning(
                "slots-missing",
                kwh.sheet,
                f"{kwh.sheet}: {inputs.readings.height} intervals from {days[0]} to {days[-1]}, expected {expected} of 15 minutes. Fill the "
                "missing ones, or say why they are missing.",
                sheet=kwh.sheet,
                cell=name_of(kwh.cells[0][0] - 1, kwh.column - 1),
            )
        )


def _start(
    day: tuple[tuple[int, int], Value] | None,
    clock: tuple[tuple[int, int], Value] | None,
    stamp: tuple[tuple[int, int], Value] | None,
) -> datetime | None:
    if stamp is not None:
        return day_of(stamp[1])
    moment = day_of(day[1]) if day is not None else None
    if moment is None:
        return None
    if clock is None:
        return moment
    minutes = minutes_of(clock[1])
    return None if minutes is None else datetime(moment.year, moment.month, moment.day) + timedelta(minutes=minutes)  # noqa: DTZ001


def _contract(inputs: Inputs) -> None:
    if inputs.period is None or inputs.tariff is None:
        return
    nothing = ""
    customer = Customer(
        code="workbook",
        name=inputs.texts.get("param.customer", nothing),
        **dict.fromkeys(("nit", "ncr", "address", "municipality", "phone", "email", "activity"), nothing),
    )
    inputs.contract = Contract(
        number="workbook",
        customer=customer,
        meter=Meter(serial=METER, site=Site(node=nothing, municipality=nothing, address=nothing)),
        tariff=inputs.tariff.name,
        contracted_kw=inputs.values.get("param.contracted_kw"),
        loss_factor=inputs.values.get("param.loss_factor"),
        municipal_fee=inputs.values.get("param.municipal_fee"),
        retention_rate=inputs.values.get("param.retention"),
        discount_rate=inputs.values.get("param.discount"),
        start=inputs.period.start,
    )


def _corrections(book: Book, found: Understanding, inputs: Inputs) -> None:
    """The corrections of earlier periods that the workbook carries: an input, whatever its cell is."""
    thing = found.one("line.correction")
    if thing is None or inputs.period is None:
        return
    place = thing.cells[0]
    number = number_of(book.grids[thing.sheet].values.get(place))
    if number is not None:
        origin = _origin(thing, place)
        inputs.corrections = (
            Correction(period=inputs.period, month="", invoice="", difference=exact(number), origin=origin),
        )
