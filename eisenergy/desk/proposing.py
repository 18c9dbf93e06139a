"""A new version of a tariff or a calendar, from what an operator typed or brought to what is in use; nothing is in use before it is adopted.

proposal = propose_tariff(database, scope, "EIS-TOU", ...)     # checked, kept, its effects asked for as a job
compare(workspace, scope, proposal, progress)                  # the job: what would it have cost
adopt(database, scope, proposal)                               # refused when something else was saved meanwhile
"""

from __future__ import annotations

import dataclasses
import heapq
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from eisenergy.accounts import Client, Scope
from eisenergy.blockruns import compile_runs
from eisenergy.desk import whatif
from eisenergy.desk.whatif import Question, Rules
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import Finding, Severity
from eisenergy.masters import calendars, codec
from eisenergy.money import difference, total
from eisenergy.period import NotInForce, Period
from eisenergy.store import masters, proposals
from eisenergy.store.appended import NotStored
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database
from eisenergy.store.proposals import CALENDAR, TARIFF, Effect, Proposal
from eisenergy.tariffs import revise
from eisenergy.tariffs.check import check
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar

LARGEST: Final = 20
"""Lines with the largest differences that a summary holds: the lines themselves are kept in order of contracts."""
PROBLEMS: Final = 20
"""Contracts without a total that a summary names."""


def propose_tariff(
    database: Database,
    scope: Scope,
    name: str,
    *,
    base: int,
    start: date,
    typed: Mapping[revise.Place, str],
    correcting: bool,
    schemas: Path | None,
    by: Actor,
    user: uuid.UUID | None,
    at: Any,
) -> uuid.UUID:
    """Keep a new version of a tariff as a proposal.

    :param base: ordinal of the state that the form showed
    :param typed: see :func:`eisenergy.tariffs.revise.revise`, as ``start``, ``correcting`` and ``schemas``
    :raises Unfit: with every fault at its place
    :raises Overtaken: when another state was saved since the form was shown
    :raises NotStored: when the tariff or its calendar is not stored
    """
    tariff = masters.tariff(database, scope, name)
    calendar = masters.calendar(database, scope, tariff.calendar)
    revised = revise.revise(
        tariff, start, typed, origin=f"portal, {at:%Y-%m-%d}", calendar=calendar, correcting=correcting, schemas=schemas
    )
    with database.session(scope) as connection:
        return proposals.propose(
            connection, scope, TARIFF, name, base=base, beside="", starts=start, document=codec.dump(revised),
            origin=None, by=by, user=user, at=at,
        )  # fmt: skip


def propose_calendar(
    database: Database,
    scope: Scope,
    name: str,
    *,
    base: int,
    data: Mapping[str, Any] | None,
    file: Mapping[str, str] | None = None,
    schemas: Path | None,
    by: Actor,
    user: uuid.UUID | None,
    at: Any,
) -> uuid.UUID:
    """Keep a new version of a calendar as a proposal.

    :param data: as ``calendar.schema.json`` says; ``None``: the job reads the file
    :param file: ``sha256`` and ``name`` of a workbook in the inbox
    :raises BadHours: for a value of another form than the schema's, each at its path
    :raises CalendarError: when the rows do not cover 24 hours of every season and day type exactly once
    :raises OffGrid: when a block changes inside an interval of the readings
    :raises Overtaken: when another state was saved since the form was shown
    """
    document = None
    if data is not None:
        calendar = calendars.of_data({**data, "name": name}, f"portal, {at:%Y-%m-%d}", schemas=schemas)
        fits_the_grid(calendar, masters.client(database, scope), at.date())
        document = codec.dump(calendar)
    with database.session(scope) as connection:
        return proposals.propose(
            connection, scope, CALENDAR, name, base=base, beside="", starts=None, document=document, origin=file,
            by=by, user=user, at=at,
        )  # fmt: skip


def read_calendar(database: Database, scope: Scope, proposal: Proposal, path: Path, day: date) -> Proposal:
    """Take a calendar's hours from a workbook; the holidays, of which a workbook says nothing, stay.

    :param day: today, to check hours against the intervals of readings
    :raises CalendarError: when the rows do not cover 24 hours exactly once, or an hour is not 0 to 23: with file and cell
    :raises UnreadableFile: when the file has no such table
    """
    now = masters.calendar(database, scope, proposal.name)
    read = calendars.with_holidays(calendars.read_spreadsheet(path, proposal.name), now.holidays)
    fits_the_grid(read, masters.client(database, scope), day)
    document = codec.dump(read)
    proposals.was_read(database, scope, proposal.id, document)
    return replace(proposal, document=document)


def fits_the_grid(calendar: DayCalendar, client: Client, day: date) -> None:
    """Refuse hours that begin inside an interval of the readings. :raises OffGrid: naming the border"""
    compile_runs(calendar, (Period(day, date(day.year + 1, day.month, 1)),), client.timezone)


def rules_of(database: Database, scope: Scope, proposal: Proposal) -> Rules:
    """Return the tariffs and calendars in use that a proposal is about."""
    found: dict[str, tuple[Tariff, DayCalendar]] = {}
    for tariff in masters.tariffs(database, scope):
        about = tariff.name if proposal.kind == TARIFF else tariff.calendar
        if about == proposal.name:
            try:
                found[tariff.name] = (tariff, masters.calendar(database, scope, tariff.calendar))
            except NotStored:
                continue  # nothing is billed with it
    return found


def beside(proposal: Proposal, rules: Rules) -> str:
    """Return the versions of what a proposal is priced with, apart from what it replaces."""
    versions = [hours.version if proposal.kind == TARIFF else tariff.version for tariff, hours in rules.values()]
    return " ".join(versions)


def question(proposal: Proposal, rules: Rules) -> Question:
    """Return what is to be compared."""
    if proposal.kind == CALENDAR:
        after = whatif.with_calendar(rules, codec.load(DayCalendar, proposal.document))
        return Question(before=rules, after=after, dated=after)
    revised, start = codec.load(Tariff, proposal.document), proposal.starts
    assert start is not None
    return Question(
        before=rules,
        after=whatif.with_tariff(rules, revise.throughout(revised, start)),
        dated=whatif.with_tariff(rules, revised),
    )


def compare(
    workspace: Workspace,
    scope: Scope,
    proposal: Proposal,
    begin: Callable[[int], None],
    step: Callable[[str], None],
) -> Mapping[str, Any]:
    """Price the last months with a proposal and keep what comes of it, line by line and all together.

    :param begin: called with the number of lines before the first
    :param step: called with each line
    :returns: the summary, JSON types
    """
    database = workspace.database
    rules = rules_of(database, scope, proposal)
    asked = question(proposal, rules)
    counts = whatif.cases(workspace, scope, asked)
    begin(sum(counts.values()))
    proposals.begin(database, scope, proposal.id)
    months, lacking = [], []
    largest: list[Effect] = []
    for month in counts:
        found = whatif.effects(workspace, scope, asked, month, step)
        proposals.keep(database, scope, proposal.id, found)
        months.append({"month": str(month), **_sums(found)})
        largest = heapq.nlargest(LARGEST, (*largest, *found), key=_size)
        lacking += [{"contract": one.contract, "month": str(month), "why": one.problem} for one in found if one.problem]
    issued = proposals.issued_from(database, scope, rules, proposal.starts)
    summary = {
        "months": months,
        "lines": sum(counts.values()),
        "without": len(lacking),
        "problems": lacking[:PROBLEMS],
        "issued": [[str(month), count] for month, count in issued],
        "lacks": _lacks(proposal, asked),
        "largest": [_line(one) for one in largest if _size(one)],
    }
    proposals.settle(database, scope, proposal.id, beside(proposal, rules), summary)
    return summary


def _size(one: Effect) -> Decimal:
    return Decimal(0) if one.before is None or one.after is None else abs(difference(one.after, one.before))


def _line(one: Effect) -> dict[str, Any]:
    """A line as JSON types."""
    return {name: None if value is None else str(value) for name, value in dataclasses.asdict(one).items()} | {
        "month": str(one.month)
    }


def _sums(found: tuple[Effect, ...]) -> dict[str, Any]:
    """Sums over the lines that have both totals."""
    both = [(one.before, one.after, one.dated) for one in found if one.before is not None and one.after is not None]
    before, after = total(was for was, _, _ in both), total(would for _, would, _ in both)
    dated = total(Decimal(0) if then is None else then for _, _, then in both)
    return {
        "count": len(found),
        "issued": sum(one.number is not None for one in found),
        "before": str(before),
        "after": str(after),
        "difference": str(difference(after, before)),
        "dated": str(difference(dated, before)),
    }


def _lacks(proposal: Proposal, asked: Question) -> list[str]:
    """What a bill with the proposal would miss, in sentences; a calendar may name blocks for which its tariffs have no rates."""
    found: list[Finding] = []
    for tariff, calendar in asked.after.values():
        day = proposal.asked_at.date()
        try:
            found += check(tariff, calendar, Period(day, day + revise.LOOKED_AT))
        except NotInForce as problem:
            return [str(problem)]
    return [one.message for one in found if one.severity is Severity.BLOCKING]


def adopt(database: Database, scope: Scope, proposal: Proposal, *, by: Actor, at: Any) -> bool:
    """Save a proposal, with a line of the audit log that has the old and the new values.

    :returns: ``False`` when it was saved before
    :raises Overtaken: when another state was saved since it was made
    :raises NotReady: when it is not known yet what it would change
    """
    old: Any
    new: Any
    version = ""
    if proposal.document is not None and proposal.kind == TARIFF:
        tariff, start = masters.tariff(database, scope, proposal.name), proposal.starts
        revised = codec.load(Tariff, proposal.document)
        assert start is not None
        version = revised.version
        old = {"version": tariff.version, "values": _told(tariff, start)}
        new = {"version": version, "from": start.isoformat(), "values": _told(revised, start)}
    elif proposal.document is not None:
        calendar, proposed = (
            masters.calendar(database, scope, proposal.name),
            codec.load(DayCalendar, proposal.document),
        )
        version = proposed.version
        old = {"version": calendar.version, **calendars.hours_of(calendar)}
        new = {"version": version, **calendars.hours_of(proposed)}
    else:
        raise proposals.NotReady(f"proposal {proposal.id}: its file is not read yet")
    now = beside(proposal, rules_of(database, scope, proposal))
    return proposals.adopt(database, scope, proposal.id, version=version, beside=now, old=old, new=new, by=by, at=at)


def _told(tariff: Tariff, day: date) -> dict[str, str]:
    return {f"{what} {block}".strip(): text for (what, block), text in revise.values(tariff, day).items()}
