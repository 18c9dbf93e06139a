"""An invoice as JSON types and back without loss; its number and its due date."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from eisenergy.accounts import Client
from eisenergy.ledger.invoices import Invoice
from eisenergy.masters import codec
from eisenergy.period import BillingMonth

DIGITS: Final = 6


class BadNumber(ValueError):
    """A text that is not an invoice's number, or a sequence that cannot be one."""


def dump(invoice: Invoice) -> dict[str, Any]:
    """Return an invoice as JSON types: decimals and dates as text, tuples as lists, mappings as lists of pairs."""
    return codec.dump(invoice)


def head(issuer: Client, month: BillingMonth, issued_at: datetime, issued_on: date, due_on: date) -> dict[str, Any]:
    """Return the fields of :func:`dump` that invoices issued together share; number, sequence, input hash and bill are each one's own."""
    return {
        "series": issuer.series,
        "month": codec.dump(month),
        "issuer": codec.dump(issuer),
        "issued_at": issued_at.isoformat(),
        "issued_on": issued_on.isoformat(),
        "due_on": due_on.isoformat(),
    }


def load(data: Mapping[str, Any], bill: Mapping[str, Any] | None = None) -> Invoice:
    """Read what :func:`dump` wrote; the result equals the invoice that was written.

    :param bill: the field of this name, where it was stored apart
    :raises eisenergy.masters.codec.BadRecord: naming the field that is missing, unknown or of another type
    """
    return codec.load(Invoice, data if bill is None else {**data, "bill": bill})


def number(series: str, sequence: int) -> str:
    """Return the printed number, ``FAC-000001``; beyond 999999 it grows longer.

    :param sequence: 1 for the first invoice of the series
    :raises BadNumber: for a sequence below 1 or an empty series
    """
    if sequence < 1 or not series.strip():
        raise BadNumber(f"series {series!r}, sequence {sequence}: expected a series' name and a whole number from 1")
    return f"{series}-{sequence:0{DIGITS}d}"


def parse_number(text: str) -> tuple[str, int]:
    """Return ``(series, sequence)`` of a printed number. :raises BadNumber: saying what was found and expected."""
    match = re.fullmatch(r"(.*\S)-(\d+)", text.strip())
    if match is None or int(match[2]) < 1:
        raise BadNumber(f"{text!r} is not an invoice number: expected SERIES-NUMBER, for example FAC-000001")
    return match[1], int(match[2])


def due_on(issuer: Client, issued_on: date) -> date:
    """Return the due date: the issuer's number of days after the local date of issue."""
    return issued_on + timedelta(days=issuer.due_days)
