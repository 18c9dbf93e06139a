"""Answers of the interface that are given again for the same key; when a token was last used, and which jobs it asked for."""

from __future__ import annotations

from alembic import op

from eisenergy.store.migrations.policies import OPERATORS, protect

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE eisenergy.api_tokens ADD COLUMN used_at timestamptz;
ALTER TABLE eisenergy.jobs ADD COLUMN token uuid;
CREATE TABLE eisenergy.idempotency (
    client text NOT NULL,
    user_id uuid NOT NULL,
    key text NOT NULL CHECK (key ~ '^[!-~]{1,255}$'),
    fingerprint text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    status integer NOT NULL CHECK (status BETWEEN 200 AND 299),
    headers jsonb NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (client, user_id, key)
);
CREATE INDEX ix_eisenergy_idempotency_expires_at ON eisenergy.idempotency (client, expires_at);
"""

# A system administrator's token may be for every client: its keys are kept under "*".
OWN = f"({OPERATORS}) OR eisenergy.system_admin()"


def upgrade() -> None:
    """Make the columns, the table and its policies."""
    op.execute(TABLES)
    for statement in protect("idempotency", reads=OWN, writes=OWN, replaceable=True, deletable=True):
        op.execute(statement)
