"""Explain a bill: every line down to its rates with their dates and origins, and its readings with their files.

Nothing is computed here; the explanation shows what the bill itself holds, so an invoice of years ago explains itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from eisenergy.billing.model import Bill, BillLine, BillPart, BlockSummary, LineCode
from eisenergy.ledger.invoices import Invoice
from eisenergy.money import fifteen_digits, total
from eisenergy.period import Period

MAX_PARTS: Final = 12
"""Parts of one block shown one by one; more are shown as one range of prices."""

NAMES: Final = {
    LineCode.ENERGY: "Energy",
    LineCode.DEMAND: "Demand",
    LineCode.LOSSES: "Losses",
    LineCode.FTPMS: "FTPMS",
    LineCode.DEVIATION: "Deviation from the forecast",
    LineCode.DISCOUNT: "Discount",
    LineCode.CORRECTION: "Corrections of earlier periods",
    LineCode.SUBTOTAL: "Taxable subtotal",
    LineCode.VAT: "VAT",
    LineCode.RETENTION: "Retention",
    LineCode.MUNICIPAL_FEE: "Municipal fee",
    LineCode.TOTAL: "Total to pay",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """One statement of a derivation, and the statements it follows from.

    :param text: the statement, in English
    :param value: what it comes to, with its unit; empty where it is a heading
    """

    text: str
    value: str = ""
    children: tuple[Explanation, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Explanation]]:
        """Yield this statement and all below it with their depth, in reading order."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


def explain(subject: Invoice | Bill) -> Explanation:
    """Return the derivation of every line of an invoice or a bill.

    :returns: a tree: the lines with their parts, the energy and maxima per block, the readings with their files, the estimated
        intervals, the findings, and the versions of the inputs
    """
    bill = subject.bill if isinstance(subject, Invoice) else subject
    sections = [
        *(_line(line, bill) for line in bill.lines),
        Explanation("Usage per block", "", tuple(_block(block, bill) for block in bill.blocks)),
        _readings(bill),
        _versions(subject, bill),
    ]
    if bill.findings:
        found = tuple(Explanation(f"{finding.severity}: {finding.message}", finding.code) for finding in bill.findings)
        sections.insert(-1, Explanation("Findings", "", found))
    return Explanation(_title(subject, bill), _money(bill.total, bill.currency), tuple(sections))


def render(explanation: Explanation) -> str:
    """Return an explanation as plain text, two spaces per level."""
    return "\n".join(
        f"{'  ' * depth}{node.text}" + (f": {node.value}" if node.value else "") for depth, node in explanation.walk()
    )


def _title(subject: Invoice | Bill, bill: Bill) -> str:
    what = f"Invoice {subject.number}, issued on {subject.issued_on}" if isinstance(subject, Invoice) else "Bill"
    customer = bill.contract.customer.name
    return f"{what}: {customer}, contract {bill.contract.number}, {_days(bill.period)}, tariff {bill.tariff}"


def _line(line: BillLine, bill: Bill) -> Explanation:
    children = [Explanation(line.formula)]
    children += [Explanation(NAMES[item.code], _money(item.amount, bill.currency)) for item in _addends(line, bill)]
    for _, group in itertools.groupby(line.parts, key=lambda part: (part.label, part.block)):
        parts = tuple(group)
        children += [_part(part) for part in parts] if len(parts) <= MAX_PARTS else [_range(parts)]
    if line.exact != line.amount:
        children.append(Explanation("Before rounding to cents", f"{plain(line.exact)} {bill.currency}"))
    return Explanation(NAMES[line.code], _money(line.amount, bill.currency), tuple(children))


def _addends(line: BillLine, bill: Bill) -> tuple[BillLine, ...]:
    """The printed lines that a sum adds; none for a line that is no sum."""
    codes = [item.code for item in bill.lines]
    subtotal = codes.index(LineCode.SUBTOTAL)
    if line.code is LineCode.SUBTOTAL:
        return bill.lines[:subtotal]
    return bill.lines[subtotal:-1] if line.code is LineCode.TOTAL else ()


def _part(part: BillPart) -> Explanation:
    where = (
        part.label
        + (f", block {part.block}" if part.block else "")
        + (f", {_days(part.period)}" if part.period else "")
    )
    rate = f"Rate {plain(part.rate)} {part.rate_unit}" if part.rate_unit != "1" else f"Rate {plain(part.rate)}"
    since = f", in force from {part.rate_from}" if part.rate_from else ""
    text = f"{where}: {plain(part.quantity)} {part.unit} x {plain(part.rate)}"
    return Explanation(text, plain(part.exact), (Explanation(f"{rate}{since}, from {part.origin}"),))


def _range(parts: tuple[BillPart, ...]) -> Explanation:
    rates = [part.rate for part in parts]
    where = parts[0].label + (f", block {parts[0].block}" if parts[0].block else "")
    quantity = plain(total(part.quantity for part in parts))
    text = (
        f"{where}: {quantity} {parts[0].unit} at {len(parts)} prices from {plain(min(rates))} to {plain(max(rates))} "
        f"{parts[0].rate_unit}"
    )
    origins = tuple(Explanation(f"Rates from {origin}") for origin in dict.fromkeys(part.origin for part in parts))
    return Explanation(text, plain(total(part.exact for part in parts)), origins)


def _block(block: BlockSummary, bill: Bill) -> Explanation:
    text = f"{block.block}: {block.slots} intervals" + (
        f", {block.estimated} of them estimated" if block.estimated else ""
    )
    if block.max_kw_at is None:
        return Explanation(text, f"{plain(block.kwh)} kWh")
    times = f", reached {block.max_kw_ties} times" if block.max_kw_ties > 1 else ""
    peak = f"{plain(block.max_kw)} kW, first at {_local(block.max_kw_at, bill)}{times}"
    return Explanation(text, f"{plain(block.kwh)} kWh", (Explanation("Maximum power", peak),))


def _readings(bill: Bill) -> Explanation:
    present = bill.slots_expected - bill.slots_missing
    meter = bill.contract.meter
    children: list[Explanation] = []
    if bill.provenance is not None:
        children += [
            Explanation(f"File {name}", f"sha256 {digest}")
            for digest, name in sorted(bill.provenance.sources.items(), key=lambda item: item[1])
        ]
    children += [
        Explanation(
            f"Estimated: {run.slots} intervals from {_local(run.start, bill)} to {_local(run.end, bill)}, {run.method}",
            f"{plain(run.kwh)} kWh",
        )
        for run in bill.estimated
    ]
    text = f"Readings of meter {meter.serial} at node {meter.site.node}, calendar {bill.calendar}, times in {bill.timezone}"
    return Explanation(text, f"{present} of {bill.slots_expected} intervals", tuple(children))


def _versions(subject: Invoice | Bill, bill: Bill) -> Explanation:
    children = [Explanation(f"Rule {name}", _rule(value)) for name, value in bill.rules.items()]
    made = bill.provenance
    if made is not None:
        children += [
            Explanation("Readings", f"version {made.lake_version}, {made.readings_hash}"),
            Explanation("Tariff", made.tariff_version),
            Explanation("Calendar", made.calendar_version),
            Explanation("eisenergy", made.code_version),
        ]
    if isinstance(subject, Invoice):
        children.append(Explanation("Hash of the inputs", subject.input_hash))
    return Explanation("Rules and versions", "", tuple(children))


def _rule(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "not set" if value is None else str(value)


def _days(period: Period) -> str:
    return f"{period.start} to before {period.end}"


def _local(instant: datetime, bill: Bill) -> str:
    return f"{instant.astimezone(ZoneInfo(bill.timezone)):%Y-%m-%d %H:%M}"


def _money(amount: Decimal, currency: str) -> str:
    return f"{amount:,.2f} {currency}"


def plain(value: Decimal) -> str:
    """Return a number in plain digits, at most 15 of them, without trailing zeros: ``6441.33281916``."""
    text = f"{fifteen_digits(value):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
