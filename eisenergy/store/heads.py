"""Heads of invoices: what a list shows of them, and what is asked of every earlier one, without their documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select

from eisenergy.accounts import Scope
from eisenergy.period import BillingMonth
from eisenergy.store import tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a list shows of an invoice, and what is asked of every earlier one; its document is not read.

    :param name: the customer's
    :param made: name, meter, tariff and provenance, see ``billing.batch``
    """

    number: str
    sequence: int
    contract: str
    customer: str
    name: str
    month: BillingMonth
    kwh: Decimal
    total: Decimal
    issued_on: date
    due_on: date
    input_hash: str
    made: Mapping[str, Any]


def asked_heads(
    connection: Connection, scope: Scope, month: BillingMonth | None, customer: str | None = None
) -> Iterable[Any]:
    """Ask for the heads of a client's invoices, of a month or of all, of a customer or of all, in order of series and sequence.

    :returns: the server's answer, whole and not yet read; to read it needs the connection no more
    """
    columns = tables.invoices.c
    full = func.coalesce(columns.bill, columns.document["bill"])
    made = func.coalesce(  # an invoice from before these were kept beside it is looked into
        columns.made,
        func.jsonb_build_object(
            "name", full["contract"]["customer"]["name"], "meter", full["contract"]["meter"]["serial"],
            "tariff", full["tariff"], "provenance", full["provenance"],
        ),
    )  # fmt: skip
    query = select(
        columns.number, columns.sequence, columns.contract, columns.customer, columns.month, columns.kwh,
        columns.total, columns.issued_on, columns.due_on, columns.input_hash, made,
    ).where(columns.client == scope.client).order_by(columns.series, columns.sequence)  # fmt: skip
    if month is not None:
        query = query.where(columns.month == str(month))
    if customer is not None:
        query = query.where(columns.customer == customer)
    return connection.execute(query)


def read_heads(answer: Iterable[Any]) -> tuple[Head, ...]:
    """Read what :func:`asked_heads` returned."""
    months: dict[str, BillingMonth] = {}
    return tuple(
        Head(
            number=row[0],
            sequence=row[1],
            contract=row[2],
            customer=row[3],
            name=row[10]["name"],
            month=months.get(row[4]) or months.setdefault(row[4], BillingMonth.parse(row[4])),
            kwh=row[5],
            total=row[6],
            issued_on=row[7],
            due_on=row[8],
            input_hash=row[9],
            made=row[10],
        )
        for row in answer
    )
