"""Lines of invoices to be: taken out of the drafts over a connection of their own while the server writes the invoices.

To unpack ten thousand bills takes the server half as long as to write their lines, and a connection is one process of the server, which
works on one core. The drafts are locked meanwhile by whoever issues them, so both connections see the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from psycopg import Error
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from eisenergy.accounts import Scope
from eisenergy.store.database import Database
from eisenergy.store.sending import unread

WORTH: Final = 500
"""Invoices from which on a connection of its own is worth it."""

# Three lists: with the numbers from WITH ORDINALITY the planner joined by a nested loop, and lines of ten thousand took 11 s.
NUMBERED: Final = """
    FROM unnest(CAST(:contracts AS text[]), CAST(:numbers AS text[]), CAST(CAST(:sequences AS text[]) AS integer[]))
        AS n(contract, number, sequence)
    JOIN eisenergy.drafts d ON d.client = :client AND d.month = :month AND d.contract = n.contract
"""
_COLUMNS: Final = {
    "number": "text", "position": "integer", "customer": "text", "code": "text", "quantity": "numeric", "unit": "text",
    "rate": "numeric", "exact": "numeric", "amount": "numeric",
}  # fmt: skip
_NAMES: Final = ", ".join(f'"{name}"' for name in _COLUMNS)
_OF_DRAFTS: Final = f"""
    SELECT n.number, CAST(l.position AS integer) AS position, d.customer, l.line ->> 'code' AS code,
        CAST(l.line ->> 'quantity' AS numeric) AS quantity, l.line ->> 'unit' AS unit, CAST(l.line ->> 'rate' AS numeric) AS rate,
        CAST(l.line ->> 'exact' AS numeric) AS exact, CAST(l.line ->> 'amount' AS numeric) AS amount
    {NUMBERED}
    CROSS JOIN LATERAL jsonb_array_elements(d.document -> 'lines') WITH ORDINALITY AS l(line, position)
    ORDER BY n.sequence, l.position
"""
_TAKE: Final = re.sub(
    r":(\w+)", r"%(\1)s", f"SELECT {', '.join(f'array_agg({name})' for name in _COLUMNS)} FROM ({_OF_DRAFTS}) AS found"
)
_POST: Final = text(
    f"INSERT INTO eisenergy.invoice_lines (client, {_NAMES}) SELECT :client, found.* FROM ({_OF_DRAFTS}) AS found"
)
_POST_TAKEN: Final = text(
    f"INSERT INTO eisenergy.invoice_lines (client, {_NAMES}) "
    f"SELECT :client, found.* FROM unnest({', '.join(f'CAST(:{name} AS {kind}[])' for name, kind in _COLUMNS.items())}) AS found"
)
_PATIENCE: Final = "SET LOCAL lock_timeout = '1s'"
"""Whoever waits to change the tables waits for who issues, and would be waited for by the other connection."""


def taken(database: Database, scope: Scope, made: Mapping[str, Any]) -> Mapping[str, bytes] | None:
    """Take the lines out of drafts that another transaction has locked.

    :param made: ``client``, ``month``, and ``contracts``, ``numbers`` and ``sequences`` of the invoices to be, as arrays
    :returns: column -> its array, a value per line in order of the numbers; ``None`` where the server says no, and :func:`post` says why
    """
    try:
        with database.session(scope) as connection:
            connection.execute(text(_PATIENCE))
            driver = connection.connection.driver_connection
            assert driver is not None
            with unread(driver.cursor(binary=True)) as cursor:
                found = cursor.execute(_TAKE, made).fetchone()
    except (Error, SQLAlchemyError):
        return None
    return None if found is None or None in found else dict(zip(_COLUMNS, found, strict=True))


def post(connection: Connection, made: Mapping[str, Any], found: Mapping[str, bytes] | None) -> None:
    """Write the lines of invoices that this transaction has made.

    :param made: see :func:`taken`
    :param found: the lines, where they are at hand; otherwise they are taken out of the drafts here
    :raises sqlalchemy.exc.DBAPIError: where the books refuse them, or a draft's document has none
    """
    if found is None:
        connection.execute(_POST, dict(made))
    else:
        connection.execute(_POST_TAKEN, {"client": made["client"], **found})
