"""The tables of jobs: who sees and writes what, policies broken one by one; and the queue's own, which hold ids alone."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import procrastinate
import pytest
from portal_cases import furnish, owner
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from work_cases import ADMIN, BY, EIS, LUZ, ask, now

from eisenergy.accounts import Role, Scope
from eisenergy.config import Settings
from eisenergy.store import jobs
from eisenergy.store.database import Database

ONE = frozenset({"EIS-0001"})
WHO: dict[str, Scope | None] = {
    "nobody": None,
    "EIS": EIS,
    "LUZ": LUZ,
    "admin": ADMIN,
    "customer": Scope.customer("EIS", "EIS-0001"),
    "manager": Scope(client="EIS", role=Role.CUSTOMER_MANAGER, customers=ONE),
    "narrowed": Scope(client="EIS", role=Role.CLIENT_ADMIN, customers=ONE),
    "narrowed admin": Scope(client="EIS", role=Role.SYSTEM_ADMIN, customers=ONE),
}
SEES = {"EIS": {"EIS"}, "LUZ": {"LUZ"}, "admin": {"EIS"}}
INSERTS = {
    "jobs": "INSERT INTO eisenergy.jobs (client, id, kind, subject, state, arguments, alone, role, asked_by, address, asked_at, "
    "attempt, deaths, done, doing) VALUES (:client, gen_random_uuid(), 'bill', '', 'waiting', '{}', true, 'CLIENT_ADMIN', 'a', "
    "'b', now(), 0, 0, 0, '')",
    "uploads": "INSERT INTO eisenergy.uploads (client, id, name, sha256, bytes, way, asked_by, received_at, state, job) VALUES "
    "(:client, gen_random_uuid(), 'n', repeat('a', 64), 1, 'portal', 'a', now(), 'reading', gen_random_uuid())",
    "reading_mappings": "INSERT INTO eisenergy.reading_mappings VALUES (:client, gen_random_uuid()::text, '{}', 'a', now())",
    "proposals": "INSERT INTO eisenergy.proposals (client, id, kind, name, base, beside, document, job, asked_by, asked_at) VALUES "
    "(:client, gen_random_uuid(), 'tariff', 'n', 1, '', '{}', gen_random_uuid(), 'a', now())",
    # the database looks for the proposal as whoever writes: each seller's own is there
    "proposal_effects": "INSERT INTO eisenergy.proposal_effects (client, proposal, contract, month, customer, name, problem) SELECT "
    ":client, CASE WHEN :client = 'EIS' THEN uuid '00000000-0000-0000-0000-0000000000e1' ELSE uuid "
    "'00000000-0000-0000-0000-0000000000e2' END, gen_random_uuid()::text, '2021-09', 'c', 'n', ''",
    "month_sums": "INSERT INTO eisenergy.month_sums VALUES (:client, gen_random_uuid()::text, 1, 1, 1)",
}
FIXED = {"proposal_effects"}
DELETABLE = {"reading_mappings", "proposal_effects"}
CHANGES = {
    "jobs": "UPDATE eisenergy.jobs SET attempt = 9",
    "uploads": "UPDATE eisenergy.uploads SET state = 'ready'",
    "reading_mappings": "UPDATE eisenergy.reading_mappings SET saved_by = 'me'",
    "proposals": "UPDATE eisenergy.proposals SET beside = 'x'",
    "proposal_effects": "UPDATE eisenergy.proposal_effects SET problem = 'x'",
    "month_sums": "UPDATE eisenergy.month_sums SET invoices = 9",
}


@pytest.fixture(scope="module", autouse=True)
def _rows(settings: Settings, database: Database) -> None:
    furnish(settings, database)
    for n, scope in enumerate((EIS, LUZ), 1):
        with database.session(scope) as connection:
            made = INSERTS["proposals"].replace(
                "gen_random_uuid()", f"uuid '00000000-0000-0000-0000-0000000000e{n}'", 1
            )
            connection.execute(text(made), {"client": scope.client})
            for statement in INSERTS.values():
                connection.execute(text(statement), {"client": scope.client})


@contextmanager
def asking(database: Database, scope: Scope | None) -> Iterator[Connection]:
    if scope is None:
        with database.engine.begin() as connection:
            yield connection
    else:
        with database.session(scope) as connection:
            yield connection


class _Undo(Exception):
    pass


def touched(database: Database, scope: Scope | None, statement: str, client: str = "") -> int:
    """How many rows a statement touches, 0 where it is refused; undone in either case."""
    count = 0
    try:
        with asking(database, scope) as connection:
            values = {"client": client} if ":client" in statement else {}
            count = connection.execute(text(statement), values).rowcount
            raise _Undo
    except _Undo:
        return count
    except DBAPIError as problem:
        if not any(why in str(problem) for why in ("row-level security", "permission denied", "is refused")):
            raise
        return 0


def faults(database: Database, table: str) -> Iterator[str]:
    for who, scope in WHO.items():
        with asking(database, scope) as connection:
            seen = {row[0] for row in connection.execute(text(f"SELECT DISTINCT client FROM eisenergy.{table}"))}
        if seen != SEES.get(who, set()):
            yield f"{who} sees {seen} of {table}"
        for client in ("EIS", "LUZ"):
            if bool(touched(database, scope, INSERTS[table], client)) != (client in SEES.get(who, set())):
                yield f"{who} adds to {table} of {client}"
        with asking(database, EIS) as connection:
            rows = connection.execute(text(f"SELECT count(*) FROM eisenergy.{table}")).scalar_one()
        changed = {0} if table in FIXED else {rows} if "EIS" in SEES.get(who, set()) else {1, 2, rows}
        if touched(database, scope, CHANGES[table]) not in (changed if who in SEES else {0}):
            yield f"{who} changes {table}"
        if touched(database, scope, f"DELETE FROM eisenergy.{table}") and (table not in DELETABLE or who not in SEES):
            yield f"{who} removes from {table}"


@pytest.mark.parametrize("table", sorted(INSERTS))
def test_who_sees_and_writes_what(database: Database, table: str) -> None:
    assert list(faults(database, table)) == []


@pytest.mark.parametrize(
    ("table", "broken"),
    [
        ("jobs", "ALTER TABLE eisenergy.jobs DISABLE ROW LEVEL SECURITY"),
        ("jobs", "ALTER POLICY reads ON eisenergy.jobs USING (client = eisenergy.tenant())"),
        ("jobs", "ALTER POLICY changes ON eisenergy.jobs USING (true) WITH CHECK (true)"),
        ("jobs", "ALTER POLICY adds ON eisenergy.jobs WITH CHECK (eisenergy.unlimited())"),
        ("uploads", "ALTER POLICY reads ON eisenergy.uploads USING (eisenergy.unlimited())"),
        ("uploads", "ALTER POLICY adds ON eisenergy.uploads WITH CHECK (client = eisenergy.tenant())"),
        ("reading_mappings", "ALTER POLICY reads ON eisenergy.reading_mappings USING (true)"),
        ("reading_mappings", "ALTER POLICY removes ON eisenergy.reading_mappings USING (true)"),
        ("proposals", "ALTER POLICY reads ON eisenergy.proposals USING (client = eisenergy.tenant())"),
        ("proposals", "ALTER POLICY changes ON eisenergy.proposals USING (true) WITH CHECK (true)"),
        ("proposal_effects", "ALTER POLICY reads ON eisenergy.proposal_effects USING (eisenergy.unlimited())"),
        ("proposal_effects", "ALTER POLICY removes ON eisenergy.proposal_effects USING (true)"),
    ],
)
def test_a_broken_policy_is_found(settings: Settings, database: Database, table: str, broken: str) -> None:
    with owner(settings) as connection:
        kept = connection.execute(
            text(
                "SELECT polname, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy "
                "WHERE polrelid = CAST(:table AS regclass)"
            ),
            {"table": f"eisenergy.{table}"},
        ).all()
        connection.execute(text(broken))
    try:
        assert list(faults(database, table))
    finally:
        with owner(settings) as connection:
            connection.execute(text(f"ALTER TABLE eisenergy.{table} ENABLE ROW LEVEL SECURITY"))
            for name, using, check in kept:
                parts = [f"USING ({using})"] if using else []
                parts += [f"WITH CHECK ({check})"] if check else []
                connection.execute(text(f"ALTER POLICY {name} ON eisenergy.{table} {' '.join(parts)}"))
    assert list(faults(database, table)) == []


def test_the_queue_is_procrastinates_own_and_holds_two_ids(database: Database) -> None:
    """Tables without row-level security, each of them named here."""
    with database.engine.begin() as connection:
        found = connection.execute(
            text(
                "SELECT relnamespace::regnamespace::text, relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') "
                "AND NOT relrowsecurity AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, "
                "'pg_toast'::regnamespace) AND relname <> 'alembic_version'"
            )
        ).all()
    assert {tuple(row) for row in found} == {
        ("eisenergy_jobs", f"procrastinate_{name}") for name in ("jobs", "workers", "events", "periodic_defers")
    }
    with database.engine.begin() as connection:
        unforced = "SELECT relname FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity"
        owners = "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace IN ('eisenergy'::regnamespace, 'eisenergy_jobs'::regnamespace)"
        for query in (unforced, owners):  # no table is open to its owner, and no function is its owner's
            assert connection.execute(text(query)).scalars().all() == []
    with database.session(EIS) as connection:
        job = jobs.defer(
            connection, EIS, "bill", "Restaurante secreto", {"customers": ["EIS-0001"]}, by=BY, user=None, at=now()
        )
    with database.engine.begin() as connection:
        row = connection.execute(text("SELECT * FROM eisenergy_jobs.procrastinate_jobs ORDER BY id DESC LIMIT 1")).one()
    assert row.args == {"client": "EIS", "job": str(job)}
    assert "secreto" not in str(row)


def test_our_place_in_the_queue_is_the_one_procrastinate_makes(settings: Settings, database: Database) -> None:
    """Its own library, asked for the same job, writes the same row."""
    job = ask(database, "bill")
    engine = database.engine
    _, given = engine.dialect.create_connect_args(engine.url)
    given["options"] = f"{given.get('options', '')} -c search_path={jobs.QUEUE}"
    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(kwargs=given, min_size=1))
    with engine.begin() as connection:
        query = "SELECT priority FROM eisenergy_jobs.procrastinate_jobs WHERE args->>'job' = :job"
        place = int(connection.execute(text(query), {"job": str(job)}).scalar_one())
    assert place <= 0
    with app.open():
        app.configure_task(jobs.TASK, lock="EIS", priority=place).defer(client="EIS", job=str(job))
    with engine.begin() as connection:
        query = "SELECT to_jsonb(j) - 'id' FROM eisenergy_jobs.procrastinate_jobs j WHERE args->>'job' = :job"
        ours, theirs = connection.execute(text(query), {"job": str(job)}).scalars().all()
    assert ours == theirs


def test_the_migration_has_the_schema_of_the_installed_version() -> None:
    """Another version needs a migration of its own when its schema is another."""
    version = importlib.metadata.version("procrastinate")
    theirs = Path(procrastinate.__file__).parent / "sql" / "schema.sql"
    ours = Path(jobs.__file__).parent / "migrations" / "procrastinate_3_10.sql"
    assert ours.read_text() == theirs.read_text(), f"procrastinate {version} has another schema"
