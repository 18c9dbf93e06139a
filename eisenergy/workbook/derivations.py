"""How an expected value came about, in words with numbers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from eisenergy.billing.model import BillLine
from eisenergy.workbook.expected import Expected
from eisenergy.workbook.input_rates import LONG_AGO


def slot_words(expected: Expected, rows: dict[int, dict[str, Any]]) -> None:
    """Set the words of the columns of intervals.

    :param rows: row of the sheet -> the interval as it was priced
    """

    def tell(text: Callable[[dict[str, Any]], str]) -> Callable[[Hashable], str]:
        return lambda row: text(rows[row]) if row in rows else ""

    words = {
        "block": lambda s: f"hour {s['hour']} of {s['day']} belongs to {s['block']}",
        "energy_rate": lambda s: f"rate of {s['block']} in force on {s['day']}: {s['energy_rate']}",
        "energy_cost": lambda s: f"{s['kwh']:g} kWh x {s['energy_rate']} = {s['energy_cost']:.10g}",
        "loss_factor": lambda s: f"the loss factor is {s['loss_factor']}",
        "loss_amount": lambda s: f"{s['kwh']:g} kWh x {s['loss_factor']} = {s['loss_amount']:.10g}",
        "ftpms": lambda s: f"FTPMS in {s['block']}: {s['ftpms']}",
        "ftpms_amount": lambda s: f"{s['kwh']:g} kWh x {s['ftpms']} = {s['ftpms_amount']:.10g}",
        "cost_pos": lambda s: f"cost of taking more than forecast: {s['cost_pos']}",
        "cost_neg": lambda s: f"cost of taking less than forecast: {s['cost_neg']}",
        "deviation_amount": lambda s: (
            "no forecast, so nothing is charged"
            if s["forecast_kwh"] is None or s["cost_neg"] is None
            else f"forecast {s['forecast_kwh']} kWh, taken {s['kwh']:g} kWh, at {s['cost_neg']} per kWh short: {s['deviation_amount']:.10g}"
        ),
    }
    for name, text in words.items():
        expected.words.setdefault(f"slot.{name}", tell(text))


def told(expected: Expected, role: str, what: str) -> Callable[[Hashable], str]:
    """Return the words of a sum or a maximum. :param what: with ``{}`` for what it is about"""
    return lambda subject: f"{what.format(subject)}: {expected.values[role, subject]}"


def line_words(line: BillLine) -> Callable[[Hashable], str]:
    """Return the words of a line of the bill: its rule, and its products."""

    def tell(_: Hashable) -> str:
        return " ".join((line.formula, *_parts(line), f"= {line.exact:f}, rounded {line.amount}."))

    return tell


def _parts(line: BillLine) -> Iterator[str]:
    for part in line.parts[:6]:
        since = f", from {part.rate_from}" if part.rate_from and part.rate_from > LONG_AGO else ""
        block = f"{part.block}: " if part.block else ""
        yield f"{block}{part.quantity:f} {part.unit} x {part.rate:f} ({part.origin}{since});"
    if len(line.parts) > 6:
        yield f"and {len(line.parts) - 6} more;"
