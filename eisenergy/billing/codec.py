"""A bill as JSON types and back without loss, and the hash of what determines its amounts."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring_ascii as _text
from typing import Any, Final

from eisenergy.accounts import Contract, Sourced
from eisenergy.billing.corrections import Correction
from eisenergy.billing.engine import as_types
from eisenergy.billing.model import Bill, Provenance
from eisenergy.masters import codec
from eisenergy.money import EXACT
from eisenergy.period import Dated, NotInForce, Period
from eisenergy.tariffs.model import BillingRules, Tariff

_canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def dump(bill: Bill) -> dict[str, Any]:
    """Return a bill as JSON types: decimals and dates as text, tuples as lists, mappings as lists of pairs."""
    return codec.dump(bill)


def load(data: Mapping[str, Any]) -> Bill:
    """Read what :func:`dump` wrote; the result equals the bill that was written.

    :raises eisenergy.masters.codec.BadRecord: naming the field that is missing, unknown or of another type
    """
    return codec.load(Bill, data)


def asked(bill: Bill) -> dict[str, Any]:
    """Return what is asked of a bill without reading it, as JSON types."""
    provenance = bill.provenance
    return {
        "name": bill.contract.customer.name,
        "meter": bill.contract.meter.serial,
        "currency": bill.currency,
        "tariff": bill.tariff,
        "calendar": bill.calendar,
        "findings": Counter(finding.severity.value for finding in bill.findings),
        "estimated": sum(block.estimated for block in bill.blocks),
        "missing": bill.slots_missing,
        "slots": bill.slots_expected,
        "provenance": provenance
        and {name: getattr(provenance, name) for name in Provenance.__slots__ if name != "sources"},
    }


def input_hash(
    contract: Contract,
    period: Period,
    readings_hash: str,
    tariff: Tariff,
    *,
    timezone: str,
    calendar_version: str,
    code_version: str,
    corrections: Sequence[Correction] = (),
    prices: str | None = None,
) -> str:
    """Return the sha256 over everything that determines the amounts of a bill, and over nothing else.

    A customer's new telephone number does not change it, nor does a rate that comes into force after the period.

    :param readings_hash: hash of the readings used, estimated ones included
    :param calendar_version: hash of the block calendar
    :param code_version: version of eisenergy
    :param prices: :func:`prices_in_force` of tariff and period, where it is at hand
    :returns: 64 hexadecimal digits, of the canonical JSON form (sorted keys, decimals without trailing zeros)
    """
    text = facts(
        contract,
        period,
        readings_hash,
        tariff,
        timezone=timezone,
        calendar_version=calendar_version,
        code_version=code_version,
        corrections=corrections,
        prices=prices_in_force(tariff, period) if prices is None else prices,
    )
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def facts(
    contract: Contract,
    period: Period,
    readings_hash: str,
    tariff: Tariff,
    *,
    timezone: str,
    calendar_version: str,
    code_version: str,
    corrections: Sequence[Correction] = (),
    prices: str,
) -> str:
    """Return the text that :func:`input_hash` is the hash of."""
    # The canonical form field by field: its largest ones are the same in all bills of a tariff and period.
    found = (
        ("calendar", _text(calendar_version)),
        ("code", _text(code_version)),
        ("contract", _text(contract.number)),
        ("corrections", _canonical([[item.month, item.invoice, digits(item.difference)] for item in corrections])),
        ("currency", _text(tariff.currency)),
        ("discount_rate", _own(contract.discount_rate)),
        ("loss_factor", _own(contract.loss_factor)),
        ("meter", _text(contract.meter.serial)),
        ("municipal_fee", _own(contract.municipal_fee)),
        ("period", f'["{period.start.isoformat()}","{period.end.isoformat()}"]'),
        ("prices", prices),
        ("readings", _text(readings_hash)),
        ("retention_rate", _own(contract.retention_rate)),
        ("rules", _rules(tariff.rules)),
        ("timezone", _text(timezone)),
    )
    return "{" + ",".join([f'"{name}":{value}' for name, value in found]) + "}"


def prices_in_force(tariff: Tariff, period: Period) -> str:
    """Return every price of a tariff in force in a period, segment by segment, as canonical JSON text."""
    return _canonical([_in_force(tariff, segment) for segment in tariff.segments(period)])


def _in_force(tariff: Tariff, segment: Period) -> dict[str, Any]:
    """Every price in force in a segment; a rate that changes inside the period makes a segment of its own."""
    prices = {
        f"{kind}/{block}": _at(dated, segment)
        for kind, blocks in tariff.rates.items()
        for block, dated in blocks.items()
    }
    scalars = {str(kind): _at(dated, segment) for kind, dated in tariff.scalars.items()}
    return {"from": segment.start.isoformat(), "rates": prices, "values": scalars}


def _at(dated: Dated[Sourced], segment: Period) -> str | None:
    try:
        return _plain(dated.at(segment.start))
    except NotInForce:
        return None


def _own(entry: Sourced | None) -> str:
    return "null" if entry is None else f'"{_plain(entry)}"'


@functools.cache
def _rules(rules: BillingRules) -> str:
    return _canonical(as_types(rules))


def _plain(entry: Sourced) -> str:
    return digits(entry.value)


def digits(value: Decimal) -> str:
    """Return the number without trailing zeros, so that 0.010 and 0.01 are one."""
    return f"{EXACT.normalize(value):f}"
