"""A month of all contracts in one go: readings are read once, looked at once, and summed together.

What a draft is, is said in :mod:`eisenergy.desk.drafting`. Here clean months (:mod:`eisenergy.quality.clean`) take a shorter way to the same
draft; every other month goes through :func:`eisenergy.desk.drafting.draft`.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.accounts import Contract
from eisenergy.billing.corrections import Correction
from eisenergy.billing.engine import NotBillable, in_force
from eisenergy.blockruns import OffGrid, Runs, microseconds
from eisenergy.desk.drafting import NEIGHBOURS, Drafted, Facts, Prepared, prepare, settle
from eisenergy.desk.fingerprint import rows_hash
from eisenergy.desk.masters import TOGETHER, Masters
from eisenergy.desk.metering import PRICES, metered
from eisenergy.findings import blocking
from eisenergy.period import BillingMonth, NotInForce, Period
from eisenergy.quality import clean, course
from eisenergy.quality.checks import DEFAULTS
from eisenergy.quality.month import Month
from eisenergy.quality.rows import Rows
from eisenergy.store import masters
from eisenergy.usage import Usage
from eisenergy.usages import Months, measure_all

_log: Final = logging.getLogger(__name__)
Corrections = Callable[[Contract], tuple[Correction, ...]]


def draft_all(
    common: Masters, contracts: Sequence[Contract], month: BillingMonth, corrections: Corrections
) -> Iterator[tuple[Contract, Drafted]]:
    """Draft the bills of many contracts, in their order; each is what :func:`eisenergy.desk.drafting.draft` makes of it.

    :param corrections: differences of earlier periods that a contract's bill carries
    """
    for begin in range(0, len(contracts), TOGETHER):
        yield from _together(common, contracts[begin : begin + TOGETHER], month, corrections)


@dataclass(slots=True)
class _Clean:
    """A clean month of a contract, on its way to the draft."""

    known: Facts
    arrived: Rows
    first: int
    priced: bool
    usage: Usage | None = None


class Together(NamedTuple):
    """Readings of some contracts, read at once.

    :param table: of all meters, one after the other, each in order of time
    :param places: serial -> (first row, rows)
    :param known: contract -> what its bill is made from
    :param refused: contract -> what comes of it without its tariff
    """

    table: Rows
    places: Mapping[str, tuple[int, int]]
    known: Mapping[str, Facts]
    refused: Mapping[str, Drafted]

    def prepared(self, number: str, month: BillingMonth) -> Prepared:
        """Check and fill a month; where that fails for a reason nobody foresaw, this contract is parked, and the others go on."""
        known = self.known[number]
        first, size = self.places.get(known.contract.meter.serial, (0, 0))
        try:
            return prepare(known, month, self.table.part(first, first + size))
        except Exception as problem:
            _log.exception("contract %s: its readings of %s could not be checked", number, month)
            finding = blocking(
                "fault",
                number,
                f"contract {number}: its readings of {month} could not be checked ({type(problem).__name__}). That is a fault of eisenergy, whatever "
                "lies in the readings: report it with the lines of the log. The other customers are drafted.",
            )
            nothing = Rows(pl.DataFrame())
            return Prepared(findings=(finding,), arrived=nothing, rows=nothing, ranges=(), period=None, expected=0)


def read_together(common: Masters, contracts: Sequence[Contract], month: BillingMonth) -> Together:
    """Read a month of some contracts, and its neighbours."""
    start, end = month.period.utc(common.client.timezone)
    serials = {contract.meter.serial for contract in contracts if in_force(contract, month.period) is not None}
    readings = common.workspace.lake.read(
        common.scope, sorted(serials), start - NEIGHBOURS, end + NEIGHBOURS, version=common.lake_version
    )
    places = _places(readings["meter"])
    known: dict[str, Facts] = {}
    refused: dict[str, Drafted] = {}
    for contract in contracts:
        try:
            rows = readings.slice(*places.get(contract.meter.serial, (0, 0)))
            known[contract.number] = common.facts(contract, rows)
        except masters.NotStored as problem:
            refused[contract.number] = without_tariff(contract, problem)
    return Together(Rows(readings), places, known, refused)


def _together(
    common: Masters, contracts: Sequence[Contract], month: BillingMonth, corrections: Corrections
) -> Iterator[tuple[Contract, Drafted]]:
    read = read_together(common, contracts, month)
    short = _clean(common, read.table, read.places, read.known, month)
    _measure(common, read.table, short, month.period)
    expected = month.period.slots(common.client.timezone)
    for contract in contracts:
        number = contract.number
        if number in read.refused:
            yield contract, read.refused[number]
        elif number in short:
            yield contract, _settled(common, short[number], month.period, expected, corrections(contract))
        else:
            mine = read.prepared(number, month)
            runs = None if mine.period is None else _runs(common, contract.tariff, mine.period)
            yield contract, settle(read.known[number], mine, corrections(contract), runs=runs)


def _runs(common: Masters, tariff: str, period: Period) -> Runs | None:
    """A tariff's calendar over a period, compiled once for all; ``None`` where the draft has to say what is wrong with it."""
    try:
        return common.runs(tariff, period)
    except (NotInForce, NotBillable, OffGrid):
        return None


def without_tariff(contract: Contract, problem: Exception) -> Drafted:
    """Return what comes of a contract whose tariff or calendar is not stored."""
    finding = blocking("no-tariff", contract.number, f"contract {contract.number}: {problem}")
    return Drafted(bill=None, input_hash="", findings=(finding,), rows=Rows(pl.DataFrame()), period=None, expected=0)


def _settled(
    common: Masters, entry: _Clean, period: Period, expected: int, corrections: Sequence[Correction]
) -> Drafted:
    rows = entry.arrived
    ready = Prepared(findings=(), arrived=rows, rows=rows, ranges=(), period=period, expected=expected)
    runs = None if entry.usage is None else common.runs(entry.known.contract.tariff, period)
    return settle(entry.known, ready, corrections, usage=entry.usage, hashed=rows_hash(rows), runs=runs)


def _places(meters: pl.Series) -> dict[str, tuple[int, int]]:
    """Serial -> (first row, rows), of a column in which each meter's rows follow one another."""
    runs = meters.rle().struct.unnest()
    places, first = {}, 0
    for length, meter in runs.select("len", "value").iter_rows():
        places[meter] = (first, length)
        first += length
    return places


def _clean(
    common: Masters,
    table: Rows,
    places: Mapping[str, tuple[int, int]],
    known: Mapping[str, Facts],
    month: BillingMonth,
) -> dict[str, _Clean]:
    """The contracts that are in force all month and whose month is clean."""
    period, zone = month.period, common.client.timezone
    start, end = map(microseconds, period.utc(zone))
    rows = period.slots(zone)
    instants = np.ascontiguousarray(table.start)
    candidates: list[tuple[Facts, int]] = []
    for entry in known.values():
        offset, length = places.get(entry.contract.meter.serial, (0, 0))
        mine = instants[offset : offset + length]
        first, last = np.searchsorted(mine, (start, end))
        if last - first == rows and in_force(entry.contract, period) == period:
            candidates.append((entry, offset + int(first)))
    if not candidates:
        return {}
    measured, turns, kwh = table.measured, table.turns, table.column("kwh_import")
    follows = np.diff(table.source_row, prepend=table.source_row[:1]) > 0
    firsts = np.array([first for _, first in candidates], dtype=np.int64)
    usable = measured & np.isfinite(kwh)
    before = [
        _mean_beside(kwh, usable, places[entry.contract.meter.serial], first, rows) for entry, first in candidates
    ]
    contracted = [
        float("nan") if entry.contract.contracted_kw is None else float(entry.contract.contracted_kw.value)
        for entry, _ in candidates
    ]
    good = clean.clean(
        firsts,
        np.full(len(candidates), start, dtype=np.int64),
        rows,
        clean.Columns(
            start=instants,
            kwh=kwh,
            kwh_export=table.column("kwh_export"),
            kw=table.column("kw"),
            kvar=table.column("kvar"),
            kvarh=table.column("kvarh"),
            forecast=table.column("forecast_kwh"),
            register=table.column("register_kwh"),
            ordered=measured & ~table.made_here & (follows | turns | _begins(len(table), firsts)),
        ),
        contracted_kw=np.array(contracted),
        before=np.array(before),
        limits=DEFAULTS,
    )
    result = {}
    for (entry, first), is_clean in zip(candidates, good.tolist(), strict=True):
        if not is_clean:
            continue
        arrived = table.part(first, first + rows)
        sources = arrived.sources()
        if len(set(sources)) != len(sources):
            continue  # files that alternate: whether one goes back in time is for the check to say
        if arrived.names_block.any() and _blocks_differ(arrived, entry, period, ZoneInfo(zone)):
            continue
        priced = any(not np.isnan(arrived.column(name)).all() for name in PRICES)
        result[entry.contract.number] = _Clean(known=entry, arrived=arrived, first=first, priced=priced)
    return result


def _begins(rows: int, firsts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Rows with which a month begins: what lies before them is no matter to it."""
    result = np.zeros(rows, dtype=np.bool_)
    result[firsts] = True
    return result


def _mean_beside(
    kwh: npt.NDArray[np.float64], usable: npt.NDArray[np.bool_], place: tuple[int, int], first: int, rows: int
) -> float:
    """Mean energy of the measured intervals before and after a month; NaN without any."""
    beside = np.r_[place[0] : first, first + rows : place[0] + place[1]]
    values = kwh[beside][usable[beside]]
    return float(values.mean()) if len(values) else float("nan")


def _blocks_differ(arrived: Rows, known: Facts, period: Period, zone: ZoneInfo) -> bool:
    month = Month(
        all=arrived,
        beside=arrived,
        meter=known.contract.meter.serial,
        period=period,
        zone=zone,
        contracted_kw=None,
        limits=DEFAULTS,
    )
    return any(True for _ in course.blocks(month, known.calendar))


def _measure(common: Masters, table: Rows, short: Mapping[str, _Clean], period: Period) -> None:
    """Sum the clean months, those of one tariff together; what cannot be compiled is said when it is settled."""
    together: dict[str, list[_Clean]] = defaultdict(list)
    for entry in short.values():
        together[entry.known.contract.tariff].append(entry)
    for tariff, entries in together.items():
        try:
            runs = common.runs(tariff, period)
        except (NotInForce, NotBillable, OffGrid):
            continue
        for entry in entries:
            if entry.priced:
                serial = entry.known.contract.meter.serial
                entry.usage = metered(serial, entry.arrived, runs, period=period, timezone=common.client.timezone)
        plain = [entry for entry in entries if not entry.priced]
        if not plain:
            continue
        names = ("kwh_import", "kwh_export", "kw", "kvar", "kvarh", "forecast_kwh")
        columns = {name: table.column(name) for name in names}
        kwh, hours = columns["kwh_import"], runs.minutes / 60
        reactive = np.where(np.isnan(columns["kvarh"]), columns["kvar"] * hours, columns["kvarh"])
        months = Months(
            first=np.array([entry.first for entry in plain], dtype=np.int64),
            kwh=kwh,
            kw=np.where(np.isnan(columns["kw"]), kwh * (1.0 / hours), columns["kw"]),
            kwh_export=_any(columns["kwh_export"]),
            kvarh=_any(reactive),
            forecast=_any(columns["forecast_kwh"]),
        )
        usages = measure_all([entry.known.contract.meter.serial for entry in plain], months, runs)
        for entry, usage in zip(plain, usages, strict=True):
            entry.usage = usage


def _any(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    return None if np.isnan(column).all() else column
