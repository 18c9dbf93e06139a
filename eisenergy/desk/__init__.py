"""The analyst's desk: one customer's month, or one client's, as the library computed it.

Notebooks open a desk and show it. Nothing here writes.
"""

from __future__ import annotations

from eisenergy.desk.model import ClientMonth, CustomerMonth, InvoiceHeadline, MonthTotals, OperatorRow
from eisenergy.desk.opening import open_customer
from eisenergy.desk.overview import open_client
from eisenergy.desk.workspace import Workspace

__all__ = [
    "ClientMonth",
    "CustomerMonth",
    "InvoiceHeadline",
    "MonthTotals",
    "OperatorRow",
    "Workspace",
    "open_client",
    "open_customer",
]
