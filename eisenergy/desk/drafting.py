"""From stored readings and masters to a draft bill: check, fill, measure, price.

Pure but for :func:`facts`, which reads the store. An issued month is drafted again on the state of the readings its
invoice was made from, so that what is shown beside the invoice is what was billed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl

import eisenergy
from eisenergy.accounts import Client, Contract, Scope
from eisenergy.billing.batch import Terms, billed
from eisenergy.billing.corrections import Correction
from eisenergy.billing.engine import NotBillable, in_force
from eisenergy.billing.model import Bill
from eisenergy.blockruns import OffGrid, Runs, compile_runs, microseconds
from eisenergy.desk.fingerprint import readings_hash as readings_hash
from eisenergy.desk.fingerprint import rows_hash
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import Finding, blocked, blocking
from eisenergy.frames import READINGS
from eisenergy.period import BillingMonth, NotInForce, Period
from eisenergy.quality.checks import examine
from eisenergy.quality.estimate import fill_rows
from eisenergy.quality.rows import Rows
from eisenergy.store import files, masters
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar
from eisenergy.usage import EstimatedRange, Usage

NEIGHBOURS: Final = timedelta(days=42)
"""How far before and after a month readings are looked at, for estimates and comparisons."""

_BESIDE: Final = NEIGHBOURS // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a contract's bills are made from.

    :param readings: the meter's rows, ``frames.READINGS``, of every month asked for and its neighbours
    :param lake_version: version of the readings table
    :param names: sha256 of a source file -> its name, where the scope may know it
    """

    client: Client
    contract: Contract
    tariff: Tariff
    calendar: DayCalendar
    readings: pl.DataFrame
    lake_version: int
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A month's readings, checked and with its gaps filled.

    :param arrived: the month's rows as they arrived
    :param rows: the same with estimates in the gaps; as they arrived where a blocking finding stands against them
    :param ranges: the estimated stretches
    :param period: the days billed; ``None`` when the contract is not in force in the month
    :param expected: intervals that the clock expects in the period
    """

    findings: tuple[Finding, ...]
    arrived: Rows
    rows: Rows
    ranges: tuple[EstimatedRange, ...]
    period: Period | None
    expected: int

    @property
    def filled(self) -> pl.DataFrame:
        """``rows`` as a frame, ``frames.READINGS``."""
        return self.rows.frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """A month of a contract, billed or not.

    :param bill: ``None`` where a blocking finding stands against it
    :param input_hash: hash of what determines the amounts; empty without a bill
    :param rows: the month's rows with estimates in the gaps
    :param period: the days billed; ``None`` when the contract is not in force in the month
    :param expected: intervals that the clock expects in the period
    """

    bill: Bill | None
    input_hash: str
    findings: tuple[Finding, ...]
    rows: Rows
    period: Period | None
    expected: int

    @property
    def filled(self) -> pl.DataFrame:
        """``rows`` as a frame, ``frames.READINGS``."""
        return self.rows.frame


def facts(
    workspace: Workspace,
    scope: Scope,
    contract: Contract,
    first: BillingMonth,
    last: BillingMonth,
    *,
    version: int | None = None,
    names: Mapping[str, str] | None = None,
) -> Facts:
    """Read what the bills of a contract from one month to another are made from.

    :param version: state of the readings table; ``None``: the newest
    :param names: file names already known, to save a query per contract
    :raises NotStored: when the client, the tariff or its calendar is not stored
    :raises OutOfScope: for a contract outside the scope
    """
    scope.check(contract.customer.code)
    client = masters.client(workspace.database, scope)
    tariff = masters.tariff(workspace.database, scope, contract.tariff)
    calendar = masters.calendar(workspace.database, scope, tariff.calendar)
    start, _ = first.period.utc(client.timezone)
    _, end = last.period.utc(client.timezone)
    seen = workspace.lake.version() if version is None else version
    serial = contract.meter.serial
    return Facts(
        client=client,
        contract=contract,
        tariff=tariff,
        calendar=calendar,
        readings=workspace.lake.read(scope, [serial], start - NEIGHBOURS, end + NEIGHBOURS, version=version),
        lake_version=seen,
        names=file_names(workspace, scope) if names is None else names,
    )


def file_names(workspace: Workspace, scope: Scope) -> dict[str, str]:
    """Return sha256 -> name of every registered file; nothing for a scope limited to customers."""
    return {file.sha256: file.name for file in files.sources(workspace.database, scope)}


def prepare(known: Facts, month: BillingMonth, rows: Rows | None = None) -> Prepared:
    """Check a month's readings and fill its gaps.

    Nothing is raised for bad data: what stands against a bill is a blocking finding of the result.

    :param rows: the meter's rows of ``known.readings`` in order of time, where they are laid out already
    """
    contract, timezone = known.contract, known.client.timezone
    meter = contract.meter.serial
    period = in_force(contract, month.period)
    if period is None:
        finding = blocking(
            "not-in-force",
            contract.number,
            f"contract {contract.number} is not in force in {month}: it starts on {contract.start}"
            + (f" and ends before {contract.end}" if contract.end else "")
            + ". Correct the customer list, or bill another month.",
        )
        nothing = Rows(pl.DataFrame(schema=READINGS))
        return Prepared(findings=(finding,), arrived=nothing, rows=nothing, ranges=(), period=None, expected=0)
    start, end = map(microseconds, period.utc(timezone))
    mine = (Rows.of(known.readings, meter) if rows is None else rows).within(start - _BESIDE, end + _BESIDE)
    inside = mine.within(start, end)
    findings = examine(
        inside,
        mine,
        meter=meter,
        period=period,
        timezone=timezone,
        contracted_kw=None if contract.contracted_kw is None else float(contract.contracted_kw.value),
        calendar=known.calendar,
    )
    expected = period.slots(timezone)
    if blocked(findings):
        return Prepared(findings=findings, arrived=inside, rows=inside, ranges=(), period=period, expected=expected)
    filled = fill_rows(
        mine,
        meter=meter,
        period=period,
        timezone=timezone,
        max_missing_share=known.client.max_missing_share,
        holidays=known.calendar.holidays,
    )
    return Prepared(
        findings=(*findings, *filled.findings),
        arrived=inside,
        rows=filled.rows,
        ranges=filled.ranges,
        period=period,
        expected=expected,
    )


def draft(known: Facts, month: BillingMonth, corrections: Sequence[Correction] = ()) -> Drafted:
    """Check a month's readings, fill its gaps, measure it and bill it.

    Whatever stands against a bill becomes a blocking finding of the result; nothing is raised for bad data.

    :param corrections: differences of earlier periods that this bill carries
    """
    return settle(known, prepare(known, month), corrections)


def settle(
    known: Facts,
    ready: Prepared,
    corrections: Sequence[Correction] = (),
    *,
    runs: Runs | None = None,
    usage: Usage | None = None,
    hashed: str = "",
) -> Drafted:
    """Measure and bill a month that is checked and filled.

    :param runs: the calendar compiled over the period, where it is at hand
    :param usage: what the meter did, where it is measured already
    :param hashed: :func:`readings_hash` of the filled rows, where it is known and all of them are measured
    """
    findings = list(ready.findings)
    made: Bill | None = None
    digest = ""
    if ready.period is not None and not blocked(findings):
        try:
            made, digest = _billed(known, ready.period, ready, corrections, runs, usage, hashed)
        except (NotInForce, NotBillable, OffGrid) as problem:
            findings.append(blocking("cannot-bill", known.contract.number, str(problem)))
    return Drafted(
        bill=made,
        input_hash=digest,
        findings=tuple(findings),
        rows=ready.rows,
        period=ready.period,
        expected=ready.expected,
    )


def _billed(
    known: Facts,
    period: Period,
    ready: Prepared,
    corrections: Sequence[Correction],
    runs: Runs | None,
    usage: Usage | None,
    hashed: str,
) -> tuple[Bill, str]:
    from eisenergy.desk.metering import metered  # loads the compiled kernels: a page of issued months does without

    contract, timezone = known.contract, known.client.timezone
    if runs is None:
        runs = compile_runs(known.calendar, known.tariff.segments(period), timezone)
    if usage is None:
        usage = metered(contract.meter.serial, ready.rows, runs, period=period, timezone=timezone)
    return billed(
        terms_of(known, period, runs),
        contract,
        usage,
        sources=sources_of(known, ready.arrived),
        readings_hash=hashed or rows_hash(ready.arrived, ready.arrived.measured),
        filled_hash=hashed or rows_hash(ready.rows),
        estimated=ready.ranges,
        findings=ready.findings,
        corrections=corrections,
    )


def terms_of(known: Facts, period: Period, runs: Runs) -> Terms:
    """Return what the bills of a tariff and period have in common. :param runs: the calendar compiled over the period"""
    return Terms(
        period=period,
        timezone=known.client.timezone,
        tariff=known.tariff,
        calendar=known.calendar.name,
        calendar_version=known.calendar.version,
        code_version=eisenergy.__version__,
        lake_version=known.lake_version,
        spans=runs.spans,
    )


def sources_of(known: Facts, arrived: Rows) -> dict[str, str]:
    """Return sha256 -> name of the files that rows are from."""
    return {sha: known.names.get(sha, "") for sha in sorted(set(arrived.sources()))}
