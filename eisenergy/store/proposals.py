"""Proposed versions of tariffs and calendars: kept with what they would change, and saved only when somebody says so.

A proposal belongs to the state it was made from. Once another one is in use it can no longer be saved, and what it would change is no
longer what it says.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update

from eisenergy.accounts import Scope
from eisenergy.period import BillingMonth
from eisenergy.store import appended, audit, bulk, jobs, tables
from eisenergy.store.appended import NotStored, Overtaken
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database

TARIFF, CALENDAR = "tariff", "calendar"
JOB: Final = "whatif"
KEPT: Final = timedelta(days=30)
"""How long what a proposal would change is kept, where it is not saved."""
_TABLES: Final[Mapping[str, Table]] = {TARIFF: tables.tariffs, CALENDAR: tables.calendars}


class NoProposal(LookupError):
    """No such proposal at this client."""


class NotReady(RuntimeError):
    """A proposal of which it is not known yet what it would change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A version that is looked at.

    :param kind: :data:`TARIFF` or :data:`CALENDAR`
    :param name: the tariff's or the calendar's
    :param base: ordinal of the state it was made from
    :param beside: versions of what it is priced with, in words of the program
    :param starts: first day of a tariff's version; a calendar has none
    :param origin: a file that holds it: ``sha256`` and ``name``
    :param document: the whole tariff or calendar, as ``masters.codec`` writes it; ``None`` until a file is read
    :param summary: what it would change, all together; ``None`` until it is known
    """

    client: str
    id: uuid.UUID
    kind: str
    name: str
    base: int
    beside: str
    starts: date | None
    origin: Mapping[str, Any] | None
    document: Any
    summary: Any
    job: uuid.UUID
    asked_by: str
    asked_at: datetime
    saved_by: str | None
    saved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a proposal would change of a contract's month.

    :param number: of its invoice
    :param billed: the invoice's total [currency]
    :param before: total with the masters in use
    :param after: total with the proposal throughout the month
    :param dated: total with the proposal in force from its first day on
    :param problem: why there is no total
    """

    contract: str
    customer: str
    name: str
    month: BillingMonth
    number: str | None = None
    billed: Decimal | None = None
    before: Decimal | None = None
    after: Decimal | None = None
    dated: Decimal | None = None
    problem: str = ""


def propose(
    connection: Connection,
    scope: Scope,
    kind: str,
    name: str,
    *,
    base: int,
    beside: str,
    starts: date | None,
    document: Mapping[str, Any] | None,
    origin: Mapping[str, Any] | None,
    by: Actor,
    user: uuid.UUID | None,
    at: datetime,
) -> uuid.UUID:
    """Keep a proposal and ask for what it would change, as a job.

    :param connection: a transaction of ``database.session(scope)``
    :returns: its id
    :raises Overtaken: when another state than ``base`` is in use
    :raises OutOfScope: for a scope that only reads, or of some customers only
    """
    appended.check_operator(scope)
    table = tables.proposals
    if _newest(connection, kind, name) != base:
        raise Overtaken(f"{kind} {name}: another state was saved since; begin again from that")
    old = select(table.c.id).where(
        table.c.client == scope.client, table.c.kind == kind, table.c.name == name, table.c.asked_at < at - KEPT,
        table.c.saved_at.is_(None),
    )  # fmt: skip
    effects = tables.proposal_effects
    connection.execute(delete(effects).where(effects.c.client == scope.client, effects.c.proposal.in_(old)))
    proposal, job = uuid.uuid4(), uuid.uuid4()
    values = {
        "client": scope.client,
        "id": proposal,
        "kind": kind,
        "name": name,
        "base": base,
        "beside": beside,
        "starts": starts,
        "origin": origin,
        "document": document,
        "job": job,
        "asked_by": by.name[: audit.LONGEST],
        "asked_at": at,
    }
    connection.execute(insert(table).values(values))
    given = {"proposal": str(proposal)}
    jobs.defer(connection, scope, JOB, f"{name}", given, by=by, user=user, at=at, id=job, alone=False)
    return proposal


def find(database: Database, scope: Scope, proposal: uuid.UUID) -> Proposal:
    """Return a proposal. :raises NoProposal: when the scope has none of this id"""
    with database.session(scope) as connection:
        return _proposal(_row(connection, scope, proposal))


def base_of(database: Database, scope: Scope, kind: str, name: str) -> int:
    """Return the ordinal of the state in use. :raises NotStored: when there is none of that name"""
    with database.session(scope) as connection:
        return _newest(connection, kind, name)


def current(database: Database, scope: Scope, proposal: Proposal) -> bool:
    """Whether the state it was made from is still in use."""
    with database.session(scope) as connection:
        return _newest(connection, proposal.kind, proposal.name) == proposal.base


def was_read(database: Database, scope: Scope, proposal: uuid.UUID, document: Mapping[str, Any]) -> None:
    """Keep what the proposal's file holds."""
    with database.session(scope) as connection:
        connection.execute(_of(update(tables.proposals), scope, proposal).values(document=document))


def begin(database: Database, scope: Scope, proposal: uuid.UUID) -> None:
    """Forget what was found of a proposal that is looked at once more."""
    table = tables.proposal_effects
    with database.session(scope) as connection:
        connection.execute(delete(table).where(table.c.client == scope.client, table.c.proposal == proposal))
        connection.execute(_of(update(tables.proposals), scope, proposal).values(summary=None))


def keep(database: Database, scope: Scope, proposal: uuid.UUID, effects: Iterable[Effect]) -> None:
    """Keep what a proposal would change of some months."""
    rows = [
        {
            "client": scope.client,
            "proposal": proposal,
            "contract": one.contract,
            "month": str(one.month),
            "customer": one.customer,
            "name": one.name,
            "number": one.number,
            "billed": one.billed,
            "before": one.before,
            "after": one.after,
            "dated": one.dated,
            "problem": one.problem,
        }
        for one in effects
    ]
    with database.session(scope) as connection:
        bulk.put(connection, tables.proposal_effects, rows)


def settle(database: Database, scope: Scope, proposal: uuid.UUID, beside: str, summary: Mapping[str, Any]) -> None:
    """Keep what a proposal would change, all together, and what it was priced with: from then on it may be saved."""
    with database.session(scope) as connection:
        connection.execute(_of(update(tables.proposals), scope, proposal).values(beside=beside, summary=summary))


def effects(
    database: Database, scope: Scope, proposal: uuid.UUID, *, limit: int = 100, after: int = 0
) -> tuple[Effect, ...]:
    """Return some of the lines of a proposal, in order of contracts and months.

    :param after: how many to pass over
    """
    table = tables.proposal_effects
    here = (table.c.client == scope.client, table.c.proposal == proposal)
    query = select(table).where(*here).order_by(table.c.contract, table.c.month)
    with database.session(scope) as connection:
        rows = connection.execute(query.limit(limit).offset(after)).all()
    return tuple(
        Effect(
            contract=row.contract,
            customer=row.customer,
            name=row.name,
            month=BillingMonth.parse(row.month),
            number=row.number,
            billed=row.billed,
            before=row.before,
            after=row.after,
            dated=row.dated,
            problem=row.problem,
        )
        for row in rows
    )


def adopt(
    database: Database,
    scope: Scope,
    proposal: uuid.UUID,
    *,
    version: str,
    beside: str,
    old: Any,
    new: Any,
    by: Actor,
    at: datetime,
) -> bool:
    """Save a proposal: the state, that it was saved, and a line of the audit log, in one transaction.

    :param version: of the state, see ``tariffs.version``
    :param beside: versions of what it would be priced with now
    :param old: what was in force, for the log
    :param new: what is, for the log
    :returns: ``False`` when it was saved before
    :raises Overtaken: when another state was saved since it was made, or what it was priced with is another
    :raises NotReady: when it is not known yet what it would change
    """
    appended.check_operator(scope)
    with database.session(scope) as connection:
        found = _proposal(_row(connection, scope, proposal, lock=True))
        if found.saved_at is not None:
            return False
        if found.summary is None or found.document is None:
            raise NotReady(f"proposal {proposal}: it is not known yet what it would change")
        if found.beside != beside:
            raise Overtaken(f"{found.kind} {found.name}: what it was priced with has changed since; make it again")
        appended.append(
            connection, scope, _TABLES[found.kind], found.kind, found.name, version, found.document, after=found.base
        )
        values = {"saved_by": by.name[: audit.LONGEST], "saved_at": at}
        connection.execute(_of(update(tables.proposals), scope, proposal).values(values))
        audit.write(connection, scope.client, by, at, found.kind.upper(), found.name, old=old, new=new)
    return True


def issued_from(
    database: Database, scope: Scope, tariffs: Iterable[str], day: date | None
) -> tuple[tuple[BillingMonth, int], ...]:
    """Return the months with invoices made with some tariffs that end after a day, and how many invoices each has, oldest first.

    :param day: ``None``: all months
    """
    table = tables.invoices
    used = func.coalesce(table.c.made, table.c.document["bill"])["tariff"].astext
    query = select(table.c.month, func.count()).where(table.c.client == scope.client, used.in_(sorted(tariffs)))
    if day is not None:
        query = query.where(table.c.month >= f"{day:%Y-%m}")
    with database.session(scope) as connection:
        rows = connection.execute(query.group_by(table.c.month).order_by(table.c.month)).all()
    return tuple((BillingMonth.parse(month), count) for month, count in rows)


def _newest(connection: Connection, kind: str, name: str) -> int:
    table = _TABLES[kind]
    query = select(table.c.ordinal).where(table.c[kind] == name).order_by(table.c.ordinal.desc()).limit(1)
    found: int | None = connection.execute(query).scalar()
    if found is None:
        raise NotStored(f"{kind} {name} is not stored, or outside the scope of this call; import the {kind}s first")
    return found


def _of(statement: Any, scope: Scope, proposal: uuid.UUID) -> Any:
    return statement.where(tables.proposals.c.client == scope.client, tables.proposals.c.id == proposal)


def _row(connection: Connection, scope: Scope, proposal: uuid.UUID, *, lock: bool = False) -> Row[Any]:
    query = _of(select(tables.proposals), scope, proposal)
    row: Row[Any] | None = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NoProposal(f"client {scope.client} has no proposal {proposal}")
    return row


def _proposal(row: Row[Any]) -> Proposal:
    return Proposal(
        client=row.client,
        id=row.id,
        kind=row.kind,
        name=row.name,
        base=row.base,
        beside=row.beside,
        starts=row.starts,
        origin=row.origin,
        document=row.document,
        summary=row.summary,
        job=row.job,
        asked_by=row.asked_by,
        asked_at=row.asked_at.astimezone(UTC),
        saved_by=row.saved_by,
        saved_at=None if row.saved_at is None else row.saved_at.astimezone(UTC),
    )
