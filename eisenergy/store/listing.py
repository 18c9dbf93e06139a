"""Short lists for pages: customers with their last invoice, months, invoices without their documents."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import Column, ColumnElement, Connection, bindparam, func, literal, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on

from eisenergy.accounts import Scope
from eisenergy.billing.model import LineCode
from eisenergy.period import BillingMonth
from eisenergy.store import tables
from eisenergy.store.database import Database
from eisenergy.store.masters import own


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerLine:
    """A customer and its newest invoice, where there is one."""

    code: str
    name: str
    month: BillingMonth | None
    total: Decimal | None
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthLine:
    """What the invoices of a month come to."""

    month: BillingMonth
    invoices: int
    kwh: Decimal
    total: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """An invoice's head.

    :param input_hash: of everything it was derived from
    :param correction: what it corrects of earlier periods, before tax [currency]; ``None`` where it corrects nothing
    """

    number: str
    sequence: int
    month: BillingMonth
    contract: str
    issued_on: date
    due_on: date
    kwh: Decimal
    total: Decimal
    currency: str
    input_hash: str
    correction: Decimal | None


_NAME: Final = select(tables.customers.c.document["name"].astext).where(
    tables.customers.c.client == bindparam("of"), tables.customers.c.customer == bindparam("whose")
)
"""Made once: each of a customer's pages asks."""


def customer_name(database: Database, scope: Scope, customer: str) -> str | None:
    """Return a customer's name, ``None`` when there is none of that code in the scope."""
    with database.session(scope) as connection:
        name: str | None = connection.execute(_NAME, {"of": scope.client, "whose": customer}).scalar()
    return name


def customers(
    database: Database, scope: Scope, *, search: str = "", limit: int = 50, after: int = 0
) -> tuple[int, tuple[CustomerLine, ...]]:
    """Return how many customers there are whose code or name holds a text, and some of them in order of their codes.

    :param after: how many to pass over
    """
    table, billed = tables.customers, tables.invoices
    name = table.c.document["name"].astext
    wanted = [table.c.client == scope.client]
    if search:
        wanted.append(or_(table.c.customer.icontains(search, autoescape=True), name.icontains(search, autoescape=True)))
    with database.session(scope) as connection:
        count, codes = chosen(connection, table.c.customer, wanted, search=search, limit=limit, after=after)
        page = select(table.c.customer, name.label("name")).where(table.c.client == scope.client)
        rows = connection.execute(page.where(table.c.customer.in_(codes)).order_by(table.c.customer)).all()
        newest = (
            select(billed.c.customer, billed.c.month, billed.c.total, billed.c.currency)
            .ext(distinct_on(billed.c.customer))
            .where(billed.c.client == scope.client, billed.c.customer.in_([row.customer for row in rows]))
            .order_by(billed.c.customer, billed.c.month.desc(), billed.c.sequence.desc())
        )
        last = {row.customer: row for row in connection.execute(newest)}
    return count, tuple(
        CustomerLine(
            code=row.customer,
            name=row.name,
            month=BillingMonth.parse(last[row.customer].month) if row.customer in last else None,
            total=last[row.customer].total if row.customer in last else None,
            currency=last[row.customer].currency if row.customer in last else None,
        )
        for row in rows
    )


def chosen(
    connection: Connection,
    key: Column[str],
    wanted: Collection[ColumnElement[bool]],
    *,
    search: str,
    limit: int,
    after: int,
) -> tuple[int, list[str]]:
    """Return how many rows of a table there are, and the keys of some in their order.

    What a page shows is asked of those keys alone: of rows that are passed over, too, the server makes every column that is selected.

    :param wanted: conditions on the rows
    :param search: where they hold one that looks into every row, these are gone through once and not twice
    """
    page = select(key).where(*wanted).order_by(key).limit(limit).offset(after)
    counted = select(func.count()).select_from(key.table).where(*wanted)
    if not search:
        return connection.execute(counted).scalar_one(), list(connection.execute(page).scalars())
    rows = connection.execute(page.add_columns(func.count().over())).all()
    count = rows[0][1] if rows else 0 if not after else connection.execute(counted).scalar_one()
    return count, [row[0] for row in rows]


def customer_page(
    database: Database, scope: Scope, *, search: str = "", limit: int = 50, after: str | None = None
) -> tuple[tuple[str, str], ...]:
    """Return code and name of customers whose code or name holds a text, in order of their codes.

    :param after: only those beyond this code: nobody is passed over or told twice when others come in between
    """
    table = tables.customers
    name = table.c.document["name"].astext
    query = select(table.c.customer, name).where(table.c.client == scope.client).order_by(table.c.customer)
    if scope.customers is not None:
        query = query.where(table.c.customer.in_(sorted(scope.customers)))
    if search:
        query = query.where(
            or_(table.c.customer.icontains(search, autoescape=True), name.icontains(search, autoescape=True))
        )
    if after is not None:
        query = query.where(table.c.customer > after)
    with database.session(scope) as connection:
        return tuple((row[0], row[1]) for row in connection.execute(query.limit(limit)))


def customers_among(database: Database, scope: Scope, codes: Iterable[str]) -> frozenset[str]:
    """Return which of some codes are customers of the scope."""
    table = tables.customers
    query = select(table.c.customer).where(table.c.client == scope.client, table.c.customer.in_(sorted(set(codes))))
    with database.session(scope) as connection:
        return frozenset(connection.execute(query).scalars())


def months(database: Database, scope: Scope, *, limit: int = 13) -> tuple[MonthLine, ...]:
    """Return the newest months with invoices in the scope, newest first, and what they come to."""
    table = tables.invoices
    query = (
        select(
            table.c.month,
            func.count().label("invoices"),
            func.sum(table.c.kwh).label("kwh"),
            func.sum(table.c.total).label("total"),
            func.min(table.c.currency).label("currency"),
        )
        .where(*own(scope, table))
        .group_by(table.c.month)
        .order_by(table.c.month.desc())
        .limit(limit)
    )
    with database.session(scope) as connection:
        rows = connection.execute(query).all()
    return tuple(
        MonthLine(
            month=BillingMonth.parse(row.month),
            invoices=row.invoices,
            kwh=row.kwh,
            total=row.total,
            currency=row.currency,
        )
        for row in rows
    )


def invoices(
    database: Database,
    scope: Scope,
    customer: str,
    *,
    number: str | None = None,
    limit: int | None = None,
    before: tuple[str, int] | None = None,
) -> tuple[InvoiceLine, ...]:
    """Return a customer's invoices in the scope, newest month first.

    :param number: only this one
    :param limit: no more than so many
    :param before: only those that follow this month and sequence in the list
    :raises OutOfScope: when the customer is outside the scope
    """
    scope.check(customer)
    table = tables.invoices
    columns = [
        table.c[name]
        for name in (
            "number",
            "sequence",
            "month",
            "contract",
            "issued_on",
            "due_on",
            "kwh",
            "total",
            "currency",
            "input_hash",
        )
    ]
    lines = tables.invoice_lines.c
    correction = (
        select(func.sum(lines.amount))
        .where(lines.client == table.c.client, lines.number == table.c.number, lines.code == LineCode.CORRECTION.value)
        .scalar_subquery()
    )
    query = (
        select(*columns, correction.label("correction"))
        .where(table.c.client == scope.client, table.c.customer == customer)
        .order_by(table.c.month.desc(), table.c.sequence.desc())
    )
    if number is not None:
        query = query.where(table.c.number == number)
    if before is not None:
        query = query.where(tuple_(table.c.month, table.c.sequence) < tuple_(*map(literal, before)))
    if limit is not None:
        query = query.limit(limit)
    with database.session(scope) as connection:
        rows = connection.execute(query).all()
    return tuple(InvoiceLine(**{**row._mapping, "month": BillingMonth.parse(row.month)}) for row in rows)
