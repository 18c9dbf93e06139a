"""The analyst's desk: one customer's month, or one client's, as the library computed it.

Notebooks open a desk and show it. Nothing here writes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_PLACES = {"open_customer": "opening", "open_client": "overview", "Workspace": "workspace"}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: whoever needs a workspace alone, as the command that takes files in, need not wait for all that bills.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not kept here: a module that changes while a notebook runs costs its process the rest of the batch.
    return getattr(import_module(f"{__name__}.{_PLACES.get(name, 'model')}"), name)
