"""What the bills of a month were made on, without reading the bills: the contract as it stood, the state of the readings, corrections."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import text

from eisenergy.accounts import Scope
from eisenergy.billing.corrections import Correction
from eisenergy.billing.model import BillPart
from eisenergy.masters import codec
from eisenergy.period import BillingMonth
from eisenergy.store.database import Database
from eisenergy.store.roster import Listed, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One bill's terms.

    :param contract: as it stood when the bill was made
    :param number: of the invoice, ``None`` for a draft
    :param total: of the bill [currency]
    :param lake_version: state of the readings it was made from; ``None`` where that was not kept
    :param corrections: differences of earlier periods that it carries
    """

    contract: Listed
    customer_name: str
    number: str | None
    total: Decimal
    lake_version: int | None
    corrections: tuple[Correction, ...]


def months(database: Database, scope: Scope, count: int) -> tuple[BillingMonth, ...]:
    """Return the months up to the newest that has an invoice or a draft, oldest first; none where there is neither."""
    query = text(
        "SELECT max(month) FROM (SELECT max(month) AS month FROM eisenergy.invoices WHERE client = :client "
        "UNION ALL SELECT max(month) FROM eisenergy.drafts WHERE client = :client) AS both_"
    )
    with database.session(scope) as connection:
        newest: str | None = connection.execute(query, {"client": scope.client}).scalar()
    if newest is None:
        return ()
    last = BillingMonth.parse(newest)
    return tuple(last.plus(n) for n in range(1 - count, 1))


def terms(database: Database, scope: Scope, month: BillingMonth) -> tuple[Terms, ...]:
    """Return the terms of a month's invoices, and of the drafts of those who have none, in order of contract numbers."""
    with database.session(scope) as connection:
        rows = connection.execute(_TERMS, {"client": scope.client, "month": str(month)}).all()
    return tuple(_terms(month, *row) for row in rows)


_TERMS: Final = text("""
    SELECT number, total, b.x -> 'contract', (b.x -> 'provenance' ->> 'lake_version')::bigint,
        jsonb_path_query_array(b.x -> 'lines', '$[*] ? (@.code == "correction").parts[*]')
    FROM (
        SELECT i.contract, i.number, i.total, coalesce(i.bill, i.document -> 'bill') AS x
        FROM eisenergy.invoices i WHERE i.client = :client AND i.month = :month
        UNION ALL
        SELECT d.contract, NULL, d.total, d.document FROM eisenergy.drafts d
        WHERE d.client = :client AND d.month = :month AND NOT EXISTS (
            SELECT FROM eisenergy.invoices i WHERE i.client = :client AND i.month = :month AND i.contract = d.contract
        )
    ) AS b ORDER BY b.contract
""")


def _terms(
    month: BillingMonth, number: str | None, total: Decimal, contract: Any, lake_version: int | None, parts: Any
) -> Terms:
    found = [codec.load(BillPart, part) for part in parts]
    return Terms(
        contract=listed(json.dumps(contract)),
        customer_name=contract["customer"]["name"],
        number=number,
        total=total,
        lake_version=lake_version,
        corrections=tuple(
            Correction(
                period=part.period or month.period,
                month=part.label,
                invoice=number or "",
                difference=part.exact,
                origin=part.origin,
            )
            for part in found
        ),
    )
