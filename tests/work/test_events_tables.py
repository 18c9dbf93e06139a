"""The tables of events: who sees and writes what, and policies broken one by one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from portal_cases import furnish, owner
from sqlalchemy import text
from test_work_tables import SEES, WHO, asking, touched
from work_cases import EIS, LUZ

from eisenergy.config import Settings
from eisenergy.store.database import Database

SUB = {"EIS": uuid.UUID(int=1), "LUZ": uuid.UUID(int=2)}
SEEN = {**SEES, "admin": {"EIS", "LUZ"}}
"""A worker looks as a system administrator what is due at any seller; it writes in the seller's own scope."""
INSERTS = {
    "outbox": "INSERT INTO eisenergy.outbox (client, type, at, data) VALUES (:client, 'a.b', now(), '{}')",
    "subscriptions": "INSERT INTO eisenergy.subscriptions VALUES (:client, gen_random_uuid(), 'kafka', 't', '{}', NULL, false, 'a', now())",
    "deliveries": "INSERT INTO eisenergy.deliveries SELECT :client, CASE :client WHEN 'EIS' THEN CAST('00000000-0000-0000-0000-000000000001' AS uuid) "
    "ELSE CAST('00000000-0000-0000-0000-000000000002' AS uuid) END, 2000000, '', 'waiting', 0, now(), NULL, ''",
}
CHANGES = {
    "outbox": "UPDATE eisenergy.outbox SET spread = true",
    "subscriptions": "UPDATE eisenergy.subscriptions SET paused = true",
    "deliveries": "UPDATE eisenergy.deliveries SET state = 'dead'",
}


@pytest.fixture(scope="module", autouse=True)
def _rows(settings: Settings, database: Database) -> None:
    furnish(settings, database)
    for scope in (EIS, LUZ):
        with database.session(scope) as connection:
            connection.execute(text(INSERTS["outbox"]), {"client": scope.client})
            place = "INSERT INTO eisenergy.outbox (client, position, type, at, data) OVERRIDING SYSTEM VALUE VALUES (:client, :p, 'a.b', now(), '{}')"
            for position in (10**6, 2 * 10**6):
                connection.execute(text(place), {"client": scope.client, "p": position})
            values = {"client": scope.client, "id": SUB[scope.client]}
            connection.execute(
                text(
                    "INSERT INTO eisenergy.subscriptions VALUES (:client, :id, 'kafka', 't', '{}', NULL, false, 'a', now())"
                ),
                values,
            )
            connection.execute(
                text(
                    "INSERT INTO eisenergy.deliveries VALUES (:client, :id, 1000000, '', 'waiting', 0, now(), NULL, '')"
                ),
                values,
            )


def faults(database: Database, table: str) -> Iterator[str]:
    for who, scope in WHO.items():
        with asking(database, scope) as connection:
            seen = {row[0] for row in connection.execute(text(f"SELECT DISTINCT client FROM eisenergy.{table}"))}
        if seen != SEEN.get(who, set()):
            yield f"{who} sees {seen} of {table}"
        for client in ("EIS", "LUZ"):
            if bool(touched(database, scope, INSERTS[table], client)) != (client in SEES.get(who, set())):
                yield f"{who} adds to {table} of {client}"
        with asking(database, scope) as connection:
            mine = connection.execute(
                text(f"SELECT count(*) FROM eisenergy.{table} WHERE client = eisenergy.tenant()")
            ).scalar_one()
        if touched(database, scope, CHANGES[table]) != (mine if who in SEES else 0):
            yield f"{who} changes {table}"
        only = " WHERE position = 2000000" if table == "outbox" else ""
        removed = touched(database, scope, f"DELETE FROM eisenergy.{table}{only}")
        wanted = 0 if table == "subscriptions" or who not in SEES else 1 if only else mine
        if removed != wanted:
            yield f"{who} removes {removed} from {table}"


@pytest.mark.parametrize("table", sorted(INSERTS))
def test_who_sees_and_writes_what(database: Database, table: str) -> None:
    assert list(faults(database, table)) == []


@pytest.mark.parametrize(
    ("table", "broken"),
    [
        ("outbox", "ALTER TABLE eisenergy.outbox DISABLE ROW LEVEL SECURITY"),
        pytest.param(
            "outbox",
            "ALTER POLICY reads ON eisenergy.outbox USING (client = eisenergy.tenant())",
            marks=pytest.mark.long,
        ),
        ("outbox", "ALTER POLICY adds ON eisenergy.outbox WITH CHECK (client = eisenergy.tenant())"),
        pytest.param("outbox", "ALTER POLICY removes ON eisenergy.outbox USING (true)", marks=pytest.mark.long),
        ("subscriptions", "ALTER POLICY reads ON eisenergy.subscriptions USING (eisenergy.unlimited())"),
        pytest.param(
            "subscriptions",
            "ALTER POLICY changes ON eisenergy.subscriptions USING (true) WITH CHECK (true)",
            marks=pytest.mark.long,
        ),
        ("deliveries", "ALTER POLICY reads ON eisenergy.deliveries USING (true)"),
        pytest.param(
            "deliveries",
            "ALTER POLICY adds ON eisenergy.deliveries WITH CHECK (eisenergy.unlimited())",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_broken_policy_is_found(settings: Settings, database: Database, table: str, broken: str) -> None:
    with owner(settings) as connection:
        kept = connection.execute(  # type: ignore[attr-defined]
            text(
                "SELECT polname, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy "
                "WHERE polrelid = CAST(:table AS regclass)"
            ),
            {"table": f"eisenergy.{table}"},
        ).all()
        connection.execute(text(broken))  # type: ignore[attr-defined]
    try:
        assert list(faults(database, table))
    finally:
        with owner(settings) as connection:
            connection.execute(text(f"ALTER TABLE eisenergy.{table} ENABLE ROW LEVEL SECURITY"))  # type: ignore[attr-defined]
            for name, using, check in kept:
                parts = [f"USING ({using})"] if using else []
                parts += [f"WITH CHECK ({check})"] if check else []
                connection.execute(text(f"ALTER POLICY {name} ON eisenergy.{table} {' '.join(parts)}"))  # type: ignore[attr-defined]
    assert list(faults(database, table)) == []
