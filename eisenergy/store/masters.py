"""Clients, customers, contracts, tariffs and calendars in the database.

Saving what is already there changes nothing, and says so. Customers and contracts are kept as they stand now, every earlier
state in ``changes``; tariffs and calendars are only ever added to, and the newest is in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, Text, any_, bindparam, insert, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY
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
    check_operator(scope)
    if client.code != scope.client:
        raise OutOfScope(f"client {client.code} is outside the scope of this call")
    entries: _Entries = {client.code: ({}, codec.dump(client))}
    return _put(connection, scope, tables.clients, "client", entries, datetime.now(UTC))[client.code]


_CLIENT: Final = select(tables.clients.c.document).where(tables.clients.c.client == bindparam("of"))
"""Like others here made once: every page asks, and to make a statement takes as long as to send it."""


def client(database: Database, scope: Scope) -> Client:
    """Return the scope's client. :raises NotStored: when it was never saved."""
    with database.session(scope) as connection:
        return codec.load(
            Client,
            one(
                connection.execute(_CLIENT, {"of": scope.client}).scalar(),
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


def put_contracts(
    connection: Connection, scope: Scope, contracts: Iterable[Contract], at: datetime | None = None
) -> dict[str, Put]:
    """Do what :func:`save_contracts` does, in a transaction of the caller's.

    :param at: when they are changed, UTC; ``None``: now
    :returns: number of the contract -> what became of it
    """
    scope.check_writes()
    at = at or datetime.now(UTC)
    wanted = sorted(contracts, key=lambda contract: contract.number)
    people: dict[str, Customer] = {}
    for contract in wanted:
        scope.check(contract.customer.code)
        if people.setdefault(contract.customer.code, contract.customer) != contract.customer:
            raise Conflict(f"customer {contract.customer.code} is described in two ways; make the rows agree")
    lock_contracts(connection, scope)
    customers: _Entries = {code: ({}, codec.dump(customer)) for code, customer in sorted(people.items())}
    persons = _put(connection, scope, tables.customers, "customer", customers, at)
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
    done = _put(connection, scope, tables.contracts, "contract", entries, at)
    _check_meters(connection)
    theirs: dict[str, dict[str, Put]] = {code: {} for code in persons}
    for contract in wanted:
        theirs[contract.customer.code][contract.number] = done[contract.number]
    events = [event for code, person in persons.items() for event in _told(code, person, theirs[code])]
    outbox.write(connection, scope.client, events, at)
    return done


def lock_contracts(connection: Connection, scope: Scope) -> None:
    """Let nobody else save contracts of the client until the transaction ends: two imports at once would both find a record missing."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": scope.client})


def customers(database: Database, scope: Scope) -> tuple[Customer, ...]:
    """Return the customers the scope may see, in order of their codes."""
    with database.session(scope) as connection:
        query = select(tables.customers.c.document).order_by(tables.customers.c.customer)
        return tuple(codec.load(Customer, document) for document in connection.execute(query).scalars())


_CUSTOMERS_CONTRACTS: Final = (
    select(tables.contracts.c.document)
    .where(tables.contracts.c.client == bindparam("of"), tables.contracts.c.customer == bindparam("whose"))
    .order_by(tables.contracts.c.contract)
)


def contracts(database: Database, scope: Scope, *, customer: str | None = None) -> tuple[Contract, ...]:
    """Return the contracts the scope may see, as they stand now, in order of their numbers.

    :param customer: only this customer's
    :raises OutOfScope: when the customer is outside the scope
    """
    columns, values = tables.contracts.c, {"of": scope.client, "whose": customer}
    if customer is None:
        query = select(columns.document).where(*own(scope, tables.contracts)).order_by(columns.contract)
        values = {}
    else:
        scope.check(customer)
        query = _CUSTOMERS_CONTRACTS
    with database.session(scope) as connection:
        return tuple(codec.load(Contract, document) for document in connection.execute(query, values).scalars())


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


def _supplied() -> Select[Any]:
    columns, client = tables.contracts.c, tables.clients.c
    timezone = select(client.document["timezone"].astext).where(client.client == bindparam("of")).scalar_subquery()
    query = select(columns.meter, columns.starts, columns.ends, timezone).where(columns.client == bindparam("of"))
    return query.order_by(columns.meter, columns.starts)


_SUPPLIES: Final = {
    False: _supplied(),
    True: _supplied().where(tables.contracts.c.customer.in_(bindparam("whose", expanding=True))),
}
"""By whether the scope is limited to customers, whom an index finds; see :func:`own`."""


def supplies(database: Database, scope: Scope) -> tuple[Supply, ...]:
    """Return which meters the scope's contracts take energy through, and when.

    A meter that went from one customer to another is each one's for its own time only.
    """
    return database.once(scope, "supplies", lambda: _supplies(database, scope))


def _supplies(database: Database, scope: Scope) -> tuple[Supply, ...]:
    values: dict[str, Any] = {"of": scope.client}
    if scope.customers is not None:
        values["whose"] = sorted(scope.customers)
    with database.session(scope) as connection:
        rows = connection.execute(_SUPPLIES[scope.customers is not None], values).all()

    def instant(day: date, zone: str | None) -> datetime:
        return midnight(day, zone or "UTC")

    return tuple(
        Supply(meter=meter, start=instant(starts, zone), end=None if ends is None else instant(ends, zone))
        for meter, starts, ends, zone in rows
    )


def own(scope: Scope, table: Table) -> tuple[ColumnElement[bool], ...]:
    """Return conditions that name the scope's client and customers, so that an index finds their rows; the database refuses others anyhow."""
    of_client = table.c.client == scope.client
    return (of_client,) if scope.customers is None else (of_client, table.c.customer.in_(sorted(scope.customers)))


def meters(database: Database, scope: Scope) -> frozenset[str]:
    """Return the serials of the meters of the scope's contracts."""
    return frozenset(supply.meter for supply in supplies(database, scope))


def save_tariff(database: Database, scope: Scope, tariff: Tariff) -> Saved:
    """Add a tariff, or a newer state of it. :raises OutOfScope: for a scope that may not write for the whole client."""
    return appended.put(database, scope, tables.tariffs, "tariff", tariff.name, tariff.version, codec.dump(tariff))


def tariff(database: Database, scope: Scope, name: str, *, version: str | None = None) -> Tariff:
    """Return a tariff: the newest state, or the one of a version. :raises NotStored: when there is none."""
    read = partial(codec.load, Tariff)
    return appended.newest(database, scope, tables.tariffs, "tariff", name, version, read)


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
    read = partial(codec.load, DayCalendar)
    return appended.newest(database, scope, tables.calendars, "calendar", name, version, read)


def calendars(database: Database, scope: Scope) -> tuple[DayCalendar, ...]:
    """Return the newest state of every calendar, in order of their names."""
    found = appended.all_newest(database, scope, tables.calendars, "calendar")
    return tuple(codec.load(DayCalendar, document) for document in found)


_Entries = Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]
"""Key -> columns beside the document, and the document."""


def _put(
    connection: Connection, scope: Scope, table: Table, kind: str, entries: _Entries, at: datetime
) -> dict[str, Put]:
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


def _told(customer: str, person: Put, contracts: Mapping[str, Put]) -> list[New]:
    """The event of a customer, where it or a contract of it was saved: which, and not what stands in it."""
    saved = [number for number, put in contracts.items() if put.outcome != "unchanged"]
    if person.outcome == "unchanged" and not saved:
        return []
    change = "added" if person.outcome == "added" else "changed"
    data = {"customer": customer, "change": change, "contracts": saved}
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
