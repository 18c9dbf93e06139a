"""All customers of a client at once: columns, and a few figures out of each bill. No bill is read whole.

A bill has some 20 KB, and a seller thousands of them a month; a list or a sum needs a hundred bytes of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import text

from eisenergy.accounts import Scope
from eisenergy.findings import Finding
from eisenergy.masters import codec
from eisenergy.period import BillingMonth
from eisenergy.store.database import Database

AT_A_TIME: Final = 2000
"""Rows that are fetched together."""


@dataclass(frozen=True, slots=True)
class BlockFigures:
    """One block of a bill, as :class:`eisenergy.billing.model.BlockSummary` has it."""

    block: str
    kwh: Decimal
    max_kw: Decimal
    slots: int
    estimated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What is asked of a bill by whoever looks at all of them.

    :param number: of the invoice; ``None`` for a draft
    :param kwh: of all blocks [kWh]
    :param missing: intervals without a value
    :param findings: of the last month asked for; none of earlier ones
    """

    contract: str
    month: BillingMonth
    number: str | None
    kwh: Decimal
    total: Decimal
    missing: int
    blocks: tuple[BlockFigures, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a customer's documents show, by name.

    :param invoices: ``NUMBER INPUT-HASH`` of every invoice, in order of series and sequence
    :param this_month: whether one of them is the month's
    :param drafts: input hash of each of the month's drafts, in order of contracts
    """

    invoices: tuple[str, ...]
    this_month: bool
    drafts: tuple[str, ...]


_OUT_OF_A_BILL: Final = """
    CROSS JOIN LATERAL jsonb_to_record({bill}) AS b(slots_missing integer, blocks jsonb, findings jsonb)
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(e.x -> 'block', e.x -> 'kwh', e.x -> 'max_kw', e.x -> 'slots', e.x -> 'estimated')
            ORDER BY e.n) AS blocks
        FROM jsonb_array_elements(b.blocks) WITH ORDINALITY AS e(x, n)
    ) AS f
"""
_INVOICES: Final = text(f"""
    SELECT i.contract, i.month, i.number, i.kwh, i.total, b.slots_missing, f.blocks,
        CASE WHEN i.month = :last THEN b.findings END
    FROM eisenergy.invoices i {_OUT_OF_A_BILL.format(bill="coalesce(i.bill, i.document -> 'bill')")}
    WHERE i.client = :client AND i.month BETWEEN :first AND :last ORDER BY i.series, i.sequence
""")
_DRAFTS: Final = text(f"""
    SELECT d.contract, d.month, NULL, d.kwh, d.total, b.slots_missing, f.blocks, b.findings
    FROM eisenergy.drafts d {_OUT_OF_A_BILL.format(bill="d.document")}
    WHERE d.client = :client AND d.month = :last ORDER BY d.contract
""")


def billed(database: Database, scope: Scope, first: BillingMonth, last: BillingMonth) -> Iterator[Billed]:
    """Yield the invoices of some months that the scope may see, in order of their numbers, then the last month's drafts."""
    key = {"client": scope.client, "first": str(first), "last": str(last)}
    with database.session(scope) as connection:
        for query in (_INVOICES, _DRAFTS):
            for row in connection.execute(query, key, execution_options={"yield_per": AT_A_TIME}):
                yield _billed(row)


def _billed(row: Any) -> Billed:
    contract, month, number, kwh, total, missing, blocks, findings = row
    return Billed(
        contract=contract,
        month=BillingMonth.parse(month),
        number=number,
        kwh=kwh,
        total=total,
        missing=missing,
        blocks=tuple(BlockFigures(name, Decimal(of), Decimal(kw), *counts) for name, of, kw, *counts in blocks or ()),
        findings=tuple(codec.load(Finding, finding) for finding in findings or ()),
    )


def shown(database: Database, scope: Scope, month: BillingMonth) -> Mapping[str, Shown]:
    """Return customer -> what its documents of a month show, for every customer with an invoice of any month or a draft."""
    key = {"client": scope.client, "month": str(month)}
    with database.session(scope) as connection:
        invoices = {
            customer: (tuple(names), bool(this_month))
            for customer, names, this_month in connection.execute(_SHOWN, key)
        }
        drafts: dict[str, list[str]] = {}
        for customer, input_hash in connection.execute(_DRAFTED, key):
            drafts.setdefault(customer, []).append(input_hash)
    nothing: tuple[tuple[str, ...], bool] = ((), False)
    return {
        customer: Shown(*invoices.get(customer, nothing), tuple(drafts.get(customer, ())))
        for customer in invoices.keys() | drafts.keys()
    }


_SHOWN: Final = text("""
    SELECT customer, array_agg(number || ' ' || input_hash ORDER BY series, sequence), bool_or(month = :month)
    FROM eisenergy.invoices WHERE client = :client GROUP BY customer
""")
_DRAFTED: Final = text("""
    SELECT customer, input_hash FROM eisenergy.drafts WHERE client = :client AND month = :month ORDER BY contract
""")


def waiting(database: Database, scope: Scope, month: BillingMonth) -> tuple[str, ...]:
    """Return the numbers of the contracts that are parked in a month, sorted; their findings are not read."""
    query = text("SELECT contract FROM eisenergy.parked WHERE client = :client AND month = :month")
    with database.session(scope) as connection:
        return tuple(sorted(connection.execute(query, {"client": scope.client, "month": str(month)}).scalars()))
