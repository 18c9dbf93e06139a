"""Jobs as people see them, uploads and mappings of a seller's own, under forced row-level security; and procrastinate's queue.

The queue's tables are procrastinate's own and lie in a schema of their own, ``eisenergy_jobs``, without row-level security: a worker
takes the next job before it knows whose it is. What they hold of a job is two ids, the client's and the job's; everything else stands
in ``eisenergy.jobs``.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from eisenergy.store.migrations.policies import APP, OPERATORS, protect

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

QUEUE = "eisenergy_jobs"
SCRIPT = Path(__file__).parents[1] / "procrastinate_3_10.sql"
"""``sql/schema.sql`` of procrastinate 3.10 as it was released (MIT licence, Joachim Jablon and PeopleDoc)."""

TABLES = """
CREATE TABLE eisenergy.jobs (
    client text NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind ~ '^[a-z][a-z-]{1,39}$'),
    subject text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'refused', 'failed')),
    arguments jsonb NOT NULL,
    alone boolean NOT NULL,
    user_id uuid,
    role text NOT NULL CHECK (role IN ('SYSTEM_ADMIN', 'CLIENT_ADMIN')),
    asked_by text NOT NULL,
    address text NOT NULL,
    asked_at timestamptz NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 0),
    deaths integer NOT NULL CHECK (deaths >= 0),
    started_at timestamptz,
    counted_at timestamptz,
    seen_at timestamptz,
    ended_at timestamptz,
    done integer NOT NULL CHECK (done >= 0),
    total integer CHECK (total >= 0),
    doing text NOT NULL,
    result jsonb,
    problem jsonb,
    PRIMARY KEY (client, id)
);
CREATE INDEX ix_eisenergy_jobs_asked_at ON eisenergy.jobs (client, asked_at);
CREATE TABLE eisenergy.uploads (
    client text NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint NOT NULL CHECK (bytes >= 0),
    way text NOT NULL CHECK (way IN ('portal', 'folder', 'api')),
    asked_by text NOT NULL,
    received_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('reading', 'ready', 'refused', 'importing', 'imported')),
    kind text,
    preview jsonb,
    outcome jsonb,
    job uuid NOT NULL,
    PRIMARY KEY (client, id)
);
CREATE INDEX ix_eisenergy_uploads_received_at ON eisenergy.uploads (client, received_at);
CREATE TABLE eisenergy.reading_mappings (
    client text NOT NULL,
    name text NOT NULL,
    document jsonb NOT NULL,
    saved_by text NOT NULL,
    saved_at timestamptz NOT NULL,
    PRIMARY KEY (client, name)
);
"""

PINNED = f"""
DO $do$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT proname, pg_get_function_identity_arguments(oid) AS taken
        FROM pg_proc WHERE pronamespace = '{QUEUE}'::regnamespace
    LOOP
        EXECUTE format('ALTER FUNCTION {QUEUE}.%I(%s) SET search_path = {QUEUE}, pg_temp', one.proname, one.taken);
    END LOOP;
END $do$
"""


def upgrade() -> None:
    """Make the queue, the tables, the policies and the grants."""
    op.execute(f"CREATE SCHEMA {QUEUE}")
    op.execute(f"SET LOCAL search_path TO {QUEUE}")
    op.execute(SCRIPT.read_text(encoding="utf-8"))
    # Its functions name their tables without a schema: they find their own, and nobody else's, whoever calls them.
    op.execute(PINNED)
    op.execute("SET LOCAL search_path TO DEFAULT")
    op.execute(f"GRANT USAGE ON SCHEMA {QUEUE} TO {APP}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {QUEUE} TO {APP}")
    op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {QUEUE} TO {APP}")
    op.execute(TABLES)
    for statements in (
        protect("jobs", reads=OPERATORS, writes=OPERATORS, replaceable=True),
        protect("uploads", reads=OPERATORS, writes=OPERATORS, replaceable=True),
        protect("reading_mappings", reads=OPERATORS, writes=OPERATORS, replaceable=True, deletable=True),
    ):
        for statement in statements:
            op.execute(statement)
