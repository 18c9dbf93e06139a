"""Which drafts of a month are meant, and a fingerprint of them: whoever has looked at some may issue those, and no others.

A draft's input hash stands for everything that determines its amounts; the fingerprint is over contract, hash and total of each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlalchemy import text

from eisenergy.accounts import Scope
from eisenergy.period import BillingMonth
from eisenergy.store.database import Database

ALL, CLEAN, CHOSEN = "all", "clean", "chosen"
WHICH: Final = (ALL, CLEAN, CHOSEN)
"""Every draft, those without a warning, those that are named."""


class DraftsChanged(ValueError):
    """The drafts are no longer those that were looked at. Nothing was issued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Some drafts of a month.

    :param kwh: of all of them [kWh]
    :param total: of all of them [currency]
    :param fingerprint: of what they are now, as :func:`fingerprint` has it
    """

    count: int
    kwh: Decimal
    total: Decimal
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What somebody looked at and wants issued.

    :param contracts: numbers of the contracts
    :param fingerprint: of their drafts as they were seen
    """

    contracts: frozenset[str]
    fingerprint: str

    def check(self, month: BillingMonth, drafts: Iterable[tuple[str, str, Decimal]]) -> None:
        """Compare with what there is.

        :param drafts: contract, input hash and total of the drafts that could be issued
        :raises DraftsChanged: when it is not what was seen
        """
        here = [one for one in drafts if one[0] in self.contracts]
        if fingerprint(here) != self.fingerprint:
            raise DraftsChanged(
                f"the drafts of {month} are not those that were reviewed: {len(self.contracts):,} were meant, and of them "
                f"{len(here):,} are drafts now, or one has other figures. Nothing was issued. Review the list again, then issue."
            )


def fingerprint(drafts: Iterable[tuple[str, str, Decimal]]) -> str:
    """Return the sha256 of some drafts, given by contract, input hash and total; their order does not matter."""
    lines = (f"{contract} {input_hash} {total}\n" for contract, input_hash, total in sorted(drafts))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


WARNINGS: Final = """CASE WHEN d.made ? 'findings' THEN coalesce((d.made -> 'findings' ->> 'warning')::integer, 0)
    ELSE (SELECT count(*) FROM jsonb_array_elements(d.document -> 'findings') f WHERE f ->> 'severity' = 'warning') END"""
"""How many warnings a draft has; one from before they were counted beside it is looked into."""
_OF: Final = "FROM eisenergy.drafts d WHERE d.client = :client AND d.month = :month{more}"
_SELECT: Final = f"""
    SELECT count(*) AS count, coalesce(sum(d.kwh), 0) AS kwh, coalesce(sum(d.total), 0) AS total,
        encode(sha256(convert_to(coalesce(string_agg(
            d.contract || ' ' || d.input_hash || ' ' || d.total || E'\\n', '' ORDER BY d.contract COLLATE "C"
        ), ''), 'UTF8')), 'hex') AS fingerprint {_OF}
"""
_CONTRACTS: Final = f"SELECT d.contract {_OF} ORDER BY d.contract LIMIT :limit"
_MORE: Final = {
    ALL: "",
    CLEAN: f" AND {WARNINGS} = 0",
    CHOSEN: " AND d.contract = ANY (CAST(:chosen AS text[]))",
}


def select(
    database: Database, scope: Scope, month: BillingMonth, which: str, chosen: Collection[str] = ()
) -> Selection:
    """Return the drafts that are meant, as they are now, counted and summed by the database.

    :param which: of :data:`WHICH`
    :param chosen: contracts, with :data:`CHOSEN`; what has no draft is passed over
    """
    with database.session(scope) as connection:
        row = connection.execute(text(_SELECT.format(more=_MORE[which])), _values(scope, month, which, chosen)).one()
    return Selection(**row._mapping)


def contracts(
    database: Database,
    scope: Scope,
    month: BillingMonth,
    which: str,
    chosen: Collection[str] = (),
    *,
    limit: int | None = None,
) -> tuple[str, ...]:
    """Return the numbers of the contracts whose drafts are meant, sorted; see :func:`select`."""
    values = {**_values(scope, month, which, chosen), "limit": limit}
    with database.session(scope) as connection:
        return tuple(connection.execute(text(_CONTRACTS.format(more=_MORE[which])), values).scalars())


def _values(scope: Scope, month: BillingMonth, which: str, chosen: Collection[str]) -> dict[str, object]:
    values: dict[str, object] = {"client": scope.client, "month": str(month)}
    return values | ({"chosen": sorted(chosen)} if which == CHOSEN else {})
