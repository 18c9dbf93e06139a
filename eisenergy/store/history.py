"""What months came to, kept under a key of everything it was derived from.

Derived data: whoever reads it compares the key, and derives anew where it differs. Nothing is billed from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, select

from eisenergy.accounts import Scope
from eisenergy.store import bulk, tables
from eisenergy.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One month of a contract.

    :param month: for example ``2021-09``
    :param key: hash of everything the document was derived from
    :param document: JSON types
    """

    contract: str
    customer: str
    month: str
    key: str
    document: Mapping[str, Any]


def save(database: Database, scope: Scope, entries: Iterable[Entry]) -> None:
    """Keep entries, each in place of the contract's earlier one for the month.

    :raises OutOfScope: for a customer outside the scope, or a role that only reads
    """
    scope.check_writes()
    rows = []
    for entry in entries:
        scope.check(entry.customer)
        rows.append(
            {
                "client": scope.client,
                "contract": entry.contract,
                "month": entry.month,
                "customer": entry.customer,
                "key": entry.key,
                "document": dict(entry.document),
            }
        )
    with database.session(scope) as connection:
        bulk.put(connection, tables.history, rows, key=("client", "contract", "month"))


def keys(database: Database, scope: Scope) -> dict[tuple[str, str], str]:
    """Return (contract, month) -> key of everything that is kept and that the scope may see."""
    columns = tables.history.c
    query = select(columns.contract, columns.month, columns.key).where(columns.client == scope.client)
    with database.session(scope) as connection:
        return {(row.contract, row.month): row.key for row in connection.execute(query)}


def load(database: Database, scope: Scope, contract: str) -> Mapping[str, Entry]:
    """Return month -> entry of a contract that the scope may see."""
    kept: Mapping[str, Entry] = database.once(
        scope, ("history", contract), lambda: load_all(database, scope, [contract]).get(contract, {})
    )
    return kept


_KEPT: Final = select(tables.history).where(
    tables.history.c.client == bindparam("of"), tables.history.c.contract.in_(bindparam("numbers", expanding=True))
)


def load_all(database: Database, scope: Scope, contracts: Collection[str]) -> dict[str, dict[str, Entry]]:
    """Return contract -> month -> entry of contracts that the scope may see."""
    values = {"of": scope.client, "numbers": sorted(contracts)}
    result: dict[str, dict[str, Entry]] = {}
    with database.session(scope) as connection:
        for row in connection.execute(_KEPT, values):
            result.setdefault(row.contract, {})[row.month] = Entry(
                contract=row.contract, customer=row.customer, month=row.month, key=row.key, document=row.document
            )
    return result
