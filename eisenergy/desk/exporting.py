"""An issued invoice as a live workbook: what it was made from is gathered as it stood then, never as it stands today.

``export_invoice(workspace, scope, "FAC-000001", Path("factura.xlsx"))`` writes the file and returns its path. A command does

    with workspace_of(context) as (workspace, scope):
        path = exporting.export_invoice(workspace, scope, number, out)

and shows :class:`eisenergy.store.books.NoInvoice`, :class:`NotReproducible` and :class:`eisenergy.workbook.export.NotExportable` as
sentences. The scope decides what may be exported: a customer's own user sees only that customer's invoices.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import eisenergy
from eisenergy.accounts import Scope
from eisenergy.billing import eispower
from eisenergy.billing.corrections import Correction
from eisenergy.billing.model import LineCode
from eisenergy.blockruns import compile_runs
from eisenergy.config import Settings
from eisenergy.desk.drafting import facts, prepare
from eisenergy.desk.opening import as_billed
from eisenergy.desk.workspace import Workspace
from eisenergy.period import NotInForce
from eisenergy.store import books
from eisenergy.store.database import Database
from eisenergy.store.lake import Lake
from eisenergy.store.masters import NotStored
from eisenergy.workbook import export
from eisenergy.workbook.export import Source


class NotReproducible(RuntimeError):
    """What an invoice was made from no longer gives its lines. Names the lines."""


def export_invoice(workspace: Workspace, scope: Scope, number: str, out: Path, *, locale: str | None = None) -> Path:
    """Write an issued invoice's live workbook.

    :param number: for example ``FAC-000001``
    :param out: the ``.xlsx`` file; it appears whole or not at all, and replaces one that is there
    :param locale: language of the explanation; by default the issuer's
    :returns: ``out``
    :raises NoInvoice: when there is none of that number in the scope
    :raises NotReproducible: when readings, tariff and calendar as they stood then do not give the invoice's lines
    :raises NotExportable: when a spreadsheet cannot show the invoice as formulas
    """
    return export.write(gather(workspace, scope, number), out, locale=locale)


def export_apart(environment: Mapping[str, str], scope: Scope, number: str, out: Path, locale: str) -> str | None:
    """Do what :func:`export_invoice` does, in a process that is started for this and stays.

    :param environment: of :meth:`eisenergy.desk.workspace.Workspace.environment`
    :returns: why there can be none; ``None`` when it was written
    """
    try:
        export_invoice(_workspace(tuple(sorted(environment.items()))), scope, number, out, locale=locale)
    except (NotReproducible, export.NotExportable, NotInForce, NotStored) as problem:
        return str(problem)
    return None


@lru_cache(maxsize=1)
def _workspace(environment: tuple[tuple[str, str], ...]) -> Workspace:
    if hasattr(os, "nice"):
        os.nice(5)  # whoever waits for a page comes first
    settings = Settings.load(dict(environment))
    database = Database.open(settings)
    return Workspace(settings=settings, database=database, lake=Lake.open(settings, database))


def kept_at(settings: Settings, scope: Scope, customer: str, number: str, input_hash: str, locale: str) -> Path:
    """Return where an invoice's workbook is kept once it was made. An invoice never changes, so nothing that lies there grows stale.

    :param customer: the invoice's, in the scope
    :raises OutOfScope: for another customer
    """
    scope.check(customer)
    made_by = hashlib.sha256("\0".join((number, input_hash, locale, eisenergy.__version__)).encode()).hexdigest()[:20]
    return settings.workbooks / scope.client / customer / f"{made_by}.xlsx"


def gather(workspace: Workspace, scope: Scope, number: str) -> Source:
    """Return what an invoice was made from: its own contract and issuer, and readings, tariff and calendar of its own versions.

    :raises NoInvoice: when there is none of that number in the scope
    :raises NotReproducible: when they do not give the invoice's lines
    """
    invoice = books.invoice(workspace.database, scope, number)
    today = facts(workspace, scope, invoice.bill.contract, invoice.month, invoice.month)
    then = replace(as_billed(workspace, scope, today, invoice), client=invoice.issuer)
    source = Source(
        invoice=invoice,
        tariff=then.tariff,
        calendar=then.calendar,
        readings=prepare(then, invoice.month).filled,
    )
    _compare(source)
    return source


def _compare(source: Source) -> None:
    """Bill once more, and refuse to export what is not the invoice."""
    from eisenergy.usage import measure  # loads the compiled kernels

    bill = source.bill
    runs = compile_runs(source.calendar, source.tariff.segments(bill.period), bill.timezone)
    usage = measure(bill.contract.meter.serial, source.readings, runs, period=bill.period, timezone=bill.timezone)
    earlier = [
        Correction(
            period=part.period or bill.period,
            month=part.label,
            invoice=source.invoice.number,
            difference=part.exact,
            origin=part.origin,
        )
        for part in source.parts(LineCode.CORRECTION)
    ]
    again = {
        line.code: line.amount for line in eispower.lines(bill.contract, bill.period, usage, source.tariff, earlier)
    }
    issued = {line.code: line.amount for line in bill.lines}
    differ = [code for code in {**issued, **again} if issued.get(code) != again.get(code)]
    if differ:
        said = ", ".join(f"{code} {again.get(code)} instead of {issued.get(code)}" for code in differ)
        raise NotReproducible(
            f"invoice {source.invoice.number}: its readings, tariff and calendar as kept give {said}. The invoice stands as issued; a "
            "workbook of it would not show it. Restore the readings table and the masters it was made from."
        )
