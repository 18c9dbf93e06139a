"""The customer master: one row of a spreadsheet per contract, each number with the cell it came from.

A row with a fault is left out and reported; the other rows go on. Columns nobody asked for are kept in the contract's notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from eisenergy.accounts import Contract, Customer, Meter, Site, Sourced
from eisenergy.findings import Finding, blocking, info, warning
from eisenergy.money import quotient
from eisenergy.sheets import cell, fold
from eisenergy.tariffs.table import BadCell, BadTable, Table, open_table, text_of

COLUMNS: Final = {
    "name": ("Cliente", "Nombre del cliente", "Nombre", "Razón social", "Customer", "Customer name", "Client"),
    "number": (
        "Contrato No.",
        "Contrato",
        "No. de contrato",
        "Número de contrato",
        "Contract No.",
        "Contract",
        "Contract number",
    ),
    "meter": ("Medidor", "Medidor No.", "No. de medidor", "Serie del medidor", "Meter", "Meter serial", "Meter No."),
    "tariff": ("Tarifa", "Pliego", "Tariff", "Rate plan"),
    "start": ("Fecha inicio", "Fecha de inicio", "Inicio de suministro", "Start date", "Supply start"),
    "end": ("Fecha fin", "Fecha de fin", "Fin de suministro", "End date", "Supply end"),
    "nit": ("NIT", "Tax ID"),
    "ncr": ("NCR", "NRC", "Registro IVA", "VAT registration"),
    "address": ("Dirección", "Domicilio", "Address"),
    "municipality": ("Municipio", "Municipality"),
    "phone": ("Teléfono", "Tel.", "Phone", "Telephone"),
    "email": ("Correo", "Correo electrónico", "E-mail", "Email"),
    "activity": ("Actividad económica", "Actividad", "Giro", "Economic activity", "Activity"),
    "node": ("Nodo", "Nodo de red", "Node", "Network node"),
    "contracted_kw": ("Potencia contratada", "Contracted power", "Contracted demand"),
    "loss_factor": ("Factor pérdidas", "Factor de pérdidas", "Loss factor"),
    "municipal_fee": ("Tasa municipal", "Tasas municipales", "Municipal fee", "Municipal fees"),
    "retention": (
        "Retención",
        "Retención IVA",
        "Porcentaje de retención",
        "Retention",
        "Retention percent",
        "Withholding",
    ),
    "discount": ("Descuento", "Porcentaje de descuento", "Discount", "Discount percent"),
}
_REQUIRED: Final = ("name", "number", "meter")
_UNITS: Final = {
    "contracted_kw": ("kw",),
    "municipal_fee": ("usd", "us$", "$", "usd/mes", "usd/month"),
    "loss_factor": ("usd/kwh", "us$/kwh", "$/kwh"),
}
_REMARKS: Final = ("observaciones", "notas", "comentarios", "remarks", "notes", "comments")
_HUNDRED: Final = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomersResult:
    """What a customer master holds.

    :param contracts: the rows without fault, in the order of the file
    :param findings: a blocking one per faulty cell (its contract is left out), one per unknown column
    """

    contracts: tuple[Contract, ...]
    findings: tuple[Finding, ...]


def read(
    path: Path, *, tariff: str | None = None, start: date | None = None, sheet: str | None = None
) -> CustomersResult:
    """Read a customer master such as ``Datos de clientes para facturación.xlsx``.

    ``Retención %`` and ``Descuento %`` hold percent: 1.5 is the share 0.015. A last day of supply (``Fecha fin``) is inclusive. An
    empty fee, retention or discount is the tariff's, or none where the tariff has none; 0 is zero.

    :param tariff: the tariff where the file names none
    :param start: the first day of supply where the file names none
    :param sheet: the sheet to read; by default the only one that has the table
    :raises BadTable: when no sheet has the table, or a column's unit is another than expected
    :raises UnreadableFile: when the file is no readable workbook

    Source: requirements of EIS Power, "Files that arrive".
    """
    required = (*_REQUIRED, *(() if tariff else ("tariff",)), *(() if start else ("start",)))
    return of_table(open_table(path, COLUMNS, required, sheet=sheet), tariff=tariff, start=start)


def of_table(table: Table, *, tariff: str | None = None, start: date | None = None) -> CustomersResult:
    """Read a customer master that is a table already, see :func:`read`.

    :raises BadTable: when it has no rows, or a column's unit is another than expected
    """
    _check_units(table)
    if not table.rows:
        raise BadTable(f"{table.at_header('name')}: no customers below the header. Add a row per contract.")
    rows = [_Row(table, row, tariff, start) for row in table.rows]
    read_rows = [(row, row.contract()) for row in rows]
    repeated = _repeated(rows)
    return CustomersResult(
        contracts=tuple(one for row, one in read_rows if one is not None and row.row not in repeated),
        findings=(*(fault for row in rows for fault in row.faults), *repeated.values(), *_unknown(table)),
    )


class _Row:
    """One row on its way to a contract; collects every fault instead of stopping at the first."""

    def __init__(self, table: Table, row: int, tariff: str | None, start: date | None) -> None:
        self.table = table
        self.row = row
        self.default_tariff = tariff
        self.default_start = start
        self.faults: list[Finding] = []
        self.number = self.serial = ""
        self.start: date | None = None
        self.end: date | None = None

    def contract(self) -> Contract | None:
        """Return the contract, ``None`` when the row has a fault."""
        self.number = self.needed("number", "EIS-0001")
        name = self.needed("name", "Aceros de Ateos, S.A. de C.V.")
        self.serial = self.needed("meter", "5614086")
        if self.default_tariff is None:
            tariff = self.needed("tariff", "EIS-TOU")
        else:
            tariff = self.text("tariff") or self.default_tariff
        self.start, self.end = start, end = self.first_day(), self.day_after_last()
        if start and end and end <= start:
            self.fault(
                BadCell(
                    "unreadable-date",
                    self.table.at(self.row, "end"),
                    f"the last day of supply lies before the first, {start}. Correct one of them.",
                )
            )
        contracted, losses = self.amount("contracted_kw"), self.amount("loss_factor")
        fee = self.amount("municipal_fee")
        retention, discount = self.share("retention"), self.share("discount")
        address, municipality = self.text("address"), self.text("municipality")
        customer = Customer(
            code=self.number,
            name=name,
            nit=self.text("nit"),
            ncr=self.text("ncr"),
            address=address,
            municipality=municipality,
            phone=self.text("phone"),
            email=self.text("email"),
            activity=self.text("activity"),
        )
        meter = Meter(serial=self.serial, site=Site(node=self.text("node"), municipality=municipality, address=address))
        if self.faults or start is None:
            return None
        return Contract(
            number=self.number,
            customer=customer,
            meter=meter,
            tariff=tariff,
            contracted_kw=contracted,
            loss_factor=losses,
            municipal_fee=fee,
            retention_rate=retention,
            discount_rate=discount,
            start=start,
            end=end,
            notes=self.notes(),
        )

    def fault(self, error: BadCell) -> None:
        sheet = self.table.sheet
        self.faults.append(
            blocking(
                error.code,
                self.number or f"{sheet.file}, row {self.row + 1}",
                str(error),
                file=sheet.file,
                sheet=sheet.name,
                cell=error.where.rpartition(" ")[2],
            )
        )

    def text(self, field: str) -> str:
        try:
            return self.table.text(self.row, field)
        except BadCell as error:
            self.fault(error)
            return ""

    def needed(self, field: str, example: str) -> str:
        try:
            return self.table.needed(self.row, field, example)
        except BadCell as error:
            self.fault(error)
            return ""

    def amount(self, field: str) -> Sourced | None:
        """An amount that is zero or more, ``None`` where the cell is empty."""
        if not self.table.has(field):
            return None
        try:
            number = self.table.positive(self.row, field)
        except BadCell as error:
            self.fault(error)
            return None
        return None if number is None else Sourced(number, self.table.origin(self.row, field))

    def share(self, field: str) -> Sourced | None:
        """A share from a column of percent, ``None`` where the cell is empty."""
        amount = self.amount(field)
        if amount is None:
            return None
        if amount.value > _HUNDRED:
            self.fault(
                BadCell(
                    "share-above-one",
                    self.table.at(self.row, field),
                    f"found {amount.value} %, expected 0 to 100 in {self.table.heading(field)!r}. Correct it; 1 means 1 %.",
                )
            )
        return Sourced(quotient(amount.value, _HUNDRED), amount.origin)

    def first_day(self) -> date | None:
        before = len(self.faults)
        day = self.day("start") or self.default_start
        if day is None and len(self.faults) == before:
            self.needed("start", "2020-09-01")
        return day

    def day_after_last(self) -> date | None:
        day = self.day("end")
        return None if day is None else day + timedelta(days=1)

    def day(self, field: str) -> date | None:
        if not self.table.has(field):
            return None
        try:
            return self.table.day(self.row, field)
        except BadCell as error:
            self.fault(error)
            return None

    def notes(self) -> dict[str, str]:
        """Every filled cell of a column nobody asked for, under its header or its letter."""
        table = self.table
        known = set(table.header.columns.values())
        names = {column: name for name, column in table.header.unknown.items()}
        line = table.sheet.rows[self.row]
        cells = {names.get(c, f"column {cell(0, c)[:-1]}"): text_of(v) for c, v in enumerate(line) if c not in known}
        return {name: text for name, text in cells.items() if text}


def _check_units(table: Table) -> None:
    for field, units in _UNITS.items():
        unit = table.unit(field) if table.has(field) else None
        if unit is not None and unit.casefold().replace(" ", "") not in units:
            raise BadTable(
                f"{table.at_header(field)}: found the unit {unit!r}, expected {units[0]}. Convert the column and correct the header."
            )
    for field in ("retention", "discount"):
        if not table.has(field) or "%" in table.heading(field) or _says_percent(table.heading(field)):
            continue
        if any(table.sheet.rows[row][table.header.columns[field]] not in (None, "", 0) for row in table.rows):
            raise BadTable(
                f"{table.at_header(field)}: {table.heading(field)!r} does not say whether 1 means 1 % or all of it, "
                f"expected a column of percent. Name it {table.heading(field) + ' %'!r} and type 1 for 1 %."
            )


def _says_percent(heading: str) -> bool:
    return any(word in ("pct", "percent", "porcentaje", "porciento") for word in fold(heading).split())


def _repeated(rows: list[_Row]) -> dict[int, Finding]:
    """Rows that claim the same contract number, or the same meter for the same days, whatever their other faults.

    :returns: row -> finding; none of the rows is taken, since nobody can say which is right
    """
    claims: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        claims.setdefault(("number", row.number.casefold()), []).append(row)
        claims.setdefault(("meter", row.serial.casefold()), []).append(row)
    result: dict[int, Finding] = {}
    for (field, key), claimants in claims.items():
        for one in claimants if key else ():
            other = next((o for o in claimants if o is not one and (field == "number" or _overlap(one, o))), None)
            if other is not None and one.row not in result:
                result[one.row] = _repeat(field, one, other)
    return result


def _repeat(field: str, one: _Row, other: _Row) -> Finding:
    table, number = one.table, field == "number"
    what = f"contract {one.number}" if number else f"meter {one.serial}"
    todo = (
        "Correct one of the numbers." if number else "Correct one, or end the earlier contract before the later starts."
    )
    return blocking(
        "duplicate-contract" if number else "duplicate-meter",
        one.number or f"{table.sheet.file}, row {one.row + 1}",
        f"{table.at(one.row, field)}: {what} stands in {table.at(other.row, field)} too, expected it once. {todo}",
        file=table.sheet.file,
        sheet=table.sheet.name,
        cell=table.at(one.row, field).rpartition(" ")[2],
    )


def _overlap(one: _Row, other: _Row) -> bool:
    """Whether two rows supply on one day; a date that could not be read counts as always."""
    return _starts_before_end(one, other) and _starts_before_end(other, one)


def _starts_before_end(one: _Row, other: _Row) -> bool:
    return other.end is None or one.start is None or one.start < other.end


def _unknown(table: Table) -> list[Finding]:
    """Columns nobody asked for. One of numbers may be a charge under a name that is not known: somebody should look."""
    sheet = table.sheet
    result = []
    for heading, column in table.header.unknown.items():
        if fold(heading) in _REMARKS:
            continue
        numbers = any(isinstance(sheet.rows[row][column], int | float) for row in table.rows)
        note = warning if numbers else info
        result.append(
            note(
                "unknown-column",
                sheet.file,
                f"{sheet.at(table.header.row, column)}: the column {heading!r} is not known, expected one of the known headers; "
                "it is kept in the contracts' notes. Rename it if it belongs to the bill.",
                file=sheet.file,
                sheet=sheet.name,
                cell=cell(table.header.row, column),
            )
        )
    return result
