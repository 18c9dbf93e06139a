"""Issued invoices in outline: what pages about many months ask of each, and not the eleven lines that most of a document is.

An outline is an invoice whose bill has one line, the total. Whoever asks it for another line gets the bill's own ``KeyError``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Text, bindparam, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, JSONPATH

from eisenergy.accounts import Scope
from eisenergy.billing.model import LineCode
from eisenergy.ledger import codec as ledger
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth
from eisenergy.store import tables
from eisenergy.store.database import Database


@dataclass(frozen=True, slots=True)
class Posted:
    """That a month has an invoice, and which.

    :param input_hash: of everything it was derived from
    :param issued_at: UTC instant of posting; with number and hash it tells one invoice from every other
    """

    month: BillingMonth
    number: str
    input_hash: str
    issued_at: datetime


_POSTED: Final = (
    select(tables.invoices.c.month, tables.invoices.c.number, tables.invoices.c.input_hash, tables.invoices.c.issued_at)
    .where(
        tables.invoices.c.client == bindparam("of"),
        tables.invoices.c.contract == bindparam("number"),
        tables.invoices.c.customer == bindparam("whose"),
    )
    .order_by(tables.invoices.c.month.desc())
)


def posted(database: Database, scope: Scope, customer: str, contract: str) -> tuple[Posted, ...]:
    """Return the invoices of a customer's contract that the scope may see, newest month first.

    :raises OutOfScope: when the customer is outside the scope
    """
    scope.check(customer)
    values = {"of": scope.client, "number": contract, "whose": customer}
    with database.session(scope) as connection:
        rows = connection.execute(_POSTED, values).all()
    return tuple(Posted(BillingMonth.parse(month), *rest) for month, *rest in rows)


def outlines(database: Database, scope: Scope, numbers: Collection[str]) -> tuple[Invoice, ...]:
    """Return those of some issued invoices that the scope may see, in outline, in order of series and sequence."""
    values = {"of": scope.client, "numbers": sorted(numbers)}
    with database.session(scope) as connection:
        return tuple(ledger.load(document, bill) for document, bill in connection.execute(_outlines(), values))


@cache
def _outlines() -> Select[Any]:
    columns = tables.invoices.c
    # Older rows have the bill in the document alone.
    bill = func.coalesce(columns.bill, columns.document["bill"], type_=JSONB)
    beside = columns.document.op("-", return_type=JSONB())(cast("bill", Text))
    alone = func.jsonb_set(bill, literal(["lines"], ARRAY(Text)), _total(bill), type_=JSONB)
    return (
        select(beside, alone)
        .where(columns.client == bindparam("of"), columns.number.in_(bindparam("numbers", expanding=True)))
        .order_by(columns.series, columns.sequence)
    )


def _total(bill: ColumnElement[object]) -> ColumnElement[object]:
    """The lines of a bill's document that are its total."""
    path = f'$.lines[*] ? (@.code == "{LineCode.TOTAL.value}")'
    return func.jsonb_path_query_array(bill, cast(path, JSONPATH), type_=JSONB)
