"""Clients, customers, contracts, tariffs and calendars in the database.

Saving what is already there changes nothing, and says so. Customers and contracts are kept as they stand now, every earlier
state in ``changes``; tariffs and calendars are only ever added to, and the newest is in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Table, Text, any_, insert, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from eisenergy.accounts import Client, Contract, Customer, OutOfScope, Scope
from eisenergy.masters import codec
from eisenergy.period import midnight
from eisenergy.store import tables
from eisenergy.store.database import Database
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar


class NotStored(LookupError):
    """Nothing of that name is stored, or the scope may not see it."""


class Conflict(ValueError):
    """Masters that contradict each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """How many records a save added, changed and found unchanged."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """When a contract takes energy through a meter.

    :param start: UTC instant of the first interval
    :param end: UTC end of the last one; ``None`` while it runs
    """

    meter: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What became of one record.

    :param outcome: ``added``, ``changed`` or ``unchanged``
    :param old: what was there before, JSON types; ``None`` where nothing was
    :param new: what is there now
    """

    outcome: str
    old: Any
    new: Any


def save_client(database: Database, scope: Scope, client: Client) -> Saved:
    """Add or change the scope's client. :raises OutOfScope: for another client, or a scope that may not write."""
    with database.session(scope) as connection:
        return _counted([put_client(connection, scope, client)])


def put_client(connection: Connection, scope: Scope, client: Client) -> Put:
    """Do what :func:`save_client` does, in a transaction of the caller's."""
    _check_operator(scope)
    if client.code != scope.client:
        raise OutOfScope(f"client {client.code} is outside the scope of this call")
    return _put(connection, scope, tables.clients, "client", {client.code: ({}, codec.dump(client))})[client.code]


def client(database: Database, scope: Scope) -> Client:
    """Return the scope's client. :raises NotStored: when it was never saved."""
    with database.session(scope) as connection:
        query = select(tables.clients.c.document).where(tables.clients.c.client == scope.client)
        return codec.load(
            Client,
            _one(
                connection.execute(query).scalar(),
                f"client {scope.client}",
                "import it with `eisenergy client import FILE`",
            ),
        )


def clients(database: Database, scope: Scope) -> tuple[Client, ...]:
    """Return all clients to a system administrator, the scope's own to everybody else; in order of their codes."""
    with database.session(scope) as connection:
        query = select(tables.clients.c.document).order_by(tables.clients.c.client)
        return tuple(codec.load(Client, document) for document in connection.execute(query).scalars())


def save_contracts(database: Database, scope: Scope, contracts: Iterable[Contract]) -> Saved:
    """Add or change contracts and their customers, all or none.

    :returns: the counts of contracts; a contract whose customer changed counts as changed
    :raises OutOfScope: for a customer outside the scope, or a scope that may not write
    :raises Conflict: when one customer is described in two ways, or two running contracts claim one meter
    """
    with database.session(scope) as connection:
        return _counted(put_contracts(connection, scope, contracts).values())


def put_contracts(connection: Connection, scope: Scope, contracts: Iterable[Contract]) -> dict[str, Put]:
    """Do what :func:`save_contracts` does, in a transaction of the caller's.

    :returns: number of the contract -> what became of it
    """
    scope.check_writes()
    wanted = sorted(contracts, key=lambda contract: contract.number)
    people: dict[str, Customer] = {}
    for contract in wanted:
        scope.check(contract.customer.code)
        if people.setdefault(contract.customer.code, contract.customer) != contract.customer:
            raise Conflict(f"customer {contract.customer.code} is described in two ways; make the rows agree")
    # Two imports at once would both find a record missing.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": scope.client})
    customers: _Entries = {code: ({}, codec.dump(customer)) for code, customer in sorted(people.items())}
    _put(connection, scope, tables.customers, "customer", customers)
    entries: _Entries = {
        contract.number: (
            {
                "customer": contract.customer.code,
                "meter": contract.meter.serial,
                "tariff": contract.tariff,
                "starts": contract.start,
                "ends": contract.end,
            },
            codec.dump(contract),
        )
        for contract in wanted
    }
    done = _put(connection, scope, tables.contracts, "contract", entries)
    _check_meters(connection)
    return done


def customers(database: Database, scope: Scope) -> tuple[Customer, ...]:
    """Return the customers the scope may see, in order of their codes."""
    with database.session(scope) as connection:
        query = select(tables.customers.c.document).order_by(tables.customers.c.customer)
        return tuple(codec.load(Customer, document) for document in connection.execute(query).scalars())


def contracts(database: Database, scope: Scope, *, customer: str | None = None) -> tuple[Contract, ...]:
    """Return the contracts the scope may see, as they stand now, in order of their numbers.

    :param customer: only this customer's
    :raises OutOfScope: when the customer is outside the scope
    """
    query = select(tables.contracts.c.document).order_by(tables.contracts.c.contract)
    if customer is not None:
        scope.check(customer)
        query = query.where(tables.contracts.c.customer == customer)
    with database.session(scope) as connection:
        return tuple(codec.load(Contract, document) for document in connection.execute(query).scalars())


def contract(database: Database, scope: Scope, number: str) -> Contract:
    """Return a contract. :raises NotStored: when there is none of that number in the scope."""
    with database.session(scope) as connection:
        query = select(tables.contracts.c.document).where(tables.contracts.c.contract == number)
        found = _one(connection.execute(query).scalar(), f"contract {number}", "import the customers")
        return codec.load(Contract, found)


def contract_history(database: Database, scope: Scope, number: str) -> tuple[tuple[datetime, Contract], ...]:
    """Return ``(UTC instant of the change, contract as it stood from then)``, oldest first.

    :raises OutOfScope: for a scope that is limited to customers
    """
    _check_operator(scope)
    changes = tables.changes.c
    query = select(changes.at, changes.document).where(changes.kind == "contract", changes.key == number)
    with database.session(scope) as connection:
        rows = connection.execute(query.order_by(changes.id)).all()
    return tuple((at.astimezone(UTC), codec.load(Contract, document)) for at, document in rows)


def supplies(database: Database, scope: Scope) -> tuple[Supply, ...]:
    """Return which meters the scope's contracts take energy through, and when.

    A meter that went from one customer to another is each one's for its own time only.
    """
    columns = tables.contracts.c
    with database.session(scope) as connection:
        timezone = select(tables.clients.c.document["timezone"].astext).where(tables.clients.c.client == scope.client)
        zone = connection.execute(timezone).scalar() or "UTC"
        query = select(columns.meter, columns.starts, columns.ends).order_by(columns.meter, columns.starts)
        rows = connection.execute(query).all()

    def instant(day: date | None) -> datetime | None:
        return None if day is None else midnight(day, zone)

    return tuple(Supply(meter=meter, start=midnight(starts, zone), end=instant(ends)) for meter, starts, ends in rows)


def meters(database: Database, scope: Scope) -> frozenset[str]:
    """Return the serials of the meters of the scope's contracts."""
    return frozenset(supply.meter for supply in supplies(database, scope))


def save_tariff(database: Database, scope: Scope, tariff: Tariff) -> Saved:
    """Add a tariff, or a newer state of it. :raises OutOfScope: for a scope that may not write for the whole client."""
    return _append(database, scope, tables.tariffs, "tariff", tariff.name, tariff.version, codec.dump(tariff))


def tariff(database: Database, scope: Scope, name: str, *, version: str | None = None) -> Tariff:
    """Return a tariff: the newest state, or the one of a version. :raises NotStored: when there is none."""
    return codec.load(Tariff, _newest(database, scope, tables.tariffs, "tariff", name, version))


def tariffs(database: Database, scope: Scope) -> tuple[Tariff, ...]:
    """Return the newest state of every tariff the scope may see, in order of their names."""
    return tuple(codec.load(Tariff, document) for document in _all_newest(database, scope, tables.tariffs, "tariff"))


def save_calendar(database: Database, scope: Scope, calendar: DayCalendar) -> Saved:
    """Add a calendar, or a newer state of it. :raises OutOfScope: for a scope that may not write for the whole client."""
    document = codec.dump(calendar)
    return _append(database, scope, tables.calendars, "calendar", calendar.name, calendar.version, document)


def calendar(database: Database, scope: Scope, name: str, *, version: str | None = None) -> DayCalendar:
    """Return a calendar: the newest state, or the one of a version. :raises NotStored: when there is none."""
    return codec.load(DayCalendar, _newest(database, scope, tables.calendars, "calendar", name, version))


def calendars(database: Database, scope: Scope) -> tuple[DayCalendar, ...]:
    """Return the newest state of every calendar, in order of their names."""
    found = _all_newest(database, scope, tables.calendars, "calendar")
    return tuple(codec.load(DayCalendar, document) for document in found)


def _check_operator(scope: Scope) -> None:
    scope.check_writes()
    if scope.customers is not None:
        raise OutOfScope("this call concerns the whole client, and the scope is limited to customers")


def _one(document: Any, what: str, remedy: str) -> Mapping[str, Any]:
    if document is None:
        raise NotStored(f"{what} is not stored, or outside the scope of this call; {remedy} first")
    found: Mapping[str, Any] = document
    return found


_Entries = Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]
"""Key -> columns beside the document, and the document."""


def _put(connection: Connection, scope: Scope, table: Table, kind: str, entries: _Entries) -> dict[str, Put]:
    """Insert or update records and log the changes; nothing where the document is the stored one."""
    key = table.c[kind]
    query = (
        select(key, table.c.document)
        .where(table.c.client == scope.client, key == any_(literal(sorted(entries), ARRAY(Text))))
        .order_by(key)
        .with_for_update()
    )
    stored = {row[0]: row.document for row in connection.execute(query)}
    fresh = {name: entry for name, entry in entries.items() if stored.get(name) != entry[1]}
    if fresh:
        rows = [
            {"client": scope.client, kind: name, **columns, "document": document}
            for name, (columns, document) in fresh.items()
        ]
        statement = upsert(table)
        set_ = {name: statement.excluded[name] for name in rows[0] if name not in ("client", kind)}
        connection.execute(statement.on_conflict_do_update(index_elements=list({"client", kind}), set_=set_), rows)
        at = datetime.now(UTC)
        changes = [{"kind": kind, "key": name, "at": at, "document": fresh[name][1]} for name in fresh]
        connection.execute(insert(tables.changes), [{"client": scope.client, **entry} for entry in changes])
    return {
        name: Put(
            outcome="unchanged" if name not in fresh else "changed" if name in stored else "added",
            old=stored.get(name),
            new=document,
        )
        for name, (_, document) in entries.items()
    }


def _counted(done: Iterable[Put]) -> Saved:
    outcomes = [one.outcome for one in done]
    return Saved(
        added=outcomes.count("added"), changed=outcomes.count("changed"), unchanged=outcomes.count("unchanged")
    )


def _check_meters(connection: Connection) -> None:
    query = text(
        "SELECT a.meter, a.contract, b.contract FROM eisenergy.contracts a JOIN eisenergy.contracts b "
        "ON a.client = b.client AND a.meter = b.meter AND a.contract < b.contract AND a.valid && b.valid LIMIT 1"
    )
    for meter, first, second in connection.execute(query):
        raise Conflict(
            f"meter {meter} belongs to contracts {first} and {second} at the same time: it would be billed twice. "
            f"Give one of them an end before the other starts."
        )


def _append(
    database: Database, scope: Scope, table: Table, kind: str, key: str, version: str, document: Mapping[str, Any]
) -> Saved:
    """Add a state of an append-only record; nothing when the newest is the same."""
    _check_operator(scope)
    with database.session(scope) as connection:
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
        connection.execute(lock, {"key": f"{scope.client} {kind} {key}"})
        query = select(table.c.ordinal, table.c.document).where(table.c[kind] == key).order_by(table.c.ordinal.desc())
        newest = connection.execute(query.limit(1)).first()
        if newest is not None and newest.document == document:
            return Saved(unchanged=1)
        values = {"client": scope.client, kind: key, "ordinal": 1 if newest is None else newest.ordinal + 1}
        entry = {**values, "version": version, "at": datetime.now(UTC), "document": document}
        connection.execute(insert(table).values(entry))
        return Saved(added=1) if newest is None else Saved(changed=1)


def _newest(
    database: Database, scope: Scope, table: Table, kind: str, key: str, version: str | None
) -> Mapping[str, Any]:
    query = select(table.c.document).where(table.c[kind] == key).order_by(table.c.ordinal.desc()).limit(1)
    if version is not None:
        query = query.where(table.c.version == version)
    with database.session(scope) as connection:
        what = f"{kind} {key}" if version is None else f"{kind} {key}, version {version},"
        return _one(connection.execute(query).scalar(), what, f"import the {kind}s")


def _all_newest(database: Database, scope: Scope, table: Table, kind: str) -> list[Mapping[str, Any]]:
    order = (table.c[kind], table.c.ordinal.desc())
    query = select(table.c.document).ext(distinct_on(table.c[kind])).order_by(*order)
    with database.session(scope) as connection:
        return list(connection.execute(query).scalars())
