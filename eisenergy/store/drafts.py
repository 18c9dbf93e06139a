"""Drafts: bills that may be issued, and the contracts that wait instead, with the findings that say why."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from psycopg import Copy
from sqlalchemy import ARRAY, Connection, Text, any_, bindparam, delete, select, text

from eisenergy.accounts import Contract, Scope
from eisenergy.billing import codec as bills
from eisenergy.billing.batch import Entry, entry
from eisenergy.billing.model import Bill
from eisenergy.findings import Finding
from eisenergy.period import BillingMonth
from eisenergy.store import bulk, copying, tables
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

    def __init__(self, scope: Scope, month: BillingMonth, copy: Copy) -> None:
        self._scope, self._month, self._copy = scope, month, copy
        self._writer = ThreadPoolExecutor(1)  # one: the connection is one, and what is put stays in its order
        self._waiting: deque[Future[None]] = deque()

    def put(self, entries: Sequence[Entry], lines: Sequence[bytes] | None = None) -> None:
        """Take some drafts; waits where too many are on their way.

        :param lines: the same as lines of COPY, where they are made already
        :raises OutOfScope: for a customer outside the scope
        :raises psycopg.Error: when the connection broke at these or at drafts put before
        """
        for one in entries:
            self._scope.check(one.customer)
        if lines is None:
            lines = [copying.line(self._scope.client, str(self._month), one) for one in entries]
        while self._waiting and (self._waiting[0].done() or len(self._waiting) >= AHEAD):
            self._waiting.popleft().result()
        self._waiting.append(self._writer.submit(self._copy.write, b"".join(lines)))

    def finish(self) -> None:
        """Wait until the server has taken what was put. :raises psycopg.Error: when it did not."""
        while self._waiting:
            self._waiting.popleft().result()

    def end(self) -> None:
        """Write nothing more; what is being written is written to its end, since the connection is needed to give up."""
        self._writer.shutdown(cancel_futures=True)


@contextmanager
def drafting(database: Database, scope: Scope, month: BillingMonth) -> Iterator[Drafting]:
    """Keep drafts of a month, all or none; each replaces the contract's earlier draft and takes it off the parked.

    Drafts of a contract whose invoice is issued are left out. What is put is parsed by the server while the next is worked out.

    :raises OutOfScope: for a role that only reads
    """
    scope.check_writes()
    names = ", ".join(copying.COLUMNS)
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in copying.COLUMNS)
    key = {"client": scope.client, "month": str(month)}
    with database.session(scope) as connection:
        connection.execute(text("SET LOCAL jit = off"))  # compiling takes longer than these statements
        connection.execute(
            text(f"CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS SELECT {names} FROM eisenergy.drafts LIMIT 0")
        )
        driver = connection.connection.driver_connection
        assert driver is not None
        with driver.cursor() as cursor, cursor.copy(f"COPY incoming ({names}) FROM STDIN") as copy:
            desk = Drafting(scope, month, copy)
            try:
                yield desk
                desk.finish()
            finally:
                desk.end()
        connection.execute(
            text(
                "DELETE FROM incoming WHERE contract IN "
                "(SELECT contract FROM eisenergy.invoices WHERE client = :client AND month = :month)"
            ),
            key,
        )
        connection.execute(
            text(
                # In order of the contracts, as an issue locks them: two that wait for each other would be ended.
                f"INSERT INTO eisenergy.drafts ({names}) SELECT {names} FROM incoming ORDER BY contract "
                f"ON CONFLICT (client, contract, month) DO UPDATE SET {changes}"
            )
        )
        # Once more: an issue that ended meanwhile has made an invoice of the draft that this one would stand beside.
        connection.execute(
            text(
                "DELETE FROM eisenergy.drafts d USING eisenergy.invoices i WHERE d.client = :client AND d.month = :month "
                "AND i.client = d.client AND i.month = d.month AND i.contract = d.contract"
            ),
            key,
        )
        connection.execute(
            text(
                "DELETE FROM eisenergy.parked WHERE client = :client AND month = :month "
                "AND contract IN (SELECT contract FROM incoming)"
            ),
            key,
        )
        connection.execute(text("DROP TABLE incoming"))


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
    with database.session(scope) as connection:
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
