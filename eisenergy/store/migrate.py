"""Bring a database to the newest migration, once, whoever comes first."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from eisenergy.store.migrations.policies import APP
from eisenergy.store.tables import SCHEMA

_LOCK: Final = 0x65697365_00000002


class NotMigrated(RuntimeError):
    """The database is older or newer than this version of eisenergy expects."""


def _config(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    # Alembic reads a percent sign as the start of a substitution.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def head() -> str:
    """The newest migration of this version of eisenergy."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(connection: Connection) -> str | None:
    """The migration a database is at; ``None`` for an empty one."""
    known = text("SELECT to_regclass('eisenergy.alembic_version') IS NOT NULL")
    # A role that may not enter the schema asks before it is made, or is not ours.
    allowed = text("SELECT coalesce(has_schema_privilege(to_regnamespace('eisenergy')::oid, 'USAGE'), false)")
    if not connection.execute(allowed).scalar_one() or not connection.execute(known).scalar_one():
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM eisenergy.alembic_version")).scalar()
    return revision


def migrate(engine: Engine) -> None:
    """Run the migrations that are missing, in one transaction; of several processes one does it and the others wait.

    :param engine: connects as the owner of the schema, or as a role that may make it
    :raises NotMigrated: when the database was migrated by a newer version of eisenergy
    """
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        at = current(connection)
        if at == head():
            return
        known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
        if at is not None and at not in known:
            raise NotMigrated(
                f"the database is at migration {at}, which this version of eisenergy does not know (newest: {head()}). "
                "Install the newer version again."
            )
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {APP}"))
        command.upgrade(_config(connection), "head")
        connection.execute(text(f"GRANT SELECT ON {SCHEMA}.alembic_version TO {APP}"))
