"""The books: drafts, issued invoices with gapless numbers, and customers who wait.

Bills are computed in parallel and kept as drafts; finality is one short transaction. An issued invoice and its lines cannot be
updated, deleted or truncated: the database refuses, to its owner too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from eisenergy.accounts import Client, OutOfScope, Scope
from eisenergy.ledger import codec as ledger
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth
from eisenergy.store import lines, outbox, tables
from eisenergy.store.arrays import Texts
from eisenergy.store.database import Database
from eisenergy.store.drafts import Draft as Draft
from eisenergy.store.drafts import Parked as Parked
from eisenergy.store.drafts import draft as draft
from eisenergy.store.drafts import drafting as drafting
from eisenergy.store.drafts import drafts as drafts
from eisenergy.store.drafts import exclusively, forget
from eisenergy.store.drafts import park as park
from eisenergy.store.drafts import park_all as park_all
from eisenergy.store.drafts import parked as parked
from eisenergy.store.drafts import save_drafts as save_drafts
from eisenergy.store.heads import Head as Head
from eisenergy.store.heads import asked_heads, read_heads
from eisenergy.store.selection import Reviewed


class BadDraft(ValueError):
    """A draft whose document does not hold what it should. Nothing was issued."""


class NoInvoice(LookupError):
    """No invoice of that number, or the scope may not see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueResult:
    """What an issue did.

    :param issued: invoices made by this call, in order of their numbers
    :param already: invoices of the month that were there before, in order of their numbers
    """

    issued: tuple[Invoice, ...]
    already: tuple[Invoice, ...]


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
    posted, already = post(database, scope, month, client=client, issued_on=issued_on, at=at, contracts=contracts)
    with database.session(scope) as connection:
        found = {invoice.number: invoice for invoice in _invoices(connection, scope, month=month, customer=None)}
    return IssueResult(
        issued=tuple(found[head.number] for head in posted), already=tuple(found[head.number] for head in already)
    )


def post(
    database: Database,
    scope: Scope,
    month: BillingMonth,
    *,
    client: Client,
    issued_on: date,
    at: datetime,
    contracts: Collection[str] | None = None,
    reviewed: Reviewed | None = None,
    noted: Callable[[Connection, Sequence[Head]], None] | None = None,
) -> tuple[tuple[Head, ...], tuple[Head, ...]]:
    """Do what :func:`issue` does, without reading the documents: a draft's value becomes the invoice's where it lies.

    :param reviewed: what somebody looked at; it is compared under the same lock that the drafts are issued under
    :param noted: called with the new invoices in the transaction that makes them, for what must be there if and only if they are
    :raises DraftsChanged: where the drafts are not those that were reviewed; nothing is issued
    :raises BadDraft: where a draft's document is not a bill that comes to the draft's total
    :returns: heads of the invoices made by this call, and of those of the month that were there before; in order of their numbers
    """
    scope.check_writes()
    if client.code != scope.client or scope.customers is not None:
        raise OutOfScope(f"invoices of client {client.code} are issued by its operators for all its customers")
    key = {"client": scope.client, "month": str(month)}
    with database.session(scope) as connection:
        # The lines of ten thousand invoices are sorted: in memory, not on the disk.
        connection.execute(text("SET LOCAL work_mem = '64MB'"))
        last = _locked_series(connection, scope, client.series)
        exclusively(connection, scope, month)
        already = read_heads(asked_heads(connection, scope, month))
        issued = {head.contract for head in already}
        drafted = [tuple(row) for row in connection.execute(_READY, key) if row[0] not in issued]
        if reviewed is not None:
            reviewed.check(month, drafted)
        ready = [
            contract
            for contract, _, _ in drafted
            if (contracts is None or contract in contracts) and (reviewed is None or contract in reviewed.contracts)
        ]
        posted: tuple[Head, ...] = ()
        if ready:
            sequences = range(last + 1, last + 1 + len(ready))
            numbers = [ledger.number(client.series, sequence) for sequence in sequences]
            due_on = ledger.due_on(client, issued_on)
            made: dict[str, Any] = {
                **key,
                "contracts": Texts.of(ready),
                "numbers": Texts.of(numbers),
                "sequences": Texts.of(map(str, sequences)),
                "series": client.series,
                "issued_on": issued_on,
                "issued_at": at,
                "due_on": due_on,
                "common": json.dumps(ledger.head(client, month, at, issued_on, due_on)),
            }
            with ThreadPoolExecutor(2) as beside:
                many = len(ready) >= lines.WORTH
                taking = beside.submit(lines.taken, database, scope, made) if many else None
                connection.execute(_POST, made)
                # The answer is here; it is read while the server makes the lines.
                reading = beside.submit(read_heads, asked_heads(connection, scope, month))
                lines.post(connection, made, None if taking is None else taking.result())
                if unsound := connection.execute(_UNSOUND, made).scalar():
                    raise BadDraft(
                        f"contract {unsound}: what stands as its draft of {month} is not a Bill whose total line is the draft's total; nothing "
                        f"was issued. Run `eisenergy bill {month}` again, then issue."
                    )
                table = tables.series
                connection.execute(
                    update(table)
                    .where(table.c.client == scope.client, table.c.series == client.series)
                    .values(last=sequences[-1])
                )
                for kind in ("drafts", "parked"):
                    forget(connection, scope, kind, month, ready)
                outbox.issued(connection, scope.client, numbers, at)
            before = {head.number for head in already}
            posted = tuple(head for head in reading.result() if head.number not in before)
        if noted is not None:
            noted(connection, posted)
    return posted, already


# Locked: a draft replaced between the statements below would give an invoice the lines of another document.
_READY: Final = text(
    "SELECT contract, input_hash, total FROM eisenergy.drafts WHERE client = :client AND month = :month ORDER BY contract FOR UPDATE"
)
_POST: Final = text(f"""
    INSERT INTO eisenergy.invoices (client, number, series, sequence, contract, customer, month, issued_on, issued_at, due_on,
        currency, kwh, total, input_hash, document, bill, made)
    SELECT d.client, n.number, :series, n.sequence, d.contract, d.customer, d.month, :issued_on, :issued_at, :due_on,
        coalesce(d.made, d.document) ->> 'currency', d.kwh, d.total, d.input_hash,
        CAST(:common AS jsonb)
            || jsonb_build_object('number', n.number, 'sequence', n.sequence, 'input_hash', d.input_hash),
        d.document, d.made
    {lines.NUMBERED} ORDER BY n.sequence
""")
_UNSOUND: Final = text("""
    SELECT i.contract FROM eisenergy.invoices i
    LEFT JOIN eisenergy.invoice_lines l ON l.client = i.client AND l.number = i.number AND l.code = 'total'
    WHERE i.client = :client AND i.number = ANY (CAST(:numbers AS text[])) AND l.amount IS DISTINCT FROM i.total
    LIMIT 1
""")


def heads(
    database: Database, scope: Scope, month: BillingMonth | None = None, *, customer: str | None = None
) -> tuple[Head, ...]:
    """Return what a list shows of issued invoices that the scope may see, in order of series and sequence.

    :raises OutOfScope: when the customer is outside the scope
    """
    if customer is not None:
        scope.check(customer)
    with database.session(scope) as connection:
        return read_heads(asked_heads(connection, scope, month, customer))


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
    query = select(columns.document, columns.bill).where(columns.client == scope.client, columns.number == number)
    with database.session(scope) as connection:
        row = connection.execute(query).first()
    if row is None:
        raise NoInvoice(f"no invoice {number} of client {scope.client} in the scope of this call; list the invoices")
    return ledger.load(row.document, row.bill)


def billed(database: Database, scope: Scope, contract: str, month: BillingMonth) -> Invoice | None:
    """Return the issued invoice of a contract for a month, ``None`` where there is none in the scope."""
    columns = tables.invoices.c
    query = select(columns.document, columns.bill).where(
        columns.client == scope.client, columns.contract == contract, columns.month == str(month)
    )
    with database.session(scope) as connection:
        row = connection.execute(query).first()
    return None if row is None else ledger.load(row.document, row.bill)


def _locked_series(connection: Connection, scope: Scope, series: str) -> int:
    """Take the series' row for this transaction, and return the last number given."""
    table = tables.series
    connection.execute(
        upsert(table).values({"client": scope.client, "series": series, "last": 0}).on_conflict_do_nothing()
    )
    query = select(table.c.last).where(table.c.client == scope.client, table.c.series == series).with_for_update()
    last: int = connection.execute(query).scalar_one()
    return last


def _invoices(
    connection: Connection, scope: Scope, *, month: BillingMonth | None, customer: str | None
) -> tuple[Invoice, ...]:
    columns = tables.invoices.c
    query = (
        select(columns.document, columns.bill)
        .where(columns.client == scope.client)
        .order_by(columns.series, columns.sequence)
    )
    if month is not None:
        query = query.where(columns.month == str(month))
    if customer is not None:
        query = query.where(columns.customer == customer)
    return tuple(ledger.load(document, bill) for document, bill in connection.execute(query))
