"""What earlier invoices billed too much or too little, given what is known now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from eisenergy.billing.corrections import Correction, correction
from eisenergy.billing.model import LineCode
from eisenergy.desk.drafting import draft, facts, readings_hash
from eisenergy.desk.masters import Masters
from eisenergy.desk.opening import as_billed
from eisenergy.frames import MEASURED
from eisenergy.money import total
from eisenergy.period import BillingMonth
from eisenergy.store import books
from eisenergy.store.books import Head
from eisenergy.store.masters import NotStored
from eisenergy.store.states import loaded_since


class Standing:
    """Whether an invoice stands as it stood when it was made, known without reading it."""

    def __init__(self, common: Masters) -> None:
        self._common = common
        self._loaded: dict[tuple[BillingMonth, int], frozenset[str] | None] = {}

    def same_rules(self, head: Head) -> bool:
        """Say that tariff and calendar are those that it was made from; ``False`` also where that is not known."""
        provenance = head.made["provenance"]
        if provenance is None:
            return False
        try:
            tariff, calendar = self._common.tariff(head.made["tariff"])
        except NotStored:
            return False
        then = (provenance["tariff_version"], provenance["calendar_version"])
        return (tariff.version, calendar.version) == then

    def same_readings(self, head: Head) -> bool:
        """Say that no reading of its months was loaded since; ``False`` also where that is not known."""
        provenance = head.made["provenance"]
        if provenance is None:
            return False
        place = (head.month, provenance["lake_version"])
        if place not in self._loaded:
            common = self._common
            span = head.month.period.utc(common.client.timezone)
            try:
                self._loaded[place] = loaded_since(
                    common.workspace.lake, common.scope, provenance["lake_version"], common.lake_version, span
                )
            except LookupError:
                self._loaded[place] = None
        found = self._loaded[place]
        return found is not None and head.made["meter"] not in found


def corrections(
    common: Masters, month: BillingMonth, heads: Sequence[Head], standing: Standing
) -> tuple[Correction, ...]:
    """Return what earlier invoices of a contract billed too much or too little, given what is known now.

    An invoice is looked at again when the readings that arrived for its period, its tariff or its calendar are others than those it
    was made from. It is billed again on the terms of its own contract; where only the tariff changed, on its own readings
    and estimates.

    :param heads: the contract's invoices
    :param standing: says which invoices need not be looked at
    """
    workspace, scope = common.workspace, common.scope
    earlier = sorted((head for head in heads if head.month < month), key=lambda head: head.month)
    if all(standing.same_rules(head) and standing.same_readings(head) for head in earlier):
        return ()
    found = []
    issued = {head.number: books.invoice(workspace.database, scope, head.number) for head in heads}
    for head in earlier:
        invoice = issued[head.number]
        provenance = invoice.bill.provenance
        if provenance is None:
            continue
        tariff, calendar = common.tariff(invoice.bill.contract.tariff)
        same_rules = (tariff.version, calendar.version) == (provenance.tariff_version, provenance.calendar_version)
        if same_rules and standing.same_readings(head):
            continue
        now = facts(
            workspace, scope, invoice.bill.contract, invoice.month, invoice.month,
            version=common.lake_version, names=common.names,
        )  # fmt: skip
        start, end = invoice.bill.period.utc(invoice.bill.timezone)
        inside = (pl.col("start") >= start) & (pl.col("start") < end) & (pl.col("quality") == MEASURED)
        same_readings = (
            readings_hash(now.readings.filter(inside), like=provenance.readings_hash) == provenance.readings_hash
        )
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
            for later in issued.values()
            for line in later.bill.lines
            if line.code is LineCode.CORRECTION
            for part in line.parts
            if part.period == invoice.bill.period
        )
        difference = correction(invoice.bill, again.bill, invoice.number, already)
        if difference is not None:
            found.append(difference)
    return tuple(found)
