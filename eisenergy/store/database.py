"""The PostgreSQL of a workspace, and transactions that see one scope's rows.

The application works as the role ``eisenergy_app``, which owns nothing and can neither bypass nor switch off row-level security.
Migrations run as the owner, before anything else.
"""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError

from eisenergy.accounts import Scope
from eisenergy.config import Settings
from eisenergy.store import sending as sending  # before any connection is made
from eisenergy.store import server
from eisenergy.store.migrate import HEAD, NotMigrated, current, migrate
from eisenergy.store.migrations.policies import APP
from eisenergy.variables import BadSetting

T = TypeVar("T")

OWNER: Final = "eisenergy_owner"
NAME: Final = "eisenergy"
EVERYBODY: Final = "*"
OLDEST: Final = 15
"""Major version of PostgreSQL; Debian 12's."""
_PROVISION_LOCK: Final = 0x65697365_00000001


_SET_SCOPE: Final = (
    "SELECT set_config('eisenergy.client', :client, true), set_config('eisenergy.role', :role, true), "
    "set_config('eisenergy.customers', :customers, true), set_config('jit', 'off', true)"
)
"""Compiling takes longer than any of our statements, and a statement of its own to say so would be one more."""
_WORK_IN: Final = text(_SET_SCOPE)
_SIGNING_IN: Final = text("SELECT set_config('eisenergy.auth', 'on', true)")
_READ_IN: Final = text(f"{_SET_SCOPE}, set_config('transaction_read_only', 'on', true)")


class DatabaseUnusable(RuntimeError):
    """The database cannot be reached, or would not keep tenants apart. Says what was found and what to do."""


class Database:
    """Connections to one database, as the application's role.

    Open one with :meth:`open`, and close it; it is a context manager.

    :param app_url: address for this process and those started from it; set it as ``EISENERGY_DATABASE_URL`` there
    :param engine: SQLAlchemy engine as the application's role; prefer :meth:`session`
    """

    def __init__(self, app_url: str, running: server.Server | None = None) -> None:
        self.app_url = app_url
        self._thread = threading.local()
        self.engine: Engine = _engine(make_url(app_url), pool_pre_ping=True, pool_size=5, max_overflow=20)
        self._finish = weakref.finalize(self, _finish, self.engine, running)  # runs at the end of the process, too

    @classmethod
    def open(cls, settings: Settings) -> Database:
        """Connect; start the workspace's own server when no address is set; migrate when needed.

        Several processes may do this at once.

        :param settings: ``database_url``, or ``home`` for a server of our own
        :raises ServerFailed: when the workspace's server cannot be started
        :raises DatabaseUnusable: when the server cannot be reached, or its roles would not keep tenants apart
        :raises BadSetting: when the address is not one of PostgreSQL
        """
        if settings.database_url:
            return cls._opened(_app_url(_parse(settings.database_url)), None)
        running = server.acquire(settings.home / "pg")
        try:
            owner = provision(running, NAME)
            app_url = running.url(APP, NAME)
            _migrate_when_needed(make_url(owner), make_url(app_url))
            return cls._opened(app_url, running)
        except BaseException:
            running.release()
            raise

    @classmethod
    def _opened(cls, app_url: str, running: server.Server | None) -> Database:
        database = cls(app_url, running)
        try:
            _check_role(database.engine)
        except BaseException:
            database.engine.dispose()
            raise
        return database

    @contextmanager
    def session(self, scope: Scope) -> Iterator[Connection]:
        """One transaction that sees and writes only what the scope allows; committed at the end, undone on an error."""
        if getattr(self._thread, "scope", None) == scope:
            yield self._thread.connection
            return
        with self._begun(scope) as connection:
            yield connection

    @contextmanager
    def reading(self, scope: Scope) -> Iterator[None]:
        """Let the sessions that this thread opens inside, in this scope, be one transaction: a page asks ten things of one customer.

        Nothing can be written in it. A session of another scope is one of its own, as always.
        """
        if getattr(self._thread, "scope", None) is not None:  # one inside of another: the outer one goes on
            yield
            return
        with self._begun(scope, read_only=True) as connection:
            self._thread.scope, self._thread.connection, self._thread.read = scope, connection, {}
            try:
                yield
            finally:
                self._thread.scope, self._thread.connection, self._thread.read = None, None, None

    def once(self, scope: Scope, key: Hashable, read: Callable[[], T]) -> T:
        """Return what is read, asked for once within :meth:`reading` of the scope: three parts of a page ask for the same rows.

        :param key: names what is read, and of what
        :param read: opens sessions of this scope; what it returns is given to others, too, and must not be changed
        """
        if getattr(self._thread, "scope", None) != scope:
            return read()
        known: dict[Hashable, Any] = self._thread.read
        if key not in known:
            known[key] = read()
        found: T = known[key]
        return found

    @contextmanager
    def _begun(self, scope: Scope, *, read_only: bool = False) -> Iterator[Connection]:
        customers = EVERYBODY if scope.customers is None else json.dumps(sorted(scope.customers))
        values = {"client": scope.client, "role": scope.role.value, "customers": customers}
        with self.engine.begin() as connection:
            connection.execute(_READ_IN if read_only else _WORK_IN, values)
            yield connection

    @contextmanager
    def signing_in(self, scope: Scope | None = None) -> Iterator[Connection]:
        """One transaction that sees what sign-in needs: accounts, hashes, sessions. Committed at the end, undone on an error.

        :param scope: whose rights are changed, for who manages accounts; ``None``: nothing of any tenant is seen
        """
        with self.engine.begin() if scope is None else self._begun(scope) as connection:
            connection.execute(_SIGNING_IN)
            yield connection

    def close(self) -> None:
        """Close the connections; the last process that uses the workspace's own server stops it."""
        self._finish()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _engine(url: str | URL, **options: Any) -> Engine:
    """An engine whose errors do not tell parameters: they are hashes, addresses and secrets, and errors are logged."""
    return create_engine(url, hide_parameters=True, **options)


def provision(running: server.Server, name: str) -> str:
    """Make the roles and a database on a server of our own, when missing.

    :returns: address of the database for its owner
    """
    engine = _engine(running.url(server.SUPERUSER, "postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _PROVISION_LOCK})
        _make_roles(connection, login=True)
        connection.execute(text(f"GRANT {APP} TO {OWNER} WITH INHERIT FALSE, SET TRUE"))
        found = connection.execute(text("SELECT FROM pg_database WHERE datname = :name"), {"name": name}).first()
        if found is None:
            connection.execute(text(f'CREATE DATABASE "{name}" OWNER {OWNER}'))
    return running.url(OWNER, name)


def _make_roles(connection: Connection, *, login: bool) -> None:
    for role in (OWNER, APP):
        if connection.execute(text("SELECT FROM pg_roles WHERE rolname = :role"), {"role": role}).first() is None:
            kind = "LOGIN" if login else "NOLOGIN"
            connection.execute(text(f"CREATE ROLE {role} {kind} NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"))


def _parse(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise BadSetting(
            "EISENERGY_DATABASE_URL cannot be read: expected postgresql://user:password@host/database"
        ) from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise BadSetting(
            f"EISENERGY_DATABASE_URL begins with {url.drivername!r}: expected postgresql://user:password@host/database"
        )
    return url.set(drivername="postgresql+psycopg")


def _as_role(url: URL, role: str) -> URL:
    """The same login, working as another role from its first statement on."""
    options = [*url.normalized_query.get("options", ()), f"-c role={role}"]
    return url.update_query_dict({"options": " ".join(options)})


def _app_url(url: URL) -> str:
    """Prepare a given server and return the address as the application's role."""
    engine = _engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        connection = engine.connect()
    except OperationalError as error:
        raise DatabaseUnusable(
            f"PostgreSQL at {url.render_as_string()} cannot be reached: {error.orig}. Check EISENERGY_DATABASE_URL."
        ) from error
    with connection:
        user, superuser, version = connection.execute(
            text(
                "SELECT current_user, rolsuper, current_setting('server_version_num')::int "
                "FROM pg_roles WHERE rolname = current_user"
            )
        ).one()
        if version < OLDEST * 10000:
            raise DatabaseUnusable(
                f"PostgreSQL {version // 10000} at {url.render_as_string()}: expected {OLDEST} or newer"
            )
        # Before PostgreSQL 16 a membership has no options: whoever is a member may take the role.
        options, taking = (" WITH INHERIT FALSE, SET TRUE", "SET") if version >= 160000 else ("", "MEMBER")
        if user == APP:
            if current(connection) != HEAD:
                raise NotMigrated(
                    f"the database is at migration {current(connection)}, expected {HEAD}, and {APP} may not migrate. "
                    "Run any command once with EISENERGY_DATABASE_URL of the owner of the database: opening it migrates it."
                )
            return url.render_as_string(hide_password=False)
        try:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _PROVISION_LOCK})
            if superuser:
                _make_roles(connection, login=False)
                connection.execute(text(f'GRANT CREATE ON DATABASE "{url.database}" TO {OWNER}'))
            elif connection.execute(text("SELECT FROM pg_roles WHERE rolname = :role"), {"role": APP}).first() is None:
                connection.execute(text(f"CREATE ROLE {APP} NOLOGIN NOSUPERUSER NOBYPASSRLS"))
            member = text(f"SELECT pg_has_role(current_user, :role, '{taking}')")
            if not superuser and not connection.execute(member, {"role": APP}).scalar_one():
                connection.execute(text(f"GRANT {APP} TO CURRENT_USER{options}"))
        except ProgrammingError as error:
            raise DatabaseUnusable(
                f"{user} may not prepare the role {APP}: {error.orig}. Let an administrator run: "
                f'CREATE ROLE {APP} NOSUPERUSER NOBYPASSRLS; GRANT {APP} TO "{user}"{options};'
            ) from error
    app = _as_role(url, APP)
    _migrate_when_needed(_as_role(url, OWNER) if superuser else url, app)
    return app.render_as_string(hide_password=False)


def _migrate_when_needed(owner: URL, app: URL) -> None:
    engine = _engine(app, poolclass=NullPool)
    with engine.connect() as connection:
        if current(connection) == HEAD:
            return
    migrate(_engine(owner, poolclass=NullPool))


def _check_role(engine: Engine) -> None:
    """Refuse a role on which row-level security would have no effect."""
    with engine.connect() as connection:
        user, superuser, bypasses, owns = connection.execute(
            text(
                "SELECT rolname, rolsuper, rolbypassrls, EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid "
                "AND c.relnamespace = 'eisenergy'::regnamespace) FROM pg_roles r WHERE rolname = current_user"
            )
        ).one()
    if superuser or bypasses or owns:
        raise DatabaseUnusable(
            f"role {user} is a superuser, bypasses row-level security or owns tables: tenants would not be kept apart. "
            f"Run: ALTER ROLE {APP} NOSUPERUSER NOBYPASSRLS; and give its tables to another owner."
        )


def _finish(engine: Engine, running: server.Server | None) -> None:
    engine.dispose()
    if running is not None:
        running.release()
