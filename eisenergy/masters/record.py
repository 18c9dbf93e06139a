"""One contract as a row that a person edits: the same columns and the same rules as a customer list's.

What is typed becomes a table of one row, which :func:`eisenergy.masters.customers.of_table` reads: whatever a list would be refused for, a
form is refused for, at the same column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from eisenergy.accounts import Contract, Meter, Sourced
from eisenergy.masters.customers import COLUMNS, of_table
from eisenergy.money import product
from eisenergy.sheets import Header, Sheet, cell
from eisenergy.tariffs.table import Table

FIELDS: Final = tuple(name for name in COLUMNS if name != "number")
"""Columns of a customer list that may be edited; the contract's number is what it is known by."""
NUMBERS: Final = ("contracted_kw", "loss_factor", "municipal_fee", "retention", "discount")
_HEADINGS: Final = {
    "contracted_kw": "Potencia contratada (kW)",
    "municipal_fee": "Tasa municipal (USD)",
    "retention": "Retención %",
    "discount": "Descuento %",
}
_HUNDRED: Final = Decimal(100)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,6})?")
"""Digits that a spreadsheet's number keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with one field.

    :param code: that of a customer list's finding
    :param message: what was found, where, what was expected, what to do
    """

    field: str
    code: str
    message: str


class Unfit(ValueError):
    """A contract that cannot be one; says why, field by field."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(fault.message for fault in faults))
        self.faults = faults


def texts(contract: Contract) -> dict[str, str]:
    """Return a contract's fields as they are typed: shares in percent, the last day of supply inclusive."""
    customer, meter = contract.customer, contract.meter
    return {
        "name": customer.name,
        "meter": meter.serial,
        "tariff": contract.tariff,
        "start": contract.start.isoformat(),
        "end": "" if contract.end is None else (contract.end - timedelta(days=1)).isoformat(),
        "nit": customer.nit,
        "ncr": customer.ncr,
        "address": customer.address,
        "municipality": customer.municipality,
        "phone": customer.phone,
        "email": customer.email,
        "activity": customer.activity,
        "node": meter.site.node,
        "contracted_kw": _plain(contract.contracted_kw),
        "loss_factor": _plain(contract.loss_factor),
        "municipal_fee": _plain(contract.municipal_fee),
        "retention": _percent(contract.retention_rate),
        "discount": _percent(contract.discount_rate),
    }


def edited(contract: Contract, typed: Mapping[str, str], *, origin: str) -> Contract:
    """Return a contract with what was typed in place of what it says.

    :param typed: field of :data:`FIELDS` -> text; a field that is not there is empty
    :param origin: where new numbers come from, in words; one that stays keeps its own
    :raises Unfit: with every fault at its field: what a row of a customer list would be refused for
    """
    fields = list(COLUMNS)
    given = {**{name: typed.get(name, "").strip() for name in FIELDS}, "number": contract.number}
    sheet = Sheet(
        origin,
        contract.number,
        [[_HEADINGS.get(name, COLUMNS[name][0]) for name in fields], [_value(name, given[name]) for name in fields]],
    )
    columns = {name: place for place, name in enumerate(fields)}
    found = of_table(Table(sheet, Header(0, columns), COLUMNS, frozenset()))
    if not found.contracts:
        places = {cell(1, place): name for name, place in columns.items()}
        raise Unfit(
            tuple(
                Fault(field=places[str(one.data["cell"])], code=one.code, message=one.message) for one in found.findings
            )
        )
    read = found.contracts[0]
    return replace(
        read,
        customer=replace(read.customer, code=contract.customer.code),
        meter=_meter(contract, read),
        notes=contract.notes,
        contracted_kw=_origin(contract.contracted_kw, read.contracted_kw, origin),
        loss_factor=_origin(contract.loss_factor, read.loss_factor, origin),
        municipal_fee=_origin(contract.municipal_fee, read.municipal_fee, origin),
        retention_rate=_origin(contract.retention_rate, read.retention_rate, origin),
        discount_rate=_origin(contract.discount_rate, read.discount_rate, origin),
    )


def _meter(before: Contract, now: Contract) -> Meter:
    """The meter as it is typed; a list has one address for the customer and the site, which stays the site's own until it is changed."""
    if (now.customer.address, now.customer.municipality) != (before.customer.address, before.customer.municipality):
        return now.meter
    site = before.meter.site
    kept = replace(now.meter.site, address=site.address, municipality=site.municipality)
    return replace(now.meter, site=kept)


def _value(field: str, text: str) -> object:
    """A cell as a spreadsheet would hold it: a number where one was typed for a number."""
    if field not in NUMBERS:
        return text or None
    return float(text) if _NUMBER.fullmatch(text) else text or None


def _origin(before: Sourced | None, now: Sourced | None, origin: str) -> Sourced | None:
    if now is None:
        return None
    return before if before is not None and before.value == now.value else Sourced(now.value, origin)


def _plain(number: Sourced | None) -> str:
    return "" if number is None else f"{number.value:f}"


def _percent(share: Sourced | None) -> str:
    return "" if share is None else f"{product(share.value, _HUNDRED).normalize():f}"
