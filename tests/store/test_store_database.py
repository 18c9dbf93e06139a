from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from store_cases import (
    AT,
    EIS,
    OCTOBER,
    OTHER,
    SEPTEMBER,
    finish,
    make_client,
    make_contract,
    make_draft,
    make_tariff,
    start_child,
)

from eisenergy.accounts import Role, Scope
from eisenergy.config import Settings
from eisenergy.findings import blocking
from eisenergy.store import books, history, masters, server, tables
from eisenergy.store.database import Database, DatabaseUnusable
from eisenergy.store.migrate import HEAD, NotMigrated, config
from eisenergy.store.migrations.policies import OWN_CUSTOMERS
from eisenergy.variables import BadSetting


@contextmanager
def raw(url: str, scope: Scope | None = None) -> Iterator[Connection]:
    """A connection that goes around the library."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        if scope is not None:
            customers = "*" if scope.customers is None else '["' + '","'.join(scope.customers) + '"]'
            for name, value in (("client", scope.client), ("role", scope.role.value), ("customers", customers)):
                connection.execute(text(f"SELECT set_config('eisenergy.{name}', :value, true)"), {"value": value})
        yield connection


@pytest.fixture(scope="module", autouse=True)
def _books(database: Database) -> None:
    for scope in (EIS, OTHER):
        masters.save_client(database, scope, make_client(scope.client))
        contracts = [make_contract(1), make_contract(2)]
        masters.save_contracts(database, scope, contracts)
        books.save_drafts(database, scope, SEPTEMBER, [make_draft(contract) for contract in contracts])
        books.issue(database, scope, SEPTEMBER, client=make_client(scope.client), issued_on=AT.date(), at=AT)


def test_the_application_owns_nothing_and_cannot_bypass(database: Database) -> None:
    with database.session(EIS) as connection:
        role = connection.execute(
            text("SELECT rolname, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user")
        ).one()
        owned = connection.execute(text("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole"))
        assert tuple(role) == ("eisenergy_app", False, False, False)
        assert owned.scalar() == 0


def test_every_table_forces_row_level_security_and_every_key_names_the_client(database: Database) -> None:
    with database.session(EIS) as connection:
        found = connection.execute(
            text(
                "SELECT relname, relkind, relrowsecurity, relforcerowsecurity, "
                "(SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) FROM pg_class c "
                "WHERE relnamespace = 'eisenergy'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')"
            )
        ).all()
        keys = connection.execute(
            text(
                "SELECT indrelid::regclass::text, indexrelid::regclass::text, "
                "ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY (indkey)) "
                "FROM pg_index JOIN pg_class c ON c.oid = indrelid "
                "WHERE indisunique AND relnamespace = 'eisenergy'::regnamespace"
            )
        ).all()
    names = {row[0] for row in found} - {"alembic_version"}
    assert names == {table.name for table in tables.metadata.tables.values()}
    for name, kind, enabled, forced, policies in found:
        if name != "alembic_version":
            assert (kind, enabled, forced) == ("r", True, True), name
            assert policies >= 2, name
    assert len(keys) >= len(names)
    nobodys = {"eisenergy.alembic_version", *(f"eisenergy.{name}" for name in tables.PEOPLE)}
    for table, index, columns in keys:
        # the hash of 256 random bits tells nobody anything
        assert "client" in columns or table in nobodys or columns == ["token_hash"], index


def test_the_newest_migration_is_the_one_that_is_named() -> None:
    assert ScriptDirectory.from_config(config()).get_heads() == [HEAD]


def test_migrations_make_exactly_the_tables_of_the_code(settings: Settings) -> None:
    with raw(str(settings.database_url)) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "version_table_schema": "eisenergy",
                "include_name": lambda name, kind, parents: kind != "schema" or name == "eisenergy",
            },
        )
        assert compare_metadata(context, tables.metadata) == []


@pytest.mark.parametrize("table", sorted(table.name for table in tables.metadata.tables.values()))
def test_without_a_scope_nothing_is_there(database: Database, settings: Settings, table: str) -> None:
    query = text(f"SELECT count(*) FROM eisenergy.{table}")
    with raw(database.app_url) as connection:
        assert connection.execute(query).scalar() == 0  # never set: NULL
    with raw(str(settings.database_url)) as connection:
        assert connection.execute(query).scalar() == 0  # its owner neither
    engine = create_engine(database.app_url, pool_size=1, max_overflow=0)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL eisenergy.client = 'EIS'"))
    with engine.begin() as connection:
        assert connection.execute(query).scalar() == 0  # after COMMIT: an empty text
    engine.dispose()


def test_a_session_leaves_no_scope_behind(database: Database) -> None:
    engine = database.engine
    with database.session(EIS) as connection:
        assert connection.execute(text("SELECT count(*) FROM eisenergy.invoices")).scalar() == 2
    for _ in range(5):
        with engine.begin() as connection:
            for name in ("client", "role", "customers"):
                assert not connection.execute(text(f"SELECT current_setting('eisenergy.{name}', true)")).scalar()
            assert connection.execute(text("SELECT count(*) FROM eisenergy.invoices")).scalar() == 0


def test_a_customer_finds_its_own_rows_alone(database: Database) -> None:
    own = Scope.customer("EIS", "EIS-0002")
    with raw(database.app_url, own) as connection:
        for table in ("customers", "contracts", "invoices", "invoice_lines"):
            rows = connection.execute(text(f"SELECT client, customer FROM eisenergy.{table}")).all()
            assert {tuple(row) for row in rows} == {("EIS", "EIS-0002")}, table
        for table in ("changes", "source_files", "series", "runs", "distributor_reports"):
            assert connection.execute(text(f"SELECT count(*) FROM eisenergy.{table}")).scalar() == 0, table


NEW_CUSTOMER = "INSERT INTO eisenergy.customers (client, customer, document) VALUES (:client, :customer, '{}')"


@pytest.mark.parametrize(
    ("scope", "client", "customer"),
    [
        (EIS, "LUZ", "NEW"),
        (Scope(client="EIS", role=Role.SYSTEM_ADMIN), "LUZ", "NEW"),
        (Scope(client="EIS", role=Role.CLIENT_ADMIN, customers=frozenset({"EIS-0002"})), "EIS", "NEW"),
        (Scope.customer("EIS", "EIS-0002"), "EIS", "EIS-0002"),
        (Scope(client="EIS", role=Role.CUSTOMER_MANAGER, customers=frozenset({"NEW"})), "EIS", "NEW"),
        (None, "EIS", "NEW"),
    ],
)
def test_the_database_refuses_a_row_outside_the_scope(
    database: Database, scope: Scope | None, client: str, customer: str
) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"), raw(database.app_url, scope) as connection:
        connection.execute(text(NEW_CUSTOMER), {"client": client, "customer": customer})


def test_the_database_does_not_move_or_touch_another_tenants_row(database: Database) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"), raw(database.app_url, EIS) as connection:
        connection.execute(text("UPDATE eisenergy.customers SET client = 'LUZ', customer = 'MOVED'"))
    with raw(database.app_url, EIS) as connection:
        touched = connection.execute(text("UPDATE eisenergy.customers SET document = document WHERE client = 'LUZ'"))
        assert touched.rowcount == 0
    with raw(database.app_url, Scope.customer("EIS", "EIS-0002")) as connection:
        assert connection.execute(text("UPDATE eisenergy.customers SET document = '{}'")).rowcount == 0
        assert connection.execute(text("DELETE FROM eisenergy.drafts")).rowcount == 0


@pytest.mark.parametrize("role", ["application", "owner"])
@pytest.mark.parametrize("table", ["invoices", "invoice_lines"])
@pytest.mark.parametrize(
    "statement", ["UPDATE eisenergy.{} SET customer = 'X'", "DELETE FROM eisenergy.{}", "TRUNCATE eisenergy.{} CASCADE"]
)
def test_nobody_changes_an_issued_invoice(
    database: Database, settings: Settings, role: str, table: str, statement: str
) -> None:
    url = database.app_url if role == "application" else str(settings.database_url)
    reason = "permission denied" if role == "application" else "never changes"
    for scope in (EIS, None):
        with pytest.raises(DBAPIError, match=reason), raw(url, scope) as connection:
            connection.execute(text(statement.format(table)))
    assert len(books.invoices(database, EIS)) == 2


def test_a_process_started_from_here_works_as_the_application(database: Database, settings: Settings) -> None:
    script = (
        "from store_cases import *; from eisenergy.store import books; from eisenergy.store.database import Database\n"
        "with Database.open(Settings.load()) as database:\n"
        "    print(*[i.number for i in books.invoices(database, Scope.customer('EIS', 'EIS-0002'))])"
    )
    child = start_child(script, replace(settings, database_url=database.app_url))
    assert finish(child).strip() == "FAC-000002"


def test_a_superusers_address_is_worked_with_as_the_application(settings: Settings, postgres: server.Server) -> None:
    name = f"superuser_{os.getpid()}"
    address = postgres.url("postgres", "postgres")
    with create_engine(address, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = postgres.url("postgres", name)
    with Database.open(replace(settings, database_url=url)) as database:
        masters.save_client(database, EIS, make_client())
        assert masters.clients(database, OTHER) == ()
        with database.session(EIS) as connection:
            owners = text("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'eisenergy'")
            assert connection.execute(text("SELECT current_user")).scalar() == "eisenergy_app"
            assert connection.execute(owners).scalars().all() == ["eisenergy_owner"]
    with pytest.raises(DatabaseUnusable, match="tenants would not be kept apart"):
        Database._opened(url, None)


def test_addresses_that_cannot_work_say_so(settings: Settings, postgres: server.Server) -> None:
    with pytest.raises(BadSetting, match="begins with 'mysql'"):
        Database.open(replace(settings, database_url="mysql://a@b/c"))
    with pytest.raises(BadSetting, match="cannot be read"):
        Database.open(replace(settings, database_url="what"))
    with pytest.raises(DatabaseUnusable, match="cannot be reached") as caught:
        Database.open(replace(settings, database_url="postgresql://me:secret@127.0.0.1:1/c"))
    assert "secret" not in str(caught.value)
    with pytest.raises(NotMigrated, match=f"at migration None, expected {HEAD}"):
        Database.open(replace(settings, database_url=postgres.url("eisenergy_app", "postgres")))


def test_a_newer_database_is_left_alone(settings: Settings) -> None:
    with raw(str(settings.database_url)) as connection:
        connection.execute(text("UPDATE eisenergy.alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(NotMigrated, match="9999, which this version of eisenergy does not know"):
            Database.open(settings)
    finally:
        with raw(str(settings.database_url)) as connection:
            connection.execute(text("UPDATE eisenergy.alembic_version SET version_num = :head"), {"head": HEAD})


def test_what_is_read_together_is_one_transaction_in_which_nothing_is_written(database: Database) -> None:
    number = text("SELECT pg_current_xact_id_if_assigned(), txid_current_snapshot()::text, now()")

    def seen(scope: Scope) -> tuple[object, int]:
        with database.session(scope) as connection:
            at = connection.execute(number).one()[2]
            return at, connection.execute(text("SELECT count(*) FROM eisenergy.contracts")).scalar_one()

    own, other = Scope.customer("EIS", "EIS-0001"), Scope.customer("EIS", "EIS-0002")
    with database.reading(own):
        first, rows = seen(own)
        assert (first, rows) == seen(own) == seen(Scope.customer("EIS", "EIS-0001"))
        assert rows == 1
        everybody = seen(EIS)  # another scope: another transaction, its own rows
        assert everybody[0] != first
        assert everybody[1] == 2
        with database.reading(other):
            assert seen(own)[0] == first
            assert seen(other)[0] != first
        assert seen(own)[0] == first
        with database.signing_in(own) as connection:
            assert connection.execute(number).one()[2] != first
        with database.session(own) as connection:
            assert connection.execute(text("SELECT current_setting('eisenergy.auth', true)")).scalar() in ("", None)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(seen, own).result()[0] != first
    assert seen(own)[0] != first
    with pytest.raises(DBAPIError, match="read-only"), database.reading(EIS):
        masters.save_contracts(database, EIS, [make_contract(7)])
    assert masters.save_contracts(database, EIS, [make_contract(1)]).unchanged == 1  # and afterwards all is as before


def test_what_is_read_once_in_a_transaction_is_read_afresh_in_the_next(database: Database) -> None:
    own, other = Scope.customer("EIS", "EIS-0001"), Scope.customer("EIS", "EIS-0002")
    reads: list[int] = []

    def read() -> int:
        reads.append(len(reads))
        return reads[-1]

    assert [database.once(own, "it", read), database.once(own, "it", read)] == [0, 1]  # nothing is kept outside of one
    with database.reading(own):
        assert [database.once(own, "it", read), database.once(own, "it", read)] == [2, 2]
        assert database.once(own, "else", read) == 3
        assert [database.once(other, "it", read), database.once(EIS, "it", read)] == [
            4,
            5,
        ]  # another's rows, never these
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(database.once, own, "it", read).result() == 6
        assert masters.supplies(database, own) is masters.supplies(database, own)
        assert {one.meter for one in masters.supplies(database, other)} == {"M2"}
    with database.reading(own):
        assert database.once(own, "it", read) == 7


def test_a_migration_waits_for_whoever_reads_and_ends_nobody(database: Database, settings: Settings) -> None:
    """A page has read contracts and asks for invoices, while the migration has some of these tables and wants the others."""
    made = ScriptDirectory.from_config(config()).get_revision("0014").module
    began, locked = threading.Event(), threading.Event()

    def lock() -> bool:
        engine = create_engine(str(settings.database_url), poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            began.set()
            connection.execute(text(made.LOCKED))
            locked.set()
            connection.rollback()
        return True

    with ThreadPoolExecutor(1) as pool, database.reading(EIS):
        assert masters.contracts(database, EIS)
        task = pool.submit(lock)
        assert began.wait(10)
        assert not locked.wait(0.5)
        for table in ("invoices", "customers", "month_sums", "history"):
            with database.session(EIS) as connection:
                assert connection.execute(text(f"SELECT count(*) FROM eisenergy.{table}")).scalar() is not None
        assert not locked.is_set()
    assert task.result(30)


def test_conditions_that_are_asked_once_say_what_they_said(database: Database, settings: Settings) -> None:
    """Migrations 0013 and 0014 against the conditions of before, for every role and scope, sensible or not: the same rows."""
    script = ScriptDirectory.from_config(config())
    books_made, people_made, lists_made = (script.get_revision(number).module for number in ("0001", "0005", "0014"))
    operators = "client = eisenergy.tenant() AND eisenergy.unlimited()"
    anybody = "eisenergy.signing_in() OR eisenergy.system_admin()"
    before = {
        "grants": f"{anybody} OR ({operators})",
        "users": f"{anybody} OR {people_made.MANAGED}",
        "tariffs": books_made.OWN_TARIFFS,
        **dict.fromkeys(lists_made.TABLES, OWN_CUSTOMERS),
    }
    for scope in (EIS, OTHER):
        books.park(database, scope, OCTOBER.plus(1), make_contract(2), [blocking("no-readings", "m", "no reading")])
        books.save_drafts(database, scope, OCTOBER, [make_draft(make_contract(n), OCTOBER) for n in (1, 2)])
        entry = history.Entry(contract="EIS-0001", customer="EIS-0001", month="2021-09", key="k", document={})
        history.save(database, scope, [entry])
    masters.save_tariff(database, EIS, make_tariff("EIS-TOU"))
    masters.save_tariff(database, EIS, make_tariff("NOBODYS"))
    masters.save_tariff(database, OTHER, make_tariff("EIS-TOU"))
    with database.signing_in() as connection:
        connection.execute(
            text("INSERT INTO eisenergy.users (id, email, locale, created_at) SELECT gen_random_uuid(), m || '@x.example', 'es', now() FROM unnest(ARRAY['a', 'b', 'c', 'd']) m")
        )  # fmt: skip
    admin = Scope(client="*", role=Role.SYSTEM_ADMIN)
    given = "INSERT INTO eisenergy.grants (client, user_id, role, customers, granted_by, granted_at) SELECT {}, {}, now() FROM eisenergy.users WHERE email = '{}@x.example'"
    with database.signing_in(admin) as connection:
        for client, more, who in (
            ("'EIS', id", "'CLIENT_ADMIN', NULL, 'x'", "a"),
            ("'EIS', id", "'CUSTOMER_USER', ARRAY['EIS-0001'], 'x'", "b"),
            ("'LUZ', id", "'CLIENT_ADMIN', NULL, 'x'", "b"),
            ("'*', id", "'SYSTEM_ADMIN', NULL, 'x'", "c"),
        ):
            connection.execute(text(given.format(client, more, who)))

    def seen(connection: Connection) -> dict[tuple[str, ...], list[list[str]]]:
        found = {}
        for scope in itertools.product(
            ("EIS", "LUZ", "*", ""),
            ("", *Role),
            ("", "*", "[]", '["EIS-0001"]', '["EIS-0002", "EIS-0001"]', '["EIS-0009"]'),
            ("", "on"),
        ):
            names = ("client", "role", "customers", "auth")
            settings_of = ", ".join(f"set_config('eisenergy.{name}', :{name}, true)" for name in names)
            connection.execute(text(f"SELECT {settings_of}"), dict(zip(names, map(str, scope), strict=True)))
            found[scope] = [
                sorted(connection.execute(text(f"SELECT t::text FROM eisenergy.{table} t")).scalars())
                for table in before
            ]
        return found

    engine = create_engine(str(settings.database_url), poolclass=NullPool)
    with engine.connect() as connection:
        now = seen(connection)
        for table, condition in before.items():
            connection.execute(text(f"ALTER POLICY reads ON eisenergy.{table} USING ({condition})"))
        then = seen(connection)
        connection.rollback()
    assert now == then
    counts = {tuple(map(len, rows)) for rows in now.values()}
    assert {each[:3] for each in counts} >= {(0, 0, 0), (4, 4, 0), (2, 2, 2), (0, 0, 1)}
    assert {each[3:] for each in counts} == {(0,) * 7, (1, 1, 1, 1, 2, 0, 1), (2, 2, 2, 2, 4, 1, 1)}


def test_whoever_connects_knows_arrays_before_anything_that_sends_them_is_loaded() -> None:
    """A connection takes what was registered before it was made: a workspace that was used first could not bill."""
    said = (
        "import sys; import eisenergy.store.database; from psycopg import adapters; from psycopg.adapt import PyFormat; "
        "from eisenergy.store.arrays import Documents, Integers, Numbers, Texts; "
        "assert 'eisenergy.store.incoming' not in sys.modules; "
        "print(*(adapters.get_dumper(kind, PyFormat.AUTO).oid for kind in (Texts, Documents, Integers, Numbers)))"
    )
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1009", "3807", "1007", "1231"]
