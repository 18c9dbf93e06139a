"""The books: drafts, issued invoices with gapless numbers, and customers who wait.

Bills are computed in parallel and kept as drafts; finality is one short transaction. An issued invoice and its lines cannot be
updated, deleted or truncated: the database refuses, to its owner too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from eisenergy.accounts import Client, Contract, OutOfScope, Scope
from eisenergy.billing import codec as bills
from eisenergy.billing.model import Bill
from eisenergy.findings import Finding
from eisenergy.ledger import codec as ledger
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth
from eisenergy.store import bulk, tables
from eisenergy.store.database import Database


class NoInvoice(LookupError):
    """No invoice of that number, or the scope may not see it."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueResult:
    """What an issue did.

    :param issued: invoices made by this call, in order of their numbers
    :param already: invoices of the month that were there before, in order of their numbers
    """

    issued: tuple[Invoice, ...]
    already: tuple[Invoice, ...]


def save_drafts(database: Database, scope: Scope, month: BillingMonth, drafts: Iterable[Draft]) -> tuple[str, ...]:
    """Keep drafts of a month, all or none; each replaces the contract's earlier draft and takes it off the parked.

    :returns: numbers of the contracts that were left out because their invoice is issued
    :raises OutOfScope: for a customer outside the scope, or a role that only reads
    """
    scope.check_writes()
    entries = []
    for draft in drafts:
        contract = draft.bill.contract
        scope.check(contract.customer.code)
        entries.append(
            {
                "client": scope.client,
                "contract": contract.number,
                "month": str(month),
                "customer": contract.customer.code,
                "kwh": draft.bill.kwh,
                "total": draft.bill.total,
                "input_hash": draft.input_hash,
                "document": bills.dump(draft.bill),
            }
        )
    with database.session(scope) as connection:
        issued = _issued(connection, scope, month)
        fresh = [entry for entry in entries if entry["contract"] not in issued]
        if fresh:
            bulk.put(connection, tables.drafts, fresh, key=("client", "contract", "month"))
            _forget(connection, scope, "parked", month, [str(entry["contract"]) for entry in fresh])
    return tuple(sorted(str(entry["contract"]) for entry in entries if entry["contract"] in issued))


def drafts(database: Database, scope: Scope, month: BillingMonth) -> tuple[Draft, ...]:
    """Return the drafts of a month that the scope may see, in order of contract numbers."""
    with database.session(scope) as connection:
        return tuple(draft for _, draft in _drafts(connection, scope, month))


def draft(database: Database, scope: Scope, contract: str, month: BillingMonth) -> Draft | None:
    """Return a contract's draft, ``None`` where there is none in the scope."""
    columns = tables.drafts.c
    query = select(columns.document, columns.input_hash).where(
        columns.client == scope.client, columns.contract == contract, columns.month == str(month)
    )
    with database.session(scope) as connection:
        row = connection.execute(query).first()
    return None if row is None else Draft(bill=bills.load(row.document), input_hash=row.input_hash)


def issue(
    database: Database,
    scope: Scope,
    month: BillingMonth,
    *,
    client: Client,
    issued_on: date,
    at: datetime,
    contracts: Collection[str] | None = None,
) -> IssueResult:
    """Make invoices of a month's drafts, numbered in order of contract numbers, in one transaction.

    A contract that has an invoice for the month gets no second one; run it twice, or twice at once, and nothing doubles.

    :param client: the issuer as it stands now; kept in the invoice
    :param issued_on: local date of issue
    :param at: UTC instant of posting
    :param contracts: only these; ``None``: every draft of the month
    :raises OutOfScope: for another client, or a scope that may not write for the whole client
    """
    scope.check_writes()
    if client.code != scope.client or scope.customers is not None:
        raise OutOfScope(f"invoices of client {client.code} are issued by its operators for all its customers")
    with database.session(scope) as connection:
        sequence = _locked_series(connection, scope, client.series)
        before = _issued(connection, scope, month)
        made = []
        for number, found in _drafts(connection, scope, month):
            if number in before or (contracts is not None and number not in contracts):
                continue
            sequence += 1
            made.append(
                Invoice(
                    number=ledger.number(client.series, sequence),
                    series=client.series,
                    sequence=sequence,
                    month=month,
                    issuer=client,
                    bill=found.bill,
                    issued_at=at,
                    issued_on=issued_on,
                    due_on=ledger.due_on(client, issued_on),
                    input_hash=found.input_hash,
                )
            )
        if made:
            _post(connection, scope, made)
            table = tables.series
            connection.execute(
                update(table)
                .where(table.c.client == scope.client, table.c.series == client.series)
                .values(last=sequence)
            )
            for kind in ("drafts", "parked"):
                _forget(connection, scope, kind, month, [invoice.bill.contract.number for invoice in made])
        already = _invoices(connection, scope, month=month, customer=None)
    fresh = {invoice.number for invoice in made}
    return IssueResult(issued=tuple(made), already=tuple(invoice for invoice in already if invoice.number not in fresh))


def invoices(
    database: Database, scope: Scope, *, month: BillingMonth | None = None, customer: str | None = None
) -> tuple[Invoice, ...]:
    """Return issued invoices that the scope may see, in order of series and sequence.

    :raises OutOfScope: when the customer is outside the scope
    """
    if customer is not None:
        scope.check(customer)
    with database.session(scope) as connection:
        return _invoices(connection, scope, month=month, customer=customer)


def invoice(database: Database, scope: Scope, number: str) -> Invoice:
    """Return an issued invoice. :raises NoInvoice: when there is none of that number in the scope."""
    columns = tables.invoices.c
    query = select(columns.document).where(columns.client == scope.client, columns.number == number)
    with database.session(scope) as connection:
        document = connection.execute(query).scalar()
    if document is None:
        raise NoInvoice(f"no invoice {number} of client {scope.client} in the scope of this call; list the invoices")
    return ledger.load(document)


def billed(database: Database, scope: Scope, contract: str, month: BillingMonth) -> Invoice | None:
    """Return the issued invoice of a contract for a month, ``None`` where there is none in the scope."""
    columns = tables.invoices.c
    query = select(columns.document).where(
        columns.client == scope.client, columns.contract == contract, columns.month == str(month)
    )
    with database.session(scope) as connection:
        document = connection.execute(query).scalar()
    return None if document is None else ledger.load(document)


def park(
    database: Database, scope: Scope, month: BillingMonth, contract: Contract, findings: Iterable[Finding]
) -> None:
    """Note why a contract is not billed for a month; see :func:`park_all`."""
    park_all(database, scope, month, [(contract, findings)])


def park_all(
    database: Database, scope: Scope, month: BillingMonth, waiting: Iterable[tuple[Contract, Iterable[Finding]]]
) -> None:
    """Note why contracts are not billed for a month, and drop their drafts; nothing of one whose invoice is issued.

    :raises OutOfScope: for a customer outside the scope, or a role that only reads
    """
    scope.check_writes()
    rows = []
    for contract, findings in waiting:
        scope.check(contract.customer.code)
        rows.append(
            {
                "client": scope.client,
                "contract": contract.number,
                "month": str(month),
                "customer": contract.customer.code,
                "findings": [finding.to_dict() for finding in findings],
            }
        )
    with database.session(scope) as connection:
        issued = _issued(connection, scope, month)
        fresh = [row for row in rows if row["contract"] not in issued]
        bulk.put(connection, tables.parked, fresh, key=("client", "contract", "month"))
        _forget(connection, scope, "drafts", month, [str(row["contract"]) for row in fresh])


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


def _locked_series(connection: Connection, scope: Scope, series: str) -> int:
    """Take the series' row for this transaction, and return the last number given."""
    table = tables.series
    connection.execute(
        upsert(table).values({"client": scope.client, "series": series, "last": 0}).on_conflict_do_nothing()
    )
    query = select(table.c.last).where(table.c.client == scope.client, table.c.series == series).with_for_update()
    last: int = connection.execute(query).scalar_one()
    return last


def _issued(connection: Connection, scope: Scope, month: BillingMonth) -> frozenset[str]:
    """Numbers of the contracts that have an invoice for a month."""
    columns = tables.invoices.c
    query = select(columns.contract).where(columns.client == scope.client, columns.month == str(month))
    return frozenset(connection.execute(query).scalars())


def _drafts(connection: Connection, scope: Scope, month: BillingMonth) -> list[tuple[str, Draft]]:
    columns = tables.drafts.c
    query = (
        select(columns.contract, columns.document, columns.input_hash)
        .where(columns.client == scope.client, columns.month == str(month))
        .order_by(columns.contract)
    )
    return [
        (row.contract, Draft(bill=bills.load(row.document), input_hash=row.input_hash))
        for row in connection.execute(query)
    ]


def _post(connection: Connection, scope: Scope, made: Iterable[Invoice]) -> None:
    heads, lines = [], []
    for item in made:
        contract = item.bill.contract
        heads.append(
            {
                "client": scope.client,
                "number": item.number,
                "series": item.series,
                "sequence": item.sequence,
                "contract": contract.number,
                "customer": contract.customer.code,
                "month": str(item.month),
                "issued_on": item.issued_on,
                "issued_at": item.issued_at,
                "due_on": item.due_on,
                "currency": item.bill.currency,
                "kwh": item.bill.kwh,
                "total": item.bill.total,
                "input_hash": item.input_hash,
                "document": ledger.dump(item),
            }
        )
        lines += [
            {
                "client": scope.client,
                "number": item.number,
                "position": position,
                "customer": contract.customer.code,
                "code": line.code.value,
                "quantity": line.quantity,
                "unit": line.unit,
                "rate": line.rate,
                "exact": line.exact,
                "amount": line.amount,
            }
            for position, line in enumerate(item.bill.lines, start=1)
        ]
    bulk.put(connection, tables.invoices, heads)
    bulk.put(connection, tables.invoice_lines, lines)


def _forget(connection: Connection, scope: Scope, kind: str, month: BillingMonth, contracts: list[str]) -> None:
    table = tables.metadata.tables[f"{tables.SCHEMA}.{kind}"]
    connection.execute(
        delete(table).where(
            table.c.client == scope.client, table.c.month == str(month), table.c.contract.in_(contracts)
        )
    )


def _invoices(
    connection: Connection, scope: Scope, *, month: BillingMonth | None, customer: str | None
) -> tuple[Invoice, ...]:
    columns = tables.invoices.c
    query = select(columns.document).where(columns.client == scope.client).order_by(columns.series, columns.sequence)
    if month is not None:
        query = query.where(columns.month == str(month))
    if customer is not None:
        query = query.where(columns.customer == customer)
    return tuple(ledger.load(document) for document in connection.execute(query).scalars())
