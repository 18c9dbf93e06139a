"""The customer master as records, the interface's form of it: read by the same rules as a spreadsheet's rows.

Where a spreadsheet's faults name a cell, a record's name a JSON pointer (RFC 6901): ``/customers/0/meter``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from eisenergy.masters import customers
from eisenergy.masters.customers import CustomersResult
from eisenergy.sheets import Header, Sheet
from eisenergy.tariffs.table import BadCell, Table

FIELDS: Final = {
    "contract": "number",
    "name": "name",
    "meter": "meter",
    "tariff": "tariff",
    "first_day": "start",
    "last_day": "end",
    "nit": "nit",
    "ncr": "ncr",
    "address": "address",
    "municipality": "municipality",
    "phone": "phone",
    "email": "email",
    "activity": "activity",
    "node": "node",
    "contracted_kw": "contracted_kw",
    "loss_factor": "loss_factor",
    "municipal_fee": "municipal_fee",
    "retention_percent": "retention",
    "discount_percent": "discount",
}
"""Field of a record -> what the master calls it."""
_NAMES: Final = {meant: name for name, meant in FIELDS.items()}
_DECIMAL: Final = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")


class Records(Table):
    """Records in a table's place: row 0 is the first of them."""

    __slots__ = ()

    def heading(self, field: str) -> str:
        """Return the field's name in a record."""
        return _NAMES[field]

    def unit(self, field: str) -> str | None:  # noqa: ARG002  a table's signature
        """Return ``None``: units are fixed."""
        return None

    def at(self, row: int, field: str) -> str:
        """Say where a value is: ``records, at /customers/0/meter``."""
        return f"{self.sheet.file}, at /customers/{row}/{_NAMES.get(field, field)}"

    def at_header(self, field: str) -> str:
        """Say which field is meant."""
        return f"{self.sheet.file}, {_NAMES[field]}"

    def origin(self, row: int, field: str) -> str:
        """Say where a number came from, short enough to print."""
        return f"{self.sheet.file}, {self.sheet.rows[row][self.header.columns['number']]}, {_NAMES[field]}"

    def number(self, row: int, field: str) -> Decimal | None:
        """Return a record's number. :raises BadCell: for what is none"""
        value = self.value(row, field)
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            return Decimal(value)
        if isinstance(value, str):
            raise BadCell(
                "text-for-number",
                self.at(row, field),
                f'found {value[:40]!r}, which is not a number, expected one such as "12.50". Write it with a point and without unit.',
            )
        return Table.number(self, row, field)


def read(given: Sequence[Mapping[str, Any]], name: str) -> CustomersResult:
    """Read records; one with a fault is left out and reported, as a row of :func:`eisenergy.masters.customers.read` is.

    :param given: values by the names in :data:`FIELDS`, texts; amounts as decimal texts; and ``notes``, name -> text
    :param name: what the records are called where a number says where it came from
    """
    fields = list(FIELDS)
    sheet = Sheet(name, "records", [[record.get(field) for field in fields] for record in given])
    header = Header(row=-1, columns={FIELDS[field]: column for column, field in enumerate(fields)})
    wanted = {meant: (field,) for field, meant in FIELDS.items()}
    found = customers.of_table(Records(sheet, header, wanted, frozenset()))
    notes = {str(record["contract"]): record.get("notes") for record in given if record.get("contract")}
    noted = tuple(replace(one, notes=dict(kept)) if (kept := notes.get(one.number)) else one for one in found.contracts)
    return CustomersResult(contracts=noted, findings=found.findings)
