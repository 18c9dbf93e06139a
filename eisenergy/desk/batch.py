"""A month of all contracts in one go: readings are read once, looked at once, and summed together.

What a draft is, is said in :mod:`eisenergy.desk.drafting`. Here clean months (:mod:`eisenergy.quality.clean`) take a shorter way to the same
draft; every other month goes through :func:`eisenergy.desk.drafting.draft`.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.accounts import Contract
from eisenergy.billing.corrections import Correction
from eisenergy.billing.engine import NotBillable, in_force
from eisenergy.blockruns import OffGrid, Runs, microseconds
from eisenergy.desk.drafting import NEIGHBOURS, Drafted, Facts, Prepared, prepare, readings_hash, settle
from eisenergy.desk.masters import TOGETHER, Masters
from eisenergy.findings import blocking
from eisenergy.frames import MEASURED
from eisenergy.period import BillingMonth, NotInForce, Period
from eisenergy.quality import clean, course
from eisenergy.quality.checks import DEFAULTS
from eisenergy.quality.estimate import SOURCE
from eisenergy.quality.month import Month
from eisenergy.store import masters
from eisenergy.usage import Usage, measure
from eisenergy.usages import Months, measure_all

_log: Final = logging.getLogger(__name__)
_PRICES: Final = ("loss_factor", "ftpms", "cost_pos", "cost_neg")
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
    arrived: pl.DataFrame
    first: int
    priced: bool
    usage: Usage | None = None
    hashed: str = ""


def _together(
    common: Masters, contracts: Sequence[Contract], month: BillingMonth, corrections: Corrections
) -> Iterator[tuple[Contract, Drafted]]:
    start, end = month.period.utc(common.client.timezone)
    serials = sorted({contract.meter.serial for contract in contracts})
    readings = common.workspace.lake.read(
        common.scope, serials, start - NEIGHBOURS, end + NEIGHBOURS, version=common.lake_version
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
    short = _clean(common, readings, places, known, month)
    _measure(common, readings, short, month.period)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:  # Polars writes outside of Python's lock
        for entry, hashed in zip(
            short.values(), threads.map(lambda item: readings_hash(item.arrived), short.values()), strict=True
        ):
            entry.hashed = hashed
        # Checking and filling is Polars' work, mostly outside of Python's lock; measuring is not to be called by several threads.
        others = [number for number in known if number not in short]
        ready = dict(zip(others, threads.map(lambda number: _prepared(known[number], month), others), strict=True))
    expected = month.period.slots(common.client.timezone)
    for contract in contracts:
        number = contract.number
        if number in refused:
            yield contract, refused[number]
        elif number in short:
            yield contract, _settled(common, short[number], month.period, expected, corrections(contract))
        else:
            mine = ready[number]
            if isinstance(mine, Drafted):
                yield contract, mine
                continue
            runs = _runs(common, contract.tariff, month.period) if mine.period == month.period else None
            yield contract, settle(known[number], mine, corrections(contract), runs=runs)


def _prepared(known: Facts, month: BillingMonth) -> Prepared | Drafted:
    """Check and fill a month; where that fails for a reason nobody foresaw, this contract is parked, and the others go on."""
    number = known.contract.number
    try:
        return prepare(known, month)
    except Exception as problem:
        _log.exception("contract %s: its readings of %s could not be checked", number, month)
        finding = blocking(
            "fault",
            number,
            f"contract {number}: its readings of {month} could not be checked ({type(problem).__name__}). That is a fault of eisenergy, whatever lies in "
            "the readings: report it with the lines of the log. The other customers are drafted.",
        )
        return Drafted(bill=None, input_hash="", findings=(finding,), filled=pl.DataFrame(), period=None, expected=0)


def _runs(common: Masters, tariff: str, period: Period) -> Runs | None:
    """A tariff's calendar over a period, compiled once for all; ``None`` where the draft has to say what is wrong with it."""
    try:
        return common.runs(tariff, period)
    except (NotInForce, NotBillable, OffGrid):
        return None


def without_tariff(contract: Contract, problem: Exception) -> Drafted:
    """Return what comes of a contract whose tariff or calendar is not stored."""
    finding = blocking("no-tariff", contract.number, f"contract {contract.number}: {problem}")
    return Drafted(bill=None, input_hash="", findings=(finding,), filled=pl.DataFrame(), period=None, expected=0)


def _settled(
    common: Masters, entry: _Clean, period: Period, expected: int, corrections: Sequence[Correction]
) -> Drafted:
    ready = Prepared(
        findings=(), arrived=entry.arrived, filled=entry.arrived, ranges=(), period=period, expected=expected
    )
    runs = None if entry.usage is None else common.runs(entry.known.contract.tariff, period)
    return settle(entry.known, ready, corrections, usage=entry.usage, hashed=entry.hashed, runs=runs)


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
    readings: pl.DataFrame,
    places: Mapping[str, tuple[int, int]],
    known: Mapping[str, Facts],
    month: BillingMonth,
) -> dict[str, _Clean]:
    """The contracts that are in force all month and whose month is clean."""
    period, zone = month.period, common.client.timezone
    start, end = map(microseconds, period.utc(zone))
    rows = period.slots(zone)
    instants = readings["start"].to_physical().to_numpy()
    candidates: list[tuple[Facts, int]] = []
    for entry in known.values():
        offset, length = places.get(entry.contract.meter.serial, (0, 0))
        mine = instants[offset : offset + length]
        first, last = np.searchsorted(mine, (start, end))
        if last - first == rows and in_force(entry.contract, period) == period:
            candidates.append((entry, offset + int(first)))
    if not candidates:
        return {}
    floats = {name: _floats(readings[name]) for name, dtype in readings.schema.items() if dtype == pl.Float64()}
    measured = (readings["quality"] == MEASURED).to_numpy()
    turns = (readings["source"] != readings["source"].shift()).fill_null(value=True).to_numpy()
    follows = (readings["source_row"].diff() > 0).fill_null(value=False).to_numpy()
    own = (readings["source"] != SOURCE).to_numpy()
    firsts = np.array([first for _, first in candidates], dtype=np.int64)
    usable = measured & np.isfinite(floats["kwh_import"])
    before = [
        _mean_beside(floats["kwh_import"], usable, places[entry.contract.meter.serial], first, rows)
        for entry, first in candidates
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
            kwh=floats["kwh_import"],
            kwh_export=floats["kwh_export"],
            kw=floats["kw"],
            kvar=floats["kvar"],
            kvarh=floats["kvarh"],
            forecast=floats["forecast_kwh"],
            register=floats["register_kwh"],
            ordered=measured & own & (follows | turns | _begins(len(readings), firsts)),
        ),
        contracted_kw=np.array(contracted),
        before=np.array(before),
        limits=DEFAULTS,
    )
    named = readings["block_in_file"].is_not_null().to_numpy()
    result = {}
    for (entry, first), is_clean in zip(candidates, good.tolist(), strict=True):
        if not is_clean:
            continue
        arrived = readings.slice(first, rows)
        here = slice(first, first + rows)
        files = 1 + int(turns[first + 1 : first + rows].sum())
        if files > 1 and arrived["source"].n_unique() != files:
            continue  # files that alternate: whether one goes back in time is for the check to say
        if named[here].any() and _blocks_differ(arrived, entry, period, ZoneInfo(zone)):
            continue
        priced = any(not np.isnan(floats[name][here]).all() for name in _PRICES)
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


def _blocks_differ(arrived: pl.DataFrame, known: Facts, period: Period, zone: ZoneInfo) -> bool:
    month = Month(
        rows=arrived,
        everything=arrived,
        history=arrived.clear(),
        meter=known.contract.meter.serial,
        period=period,
        zone=zone,
        contracted_kw=None,
        limits=DEFAULTS,
    )
    return any(True for _ in course.blocks(month, known.calendar))


def _measure(common: Masters, readings: pl.DataFrame, short: Mapping[str, _Clean], period: Period) -> None:
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
                entry.usage = measure(serial, entry.arrived, runs, period=period, timezone=common.client.timezone)
        plain = [entry for entry in entries if not entry.priced]
        if not plain:
            continue
        columns = {
            name: _floats(readings[name])
            for name in ("kwh_import", "kwh_export", "kw", "kvar", "kvarh", "forecast_kwh")
        }
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


def _floats(column: pl.Series) -> npt.NDArray[np.float64]:
    return column.fill_null(float("nan")).to_numpy()


def _any(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    return None if np.isnan(column).all() else column
