"""Many rows at once into a table under row-level security.

PostgreSQL refuses COPY into such a table. So the rows are copied into a temporary table, which is the session's own, and go from there with
one INSERT SELECT that the policies check row by row, like any other.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects.postgresql import JSONB


def put(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Collection[str] = (),
) -> None:
    """Insert rows; where a key is there already, the row takes the place of the earlier one.

    :param rows: column -> value, the same columns in each; documents as JSON types
    :param key: columns of the primary key; empty: a row that is there already is an error
    :raises sqlalchemy.exc.DBAPIError: where a policy or a constraint refuses a row; then none is written
    """
    if not rows:
        return
    columns = list(rows[0])
    documents = {column.name for column in table.columns if isinstance(column.type, JSONB)}
    names = ", ".join(f'"{column}"' for column in columns)
    staging = f"incoming_{table.name}"
    connection.execute(
        text(f"CREATE TEMPORARY TABLE {staging} ON COMMIT DROP AS SELECT {names} FROM {table.fullname} LIMIT 0")
    )
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(f"COPY {staging} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([json.dumps(row[name]) if name in documents else row[name] for name in columns])
    changed = [column for column in columns if column not in key]
    conflict = ""
    if key:
        places = ", ".join(f'"{column}"' for column in key)
        changes = ", ".join(f'"{column}" = EXCLUDED."{column}"' for column in changed)
        conflict = f" ON CONFLICT ({places}) DO UPDATE SET {changes}"
    connection.execute(text(f"INSERT INTO {table.fullname} ({names}) SELECT {names} FROM {staging}{conflict}"))
    connection.execute(text(f"DROP TABLE {staging}"))
