"""Whole, clean months of many contracts: read, looked at, summed and hashed together, up to the batch that is priced.

Whatever is not whole (:mod:`eisenergy.store.grid`) or not clean (:mod:`eisenergy.quality.clean`) is left to
:mod:`eisenergy.desk.batch`; what it says of the others is what that would say.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

import eisenergy
from eisenergy import kernels
from eisenergy.billing.batch import Batch, Member, Packed, Terms
from eisenergy.billing.corrections import Correction
from eisenergy.billing.engine import NotBillable
from eisenergy.blockruns import OffGrid, Runs, microseconds
from eisenergy.compiled import numba
from eisenergy.desk.clean_months import any_row, as_named, judged, nothing, starts
from eisenergy.desk.drafting import NEIGHBOURS
from eisenergy.desk.fingerprint import BILLED, of_months
from eisenergy.desk.masters import Masters
from eisenergy.period import BillingMonth, NotInForce, Period
from eisenergy.places import SLOT_US
from eisenergy.pricesets import sum_priced
from eisenergy.spares import Spares
from eisenergy.store.grid import Grid, give_back, grid
from eisenergy.store.layout import Layout
from eisenergy.store.masters import NotStored
from eisenergy.store.monthrows import Files
from eisenergy.store.roster import Listed
from eisenergy.usage import CellSums, SlotPrices
from eisenergy.usages import Months, sum_all

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Corrections = Callable[[str], tuple[Correction, ...]]

AT_A_TIME: Final = 250
"""Meters that are read together at most; where it is known what is unpacked together, a group ends there, after some 180."""

AT_FIRST: Final = 60
"""Meters of the first group, and of the second: whoever prices and writes has something to do the sooner."""

READERS: Final = 2
"""Threads that read, look and sum; whoever prices waits for none of them."""

BATCH: Final = 125
"""Contracts that are priced together."""

_PRICES: Final = ("loss_factor", "ftpms", "cost_pos", "cost_neg")
_NO_PRICES: Final = (SlotPrices(),)
_KERNELS: Final = threading.Lock()
"""The kernels' threads are not to be called from several."""


class _Facts(NamedTuple):
    """What the readings say of a contract besides sums; see :class:`eisenergy.billing.batch.Member`."""

    entry: Listed
    readings_hash: str
    sources: Mapping[str, str]
    has_forecast: bool
    prices: tuple[SlotPrices, ...]


class _Measured(NamedTuple):
    """Contracts of one tariff, and the sums of their meters in their order; ``groups`` cells per (segment, block)."""

    terms: Terms
    facts: Sequence[_Facts]
    cells: CellSums
    groups: int


def whole_months(
    common: Masters,
    listed: Sequence[Listed],
    month: BillingMonth,
    corrections: Corrections,
    basis: Callable[[Listed], str],
    through: Callable[[Sequence[Listed]], None] = lambda _: None,
) -> Iterator[Batch]:
    """Yield the contracts whose month is whole and clean, in batches that can be priced.

    :param corrections: number of a contract -> differences of earlier periods that its bill carries
    :param basis: see :class:`eisenergy.billing.batch.Member`
    :param through: called with contracts of which nothing more will be yielded
    """
    period = month.period
    candidates = []
    for entry in listed:
        try:
            common.runs(entry.tariff, period)
        except (NotStored, NotInForce, NotBillable, OffGrid):
            continue  # said where it is drafted
        if entry.contracted_kw is not None and _all_period(entry, period):
            candidates.append(entry)
    chosen = {entry.number for entry in candidates}
    through([entry for entry in listed if entry.number not in chosen])
    candidates.sort(key=lambda entry: entry.meter)
    if not candidates:
        return
    start, end = period.utc(common.client.timezone)
    first, later = _first(candidates)
    files = Files(common.workspace.lake, common.scope, common.lake_version, laid_out=bool(later))
    around = (start - NEIGHBOURS, end + NEIGHBOURS)
    spares = Spares()

    def measured(group: Sequence[Listed]) -> list[_Measured]:
        found = grid(files, {entry.meter for entry in group}, start, end, around=around, spares=spares)
        hashes = _hashes(found, microseconds(start))
        with _KERNELS:
            result = list(_measure(common, group, found, hashes, period))
        give_back(found, spares)
        return result

    # Processes price meanwhile: threads of a kernel that wait for each other would take their time.
    with ThreadPoolExecutor(READERS, initializer=numba.set_num_threads, initargs=(1,)) as readers:
        ahead = deque(first)
        reading: deque[tuple[Sequence[Listed], Future[list[_Measured]]]] = deque()
        looked: Future[None] | None = None
        while ahead or reading or later:
            while len(reading) <= READERS:
                if not ahead and looked is not None and later and (looked.done() or not reading):
                    looked.result()
                    ahead, later = deque(_groups(later, files.layout(f"{start:%Y-%m}"))), ()
                if not ahead:
                    break
                reading.append((ahead[0], readers.submit(measured, ahead.popleft())))
                if later and looked is None:  # while the first are read
                    looked = readers.submit(files.look, *around)
            import_module("eisenergy.quality.cleankernel")  # what judges is loaded while the first are read
            group, found = reading.popleft()
            for one in found.result():
                yield from _batches(one, corrections, basis)
            through(group)


def _first(candidates: Sequence[Listed]) -> tuple[list[Sequence[Listed]], Sequence[Listed]]:
    """The first groups, and the contracts that come after them: few are one group."""
    if len(candidates) <= AT_A_TIME:
        return [candidates], ()
    size = min(AT_FIRST, AT_A_TIME)
    return [candidates[:size], candidates[size : 2 * size]], candidates[2 * size :]


def _groups(candidates: Sequence[Listed], layout: Layout | None) -> list[Sequence[Listed]]:
    """Contracts in order of their meters by the group: as many as are unpacked together, where that is known.

    :param layout: of the month's files
    """
    begins = [0]
    packed = None
    known = [None] * len(candidates) if layout is None else layout.packed([entry.meter for entry in candidates])
    for n, now in enumerate(known):
        since = n - begins[-1]
        if since == AT_A_TIME or (now is not None and now != packed and since >= AT_A_TIME // 2):
            begins.append(n)
        packed = now or packed
    return [candidates[a:b] for a, b in itertools.pairwise([*begins, len(candidates)])]


def _all_period(entry: Listed, period: Period) -> bool:
    return entry.start <= period.start and (entry.end is None or entry.end >= period.end)


def _measure(
    common: Masters, group: Sequence[Listed], found: Grid, hashes: Sequence[str], period: Period
) -> Iterator[_Measured]:
    """Say of which contracts the month is whole and clean, and what their meters did; by tariff, and those with prices apart."""
    start = microseconds(period.utc(common.client.timezone)[0])
    place = {meter: number for number, meter in enumerate(found.meters)}
    contracted = np.full(len(found.meters), np.nan)
    for entry in group:
        assert entry.contracted_kw is not None
        contracted[place[entry.meter]] = entry.contracted_kw
    good, turns = judged(found, start, contracted)
    by_tariff: dict[str, list[Listed]] = defaultdict(list)
    for entry in group:
        if good[place[entry.meter]]:
            by_tariff[entry.tariff].append(entry)
    priced, forecast = any_row(found, *_PRICES), any_row(found, "forecast_kwh")
    for tariff, entries in by_tariff.items():
        runs = common.runs(tariff, period)
        named = as_named(found, runs)
        for own in (False, True):
            mine = [e for e in entries if priced[place[e.meter]] == own and named[place[e.meter]]]
            numbers = np.array([place[entry.meter] for entry in mine], dtype=np.int64)
            if not mine:
                continue
            cells, groups, prices = _summed(found, numbers, runs, start, priced=own)
            facts = [
                _Facts(
                    entry,
                    hashes[number],
                    _sources(found, number, common.names, single=bool(turns[number] == 1)),
                    bool(forecast[number]),
                    prices[n] if own else _NO_PRICES,
                )
                for n, (entry, number) in enumerate(zip(mine, numbers.tolist(), strict=True))
            ]
            yield _Measured(_terms(common, tariff, period, runs), facts, cells, groups)


def _batches(found: _Measured, corrections: Corrections, basis: Callable[[Listed], str]) -> Iterator[Batch]:
    kept = [n for n, one in enumerate(found.facts) if one.prices]
    for a in range(0, len(kept), BATCH):
        these = kept[a : a + BATCH]
        members = tuple(
            Member(
                number=one.entry.number,
                document=one.entry.document,
                readings_hash=one.readings_hash,
                sources=one.sources,
                has_forecast=one.has_forecast,
                prices=one.prices,
                corrections=corrections(one.entry.number),
                basis=basis(one.entry),
            )
            for one in (found.facts[n] for n in these)
        )
        part = CellSums(*(Packed.of(column[these]) for column in found.cells))
        yield Batch(terms=found.terms, members=members, cells=part, groups=found.groups)


def _terms(common: Masters, tariff: str, period: Period, runs: Runs) -> Terms:
    rates, calendar = common.tariff(tariff)
    return Terms(
        period=period,
        timezone=common.client.timezone,
        tariff=rates,
        calendar=calendar.name,
        calendar_version=calendar.version,
        code_version=eisenergy.__version__,
        lake_version=common.lake_version,
        spans=runs.spans,
    )


def _summed(
    found: Grid, numbers: npt.NDArray[np.int64], runs: Runs, start: int, *, priced: bool
) -> tuple[CellSums, int, Sequence[tuple[SlotPrices, ...]]]:
    """Sums of some meters, how many cells there are per (segment, block), and the meters' sets of prices."""
    rows, figures = found.rows, found.figures
    if not priced:
        kwh, hours = _energy(found), runs.minutes / 60
        months = Months(
            first=numbers * rows,
            kwh=kwh,
            kw=_power(figures["kw"], kwh, hours),
            kwh_export=figures["kwh_export"],
            kvarh=_reactive(figures["kvarh"], figures["kvar"], hours),
            forecast=figures["forecast_kwh"],
            exports=found.has["kwh_export"][numbers],
            reactive=any_row(found, "kvarh", "kvar")[numbers],
        )
        return sum_all(months, runs), 1, ()

    def rows_of(values: Floats | None) -> Floats | None:
        return None if values is None else values.reshape(-1, rows)[numbers].ravel()

    size = len(numbers) * rows
    none = nothing(size)
    taken = {name: rows_of(values) for name, values in figures.items()}
    filled = {name: none if values is None else values for name, values in taken.items()}
    columns = kernels.Columns(
        start=starts(start, rows, len(numbers)),
        kwh=filled["kwh_import"],
        kwh_export=filled["kwh_export"],
        kvarh=filled["kvarh"],
        kvar=filled["kvar"],
        kw=filled["kw"],
        forecast=filled["forecast_kwh"],
        estimated=np.zeros(size, dtype=np.bool_),
        group=np.zeros(size, dtype=np.int32),
    )
    result = sum_priced(columns, [taken[name] for name in _PRICES], rows, runs)
    return result.cells, result.groups, result.prices


def _energy(found: Grid) -> Floats:
    kwh = found.figures["kwh_import"]
    assert kwh is not None, "a clean month has energy"
    return kwh


def _power(kw: Floats | None, kwh: Floats, hours: float) -> Floats:
    if kw is None:
        return kwh * (1.0 / hours)
    none = np.isnan(kw)
    return np.where(none, kwh * (1.0 / hours), kw) if none.any() else kw


def _reactive(kvarh: Floats | None, kvar: Floats | None, hours: float) -> Floats | None:
    if kvar is None:
        return kvarh
    if kvarh is None:
        return kvar * hours
    return np.where(np.isnan(kvarh), kvar * hours, kvarh)


def _hashes(found: Grid, start: int) -> list[str]:
    """Hash of the readings of each meter, empty for one that is not whole."""
    rows = found.rows
    times = struct.pack("<qqq", rows, start, SLOT_US)
    columns = {
        name: (values.reshape(-1, rows), found.has[name])
        for name in BILLED
        if (values := found.figures[name]) is not None
    }
    return of_months(times, columns, found.whole)


def _sources(found: Grid, meter: int, names: Mapping[str, str], *, single: bool) -> dict[str, str]:
    """The files that a meter's rows are from. :param single: there is one"""
    here = found.source[meter * found.rows : (meter + 1) * found.rows]
    files = [int(here[0])] if single else np.unique(here).tolist()
    return {sha: names.get(sha, "") for sha in sorted(found.sources[number] for number in files)}


def basis_of(common: Masters, entry: Listed, earlier: Sequence[str]) -> str:
    """Return the hash of everything but the readings that a contract's draft depends on; empty without a tariff.

    :param earlier: numbers of its invoices
    """
    try:
        tariff, calendar = common.tariff(entry.tariff)
    except NotStored:
        return ""
    rules = (tariff.version, calendar.version, common.client.timezone, str(common.client.max_missing_share))
    before = _facts(rules, tuple(sorted(earlier)))
    return hashlib.sha256(f"{before}, {json.dumps(entry.document)}]".encode()).hexdigest()


@functools.lru_cache(1024)
def _facts(rules: tuple[str, ...], earlier: tuple[str, ...]) -> str:
    """The beginning of what a basis is the hash of, as JSON text; ten thousand contracts share it."""
    return json.dumps([eisenergy.__version__, *rules, earlier])[:-1]
