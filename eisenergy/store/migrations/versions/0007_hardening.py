"""Tries at the OpenID provider are counted by themselves; a half-made sign-in knows what came before the code."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen two checks."""
    for table, column, values in (
        ("guesses", "kind", "'pair', 'account', 'address', 'provider'"),
        ("tickets", "purpose", "'first', 'reset', 'code', 'code_openid', 'device'"),
    ):
        op.execute(
            f"ALTER TABLE eisenergy.{table} DROP CONSTRAINT {table}_{column}_check, "
            f"ADD CONSTRAINT {table}_{column}_check CHECK ({column} IN ({values}))"
        )
