"""The database on its own: every new table × who asks × reading and writing, and policies broken one by one to see it found."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from portal_cases import BY, HASH, START, furnish, owner, populate
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.config import Settings
from eisenergy.store import api_tokens, audit, idempotency, people, sessions, tickets
from eisenergy.store.database import Database
from eisenergy.store.grants import BadAccount, Grant
from eisenergy.store.idempotency import Kept

SECRET = ("credentials", "sessions", "tickets", "guesses", "api_tokens")
TABLES = ("users", *SECRET, "grants", "audit", "idempotency")
EIS, LUZ = Scope.operator("EIS"), Scope.operator("LUZ")
ADMIN = Scope(client="EIS", role=Role.SYSTEM_ADMIN)
CUSTOMER = Scope.customer("EIS", "EIS-0001")
MANAGER = Scope(client="EIS", role=Role.CUSTOMER_MANAGER, customers=frozenset({"EIS-0001", "EIS-0002"}))
NARROWED = Scope(client="EIS", role=Role.CLIENT_ADMIN, customers=frozenset({"EIS-0001"}))
NARROWED_ADMIN = Scope(client="EIS", role=Role.SYSTEM_ADMIN, customers=frozenset({"EIS-0001"}))
WHO: dict[str, Scope | None] = {
    "nobody": None,
    "EIS": EIS,
    "LUZ": LUZ,
    "admin": ADMIN,
    "customer": CUSTOMER,
    "manager": MANAGER,
    "narrowed": NARROWED,
    "narrowed admin": NARROWED_ADMIN,
}


@pytest.fixture(scope="module", autouse=True)
def _everything(settings: Settings, database: Database) -> None:
    """A row in every table, of either seller where the table has sellers."""
    furnish(settings, database)
    everybody = populate(database)
    with database.signing_in() as connection:
        for name in ("operator", "neighbour"):
            sessions.start(connection, everybody[name].user, START)  # type: ignore[arg-type]
            tickets.issue(connection, tickets.DEVICE, everybody[name].user, START, people.INVITATION)  # type: ignore[arg-type]
        connection.execute(text("INSERT INTO eisenergy.guesses VALUES ('address', 'x', 1, now(), now())"))
    for client in ("EIS", "LUZ", "*"):
        kept = Kept(fingerprint="a" * 64, status=200, headers={}, body="{}")
        with database.session(Scope(client="EIS", role=Role.SYSTEM_ADMIN)) as connection:
            idempotency.keep(connection, client, everybody["operator"].user, "k", kept, START)  # type: ignore[arg-type]
    for name, client in (("operator", "EIS"), ("neighbour", "LUZ")):
        grant = Grant(client=client, role=Role.CLIENT_ADMIN)
        api_tokens.create(
            database, everybody[name].user, grant, "test", people.INVITATION, client=client, by=BY, at=START  # type: ignore[arg-type]
        )  # fmt: skip


@contextmanager
def asking(database: Database, scope: Scope | None) -> Iterator[Connection]:
    if scope is None:
        with database.engine.begin() as connection:
            yield connection
    else:
        with database.session(scope) as connection:
            yield connection


def seen(database: Database, scope: Scope | None, table: str) -> set[str]:
    """Whose rows are seen: clients, or addresses of users."""
    column = (
        "email"
        if table == "users"
        else "client"
        if table in ("grants", "audit", "api_tokens", "idempotency")
        else "'row'"
    )
    with asking(database, scope) as connection:
        return {row[0] for row in connection.execute(text(f"SELECT DISTINCT {column} FROM eisenergy.{table}"))}


def expected(who: str, table: str) -> set[str]:
    """What is right, written by hand."""
    eis = {"operator@eis.example", "manager@eis.example", "customer@eis.example", "viewer@eis.example"}
    luz = {"neighbour@luz.example"}
    if table == "users":
        every = eis | luz | {"admin@all.example", "stranger@eis.example"}
        return {"EIS": eis, "LUZ": luz, "admin": every}.get(who, set())
    if table in ("grants", "audit", "idempotency"):
        return {"EIS": {"EIS"}, "LUZ": {"LUZ"}, "admin": {"EIS", "LUZ", "*"}}.get(who, set())
    return set()


NEW = "00000000-0000-0000-0000-0000000000ff"
INSERTS = {
    "users": f"INSERT INTO eisenergy.users VALUES ('{NEW}', 'new@eis.example', 'es', now(), NULL)",
    "credentials": "INSERT INTO eisenergy.credentials (user_id, recovery) SELECT :user, '{}'",
    "sessions": "INSERT INTO eisenergy.sessions SELECT repeat('a', 64), :user, 'r', now(), now(), now(), NULL, NULL",
    "tickets": "INSERT INTO eisenergy.tickets SELECT repeat('a', 64), 'reset', :user, now(), now(), NULL",
    "guesses": "INSERT INTO eisenergy.guesses VALUES ('pair', 'y', 1, now(), now())",
    "api_tokens": "INSERT INTO eisenergy.api_tokens SELECT :client, gen_random_uuid(), repeat('b', 64), :user, 'n', "
    "'CLIENT_ADMIN', NULL, now(), now(), NULL",
    "grants": "INSERT INTO eisenergy.grants SELECT :client, :user, :role, NULL, 'me', now()",
    "idempotency": "INSERT INTO eisenergy.idempotency SELECT :client, :user, gen_random_uuid()::text, repeat('c', 64), 200, '{}', "
    "'{}', now(), now()",
    "audit": "INSERT INTO eisenergy.audit (client, at, actor, address, action, subject) "
    "SELECT :client, now(), 'a', 'b', 'C', 'd'",
}
CHANGES = {
    "users": "UPDATE eisenergy.users SET disabled_at = now()",
    "credentials": "UPDATE eisenergy.credentials SET totp_secret = NULL",
    "sessions": "UPDATE eisenergy.sessions SET seen_at = now()",
    "tickets": "UPDATE eisenergy.tickets SET used_at = now()",
    "guesses": "UPDATE eisenergy.guesses SET failures = 1",
    "api_tokens": "UPDATE eisenergy.api_tokens SET revoked_at = now()",
    "grants": "UPDATE eisenergy.grants SET granted_by = 'me'",
    "idempotency": "UPDATE eisenergy.idempotency SET body = 'null'",
}


class _Undo(Exception):
    pass


def rows_of(database: Database, scope: Scope | None, statement: str, **values: object) -> int | str:
    """How many rows a statement touches, or why it is refused; undone in either case."""
    count = 0
    try:
        with asking(database, scope) as connection:
            count = connection.execute(
                text(statement), {k: v for k, v in values.items() if f":{k}" in statement}
            ).rowcount
            raise _Undo
    except _Undo:
        return count
    except DBAPIError as problem:
        return (
            "refused" if "row-level security" in str(problem) or "permission denied" in str(problem) else str(problem)
        )


def faults(database: Database, table: str) -> Iterator[str]:
    """Say what somebody may see or write of a table that must not, or the other way round."""
    with database.signing_in() as connection:
        stranger = connection.execute(
            text("SELECT id FROM eisenergy.users WHERE email = 'stranger@eis.example'")
        ).scalar_one()
    for who, scope in WHO.items():
        if (found := seen(database, scope, table)) != expected(who, table):
            yield f"{who} sees {sorted(found)} of {table}, expected {sorted(expected(who, table))}"
        for client, role in (("EIS", "CLIENT_ADMIN"), ("LUZ", "CLIENT_ADMIN"), ("*", "SYSTEM_ADMIN")):
            may = {
                "grants": who == "admin" or (who == client and role == "CLIENT_ADMIN"),
                "audit": scope is not None and scope.client == client,
                "idempotency": who in (client, "admin"),
            }.get(table, False)
            done = rows_of(database, scope, INSERTS[table], user=stranger, client=client, role=role)
            if done != (1 if may else "refused"):
                yield f"{who} adds to {table} of {client}: {done}"
        if table in CHANGES:
            count = rows_of(database, scope, CHANGES[table])
            may = table in ("grants", "idempotency") and who in ("EIS", "LUZ", "admin")
            if (count in (0, "refused")) == may:
                yield f"{who} changes {count} rows of {table}"
            removed = rows_of(database, scope, f"DELETE FROM eisenergy.{table}")
            if (removed in (0, "refused")) == may:
                yield f"{who} removes {removed} rows of {table}"


@pytest.mark.parametrize("table", TABLES)
def test_who_sees_and_writes_what(database: Database, table: str) -> None:
    assert list(faults(database, table)) == []


def test_the_new_tables_are_all_of_them(database: Database) -> None:
    from eisenergy.store import tables

    older = {"clients", "customers", "contracts", "changes", "tariffs", "calendars", "source_files", "history", "runs"}
    older |= {"distributor_reports", "series", "drafts", "invoices", "invoice_lines", "parked"}
    work = {
        "jobs",
        "uploads",
        "reading_mappings",
        "proposals",
        "proposal_effects",
        "month_sums",
    }  # in tests/work/test_work_tables.py
    events = {"outbox", "subscriptions", "deliveries"}  # in tests/work/test_events_tables.py
    assert {table.name for table in tables.metadata.tables.values()} - older - work - events == set(TABLES)


def test_hashes_are_seen_at_sign_in_alone(database: Database) -> None:
    for who, scope in WHO.items():
        with asking(database, scope) as connection:
            for table in SECRET:
                rows = connection.execute(text(f"SELECT * FROM eisenergy.{table}")).all()
                assert rows == [], (who, table)
    with database.signing_in() as connection:
        found = connection.execute(text("SELECT password FROM eisenergy.credentials")).scalars().all()
        assert HASH in found
        for table in ("customers", "contracts", "invoices", "clients", "tariffs", "drafts"):
            assert connection.execute(text(f"SELECT count(*) FROM eisenergy.{table}")).scalar() == 0, table


def test_sign_in_leaves_nothing_open_behind_it(database: Database) -> None:
    with database.signing_in() as connection:
        assert connection.execute(text("SELECT count(*) FROM eisenergy.credentials")).scalar()
    for _ in range(8):
        with database.engine.begin() as connection:
            assert not connection.execute(text("SELECT current_setting('eisenergy.auth', true)")).scalar()
            assert connection.execute(text("SELECT count(*) FROM eisenergy.credentials")).scalar() == 0


def test_sign_in_alone_gives_no_rights(database: Database) -> None:
    with database.signing_in() as connection:
        values = {"user": connection.execute(text("SELECT id FROM eisenergy.users LIMIT 1")).scalar()}
    values |= {"client": "NEW", "role": "CLIENT_ADMIN"}
    with pytest.raises(DBAPIError, match="row-level security"), database.signing_in() as connection:
        connection.execute(text(INSERTS["grants"]), values)


BROKEN = {
    "a table without its policies": ("credentials", "ALTER TABLE eisenergy.credentials DISABLE ROW LEVEL SECURITY"),
    "sessions for all": ("sessions", "ALTER POLICY reads ON eisenergy.sessions USING (true)"),
    "links for all": ("tickets", "ALTER POLICY reads ON eisenergy.tickets USING (true)"),
    "tokens for operators": (
        "api_tokens",
        "ALTER POLICY reads ON eisenergy.api_tokens USING (client = eisenergy.tenant())",
    ),
    "accounts for operators": (
        "users",
        "ALTER POLICY reads ON eisenergy.users USING (eisenergy.signing_in() OR eisenergy.unlimited())",
    ),
    "accounts changed by anybody": ("users", "ALTER POLICY changes ON eisenergy.users USING (true) WITH CHECK (true)"),
    "rights of all sellers": ("grants", "ALTER POLICY reads ON eisenergy.grants USING (eisenergy.unlimited())"),
    "rights given at any seller": (
        "grants",
        "ALTER POLICY adds ON eisenergy.grants WITH CHECK (eisenergy.unlimited())",
    ),
    "operators make administrators": (
        "grants",
        "ALTER POLICY adds ON eisenergy.grants WITH CHECK (client = eisenergy.tenant() OR client = '*')",
    ),
    "rights given by customers": (
        "grants",
        "ALTER POLICY adds ON eisenergy.grants WITH CHECK (client = eisenergy.tenant())",
    ),
    "rights taken by anybody": ("grants", "ALTER POLICY removes ON eisenergy.grants USING (true)"),
    "the log for customers": ("audit", "ALTER POLICY reads ON eisenergy.audit USING (client = eisenergy.tenant())"),
    "the log of all sellers": ("audit", "ALTER POLICY reads ON eisenergy.audit USING (eisenergy.unlimited())"),
    "lines in others' logs": ("audit", "ALTER POLICY adds ON eisenergy.audit WITH CHECK (true)"),
    "guesses forgotten by anybody": ("guesses", "ALTER POLICY removes ON eisenergy.guesses USING (true)"),
    "sessions made by anybody": ("sessions", "ALTER POLICY adds ON eisenergy.sessions WITH CHECK (true)"),
    "narrowed administrators": (
        "users",
        "CREATE OR REPLACE FUNCTION eisenergy.system_admin() RETURNS boolean LANGUAGE sql STABLE "
        "RETURN coalesce(current_setting('eisenergy.role', true) = 'SYSTEM_ADMIN', false)",
    ),
    "answers of other sellers": (
        "idempotency",
        "ALTER POLICY reads ON eisenergy.idempotency USING (eisenergy.unlimited())",
    ),
    "answers for customers": (
        "idempotency",
        "ALTER POLICY adds ON eisenergy.idempotency WITH CHECK (client = eisenergy.tenant())",
    ),
    "always signing in": (
        "credentials",
        "CREATE OR REPLACE FUNCTION eisenergy.signing_in() RETURNS boolean LANGUAGE sql STABLE RETURN true",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_policy_is_found(settings: Settings, database: Database, name: str) -> None:
    table, statement = BROKEN[name]
    with owner(settings) as connection:
        kept = {
            (row.polname, row.tab): row
            for row in connection.execute(
                text(
                    "SELECT polname, polrelid::regclass::text AS tab, pg_get_expr(polqual, polrelid) AS using, "
                    "pg_get_expr(polwithcheck, polrelid) AS checked FROM pg_policy "
                    "WHERE polrelid::regclass::text LIKE 'eisenergy.%'"
                )
            )
        }
        functions = connection.execute(
            text(
                "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'eisenergy'::regnamespace "
                "AND proname IN ('system_admin', 'signing_in')"
            )
        ).scalars().all()  # fmt: skip
        connection.execute(text(statement))
    try:
        assert next(faults(database, table), None) is not None
    finally:
        with owner(settings) as connection:
            for definition in functions:
                connection.exec_driver_sql(definition)
            connection.execute(text("ALTER TABLE eisenergy.credentials ENABLE ROW LEVEL SECURITY"))
            for (policy, relation), row in kept.items():
                using = f"USING ({row.using})" if row.using else ""
                check = f"WITH CHECK ({row.checked})" if row.checked else ""
                connection.exec_driver_sql(f"ALTER POLICY {policy} ON {relation} {using} {check}")
    assert list(faults(database, table)) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE eisenergy.audit SET actor = 'x'", "DELETE FROM eisenergy.audit", "TRUNCATE eisenergy.audit"]
)
def test_nobody_changes_the_log(settings: Settings, database: Database, statement: str) -> None:
    for scope in WHO.values():
        assert rows_of(database, scope, statement) == "refused"
    with pytest.raises(DBAPIError, match="permission denied"), database.signing_in() as connection:
        connection.execute(text(statement))
    with pytest.raises(DBAPIError, match="never changes"), owner(settings) as connection:
        connection.execute(text(statement))


# rights in the library, before the database says it again


def test_operators_give_no_more_than_they_have(database: Database) -> None:
    for scope, grant in (
        (EIS, Grant(client="LUZ", role=Role.CLIENT_ADMIN)),
        (EIS, Grant(client="*", role=Role.SYSTEM_ADMIN)),
        (CUSTOMER, Grant(client="EIS", role=Role.CLIENT_ADMIN)),
        (MANAGER, Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0001"}))),
        (NARROWED, Grant(client="EIS", role=Role.CLIENT_ADMIN)),
    ):
        with pytest.raises(OutOfScope):
            people.invite(database, scope, "more@eis.example", grant, by=BY, at=START)
    with pytest.raises(BadAccount, match="SYSTEM_ADMIN, and only it"):
        Grant(client="EIS", role=Role.SYSTEM_ADMIN)
    with pytest.raises(BadAccount, match="expected at least one customer"):
        Grant(client="EIS", role=Role.CUSTOMER_USER)


@pytest.mark.parametrize(
    "email", ["", "a", "a@b", "a b@c.example", "a@b.example,c@d.example", "<a@b.example>", "a\n@b.example"]
)
def test_what_is_no_address_is_refused(database: Database, email: str) -> None:
    with pytest.raises(BadAccount, match=r"expected name@host\.example"):
        people.invite(database, EIS, email, Grant(client="EIS", role=Role.CLIENT_ADMIN), by=BY, at=START)


def test_tokens_do_no_more_than_their_owner_and_end_with_the_right(database: Database) -> None:
    operator = Grant(client="EIS", role=Role.CLIENT_ADMIN)
    limited = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0001"}))
    invited = people.invite(database, EIS, "tokens@eis.example", limited, by=BY, at=START)
    for grant, client in ((operator, "EIS"), (Grant(client="LUZ", role=Role.CLIENT_ADMIN), "LUZ")):
        with pytest.raises(OutOfScope):
            api_tokens.create(database, invited.user, grant, "t", timedelta(days=1), client=client, by=BY, at=START)
    for life in (timedelta(0), timedelta(days=400)):
        with pytest.raises(BadAccount, match="a token lives between"):
            api_tokens.create(database, invited.user, limited, "t", life, client="EIS", by=BY, at=START)
    token = api_tokens.create(database, invited.user, limited, "t", timedelta(days=1), client="EIS", by=BY, at=START)
    found = api_tokens.find(database, token, START)
    assert found is not None
    assert found.scope == Scope.customer("EIS", "EIS-0001")
    assert api_tokens.find(database, token, START + timedelta(days=1)) is None
    assert api_tokens.find(database, token + "x", START) is None
    people.revoke(database, EIS, invited.user, by=BY, at=START)
    assert api_tokens.find(database, token, START) is None
    people.invite(database, EIS, "tokens@eis.example", limited, by=BY, at=START)
    assert api_tokens.find(database, token, START) is None  # given back, the old token stays dead
    other = api_tokens.create(database, invited.user, limited, "u", timedelta(days=1), client="EIS", by=BY, at=START)
    bearer = api_tokens.find(database, other, START)
    assert bearer is not None
    api_tokens.revoke(database, "LUZ", bearer.id, by=BY, at=START)  # not LUZ's to end
    assert api_tokens.find(database, other, START) is not None
    api_tokens.revoke(database, "EIS", bearer.id, by=BY, at=START)
    assert api_tokens.find(database, other, START) is None


def test_a_narrower_right_ends_the_tokens_beyond_it_for_good(database: Database) -> None:
    day = timedelta(days=1)
    operator = Grant(client="EIS", role=Role.CLIENT_ADMIN)
    both = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0001", "EIS-0002"}))
    one = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0001"}))
    user = people.invite(database, EIS, "narrower@eis.example", operator, by=BY, at=START).user
    made = [
        api_tokens.create(database, user, grant, name, day, client="EIS", by=BY, at=START)
        for name, grant in (("all", operator), ("both", both), ("one", one))
    ]
    for narrower, left in ((operator, [True, True, True]), (both, [False, True, True]), (one, [False, False, True])):
        people.invite(database, EIS, "narrower@eis.example", narrower, by=BY, at=START)
        people.invite(database, EIS, "narrower@eis.example", operator, by=BY, at=START)
        assert [api_tokens.find(database, token, START) is not None for token in made] == left


def test_the_log_is_read_newest_first_and_page_by_page(database: Database) -> None:
    for n in range(5):
        audit.record(database, "EIS", BY, START, "COUNT", str(n))
    first = audit.entries(database, EIS, limit=3)
    assert [entry.subject for entry in first] == ["4", "3", "2"]
    assert [entry.subject for entry in audit.entries(database, EIS, limit=2, before=first[-1].id)] == ["1", "0"]
    assert audit.entries(database, CUSTOMER) == ()


def test_an_unknown_account_is_nobodys(database: Database) -> None:
    for deed in (people.revoke, people.new_link):
        with pytest.raises(people.NoUser, match="list them with"):
            deed(database, EIS, uuid.uuid4(), by=BY, at=START)


@pytest.mark.parametrize("purpose", [tickets.FIRST, tickets.RESET, tickets.CODE])
def test_a_ticket_is_used_once_for_its_purpose_in_its_time(database: Database, purpose: str) -> None:
    with database.signing_in() as connection:
        user = connection.execute(text("SELECT id FROM eisenergy.users LIMIT 1")).scalar_one()
        token = tickets.issue(connection, purpose, user, START, people.INVITATION)
        late = START + people.INVITATION
        assert tickets.holder(connection, (purpose,), token, late) is None
        assert tickets.take(connection, (purpose,), token, late) is None
        assert tickets.take(connection, (tickets.DEVICE,), token, START) is None
        assert tickets.holder(connection, (purpose,), token, START) == user
        assert tickets.take(connection, (purpose,), token, START) == user
        assert tickets.take(connection, (purpose,), token, START) is None
        assert tickets.holder(connection, (purpose,), token, START) is None
