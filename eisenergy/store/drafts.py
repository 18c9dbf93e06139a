"""Drafts: bills that may be issued, and the contracts that wait instead, with the findings that say why."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Cursor
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy import ARRAY, Connection, Text, any_, bindparam, delete, select, text

from eisenergy.accounts import Contract, Scope
from eisenergy.billing import codec as bills
from eisenergy.billing.batch import Entry, entry
from eisenergy.billing.model import Bill
from eisenergy.findings import Finding
from eisenergy.period import BillingMonth
from eisenergy.store import bulk, packing, tables
from eisenergy.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A bill that may be issued.

    :param input_hash: sha256 over what determines its amounts, see ``billing.codec.input_hash``
    """

    bill: Bill
    input_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A contract that was not billed for a month, and why."""

    contract: str
    customer: str
    month: BillingMonth
    findings: tuple[Finding, ...]


AHEAD: Final = 16
"""Puts that may wait for the server: it takes its time to read a bill, and whoever sums and prices need not wait for that."""


class Drafting:
    """Drafts on their way into the books: all of them are kept when the ``with`` of :func:`drafting` ends, or none."""

    def __init__(self, scope: Scope, cursor: Cursor[Any], key: Mapping[str, str]) -> None:
        self._scope, self._cursor, self._key = scope, cursor, key
        self._writer = ThreadPoolExecutor(1)  # one: the connection is one, and what is put stays in its order
        self._waiting: deque[Future[None]] = deque()
        self._contracts: list[str] = []

    def put(self, entries: Sequence[Entry], packed: packing.Rows | None = None) -> None:
        """Take some drafts; waits where too many are on their way.

        :param packed: the same as arrays, where they are made already
        :raises OutOfScope: for a customer outside the scope
        :raises psycopg.Error: when the connection broke at these or at drafts put before, or the books refused them
        """
        for one in entries:
            self._scope.check(one.customer)
        if not entries:
            return
        self._contracts += [one.contract for one in entries]
        while self._waiting and (self._waiting[0].done() or len(self._waiting) >= AHEAD):
            self._waiting.popleft().result()
        self._waiting.append(self._writer.submit(self._write, packing.rows(entries) if packed is None else packed))

    def _write(self, rows: packing.Rows) -> None:
        kinds = (Documents if name in packing.DOCUMENTS else Texts for name in packing.COLUMNS)
        arrays = {name: kind(values) for name, kind, values in zip(packing.COLUMNS, kinds, rows.arrays, strict=True)}
        self._cursor.execute(_PUT, {**self._key, **arrays})

    def finish(self) -> None:
        """Wait until the server has taken what was put, and take it off the parked. :raises psycopg.Error: when it did not."""
        while self._waiting:
            self._waiting.popleft().result()
        self._cursor.execute(_UNPARK, {**self._key, "contracts": self._contracts})

    def end(self) -> None:
        """Write nothing more; what is being written is written to its end, since the connection is needed to give up."""
        self._writer.shutdown(cancel_futures=True)


class Texts(bytes):
    """A ``text[]`` in its binary form."""


class Documents(bytes):
    """A ``jsonb[]`` in its binary form."""


class _Sent(Dumper):
    """Sends what is in its binary form already."""

    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        """Return it as it is."""
        return obj


class _Texts(_Sent):
    oid = 1009


class _Documents(_Sent):
    oid = 3807


_COLUMNS: Final = ("client", "month", *packing.COLUMNS)
_CASTS: Final = {"kwh": "numeric", "total": "numeric", "lake_version": "bigint"}

# The arrays come in order of the contracts. An issue of the month waits meanwhile, or this for it: see exclusively().
_PUT: Final = f"""
    INSERT INTO eisenergy.drafts ({", ".join(_COLUMNS)})
    SELECT %(client)s, %(month)s, {", ".join(f"CAST(n.{c} AS {_CASTS[c]})" if c in _CASTS else f"n.{c}" for c in packing.COLUMNS)}
    FROM unnest({", ".join(f"%({c})s" for c in packing.COLUMNS)}) AS n({", ".join(packing.COLUMNS)})
    WHERE NOT EXISTS (
        SELECT FROM eisenergy.invoices i WHERE i.client = %(client)s AND i.month = %(month)s AND i.contract = n.contract
    )
    ON CONFLICT (client, contract, month) DO UPDATE SET {", ".join(f"{c} = EXCLUDED.{c}" for c in packing.COLUMNS[1:])}
"""
_UNPARK: Final = (
    "DELETE FROM eisenergy.parked WHERE client = %(client)s AND month = %(month)s AND contract = ANY (%(contracts)s)"
)


@contextmanager
def drafting(database: Database, scope: Scope, month: BillingMonth) -> Iterator[Drafting]:
    """Keep drafts of a month, all or none; each replaces the contract's earlier draft and takes it off the parked.

    Drafts of a contract whose invoice is issued are left out. What is put is written by the server while the next is worked out.

    :raises OutOfScope: for a role that only reads
    """
    scope.check_writes()
    with database.session(scope) as connection:
        connection.execute(text("SET LOCAL jit = off"))  # compiling takes longer than these statements
        exclusively(connection, scope, month)
        driver = connection.connection.driver_connection
        assert driver is not None
        with driver.cursor() as cursor:
            cursor.adapters.register_dumper(Texts, _Texts)
            cursor.adapters.register_dumper(Documents, _Documents)
            desk = Drafting(scope, cursor, {"client": scope.client, "month": str(month)})
            try:
                yield desk
                desk.finish()
            finally:
                desk.end()


def exclusively(connection: Connection, scope: Scope, month: BillingMonth) -> None:
    """Let this transaction alone write drafts of a month, or issue them; another waits until it ends.

    Drafts come in the order in which they are priced, an issue takes them in order of their contracts: two that wait for each
    other's rows would be ended by the server.
    """
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 3))")
    connection.execute(lock, {"key": f"{scope.client} {month}"})


def save_drafts(database: Database, scope: Scope, month: BillingMonth, drafts: Iterable[Draft]) -> tuple[str, ...]:
    """Keep drafts of a month; see :func:`drafting`.

    :returns: numbers of the contracts that were left out because their invoice is issued
    :raises OutOfScope: for a customer outside the scope, or a role that only reads
    """
    entries = [entry(draft.bill, draft.input_hash) for draft in drafts]
    with drafting(database, scope, month) as incoming:
        incoming.put(entries)
    with database.session(scope) as connection:
        return tuple(sorted({one.contract for one in entries} & issued(connection, scope, month)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a draft was made from, without the draft.

    :param basis: hash of everything but the readings; ``None``: not known
    :param lake_version: version of the readings table; ``None``: not known
    """

    input_hash: str
    basis: str | None
    lake_version: int | None


def bases(database: Database, scope: Scope, month: BillingMonth) -> dict[str, Basis]:
    """Return contract -> what its draft of a month was made from, of those the scope may see."""
    columns = tables.drafts.c
    query = select(columns.contract, columns.input_hash, columns.basis, columns.lake_version).where(
        columns.client == scope.client, columns.month == str(month)
    )
    with database.session(scope) as connection:
        return {
            contract: Basis(input_hash=input_hash, basis=basis or None, lake_version=version)
            for contract, input_hash, basis, version in connection.execute(query)
        }


def drafts(database: Database, scope: Scope, month: BillingMonth) -> tuple[Draft, ...]:
    """Return the drafts of a month that the scope may see, in order of contract numbers."""
    columns = tables.drafts.c
    query = (
        select(columns.document, columns.input_hash)
        .where(columns.client == scope.client, columns.month == str(month))
        .order_by(columns.contract)
    )
    with database.session(scope) as connection:
        return tuple(
            Draft(bill=bills.load(row.document), input_hash=row.input_hash) for row in connection.execute(query)
        )


def draft(database: Database, scope: Scope, contract: str, month: BillingMonth) -> Draft | None:
    """Return a contract's draft, ``None`` where there is none in the scope."""
    columns = tables.drafts.c
    query = select(columns.document, columns.input_hash).where(
        columns.client == scope.client, columns.contract == contract, columns.month == str(month)
    )
    with database.session(scope) as connection:
        row = connection.execute(query).first()
    return None if row is None else Draft(bill=bills.load(row.document), input_hash=row.input_hash)


def park(
    database: Database, scope: Scope, month: BillingMonth, contract: Contract, findings: Iterable[Finding]
) -> None:
    """Note why a contract is not billed for a month; see :func:`park_all`."""
    waiting = Parked(contract=contract.number, customer=contract.customer.code, month=month, findings=tuple(findings))
    park_all(database, scope, month, [waiting])


def park_all(database: Database, scope: Scope, month: BillingMonth, waiting: Iterable[Parked]) -> None:
    """Note why contracts are not billed for a month, and drop their drafts; nothing of one whose invoice is issued.

    :raises OutOfScope: for a customer outside the scope, or a role that only reads
    """
    scope.check_writes()
    rows = []
    for one in waiting:
        scope.check(one.customer)
        rows.append(
            {
                "client": scope.client,
                "contract": one.contract,
                "month": str(month),
                "customer": one.customer,
                "findings": [finding.to_dict() for finding in one.findings],
            }
        )
    if not rows:
        return
    with database.session(scope) as connection:
        exclusively(connection, scope, month)
        done = issued(connection, scope, month)
        fresh = [row for row in rows if row["contract"] not in done]
        bulk.put(connection, tables.parked, fresh, key=("client", "contract", "month"))
        forget(connection, scope, "drafts", month, [str(row["contract"]) for row in fresh])


def parked(database: Database, scope: Scope, month: BillingMonth) -> tuple[Parked, ...]:
    """Return the contracts that wait in a month, in order of their numbers."""
    table = tables.parked
    query = select(table).where(table.c.client == scope.client, table.c.month == str(month)).order_by(table.c.contract)
    with database.session(scope) as connection:
        rows = connection.execute(query).all()
    return tuple(
        Parked(
            contract=row.contract,
            customer=row.customer,
            month=month,
            findings=tuple(Finding.from_dict(finding) for finding in row.findings),
        )
        for row in rows
    )


def issued(connection: Connection, scope: Scope, month: BillingMonth) -> frozenset[str]:
    """Numbers of the contracts that have an invoice for a month."""
    columns = tables.invoices.c
    query = select(columns.contract).where(columns.client == scope.client, columns.month == str(month))
    return frozenset(connection.execute(query).scalars())


def forget(connection: Connection, scope: Scope, kind: str, month: BillingMonth, contracts: list[str]) -> None:
    """Delete ``drafts`` or ``parked`` of some contracts."""
    table = tables.metadata.tables[f"{tables.SCHEMA}.{kind}"]
    connection.execute(
        delete(table).where(
            table.c.client == scope.client,
            table.c.month == str(month),
            table.c.contract == any_(bindparam("contracts", contracts, ARRAY(Text))),
        )
    )
