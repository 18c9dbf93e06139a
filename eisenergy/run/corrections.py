"""What earlier invoices billed too much or too little, given what is known now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import polars as pl

from eisenergy.billing.corrections import Correction, correction
from eisenergy.billing.model import LineCode
from eisenergy.desk.drafting import draft, facts, readings_hash
from eisenergy.desk.masters import Masters
from eisenergy.desk.opening import as_billed
from eisenergy.frames import MEASURED
from eisenergy.ledger.invoices import Invoice
from eisenergy.money import total
from eisenergy.period import BillingMonth
from eisenergy.store.states import States, states


class Standing:
    """Whether an invoice's readings stand as they stood when it was made, asked once per month and state of the table.

    :param issued: all invoices that may be asked about
    """

    def __init__(self, common: Masters, issued: Iterable[Invoice]) -> None:
        self._common = common
        self._known: dict[tuple[BillingMonth, int], dict[str, States]] = {}
        self._meters: dict[BillingMonth, set[str]] = {}
        for invoice in issued:
            self._meters.setdefault(invoice.month, set()).add(invoice.bill.contract.meter.serial)

    def as_billed(self, invoice: Invoice) -> bool:
        """Say that no reading of the invoice's months was loaded since; ``False`` also where that is not known."""
        provenance = invoice.bill.provenance
        if provenance is None:
            return False
        meter = invoice.bill.contract.meter.serial
        try:
            then = self._at(invoice, provenance.lake_version)
        except LookupError:
            return False
        return then[meter] == self._at(invoice, self._common.lake_version)[meter]

    def _at(self, invoice: Invoice, version: int) -> dict[str, States]:
        place = (invoice.month, version)
        if place not in self._known:
            common = self._common
            start, end = invoice.month.period.utc(common.client.timezone)
            meters = sorted(self._meters[invoice.month])
            found = states(common.workspace.lake, common.scope, meters, start, end, version=version)
            self._known[place] = dict(found)
        return self._known[place]


def corrections(
    common: Masters, month: BillingMonth, issued: Sequence[Invoice], standing: Standing
) -> tuple[Correction, ...]:
    """Return what earlier invoices of a contract billed too much or too little, given what is known now.

    An invoice is looked at again when the readings that arrived for its period, its tariff or its calendar are others than those it
    was made from. It is billed again on the terms of its own contract; where only the tariff changed, on its own readings
    and estimates.

    :param issued: the contract's invoices
    :param standing: says which invoices' readings need not be looked at
    """
    workspace, scope = common.workspace, common.scope
    found = []
    for invoice in sorted(issued, key=lambda entry: entry.month):
        provenance = invoice.bill.provenance
        if invoice.month >= month or provenance is None:
            continue
        tariff, calendar = common.tariff(invoice.bill.contract.tariff)
        same_rules = (tariff.version, calendar.version) == (provenance.tariff_version, provenance.calendar_version)
        if same_rules and standing.as_billed(invoice):
            continue
        now = facts(
            workspace, scope, invoice.bill.contract, invoice.month, invoice.month,
            version=common.lake_version, names=common.names,
        )  # fmt: skip
        start, end = invoice.bill.period.utc(invoice.bill.timezone)
        inside = (pl.col("start") >= start) & (pl.col("start") < end) & (pl.col("quality") == MEASURED)
        same_readings = readings_hash(now.readings.filter(inside)) == provenance.readings_hash
        if same_readings and same_rules:
            continue
        if same_readings:
            then = as_billed(workspace, scope, now, invoice)
            now = replace(then, tariff=now.tariff, calendar=now.calendar)
        again = draft(now, invoice.month)
        if again.bill is None:
            continue  # what stands against it parks nobody: the invoice stays as it was billed until it can be billed again
        already = total(
            part.exact
            for later in issued
            for line in later.bill.lines
            if line.code is LineCode.CORRECTION
            for part in line.parts
            if part.period == invoice.bill.period
        )
        difference = correction(invoice.bill, again.bill, invoice.number, already)
        if difference is not None:
            found.append(difference)
    return tuple(found)
