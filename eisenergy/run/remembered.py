"""Keeping what earlier months came to, before their pages are made.

Billing does without: a chart of thirteen months is a matter of pages, and would cost more than the bills. A page that finds nothing kept
derives it for itself and shows the same.
"""

from __future__ import annotations

from collections.abc import Collection

from eisenergy.accounts import Scope
from eisenergy.desk.drafting import file_names
from eisenergy.desk.masters import Masters
from eisenergy.desk.remembering import remember
from eisenergy.desk.workspace import Workspace
from eisenergy.period import BillingMonth
from eisenergy.run.chosen import chosen_contracts
from eisenergy.store.masters import NotStored


def keep_history(
    workspace: Workspace, scope: Scope, month: BillingMonth, *, customers: Collection[str] | None = None
) -> None:
    """Keep what the twelve months before one came to; those that stand are not derived again.

    :param customers: codes or contract numbers; ``None``: all
    :raises UnknownCustomer: for a customer the client does not have
    """
    common = Masters.read(workspace, scope, file_names(workspace, scope))
    known = []
    for entry in chosen_contracts(workspace, scope, customers):
        try:
            common.tariff(entry.tariff)
        except NotStored:
            continue  # its page says so
        known.append(entry.contract())
    remember(common, known, month)
