"""Masters, source files, and the books of invoices, each under forced row-level security."""

from __future__ import annotations

from alembic import op

from eisenergy.store.migrations import policies
from eisenergy.store.migrations.policies import OPERATORS, OWN_CUSTOMERS, OWN_TENANT, protect

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MONTH = r"text NOT NULL CHECK (month ~ '^\d{4}-(0[1-9]|1[0-2])$')"

TABLES = f"""
CREATE TABLE eisenergy.clients (
    client text NOT NULL PRIMARY KEY,
    document jsonb NOT NULL
);
CREATE TABLE eisenergy.customers (
    client text NOT NULL REFERENCES eisenergy.clients,
    customer text NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (client, customer)
);
CREATE TABLE eisenergy.contracts (
    client text NOT NULL,
    contract text NOT NULL,
    customer text NOT NULL,
    meter text NOT NULL,
    tariff text NOT NULL,
    starts date NOT NULL,
    ends date,
    valid daterange GENERATED ALWAYS AS (daterange(starts, ends)) STORED,
    document jsonb NOT NULL,
    PRIMARY KEY (client, contract),
    FOREIGN KEY (client, customer) REFERENCES eisenergy.customers,
    -- One meter is billed once. Text has no gist operators without btree_gist; a 64-bit hash as a range does.
    CONSTRAINT one_contract_per_meter EXCLUDE USING gist (
        int8range(hashtextextended(client || ' ' || meter, 0), hashtextextended(client || ' ' || meter, 0), '[]') WITH &&,
        valid WITH &&
    ) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE eisenergy.changes (
    client text NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL CHECK (kind IN ('client', 'customer', 'contract')),
    key text NOT NULL,
    at timestamptz NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (client, id)
);
CREATE TABLE eisenergy.tariffs (
    client text NOT NULL,
    tariff text NOT NULL,
    ordinal integer NOT NULL CHECK (ordinal >= 1),
    version text NOT NULL,
    at timestamptz NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (client, tariff, ordinal)
);
CREATE TABLE eisenergy.calendars (
    client text NOT NULL,
    calendar text NOT NULL,
    ordinal integer NOT NULL CHECK (ordinal >= 1),
    version text NOT NULL,
    at timestamptz NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (client, calendar, ordinal)
);
CREATE TABLE eisenergy.source_files (
    client text NOT NULL,
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{{64}}$'),
    name text NOT NULL,
    bytes bigint NOT NULL,
    kind text NOT NULL,
    status text NOT NULL CHECK (status IN ('loaded', 'refused')),
    received_at timestamptz NOT NULL,
    lake_version bigint,
    meters text[] NOT NULL,
    starts timestamptz,
    ends timestamptz,
    rows bigint NOT NULL,
    findings jsonb NOT NULL,
    PRIMARY KEY (client, sha256)
);
CREATE TABLE eisenergy.distributor_reports (
    client text NOT NULL,
    sha256 text NOT NULL,
    row integer NOT NULL,
    meter text NOT NULL,
    starts date NOT NULL,
    ends date NOT NULL,
    kwh numeric,
    at timestamptz NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (client, sha256, row),
    FOREIGN KEY (client, sha256) REFERENCES eisenergy.source_files
);
CREATE TABLE eisenergy.series (
    client text NOT NULL,
    series text NOT NULL,
    last integer NOT NULL CHECK (last >= 0),
    PRIMARY KEY (client, series)
);
CREATE TABLE eisenergy.drafts (
    client text NOT NULL,
    contract text NOT NULL,
    month {MONTH},
    customer text NOT NULL,
    kwh numeric NOT NULL,
    total numeric NOT NULL,
    input_hash text NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (client, contract, month)
);
CREATE TABLE eisenergy.invoices (
    client text NOT NULL,
    number text NOT NULL,
    series text NOT NULL,
    sequence integer NOT NULL CHECK (sequence >= 1),
    contract text NOT NULL,
    customer text NOT NULL,
    month {MONTH},
    issued_on date NOT NULL,
    issued_at timestamptz NOT NULL,
    due_on date NOT NULL CHECK (due_on >= issued_on),
    currency text NOT NULL,
    kwh numeric NOT NULL,
    total numeric NOT NULL,
    input_hash text NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (client, number),
    UNIQUE (client, series, sequence),
    UNIQUE (client, contract, month)
);
CREATE TABLE eisenergy.invoice_lines (
    client text NOT NULL,
    number text NOT NULL,
    position integer NOT NULL,
    customer text NOT NULL,
    code text NOT NULL,
    quantity numeric,
    unit text NOT NULL,
    rate numeric,
    exact numeric NOT NULL,
    amount numeric NOT NULL,
    PRIMARY KEY (client, number, position),
    FOREIGN KEY (client, number) REFERENCES eisenergy.invoices
);
CREATE TABLE eisenergy.parked (
    client text NOT NULL,
    contract text NOT NULL,
    month {MONTH},
    customer text NOT NULL,
    findings jsonb NOT NULL,
    PRIMARY KEY (client, contract, month)
);
CREATE TABLE eisenergy.runs (
    client text NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    command text NOT NULL,
    month text,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('done', 'failed')),
    report jsonb NOT NULL,
    PRIMARY KEY (client, id)
);
"""

OWN_TARIFFS = (
    f"{OWN_TENANT} AND (eisenergy.unlimited() OR EXISTS (SELECT FROM eisenergy.contracts c "
    "WHERE c.client = tariffs.client AND c.tariff = tariffs.tariff))"
)


def upgrade() -> None:
    """Make the tables, the policies and the grants."""
    op.execute(policies.FUNCTIONS)
    op.execute(TABLES)
    own_client = f"({OWN_TENANT}) OR current_setting('eisenergy.role', true) = 'SYSTEM_ADMIN'"
    for statements in (
        protect("clients", reads=own_client, writes=OPERATORS, replaceable=True),
        protect("customers", reads=OWN_CUSTOMERS, writes=OWN_CUSTOMERS, replaceable=True),
        protect("contracts", reads=OWN_CUSTOMERS, writes=OWN_CUSTOMERS, replaceable=True),
        protect("changes", reads=OPERATORS, writes=OWN_TENANT, replaceable=False),
        protect("tariffs", reads=OWN_TARIFFS, writes=OPERATORS, replaceable=False),
        protect("calendars", reads=OWN_TENANT, writes=OPERATORS, replaceable=False),
        protect("source_files", reads=OPERATORS, writes=OPERATORS, replaceable=True),
        protect("distributor_reports", reads=OPERATORS, writes=OPERATORS, replaceable=False),
        protect("series", reads=OPERATORS, writes=OPERATORS, replaceable=True),
        protect("drafts", reads=OWN_CUSTOMERS, writes=OWN_CUSTOMERS, replaceable=True, deletable=True),
        protect("invoices", reads=OWN_CUSTOMERS, writes=OWN_CUSTOMERS, replaceable=False),
        protect("invoice_lines", reads=OWN_CUSTOMERS, writes=OWN_CUSTOMERS, replaceable=False),
        protect("parked", reads=OWN_CUSTOMERS, writes=OWN_CUSTOMERS, replaceable=True, deletable=True),
        protect("runs", reads=OPERATORS, writes=OPERATORS, replaceable=False),
    ):
        for statement in statements:
            op.execute(statement)
