"""Bring a database to the newest migration, once, whoever comes first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, text

from eisenergy.store.migrations.policies import APP
from eisenergy.store.tables import SCHEMA

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0014"
"""The newest migration of this version of eisenergy; known without loading Alembic, which most processes never need."""

_LOCK: Final = 0x65697365_00000002


class NotMigrated(RuntimeError):
    """The database is older or newer than this version of eisenergy expects."""


def config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration; its own command line is not used."""
    from alembic.config import Config

    result = Config(attributes={"connection": connection})
    # Alembic reads a percent sign as the start of a substitution.
    result.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    result.set_main_option("path_separator", "os")
    return result


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
    from alembic import command
    from alembic.script import ScriptDirectory

    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        at = current(connection)
        if at == HEAD:
            return
        known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
        if at is not None and at not in known:
            raise NotMigrated(
                f"the database is at migration {at}, which this version of eisenergy does not know (newest: {HEAD}). "
                "Install the newer version again."
            )
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {APP}"))
        command.upgrade(config(connection), "head")
        connection.execute(text(f"GRANT SELECT ON {SCHEMA}.alembic_version TO {APP}"))
