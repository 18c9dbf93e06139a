"""A month as it is reviewed before its invoices are issued: drafts, who waits, what was issued, each against the month before.

All of it is sorted, filtered, summed and cut to a page by the database; no bill is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import text

from eisenergy.accounts import Scope
from eisenergy.findings import Finding
from eisenergy.masters import codec
from eisenergy.period import BillingMonth
from eisenergy.store.database import Database
from eisenergy.store.selection import WARNINGS

DRAFTS, CLEAN, WARNED, WAITING, ISSUED = "drafts", "clean", "warned", "waiting", "issued"
VIEWS: Final = (DRAFTS, CLEAN, WARNED, WAITING, ISSUED)
"""Every draft, those without a warning, those with one, contracts that wait, invoices."""
ORDERS: Final = ("contract", "customer", "total", "difference", "share", "findings")
"""What a list may be sorted by; ``share`` is the difference as a share of the month before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One contract of a month.

    :param customer: code
    :param number: of the invoice; ``None`` while there is none
    :param kwh: [kWh], ``None`` for one that waits; ``total`` likewise
    :param before: total of the month before, of its invoice or else its draft; ``None`` where it has neither
    :param difference: ``total`` less ``before``
    :param share: ``difference`` over ``before``; ``None`` where that is nought
    :param warnings: findings that somebody should look at
    :param notes: findings that need no action
    :param estimated: intervals that were estimated; ``None``: not known
    :param findings: why it waits, and what to do; of one that waits only
    """

    contract: str
    customer: str
    name: str
    number: str | None
    kwh: Decimal | None
    total: Decimal | None
    before: Decimal | None
    difference: Decimal | None
    share: Decimal | None
    warnings: int
    notes: int
    estimated: int | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What some lines come to.

    :param before: of those among them that had a month before
    :param compared: their totals now
    """

    count: int
    kwh: Decimal
    total: Decimal
    before: Decimal
    compared: Decimal


_BEFORE: Final = """
    LEFT JOIN (
        SELECT i.contract, i.total FROM eisenergy.invoices i WHERE i.client = :client AND i.month = :before
        UNION ALL
        SELECT d.contract, d.total FROM eisenergy.drafts d WHERE d.client = :client AND d.month = :before
    ) AS b ON b.contract = d.contract
"""
_FIGURES: Final = f"""
    d.contract, d.customer, d.made ->> 'name' AS name, {{number}} AS number, d.kwh, d.total, b.total AS before,
    d.total - b.total AS difference, (d.total - b.total) / nullif(b.total, 0) AS share, {WARNINGS} AS warnings,
    CASE WHEN d.made ? 'findings' THEN coalesce((d.made -> 'findings' ->> 'info')::integer, 0) ELSE 0 END AS notes,
    (d.made ->> 'estimated')::integer AS estimated, NULL::jsonb AS findings
"""
_SOURCES: Final = {
    DRAFTS: f"SELECT {_FIGURES.format(number='NULL')} FROM eisenergy.drafts d {_BEFORE} "
    "WHERE d.client = :client AND d.month = :month",
    # what is asked of a draft beside its columns is called the same of an invoice
    ISSUED: f"""SELECT {_FIGURES.format(number="d.number")} FROM (
            SELECT client, month, contract, customer, number, kwh, total, coalesce(bill, document -> 'bill') AS document,
                coalesce(made, jsonb_build_object('name', coalesce(bill, document -> 'bill') -> 'contract' -> 'customer' ->> 'name')) AS made
            FROM eisenergy.invoices WHERE client = :client AND month = :month
        ) AS d {_BEFORE}""",
    WAITING: """SELECT p.contract, p.customer, coalesce(c.document ->> 'name', p.customer) AS name, NULL AS number, NULL::numeric AS kwh,
            NULL::numeric AS total, b.total AS before, NULL::numeric AS difference, NULL::numeric AS share, 0 AS warnings, 0 AS notes,
            NULL::integer AS estimated, p.findings
        FROM (SELECT * FROM eisenergy.parked WHERE client = :client AND month = :month) AS p
        LEFT JOIN eisenergy.customers c ON c.client = :client AND c.customer = p.customer
        LEFT JOIN (SELECT i.contract, i.total FROM eisenergy.invoices i WHERE i.client = :client AND i.month = :before) AS b
            ON b.contract = p.contract""",
}
_SOURCES[CLEAN] = f"{_SOURCES[DRAFTS]} AND {WARNINGS} = 0"
_SOURCES[WARNED] = f"{_SOURCES[DRAFTS]} AND {WARNINGS} > 0"
_SORTED: Final = {
    "contract": "contract",
    "customer": "name",
    "total": "total",
    "difference": "abs(difference)",
    "share": "abs(share)",
    "findings": "warnings * 1000000 + notes",
}
_FOUND: Final = " WHERE (:search = '' OR contract ILIKE :like OR name ILIKE :like OR customer ILIKE :like)"


def lines(
    database: Database,
    scope: Scope,
    month: BillingMonth,
    view: str,
    *,
    search: str = "",
    order: str = "contract",
    down: bool = False,
    limit: int = 50,
    after: int = 0,
) -> tuple[Line, ...]:
    """Return a page of a month's list.

    :param view: of :data:`VIEWS`
    :param search: a part of contract, code or name
    :param order: of :data:`ORDERS`; differences by how large they are, up or down
    :param down: largest first; what has no such figure comes last either way
    :param after: how many to pass over
    """
    way = "DESC" if down else "ASC"
    query = f"SELECT * FROM ({_SOURCES[view]}) AS s{_FOUND} ORDER BY {_SORTED[order]} {way} NULLS LAST, contract"
    with database.session(scope) as connection:
        connection.execute(text("SET LOCAL jit = off"))  # compiling takes longer than this statement
        rows = connection.execute(
            text(f"{query} LIMIT :limit OFFSET :after"), {**_key(scope, month, search), "limit": limit, "after": after}
        ).all()
    return tuple(_line(row) for row in rows)


def line(database: Database, scope: Scope, month: BillingMonth, view: str, contract: str) -> Line | None:
    """Return one contract's line, ``None`` where the list has none."""
    query = f"SELECT * FROM ({_SOURCES[view]} {'AND' if view == DRAFTS else 'WHERE'} {{}}.contract = :contract) AS s"
    query = query.format("p" if view == WAITING else "d")
    with database.session(scope) as connection:
        row = connection.execute(text(query), {**_key(scope, month, ""), "contract": contract}).first()
    return None if row is None else _line(row)


def sum_of(database: Database, scope: Scope, month: BillingMonth, view: str, *, search: str = "") -> Sum:
    """Return what a month's list comes to, all of its pages; see :func:`lines`."""
    query = (
        "SELECT count(*) AS count, coalesce(sum(kwh), 0) AS kwh, coalesce(sum(total), 0) AS total, "
        "coalesce(sum(before) FILTER (WHERE total IS NOT NULL), 0) AS before, "
        f"coalesce(sum(total) FILTER (WHERE before IS NOT NULL), 0) AS compared FROM ({_SOURCES[view]}) AS s{_FOUND}"
    )
    with database.session(scope) as connection:
        connection.execute(text("SET LOCAL jit = off"))
        row = connection.execute(text(query), _key(scope, month, search)).one()
    return Sum(**row._mapping)


def _key(scope: Scope, month: BillingMonth, search: str) -> dict[str, Any]:
    like = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return {
        "client": scope.client,
        "month": str(month),
        "before": str(month.plus(-1)),
        "search": search,
        "like": f"%{like}%",
    }


def _line(row: Any) -> Line:
    found = {**row._mapping, "findings": tuple(codec.load(Finding, one) for one in row.findings or ())}
    return Line(**found)
