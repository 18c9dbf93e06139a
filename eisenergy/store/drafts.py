"""Drafts: bills that may be issued, and the contracts that wait instead, with the findings that say why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, text

from eisenergy.accounts import Contract, Scope
from eisenergy.billing import codec as bills
from eisenergy.billing.batch import entry
from eisenergy.billing.model import Bill
from eisenergy.findings import Finding
from eisenergy.period import BillingMonth
from eisenergy.store import bulk, tables
from eisenergy.store.arrays import Texts
from eisenergy.store.database import Database
from eisenergy.store.incoming import drafting as drafting
from eisenergy.store.incoming import exclusively as exclusively


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
    chosen = text("contract = ANY (CAST(:contracts AS text[]))").bindparams(contracts=Texts.of(contracts))
    connection.execute(delete(table).where(table.c.client == scope.client, table.c.month == str(month), chosen))
