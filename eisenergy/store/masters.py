"""Clients, customers, contracts, tariffs and calendars in the database.

Saving what is already there changes nothing, and says so. Customers and contracts are kept as they stand now, every earlier
state in ``changes``; tariffs and calendars are only ever added to, and the newest is in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, insert, select, text
from sqlalchemy.dialects.postgresql import distinct_on
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

    def __add__(self, other: Saved) -> Saved:
        return Saved(
            added=self.added + other.added,
            changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """When a contract takes energy through a meter.

    :param start: UTC instant of the first interval
    :param end: UTC end of the last one; ``None`` while it runs
    """

    meter: str
    start: datetime
    end: datetime | None


def save_client(database: Database, scope: Scope, client: Client) -> Saved:
    """Add or change the scope's client. :raises OutOfScope: for another client, or a scope that may not write."""
    _check_operator(scope)
    if client.code != scope.client:
        raise OutOfScope(f"client {client.code} is outside the scope of this call")
    with database.session(scope) as connection:
        return _save(connection, scope, tables.clients, "client", client.code, {}, codec.dump(client))


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
    scope.check_writes()
    wanted = sorted(contracts, key=lambda contract: contract.number)
    people: dict[str, Customer] = {}
    for contract in wanted:
        scope.check(contract.customer.code)
        if people.setdefault(contract.customer.code, contract.customer) != contract.customer:
            raise Conflict(f"customer {contract.customer.code} is described in two ways; make the rows agree")
    saved = Saved()
    with database.session(scope) as connection:
        # Two imports at once would both find a record missing.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": scope.client})
        for code, customer in sorted(people.items()):
            _save(connection, scope, tables.customers, "customer", code, {}, codec.dump(customer))
        for contract in wanted:
            columns = {
                "customer": contract.customer.code,
                "meter": contract.meter.serial,
                "tariff": contract.tariff,
                "starts": contract.start,
                "ends": contract.end,
            }
            document = codec.dump(contract)
            saved += _save(connection, scope, tables.contracts, "contract", contract.number, columns, document)
        _check_meters(connection)
    return saved


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
    query = (
        select(tables.contracts.c.document).where(*own(scope, tables.contracts)).order_by(tables.contracts.c.contract)
    )
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
        query = select(columns.meter, columns.starts, columns.ends).where(*own(scope, tables.contracts))
        query = query.order_by(columns.meter, columns.starts)
        rows = connection.execute(query).all()

    def instant(day: date | None) -> datetime | None:
        return None if day is None else midnight(day, zone)

    return tuple(Supply(meter=meter, start=midnight(starts, zone), end=instant(ends)) for meter, starts, ends in rows)


def own(scope: Scope, table: Table) -> tuple[ColumnElement[bool], ...]:
    """Return conditions that name the scope's client and customers, so that an index finds their rows; the database refuses others anyhow."""
    of_client = table.c.client == scope.client
    return (of_client,) if scope.customers is None else (of_client, table.c.customer.in_(sorted(scope.customers)))


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


def _save(
    connection: Connection,
    scope: Scope,
    table: Table,
    kind: str,
    key: str,
    columns: Mapping[str, Any],
    document: Mapping[str, Any],
) -> Saved:
    """Insert or update one record and log the change; nothing when the document is the stored one."""
    query = select(table.c.document).where(table.c.client == scope.client, table.c[kind] == key).with_for_update()
    stored = connection.execute(query).scalar()
    if stored == document:
        return Saved(unchanged=1)
    values = {"client": scope.client, kind: key, **columns, "document": document}
    changes = {name: value for name, value in values.items() if name not in ("client", kind)}
    statement = upsert(table).values(values).on_conflict_do_update(index_elements=["client", kind], set_=changes)
    connection.execute(statement)
    entry = {"client": scope.client, "kind": kind, "key": key, "at": datetime.now(UTC), "document": document}
    connection.execute(insert(tables.changes).values(entry))
    return Saved(added=1) if stored is None else Saved(changed=1)


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
