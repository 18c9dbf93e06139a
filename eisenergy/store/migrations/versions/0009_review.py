"""What the pages about a month ask for: sums over all customers without reading their invoices, and the newest jobs about a month.

A seller of ten thousand customers has 130,000 invoices a year, each a row of some kilobytes: an index that holds the few figures a sum needs is
read in their place.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indexes."""
    op.execute(
        "CREATE INDEX ix_eisenergy_invoices_month ON eisenergy.invoices (client, month) "
        "INCLUDE (customer, contract, kwh, total, currency)"
    )
    op.execute(
        "CREATE INDEX ix_eisenergy_jobs_month ON eisenergy.jobs (client, (arguments ->> 'month'), asked_at) "
        "WHERE arguments ? 'month'"
    )
