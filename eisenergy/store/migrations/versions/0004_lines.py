"""That a line belongs to an invoice is checked once per statement instead of once per line.

A foreign key is looked up line by line: 110,000 times for ten thousand invoices, longer than making the lines takes. Invoices and lines are
never updated, deleted or truncated, so looking at the lines when they come is all there is to check; a trigger does it for all lines of a
statement at once, and raises what the foreign key raised.
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
            first text;
            last text;
            missing text;
        BEGIN
            SELECT min(number), max(number) INTO first, last FROM fresh;
            -- A set difference is never worked out row by row, whatever is known of how many invoices there are: they may be of this
            -- very transaction, and counted by nobody.
            SELECT format('(%s, %s)', l.client, l.number) INTO missing
            FROM (
                SELECT client, number FROM fresh
                EXCEPT SELECT client, number FROM eisenergy.invoices WHERE number BETWEEN first AND last
            ) l LIMIT 1;
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
