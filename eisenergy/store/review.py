"""A month as it is reviewed before its invoices are issued: drafts, who waits, what was issued, each against the month before.

All of it is sorted, filtered, summed and cut to a page by the database; no bill is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, text

from eisenergy.accounts import Scope
from eisenergy.findings import Finding
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
        SELECT i.contract, i.total FROM eisenergy.invoices i WHERE i.client = :client AND i.month = :before{of_i}
        UNION ALL
        SELECT o.contract, o.total FROM eisenergy.drafts o WHERE o.client = :client AND o.month = :before{of_o}
    ) AS b ON b.contract = d.contract
"""
_TABLES: Final = {DRAFTS: "drafts", CLEAN: "drafts", WARNED: "drafts", WAITING: "parked", ISSUED: "invoices"}
_NARROWED: Final = {CLEAN: f" AND {WARNINGS} = 0", WARNED: f" AND {WARNINGS} > 0"}
_OLD_BILL: Final = "coalesce(d.bill, d.document -> 'bill')"
"""An invoice's bill, where a draft has its document."""
_NAME: Final = {
    "drafts": "d.made ->> 'name'",
    "parked": "coalesce((SELECT c.document ->> 'name' FROM eisenergy.customers c "
    "WHERE c.client = d.client AND c.customer = d.customer), d.customer)",
    "invoices": f"coalesce(d.made ->> 'name', {_OLD_BILL} -> 'contract' -> 'customer' ->> 'name')",
}
_WARNINGS: Final = {
    "drafts": WARNINGS,
    "parked": "0",
    "invoices": WARNINGS.replace("d.document -> 'findings'", f"{_OLD_BILL} -> 'findings'"),
}
_SORTED: Final = {
    "contract": "NULL::integer",
    "customer": "{name}",
    "total": "d.total",
    "difference": "abs(d.total - b.total)",
    "share": "abs((d.total - b.total) / nullif(b.total, 0))",
    "findings": "{warnings}",
}
_PAGE: Final = """
    {rows} SELECT count(*) AS count, coalesce(sum(kwh), 0) AS kwh, coalesce(sum(total), 0) AS total,
        coalesce(sum(before) FILTER (WHERE total IS NOT NULL), 0) AS before,
        coalesce(sum(total) FILTER (WHERE before IS NOT NULL), 0) AS compared,
        ARRAY(SELECT contract FROM {listed} ORDER BY {by} LIMIT :limit OFFSET :after) AS contracts
    FROM {of}
"""
_NOTES: Final = "CASE WHEN d.made ? 'findings' THEN coalesce((d.made -> 'findings' ->> 'info')::integer, 0) ELSE 0 END"


def page(
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
) -> tuple[Sum, tuple[Line, ...]]:
    """Return what a month's list comes to, all of its pages, and the lines of one.

    :param view: of :data:`VIEWS`
    :param search: a part of contract, code or name
    :param order: of :data:`ORDERS`; differences by how large they are, up or down
    :param down: largest first; what has no such figure comes last either way
    :param after: how many to pass over
    """
    table = _TABLES[view]
    if table == "parked" and order not in ("contract", "customer"):
        order, down = "contract", False
    way = "DESC" if down else "ASC"
    by = f"contract {way}" if order == "contract" else f"sort {way} NULLS LAST, contract ASC"
    figures = "NULL::numeric AS kwh, NULL::numeric AS total" if table == "parked" else "d.kwh, d.total"
    sort = f"{_SORTED[order].format(name=_NAME[table], warnings=_WARNINGS[table])} AS sort"
    before = _BEFORE.format(of_i="", of_o="")
    looked_into = _NARROWED.get(view, "")
    if search:
        looked_into += f" AND (d.contract ILIKE :like OR d.customer ILIKE :like OR {_NAME[table]} ILIKE :like)"
    some = f"WHERE d.client = :client AND d.month = :month{looked_into}"
    rows = f"(SELECT d.contract, {figures}, b.total AS before, {sort} FROM eisenergy.{table} d {before} {some})"
    if looked_into:  # once, for the sums and for the list
        query = _PAGE.format(rows=f"WITH s AS MATERIALIZED {rows}", listed="s", of="s", by=by)
    else:  # the sums from an index, and the list from it, too, where that has its order
        compared = before if order in ("difference", "share") else ""
        listed = f"(SELECT d.contract, {sort} FROM eisenergy.{table} d {compared} {some}) AS l"
        query = _PAGE.format(rows="", listed=listed, of=f"{rows} AS s", by=by)
    key = {**_key(scope, month), "limit": limit, "after": after}
    if search:
        key["like"] = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    with database.session(scope) as connection:
        _settle(connection)
        row = connection.execute(text(query), key).one()
        lines = _lines(connection, scope, month, table, row.contracts)
    total = Sum(**{name: value for name, value in row._mapping.items() if name != "contracts"})
    return total, tuple(lines[contract] for contract in row.contracts)


def line(database: Database, scope: Scope, month: BillingMonth, view: str, contract: str) -> Line | None:
    """Return one contract's line, ``None`` where the list has none."""
    with database.session(scope) as connection:
        _settle(connection)
        return _lines(connection, scope, month, _TABLES[view], [contract]).get(contract)


def _lines(
    connection: Connection, scope: Scope, month: BillingMonth, table: str, contracts: Sequence[str]
) -> dict[str, Line]:
    """Read all that is shown of some contracts; none of it is read of those on other pages."""
    if not contracts:
        return {}
    chosen = {
        name: f" AND {alias}.contract = ANY (CAST(:contracts AS text[]))"
        for name, alias in (("of_i", "i"), ("of_o", "o"))
    }
    waits = table == "parked"
    rest = (
        "NULL::numeric AS kwh, NULL::numeric AS total, 0 AS notes, NULL::integer AS estimated, d.findings"
        if waits
        else f"d.kwh, d.total, {_NOTES} AS notes, (d.made ->> 'estimated')::integer AS estimated, NULL::jsonb AS findings"
    )
    less = "NULL::numeric" if waits else "d.total - b.total"
    query = f"""
        SELECT d.contract, d.customer, {_NAME[table]} AS name, {"d.number" if table == "invoices" else "NULL"} AS number,
            b.total AS before, {less} AS difference, ({less}) / nullif(b.total, 0) AS share, {_WARNINGS[table]} AS warnings, {rest}
        FROM eisenergy.{table} d {_BEFORE.format(**chosen)}
        WHERE d.client = :client AND d.month = :month AND d.contract = ANY (CAST(:contracts AS text[]))
    """
    rows = connection.execute(text(query), {**_key(scope, month), "contracts": list(contracts)})
    return {row.contract: _line(row) for row in rows}


def _settle(connection: Connection) -> None:
    """Before a bulk of new rows was counted, all would be compared with all."""
    connection.execute(text("SET LOCAL enable_nestloop = off"))


def _key(scope: Scope, month: BillingMonth) -> dict[str, Any]:
    return {"client": scope.client, "month": str(month), "before": str(month.plus(-1))}


def _line(row: Any) -> Line:
    found = {**row._mapping, "findings": tuple(Finding.from_dict(one) for one in row.findings or ())}
    return Line(**found)
