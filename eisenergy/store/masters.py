"""Clients, customers, contracts, tariffs and calendars in the database.

Saving what is already there changes nothing, and says so. Customers and contracts are kept as they stand now, every earlier
state in ``changes``; tariffs and calendars are only ever added to, and the newest is in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Table, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from eisenergy.accounts import Client, Contract, Customer, OutOfScope, Scope
from eisenergy.masters import codec
from eisenergy.period import midnight
from eisenergy.store import appended, outbox, tables
from eisenergy.store.appended import NotStored as NotStored
from eisenergy.store.appended import Saved as Saved
from eisenergy.store.appended import check_operator, one
from eisenergy.store.database import Database
from eisenergy.store.outbox import New
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar


class Conflict(ValueError):
    """Masters that contradict each other."""


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
    check_operator(scope)
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
            one(
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
        lock_contracts(connection, scope)
        changes: dict[str, list[tuple[Saved, str | None]]] = {}
        for code, customer in sorted(people.items()):
            changed = _save(connection, scope, tables.customers, "customer", code, {}, codec.dump(customer))
            changes[code] = [(changed, None)]
        for contract in wanted:
            changed = put_contract(connection, scope, contract)
            changes[contract.customer.code].append((changed, contract.number))
            saved += changed
        _check_meters(connection)
        events = [event for code in changes for event in _told(code, changes[code])]
        outbox.write(connection, scope.client, events, datetime.now(UTC))
    return saved


def lock_contracts(connection: Connection, scope: Scope) -> None:
    """Let nobody else save contracts of the client until the transaction ends: two imports at once would both find a record missing."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": scope.client})


def put_contract(connection: Connection, scope: Scope, contract: Contract, at: datetime | None = None) -> Saved:
    """Save one contract in a transaction that holds :func:`lock_contracts`; its customer is saved apart."""
    columns = {
        "customer": contract.customer.code,
        "meter": contract.meter.serial,
        "tariff": contract.tariff,
        "starts": contract.start,
        "ends": contract.end,
    }
    return _save(connection, scope, tables.contracts, "contract", contract.number, columns, codec.dump(contract), at)


def change_contracts(connection: Connection, scope: Scope, contracts: Iterable[Contract], at: datetime) -> Saved:
    """Save contracts of one customer, and the customer, in a transaction that holds :func:`lock_contracts`.

    :raises Conflict: when two running contracts claim one meter
    """
    saved = Saved()
    changes: dict[str, list[tuple[Saved, str | None]]] = {}
    for contract in contracts:
        code, document = contract.customer.code, codec.dump(contract.customer)
        person = _save(connection, scope, tables.customers, "customer", code, {}, document, at)
        changed = put_contract(connection, scope, contract, at)
        changes.setdefault(code, []).extend([(person, None), (changed, contract.number)])
        saved += changed
    _check_meters(connection)
    outbox.write(connection, scope.client, [event for code in changes for event in _told(code, changes[code])], at)
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
        found = one(connection.execute(query).scalar(), f"contract {number}", "import the customers")
        return codec.load(Contract, found)


def contract_history(database: Database, scope: Scope, number: str) -> tuple[tuple[datetime, Contract], ...]:
    """Return ``(UTC instant of the change, contract as it stood from then)``, oldest first.

    :raises OutOfScope: for a scope that is limited to customers
    """
    check_operator(scope)
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
    return appended.put(database, scope, tables.tariffs, "tariff", tariff.name, tariff.version, codec.dump(tariff))


def tariff(database: Database, scope: Scope, name: str, *, version: str | None = None) -> Tariff:
    """Return a tariff: the newest state, or the one of a version. :raises NotStored: when there is none."""
    return codec.load(Tariff, appended.newest(database, scope, tables.tariffs, "tariff", name, version))


def tariff_state(database: Database, scope: Scope, name: str, ordinal: int) -> Tariff:
    """Return the state of a tariff with an ordinal. :raises NotStored: when there is none."""
    return codec.load(Tariff, appended.state(database, scope, tables.tariffs, "tariff", name, ordinal))


def calendar_state(database: Database, scope: Scope, name: str, ordinal: int) -> DayCalendar:
    """Return the state of a calendar with an ordinal. :raises NotStored: when there is none."""
    return codec.load(DayCalendar, appended.state(database, scope, tables.calendars, "calendar", name, ordinal))


def calendar_states(database: Database, scope: Scope, name: str, limit: int) -> list[tuple[int, datetime, str]]:
    """Return ordinal, time of saving (UTC) and version of a calendar's newest states, the newest first."""
    return appended.history(database, scope, tables.calendars, "calendar", name, limit)


def tariffs(database: Database, scope: Scope) -> tuple[Tariff, ...]:
    """Return the newest state of every tariff the scope may see, in order of their names."""
    return tuple(
        codec.load(Tariff, document) for document in appended.all_newest(database, scope, tables.tariffs, "tariff")
    )


def save_calendar(database: Database, scope: Scope, calendar: DayCalendar) -> Saved:
    """Add a calendar, or a newer state of it. :raises OutOfScope: for a scope that may not write for the whole client."""
    document = codec.dump(calendar)
    return appended.put(database, scope, tables.calendars, "calendar", calendar.name, calendar.version, document)


def calendar(database: Database, scope: Scope, name: str, *, version: str | None = None) -> DayCalendar:
    """Return a calendar: the newest state, or the one of a version. :raises NotStored: when there is none."""
    return codec.load(DayCalendar, appended.newest(database, scope, tables.calendars, "calendar", name, version))


def calendars(database: Database, scope: Scope) -> tuple[DayCalendar, ...]:
    """Return the newest state of every calendar, in order of their names."""
    found = appended.all_newest(database, scope, tables.calendars, "calendar")
    return tuple(codec.load(DayCalendar, document) for document in found)


def _save(
    connection: Connection,
    scope: Scope,
    table: Table,
    kind: str,
    key: str,
    columns: Mapping[str, Any],
    document: Mapping[str, Any],
    at: datetime | None = None,
) -> Saved:
    """Insert or update one record and log the change; nothing when the document is the stored one.

    :param at: when it is changed, UTC; ``None``: now
    """
    query = select(table.c.document).where(table.c.client == scope.client, table.c[kind] == key).with_for_update()
    stored = connection.execute(query).scalar()
    if stored == document:
        return Saved(unchanged=1)
    values = {"client": scope.client, kind: key, **columns, "document": document}
    changes = {name: value for name, value in values.items() if name not in ("client", kind)}
    statement = upsert(table).values(values).on_conflict_do_update(index_elements=["client", kind], set_=changes)
    connection.execute(statement)
    entry = {"client": scope.client, "kind": kind, "key": key, "at": at or datetime.now(UTC), "document": document}
    connection.execute(insert(tables.changes).values(entry))
    return Saved(added=1) if stored is None else Saved(changed=1)


def _told(customer: str, changes: Iterable[tuple[Saved, str | None]]) -> list[New]:
    """The event of a customer, where it or a contract of it was saved: which, and not what stands in it."""
    real = [(saved, contract) for saved, contract in changes if not saved.unchanged]
    if not real:
        return []
    added = any(saved.added for saved, contract in real if contract is None)
    data = {
        "customer": customer,
        "change": "added" if added else "changed",
        "contracts": [contract for _, contract in real if contract is not None],
    }
    return [New(type=outbox.CUSTOMER, customer=customer, data=data)]


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
