"""That a line belongs to an invoice is checked once per statement instead of once per line.

A foreign key is looked up line by line: 110,000 times for ten thousand invoices, longer than making the lines takes. Invoices and lines are
never updated, deleted or truncated, so looking at the lines when they come is all there is to check; a trigger does it for all lines of a
statement with one join, and raises what the foreign key raised.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the trigger in the place of the foreign key."""
    op.execute("""
        CREATE FUNCTION eisenergy.lines_of_invoices() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            missing text;
        BEGIN
            SELECT format('(%s, %s)', l.client, l.number) INTO missing
            FROM (SELECT DISTINCT client, number FROM fresh) l
            WHERE NOT EXISTS (SELECT FROM eisenergy.invoices i WHERE i.client = l.client AND i.number = l.number) LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'a line on eisenergy.invoice_lines is refused: there is no invoice %', missing
                    USING ERRCODE = 'foreign_key_violation';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER lines_of_invoices AFTER INSERT ON eisenergy.invoice_lines REFERENCING NEW TABLE AS fresh "
        "FOR EACH STATEMENT EXECUTE FUNCTION eisenergy.lines_of_invoices()"
    )
    op.execute("ALTER TABLE eisenergy.invoice_lines DROP CONSTRAINT invoice_lines_client_number_fkey")
