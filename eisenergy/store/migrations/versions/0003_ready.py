"""What lets a month be issued without drafting it again, and an earlier one be left alone without reading its documents.

A draft knows what it depends on: ``basis`` (everything but the readings) and ``lake_version`` (the readings). An invoice keeps its bill as
the draft's very value, in a column of its own, and beside it what is asked of every earlier invoice. In rows from before these are
null, and the document holds the bill.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.execute(
        "ALTER TABLE eisenergy.drafts ADD COLUMN basis text, ADD COLUMN lake_version bigint, ADD COLUMN made jsonb"
    )
    op.execute("ALTER TABLE eisenergy.invoices ADD COLUMN bill jsonb, ADD COLUMN made jsonb")
