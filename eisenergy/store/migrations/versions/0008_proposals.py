"""Proposed versions of tariffs and calendars with what they would change; and contracts that can be searched."""

from __future__ import annotations

from alembic import op

from eisenergy.store.migrations.policies import OPERATORS, protect

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FOLDED = r"""
CREATE FUNCTION eisenergy.folded(words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN regexp_replace(normalize(lower(normalize(words, NFKD)), NFKD), '[\u0300-\u036f]', '', 'g');
"""
"""Small letters without accents; what is searched for goes through it, too."""

TABLES = r"""
ALTER TABLE eisenergy.contracts ADD COLUMN search text GENERATED ALWAYS AS (
    eisenergy.folded(contract || ' ' || customer || ' ' || meter || ' ' || coalesce(document -> 'customer' ->> 'name', ''))
) STORED;
CREATE INDEX ix_eisenergy_changes_key ON eisenergy.changes (client, kind, key);
CREATE INDEX ix_eisenergy_audit_subject ON eisenergy.audit (client, action, subject);
CREATE TABLE eisenergy.proposals (
    client text NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('tariff', 'calendar')),
    name text NOT NULL,
    base integer NOT NULL CHECK (base >= 1),
    beside text NOT NULL,
    starts date,
    origin jsonb,
    document jsonb,
    summary jsonb,
    job uuid NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    saved_by text,
    saved_at timestamptz,
    CHECK (document IS NOT NULL OR origin IS NOT NULL),
    CHECK ((saved_by IS NULL) = (saved_at IS NULL)),
    PRIMARY KEY (client, id)
);
CREATE INDEX ix_eisenergy_proposals_name ON eisenergy.proposals (client, kind, name, asked_at);
CREATE TABLE eisenergy.proposal_effects (
    client text NOT NULL,
    proposal uuid NOT NULL,
    contract text NOT NULL,
    month text NOT NULL CHECK (month ~ '^\d{4}-(0[1-9]|1[0-2])$'),
    customer text NOT NULL,
    name text NOT NULL,
    number text,
    billed numeric,
    before numeric,
    after numeric,
    dated numeric,
    problem text NOT NULL,
    PRIMARY KEY (client, proposal, contract, month),
    FOREIGN KEY (client, proposal) REFERENCES eisenergy.proposals
);
"""


def upgrade() -> None:
    """Make the function, the column, the indexes, the tables, the policies and the grants."""
    op.execute(FOLDED)
    op.execute(TABLES)
    for statements in (
        protect("proposals", reads=OPERATORS, writes=OPERATORS, replaceable=True),
        protect("proposal_effects", reads=OPERATORS, writes=OPERATORS, replaceable=False, deletable=True),
    ):
        for statement in statements:
            op.execute(statement)
