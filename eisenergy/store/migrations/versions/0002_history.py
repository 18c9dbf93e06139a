"""What months came to that were billed for comparison only, kept so that a page need not bill a year to show it."""

from __future__ import annotations

from alembic import op

from eisenergy.store.migrations.policies import OWN_CUSTOMERS, protect

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = r"""
CREATE TABLE eisenergy.history (
    client text NOT NULL,
    contract text NOT NULL,
    month text NOT NULL CHECK (month ~ '^\d{4}-(0[1-9]|1[0-2])$'),
    customer text NOT NULL,
    key text NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (client, contract, month)
);
"""


def upgrade() -> None:
    """Make the table, its policies and its grants."""
    op.execute(TABLE)
    for statement in protect("history", reads=OWN_CUSTOMERS, writes=OWN_CUSTOMERS, replaceable=True):
        op.execute(statement)
