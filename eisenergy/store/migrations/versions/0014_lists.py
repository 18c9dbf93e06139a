"""Lists of ten thousand: who sees a row is asked once a query, an index holds a month's list, sums say how whole its readings were.

A condition that names settings took half a microsecond of every row, which is half of what a count over a month's invoices takes. Inside of
``(SELECT ...)`` it is read once; what it says is what it said. In the order of contracts, with their figures, a month's invoices are listed,
summed and compared with the month before from the index alone; another tells which contracts are in force, without their documents.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

OWN_CUSTOMERS = (
    "client = (SELECT eisenergy.tenant()) AND ((SELECT eisenergy.unlimited()) "
    "OR customer = ANY ((SELECT eisenergy.customers())::text[]))"
)
TABLES = ("customers", "contracts", "drafts", "invoices", "invoice_lines", "parked", "history")
"""Those whose rows belong to customers, see ``policies.OWN_CUSTOMERS``."""

COLUMNS = """
ALTER TABLE eisenergy.month_sums
    ADD COLUMN slots bigint NOT NULL DEFAULT 0,
    ADD COLUMN estimated bigint NOT NULL DEFAULT 0,
    ADD COLUMN missing bigint NOT NULL DEFAULT 0,
    ADD COLUMN unsound bigint NOT NULL DEFAULT 0
"""
READINGS = """
    coalesce(sum((made ->> 'slots')::bigint), 0) AS slots, coalesce(sum((made ->> 'estimated')::bigint), 0) AS estimated,
    coalesce(sum((made ->> 'missing')::bigint), 0) AS missing,
    count(*) FILTER (WHERE (made ->> 'estimated')::bigint > 0 OR (made ->> 'missing')::bigint > 0) AS unsound
"""
"""What some bills say of their readings."""
ISSUED_BEFORE = f"""
UPDATE eisenergy.month_sums s SET slots = i.slots, estimated = i.estimated, missing = i.missing, unsound = i.unsound
FROM (SELECT client, month, {READINGS} FROM eisenergy.invoices GROUP BY client, month) AS i
WHERE i.client = s.client AND i.month = s.month
"""
SUMS = f"""
CREATE OR REPLACE FUNCTION eisenergy.sum_months() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO eisenergy.month_sums AS s (client, month, invoices, kwh, total, slots, estimated, missing, unsound)
    SELECT client, month, count(*), sum(kwh), sum(total), {READINGS} FROM fresh GROUP BY client, month ORDER BY client, month
    ON CONFLICT (client, month) DO UPDATE
    SET invoices = s.invoices + EXCLUDED.invoices, kwh = s.kwh + EXCLUDED.kwh, total = s.total + EXCLUDED.total,
        slots = s.slots + EXCLUDED.slots, estimated = s.estimated + EXCLUDED.estimated, missing = s.missing + EXCLUDED.missing,
        unsound = s.unsound + EXCLUDED.unsound;
    RETURN NULL;
END $$;
"""
INDEXES = (
    "CREATE INDEX ix_eisenergy_invoices_listed ON eisenergy.invoices (client, month, contract) INCLUDE (customer, kwh, total)",
    "DROP INDEX eisenergy.ix_eisenergy_invoices_month",
    "CREATE INDEX ix_eisenergy_contracts_supplied ON eisenergy.contracts (client, customer) INCLUDE (meter, valid)",
    "DROP INDEX eisenergy.ix_eisenergy_contracts_customer",
)
LOCKED = f"""
DO $$ BEGIN
    FOR attempt IN 1..300 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '200ms', true);
            LOCK TABLE eisenergy.month_sums, {", ".join(f"eisenergy.{table}" for table in TABLES)} IN ACCESS EXCLUSIVE MODE;
            PERFORM set_config('lock_timeout', '0', true);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.2 * random());
        END;
    END LOOP;
    RAISE EXCEPTION 'migration 0014 waited a minute for tables that others work with; run it again, or stop what works with them first';
END $$
"""
"""All tables or none. A page reads contracts and then invoices, or the other way about: who held one and waited for the other would end in a
deadlock, and the server might end the page. So nobody is waited for longer than it takes until deadlocks are looked for, one second."""


def upgrade() -> None:
    """Replace indexes, sums and the conditions on what may be read; those on what may be written stay."""
    op.execute(LOCKED)
    for statement in INDEXES:
        op.execute(statement)
    op.execute(COLUMNS)
    # The owner sees all sellers' invoices for as long as this transaction holds the table, and nobody else sees it meanwhile.
    for table in ("invoices", "month_sums"):
        op.execute(f"ALTER TABLE eisenergy.{table} NO FORCE ROW LEVEL SECURITY")
    op.execute(ISSUED_BEFORE)
    for table in ("invoices", "month_sums"):
        op.execute(f"ALTER TABLE eisenergy.{table} FORCE ROW LEVEL SECURITY")
    op.execute(SUMS)
    for table in TABLES:
        op.execute(f"ALTER POLICY reads ON eisenergy.{table} USING ({OWN_CUSTOMERS})")
