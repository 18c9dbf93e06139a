"""Events: what happened, written with the effect; who is to be told; and what became of telling each of them.

An insert announces itself on the channel ``eisenergy_outbox`` when its transaction has ended: client, and first and last position.
"""

from __future__ import annotations

from alembic import op

from eisenergy.store.migrations.policies import OPERATORS, protect

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE eisenergy.outbox (
    client text NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    type text NOT NULL CHECK (type ~ '^[a-z]+([.][a-z]+)+$'),
    customer text CHECK (customer <> ''),
    at timestamptz NOT NULL,
    data jsonb NOT NULL,
    only_for uuid,
    spread boolean NOT NULL DEFAULT false,
    PRIMARY KEY (client, position)
);
CREATE INDEX ix_eisenergy_outbox_spread ON eisenergy.outbox (client) WHERE NOT spread;
CREATE TABLE eisenergy.subscriptions (
    client text NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('webhook', 'kafka')),
    target text NOT NULL,
    types text[] NOT NULL,
    secret text,
    paused boolean NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    removed_at timestamptz,
    PRIMARY KEY (client, id),
    CHECK (kind <> 'webhook' OR removed_at IS NOT NULL OR secret IS NOT NULL)
);
CREATE TABLE eisenergy.deliveries (
    client text NOT NULL,
    subscription uuid NOT NULL,
    position bigint NOT NULL,
    customer text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead', 'dropped')),
    attempts integer NOT NULL CHECK (attempts >= 0),
    due_at timestamptz NOT NULL,
    tried_at timestamptz,
    answer text NOT NULL,
    PRIMARY KEY (client, subscription, position),
    FOREIGN KEY (client, subscription) REFERENCES eisenergy.subscriptions (client, id),
    FOREIGN KEY (client, position) REFERENCES eisenergy.outbox (client, position)
);
CREATE INDEX ix_eisenergy_deliveries_position ON eisenergy.deliveries (client, position);
CREATE INDEX ix_eisenergy_deliveries_open ON eisenergy.deliveries (client, subscription, customer, position)
    WHERE state IN ('waiting', 'dead');
CREATE INDEX ix_eisenergy_deliveries_due ON eisenergy.deliveries (client, subscription, position) WHERE state = 'waiting';
CREATE FUNCTION eisenergy.announce() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('eisenergy_outbox', json_build_object('client', n.client, 'first', min(n.position), 'last', max(n.position))::text)
        FROM fresh n GROUP BY n.client;
    RETURN NULL;
END $$;
CREATE TRIGGER announce AFTER INSERT ON eisenergy.outbox REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION eisenergy.announce();
"""

WATCHED = f"eisenergy.system_admin() OR ({OPERATORS})"
"""A worker looks with one query what is due at any seller."""
OWN = "client = eisenergy.tenant() AND eisenergy.sees(customer) AND eisenergy.writes()"
"""Who changes a customer's data writes its event, also where the scope is limited to that customer."""


def upgrade() -> None:
    """Make the tables, the announcement, the policies and the grants."""
    op.execute(TABLES)
    for statements in (
        protect("outbox", reads=WATCHED, writes=OPERATORS, replaceable=True, deletable=True),
        protect("subscriptions", reads=WATCHED, writes=OPERATORS, replaceable=True),
        protect("deliveries", reads=WATCHED, writes=OPERATORS, replaceable=True, deletable=True),
    ):
        for statement in statements:
            op.execute(statement)
    op.execute(f"ALTER POLICY adds ON eisenergy.outbox WITH CHECK ({OWN})")
