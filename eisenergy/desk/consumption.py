"""What a customer took in a range of days: intervals as they were billed, and what the months around them came to.

An issued month shows the readings its invoice was made from. They are read with those of the other months, in one query of the
newest state; only where that state is another than the invoice's, or the invoice holds estimates, is the invoice's own read.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.accounts import Client, Contract, Scope
from eisenergy.analytics import profile
from eisenergy.analytics.savings import Saving, savings
from eisenergy.billing.engine import in_force
from eisenergy.blockruns import Runs, compile_runs
from eisenergy.desk.drafting import Facts, facts, prepare
from eisenergy.desk.fingerprint import BILLED
from eisenergy.desk.history import HISTORY, at_hand, span
from eisenergy.desk.issued import Issued
from eisenergy.desk.metered import Metered
from eisenergy.desk.model import MonthTotals
from eisenergy.desk.opening import costs
from eisenergy.desk.workspace import Workspace
from eisenergy.frames import ESTIMATED, SLOT_MINUTES, empty_readings, stamps_of
from eisenergy.money import decimal_of
from eisenergy.period import BillingMonth, Period
from eisenergy.store import history, masters, outlines
from eisenergy.store.masters import NotStored
from eisenergy.store.remembered import Remembered
from eisenergy.store.states import States, states
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar

SLOTS: Final = {
    "start": pl.Datetime("us", "UTC"),
    "local": pl.Datetime("us"),
    "day": pl.Date(),
    "hour": pl.Int64(),
    "weekday": pl.Int8(),
    "block": pl.String(),
    "kwh": pl.Float64(),
    "kw": pl.Float64(),
    "quality": pl.String(),
}
"""Columns of a range's intervals: ``start`` [UTC], ``local`` time without zone, 1 = Monday, ``kwh``, ``kw``, measured or estimated."""

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_THURSDAY: Final = 4
"""The weekday of the first day of 1970."""

_LOOKED_AT: Final = ("meter", "start", *BILLED, "quality")
"""Columns of readings that intervals are made of, and that tell whether they are those of an invoice."""

_INTERVALS: Final = Remembered[pl.DataFrame](24)  # two megabytes each at most: 400 days
_STATES: Final = Remembered[States](256)
_FILLED: Final = Remembered[pl.DataFrame](64)
_RUNS: Final = Remembered[Runs](512)  # a month each, of a calendar, which is no customer's
_BLOCKS: Final = Remembered["_Blocks"](64)
_RECENT: Final = Remembered[BillingMonth | None](256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied:
    """One contract and the masters its readings are looked at with.

    :param issued: month -> its invoice
    :param lake_version: state of the readings table that is looked at
    :param tariff: as it stands today; ``None``, as ``calendar``, where nothing can be billed yet
    """

    client: Client
    contract: Contract
    issued: Issued
    tariff: Tariff | None
    calendar: DayCalendar | None
    lake_version: int

    def key(self, workspace: Workspace, scope: Scope, *more: Hashable) -> Hashable:
        """Everything that what is read of this contract depends on."""
        versions = (None if self.calendar is None else self.calendar.version, self.lake_version)
        contract = (self.contract.number, self.contract.meter.serial, self.contract.start, self.contract.end)
        seller = (self.client.timezone, self.client.max_missing_share)
        return (
            workspace.lake.address,
            workspace.database.app_url,
            scope,
            contract,
            seller,
            self.issued.names,
            versions,
            more,
        )

    @property
    def blocks(self) -> tuple[str, ...]:
        """Blocks in the order of the calendar."""
        return () if self.calendar is None else self.calendar.blocks


def supplied(workspace: Workspace, scope: Scope, client: Client, contract: Contract) -> Supplied:
    """Read a contract's masters. :raises OutOfScope: for a contract outside the scope"""
    scope.check(contract.customer.code)
    tariff, calendar = None, None
    try:
        tariff = masters.tariff(workspace.database, scope, contract.tariff)
        calendar = masters.calendar(workspace.database, scope, tariff.calendar)
    except NotStored:
        calendar = None
    posted = outlines.posted(workspace.database, scope, contract.customer.code, contract.number)
    return Supplied(
        client=client,
        contract=contract,
        issued=Issued(workspace.database, scope, posted),
        tariff=tariff,
        calendar=calendar,
        lake_version=workspace.lake.version(),
    )


def newest_month(workspace: Workspace, scope: Scope, known: Supplied, today: date) -> BillingMonth:
    """Return the newest month there is something to show of: this or the last one where readings have come, else the last billed."""
    this = BillingMonth(today.year, today.month)
    come = _RECENT.get(known.key(workspace, scope, this), lambda: _recent(workspace, scope, known, this))
    if come is not None:
        return come
    kept = (BillingMonth.parse(month) for month in history.load(workspace.database, scope, known.contract.number))
    return max((*known.issued, *kept), default=this)


def _recent(workspace: Workspace, scope: Scope, known: Supplied, this: BillingMonth) -> BillingMonth | None:
    """This month or the last, where readings have come."""
    recent = Period(this.plus(-1).period.start, this.period.end)
    start, end = recent.utc(known.client.timezone)
    version = known.lake_version
    rows = workspace.lake.read(scope, [known.contract.meter.serial], start, end, version=version, columns=("start",))
    newest = rows["start"].max()
    if not isinstance(newest, datetime):
        return None
    return this if newest >= this.period.utc(known.client.timezone)[0] else this.plus(-1)


def intervals(workspace: Workspace, scope: Scope, known: Supplied, period: Period, today: date) -> pl.DataFrame:
    """Return the intervals of some days: of issued months as billed, of others as they stand, with a draft's estimates once a month is over.

    :param period: local dates
    :param today: at the seller's
    :returns: :data:`SLOTS`, in order of time
    """
    key = key_of(workspace, scope, known, period, today)
    return _INTERVALS.get(key, lambda: _intervals(workspace, scope, known, period, today))


def key_of(workspace: Workspace, scope: Scope, known: Supplied, period: Period, today: date) -> Hashable:
    """Everything that :func:`intervals` of some days depend on."""
    over = min(today, _months(period)[-1].period.end)  # days that bear on what is an estimate
    return known.key(workspace, scope, period, over)


def _intervals(workspace: Workspace, scope: Scope, known: Supplied, period: Period, today: date) -> pl.DataFrame:
    if known.calendar is None:
        return pl.DataFrame(schema=SLOTS)
    zone = known.client.timezone
    months = _months(period)
    known.issued.fetch(months)
    whole = Period(months[0].period.start, months[-1].period.end)
    serials = {
        known.contract.meter.serial,
        *(known.issued[m].bill.contract.meter.serial for m in months if m in known.issued),
    }
    rows = workspace.lake.read(scope, sorted(serials), *whole.utc(zone), version=known.lake_version, columns=_LOOKED_AT)
    one = len(serials) == 1
    metered = {serial: Metered(rows if one else rows.filter(pl.col("meter") == serial)) for serial in serials}
    parts: dict[str, list[pl.DataFrame]] = {}
    calendars: dict[str, DayCalendar] = {}
    for month in months:
        found = _of_month(workspace, scope, known, month, metered, today)
        if found is not None and found[1].height:
            calendars[found[0].version] = found[0]
            parts.setdefault(found[0].version, []).append(found[1])
    if not parts:
        return pl.DataFrame(schema=SLOTS)
    placed = [located(pl.concat(parts[version], rechunk=True), calendars[version], months, zone) for version in parts]
    slots = placed[0] if len(placed) == 1 else pl.concat(placed).sort("start")
    if whole == period:
        return slots
    return slots.filter(pl.col("day") >= period.start, pl.col("day") < period.end)


def _months(period: Period) -> list[BillingMonth]:
    first = BillingMonth(period.start.year, period.start.month)
    last = period.end - timedelta(days=1)
    count = (last.year - first.year) * 12 + last.month - first.month
    return [first.plus(n) for n in range(count + 1)]


def _of_month(
    workspace: Workspace,
    scope: Scope,
    known: Supplied,
    month: BillingMonth,
    metered: Mapping[str, Metered],
    today: date,
) -> tuple[DayCalendar, pl.DataFrame] | None:
    """A month's calendar and readings; ``None`` where the contract is not in force. :param metered: by meter"""
    invoice = known.issued.get(month)
    contract = known.contract if invoice is None else invoice.bill.contract
    days = in_force(contract, month.period) if invoice is None else invoice.bill.period
    if days is None or known.calendar is None:
        return None
    zone = known.client.timezone
    start, end = days.utc(zone)
    all_rows = metered[contract.meter.serial]
    first, last = all_rows.between(start, end)
    arrived = all_rows.rows.slice(first, last - first)
    calendar = known.calendar
    provenance = None if invoice is None else invoice.bill.provenance
    if invoice is not None and provenance is not None:
        if calendar.version != provenance.calendar_version:
            calendar = masters.calendar(
                workspace.database, scope, invoice.bill.calendar, version=provenance.calendar_version
            )
        same = all_rows.measured_hash(first, last, provenance.readings_hash) == provenance.readings_hash
        if invoice.bill.estimated or not same:
            # Whatever is loaded since, this stays: it needs no version of today's in its key.
            issued = (workspace.lake.address, workspace.database.app_url, scope, invoice.number, invoice.input_hash)
            then = partial(_filled, workspace, scope, contract, calendar, month, provenance.lake_version)
            arrived = _FILLED.get(issued, then).select(_LOOKED_AT)
    elif arrived.height and days.end <= today and arrived.height < days.slots(zone):
        now = partial(_filled, workspace, scope, contract, calendar, month, known.lake_version)
        arrived = _FILLED.get(known.key(workspace, scope, month), now).select(_LOOKED_AT)
    return calendar, arrived


def _filled(
    workspace: Workspace,
    scope: Scope,
    contract: Contract,
    calendar: DayCalendar,
    month: BillingMonth,
    version: int,
) -> pl.DataFrame:
    """A month's readings with the estimates in its gaps, as a bill takes them."""
    then = facts(workspace, scope, contract, month, month, version=version, names={})
    return prepare(replace(then, calendar=calendar), month).filled


def located(rows: pl.DataFrame, calendar: DayCalendar, months: Sequence[BillingMonth], timezone: str) -> pl.DataFrame:
    """Return readings with local time and block.

    :param rows: one meter's, columns of ``frames.READINGS``, inside of the months
    :param months: one after the other
    :returns: :data:`SLOTS`, in order of time
    """
    known = rows.filter(pl.col("kwh_import").is_not_null()) if rows["kwh_import"].null_count() else rows
    ordered = known if known["start"].is_sorted() else known.sort("start")
    shape = (calendar.name, calendar.version, calendar.rows, calendar.holidays, calendar.seasons, timezone)
    begins, block = _BLOCKS.get((shape, *months), lambda: _blocks(calendar, shape, months, timezone))
    # Where each stretch begins among the readings: a search for some thousand stretches, and not for each reading.
    first = np.searchsorted(stamps_of(ordered), begins)
    number = np.repeat(block, np.diff(first, append=ordered.height))
    # The zone is looked up once; day, hour and weekday are divisions. Asked for one by one, Polars looks four times.
    local = ordered["start"].dt.convert_time_zone(timezone).dt.replace_time_zone(None).alias("local")
    days, beyond = np.divmod(local.cast(pl.Int64).to_numpy(), _DAY_US)
    kwh, kw = ordered["kwh_import"].alias("kwh"), ordered["kw"]
    if kw.null_count():
        kw = ordered.select(pl.coalesce("kw", pl.col("kwh_import") * 60 / SLOT_MINUTES))["kw"]
    return pl.DataFrame(
        [
            ordered["start"],
            local,
            pl.Series("day", days.astype(np.int32)).cast(pl.Date),
            pl.Series("hour", beyond // _HOUR_US),
            pl.Series("weekday", ((days + _THURSDAY - 1) % 7 + 1).astype(np.int8)),
            pl.Series("block", calendar.blocks, dtype=pl.String)[number],
            kwh,
            kw,
            ordered["quality"],
        ]
    )


_Blocks = tuple[npt.NDArray[np.int64], npt.NDArray[np.int16]]
"""UTC microseconds at which blocks begin, in order, and their numbers in the calendar's order."""


def _blocks(calendar: DayCalendar, shape: Hashable, months: Sequence[BillingMonth], timezone: str) -> _Blocks:
    """When which block begins. Each month is compiled once: the next twelve have eleven in common with these."""
    runs = [
        _RUNS.get((shape, month), lambda days=month.period: compile_runs(calendar, (days,), timezone))  # type: ignore[misc]
        for month in months
    ]
    return np.concatenate([one.start_us for one in runs]), np.concatenate([one.block for one in runs])


def months(
    workspace: Workspace, scope: Scope, known: Supplied, last: BillingMonth, slots: pl.DataFrame | None = None
) -> tuple[MonthTotals, ...]:
    """Return the :data:`desk.history.HISTORY` months that end with one, as far as invoices or what was kept of them tell.

    :param slots: intervals at hand; a month without an invoice that they begin before is summed from them
    """
    wanted = [last.plus(n) for n in range(1 - HISTORY, 1)]
    known.issued.fetch(wanted)
    kept = history.load(workspace.database, scope, known.contract.number)
    found: dict[BillingMonth, MonthTotals | None] = {}
    if known.tariff is not None and known.calendar is not None:
        serial = known.contract.meter.serial
        version = known.lake_version
        entries = {month: entry for month, entry in kept.items() if BillingMonth.parse(month) not in known.issued}
        standing: States = {}
        if entries:
            standing = _STATES.get(
                known.key(workspace, scope, last),
                lambda: states(workspace.lake, scope, [serial], *span(known.client, last), version=version)[serial],
            )
        today = Facts(
            client=known.client, contract=known.contract, tariff=known.tariff, calendar=known.calendar,
            readings=empty_readings(), lake_version=version, names={},
        )  # fmt: skip
        found = at_hand(today, last, issued=known.issued, bills={}, kept=entries, standing=standing)
    first = None if slots is None or slots.is_empty() else slots["day"].min()
    for month in wanted:
        if found.get(month) is None and slots is not None and isinstance(first, date) and first <= month.period.end:
            found[month] = _summed(month, slots)
    return tuple(entry for month in wanted if (entry := found.get(month)) is not None)


def _summed(month: BillingMonth, slots: pl.DataFrame) -> MonthTotals | None:
    """What the intervals of a month without an invoice come to; ``None`` where they are not all of it that there is."""
    days = slots["day"]
    first, last = days.search_sorted(pl.Series([month.period.start, month.period.end], dtype=days.dtype))
    rows = slots.slice(first, last - first)
    if rows.is_empty():
        return None
    return MonthTotals(
        month=month,
        kwh=by_block(rows),
        max_kw=decimal_of(float(rows["kw"].max() or 0.0)),  # type: ignore[arg-type]
        total=None,
        issued=False,
        slots=rows.height,
        estimated=estimated(rows),
        missing=0,
    )


def by_block(slots: pl.DataFrame) -> dict[str, Decimal]:
    """Return block -> energy [kWh], each the decimal sum of the figures on paper."""
    return {block: decimal_of(kwh) for block, kwh in profile.by_block(slots).items()}


def estimated(slots: pl.DataFrame) -> int:
    """Return how many intervals are estimates."""
    return int((slots["quality"] == ESTIMATED).sum())


def saved(history: Iterable[MonthTotals]) -> tuple[Saving, ...]:
    """Return each month's savings, as the dashboard shows them."""
    return savings(costs(history))
