"""What the pages about a month ask for: sums over all customers without reading their invoices, and the newest jobs about a month.

A seller of ten thousand customers has 120,000 invoices a year, each a row of some kilobytes. Their count and sums by month are kept as they
are issued, by a trigger once per statement: an invoice never changes, so nothing is ever taken off. An index holds the few figures that a
month is compared with the next by.
"""

from __future__ import annotations

from alembic import op

from eisenergy.store.migrations.policies import OPERATORS, protect

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE eisenergy.month_sums (
    client text NOT NULL,
    month text NOT NULL,
    invoices bigint NOT NULL,
    kwh numeric NOT NULL,
    total numeric NOT NULL,
    PRIMARY KEY (client, month)
)
"""
TRIGGER = """
CREATE FUNCTION eisenergy.sum_months() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO eisenergy.month_sums AS s (client, month, invoices, kwh, total)
    SELECT client, month, count(*), sum(kwh), sum(total) FROM fresh GROUP BY client, month ORDER BY client, month
    ON CONFLICT (client, month) DO UPDATE
    SET invoices = s.invoices + EXCLUDED.invoices, kwh = s.kwh + EXCLUDED.kwh, total = s.total + EXCLUDED.total;
    RETURN NULL;
END $$;
CREATE TRIGGER sum_months AFTER INSERT ON eisenergy.invoices REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION eisenergy.sum_months();
"""
INDEXES = (
    "CREATE INDEX ix_eisenergy_invoices_month ON eisenergy.invoices (client, month) INCLUDE (contract, customer, total)",
    "CREATE INDEX ix_eisenergy_invoices_customer ON eisenergy.invoices (client, customer)",
    "CREATE INDEX ix_eisenergy_source_files_ends ON eisenergy.source_files (client, ends) WHERE status = 'loaded'",
    "CREATE INDEX ix_eisenergy_jobs_month ON eisenergy.jobs (client, (arguments ->> 'month'), asked_at) WHERE arguments ? 'month'",
)


def upgrade() -> None:
    """Make the table with what was issued before, the trigger and the indexes."""
    op.execute(TABLE)
    # The owner sees all sellers' invoices for as long as this transaction holds the table, and nobody else sees it meanwhile.
    op.execute("ALTER TABLE eisenergy.invoices NO FORCE ROW LEVEL SECURITY")
    op.execute(
        "INSERT INTO eisenergy.month_sums SELECT client, month, count(*), sum(kwh), sum(total) FROM eisenergy.invoices GROUP BY client, month"
    )
    op.execute("ALTER TABLE eisenergy.invoices FORCE ROW LEVEL SECURITY")
    op.execute(TRIGGER)
    for statement in protect("month_sums", reads=OPERATORS, writes=OPERATORS, replaceable=True):
        op.execute(statement)
    for statement in INDEXES:
        op.execute(statement)
