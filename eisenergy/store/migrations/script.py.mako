"""${message}."""

from __future__ import annotations

from alembic import op

from eisenergy.store.migrations import policies

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change; every new table goes through ``policies.protect``."""
    ${upgrades if upgrades else 'op.execute("")'}
