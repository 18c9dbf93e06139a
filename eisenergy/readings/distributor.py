"""The distributor's report: what it read and charged per supply, to be compared with our own readings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from eisenergy.contents import UnreadableFile
from eisenergy.findings import Finding, blocking, warning
from eisenergy.money import decimal_of, total
from eisenergy.period import Period
from eisenergy.readings import stamps
from eisenergy.sheets import Header, Sheet, Workbook, find_header, fold, open_sheets

_WANTED: Final[Mapping[str, tuple[str, ...]]] = {
    "nic": ("nic", "numero de cuenta", "cuenta", "account"),
    "customer": ("cliente", "nombre", "customer", "titular"),
    "meter": ("medidor", "meter", "no medidor", "numero de medidor", "meter serial"),
    "previous": ("lectura anterior", "previous reading"),
    "current": ("lectura actual", "current reading"),
    "total_kwh": ("total kwh", "kwh total", "consumo kwh", "kwh"),
    "max_kw": ("demanda max kw", "demanda maxima kw", "max demand kw", "max kw"),
    "total_amount": ("total usd", "total", "monto total", "total amount"),
}
_REQUIRED: Final = ("nic", "meter", "total_kwh")
_DATE: Final = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
_PERIOD: Final = re.compile(rf"({_DATE})\D{{1,6}}({_DATE})")
_CENT: Final = Decimal("0.005")
_HEAD_ROWS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributorRow:
    """One supply in the report.

    :param nic: the distributor's number of the supply
    :param previous: register at the start of the period [kWh]; likewise ``current`` at its end
    :param kwh: block as the report names it -> energy [kWh]
    :param max_kw: maximum demand [kW]
    :param amounts: header as in the report -> amount
    :param origin: file, sheet and row
    """

    nic: str
    customer: str
    meter: str
    previous: Decimal | None
    current: Decimal | None
    kwh: Mapping[str, Decimal]
    total_kwh: Decimal
    max_kw: Decimal | None
    amounts: Mapping[str, Decimal]
    total_amount: Decimal | None
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributorReport:
    """A distributor's report of one period.

    :param title: the report's first line
    """

    file: str
    title: str
    period: Period
    rows: tuple[DistributorRow, ...]
    findings: tuple[Finding, ...] = field(default=())

    def meter(self, serial: str) -> DistributorRow | None:
        """Return a meter's row, ``None`` when the report has none."""
        return next((row for row in self.rows if row.meter == serial), None)


def recognises(path: Path) -> bool:
    """Say whether a workbook is a distributor's report: a table of supplies with number, meter and total kWh."""
    book = Workbook(path)
    for name in book.names:
        frame, _ = book.frame(name, "string", _HEAD_ROWS)
        if is_one(Sheet(book.file, name, [list(row) for row in frame.iter_rows()])):
            return True
    return False


def is_one(sheet: Sheet) -> bool:
    """Say whether a sheet holds the table of a distributor's report."""
    return find_header(sheet, _WANTED, _REQUIRED) is not None


def read_report(path: Path) -> DistributorReport:
    """Read a distributor's report.

    :raises UnreadableFile: when it is none, or names no period
    """
    for sheet in open_sheets(path):
        header = find_header(sheet, _WANTED, _REQUIRED)
        if header is not None:
            return _report(sheet, header)
    raise UnreadableFile(
        f"{path.name}: no sheet is a distributor's report. Expected a row of headers with NIC, Medidor and Total kWh."
    )


def _report(sheet: Sheet, header: Header) -> DistributorReport:
    blocks = _blocks(sheet, header)
    amounts = {name: column for name, column in header.unknown.items() if column not in blocks.values()}
    rows: list[DistributorRow] = []
    findings: list[Finding] = []
    totals: int | None = None
    for index in range(header.row + 1, len(sheet.rows)):
        line = sheet.rows[index]
        first = next((value for value in line if value is not None), None)
        if first is None:
            continue
        if isinstance(first, str) and fold(first).split()[:1] in (["total"], ["totales"]):
            totals = index
            continue
        row, problems = _row(sheet, index, header, blocks, amounts)
        findings += problems
        if row is not None:
            rows.append(row)
    if totals is not None:
        findings += _check_totals(sheet, totals, header, blocks, amounts, rows)
    title = next((value for line in sheet.rows[: header.row] for value in line if isinstance(value, str)), "")
    return DistributorReport(
        file=sheet.file, title=title, period=_period(sheet, header.row), rows=tuple(rows), findings=tuple(findings)
    )


def _blocks(sheet: Sheet, header: Header) -> dict[str, int]:
    """Columns of the blocks: those that stand under a merged ``Energía (kWh)``, or say kWh themselves."""
    over = sheet.rows[header.row - 1] if header.row else []
    start = next(
        (
            column
            for column, value in enumerate(over)
            if isinstance(value, str) and "kwh" in fold(value).split() and column not in header.columns.values()
        ),
        None,
    )
    stop = len(sheet.rows[header.row])
    if start is not None:
        ends = [column for column in header.columns.values() if column > start]
        ends += [column for column, value in enumerate(over) if column > start and value is not None]
        stop = min(ends, default=stop)
    return {
        " ".join(word for word in name.split() if fold(word) != "kwh"): column
        for name, column in header.unknown.items()
        if (start is not None and start <= column < stop) or "kwh" in fold(name).split()
    }


def _figure(sheet: Sheet, row: int, column: int | None) -> tuple[Decimal | None, Finding | None]:
    value = None if column is None else sheet.rows[row][column]
    if value is None or isinstance(value, bool):
        return None, None
    if isinstance(value, (int, float)):
        return decimal_of(value), None
    try:
        return Decimal(str(value).strip().replace(" ", "")), None
    except ArithmeticError:
        assert column is not None
        return None, blocking(
            "not-a-number",
            sheet.file,
            f"{sheet.at(row, column)}: found {value!r}, expected a figure. Correct the cell, and load the file again.",
            row=row + 1,
        )


def _row(
    sheet: Sheet, index: int, header: Header, blocks: Mapping[str, int], amounts: Mapping[str, int]
) -> tuple[DistributorRow | None, list[Finding]]:
    problems: list[Finding] = []

    def text(name: str) -> str:
        column = header.columns.get(name)
        value = None if column is None else sheet.rows[index][column]
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return "" if value is None else str(value).strip()

    def number(column: int | None) -> Decimal | None:
        value, problem = _figure(sheet, index, column)
        if problem is not None:
            problems.append(problem)
        return value

    origin = f"{sheet.file}, sheet {sheet.name}, row {index + 1}"
    meter, kwh = text("meter"), number(header.columns["total_kwh"])
    if not meter or kwh is None:
        missing = "meter" if not meter else "total_kwh"
        place = sheet.at(index, header.columns[missing])
        problems.append(
            blocking(
                "report-row-incomplete",
                sheet.file,
                f"{place}: found nothing readable, expected the {'meter' if not meter else 'total kWh'} of supply "
                f"{text('nic') or '?'}. The row was left out. Ask the distributor for it.",
                row=index + 1,
            )
        )
        return None, problems
    by_block = {name: value for name, column in blocks.items() if (value := number(column)) is not None}
    row = DistributorRow(
        nic=text("nic"),
        customer=text("customer"),
        meter=meter,
        previous=number(header.columns.get("previous")),
        current=number(header.columns.get("current")),
        kwh=by_block,
        total_kwh=kwh,
        max_kw=number(header.columns.get("max_kw")),
        amounts={name: value for name, column in amounts.items() if (value := number(column)) is not None},
        total_amount=number(header.columns.get("total_amount")),
        origin=origin,
    )
    return row, problems + _check_row(row)


def _check_row(row: DistributorRow) -> list[Finding]:
    found: list[Finding] = []
    comparisons: list[tuple[str, str, Decimal]] = []
    if row.kwh:
        comparisons.append(("report-blocks-disagree", "its blocks sum to", total(row.kwh.values())))
    if row.previous is not None and row.current is not None:
        comparisons.append(
            ("report-registers-disagree", "its two register readings differ by", row.current - row.previous)
        )
    for code, what, value in comparisons:
        if abs(value - row.total_kwh) > _CENT * max(1, len(row.kwh)):
            found.append(
                warning(
                    code,
                    row.meter,
                    f"{row.origin}: {what} {value} kWh, and its total says {row.total_kwh} kWh. Expected the same. Ask the distributor.",
                    found=str(value),
                    total=str(row.total_kwh),
                )
            )
    return found


def _check_totals(
    sheet: Sheet,
    index: int,
    header: Header,
    blocks: Mapping[str, int],
    amounts: Mapping[str, int],
    rows: Sequence[DistributorRow],
) -> list[Finding]:
    sums: list[tuple[int, Decimal]] = [
        (header.columns["total_kwh"], total(row.total_kwh for row in rows)),
        *((column, total(row.kwh.get(name, Decimal(0)) for row in rows)) for name, column in blocks.items()),
        *((column, total(row.amounts.get(name, Decimal(0)) for row in rows)) for name, column in amounts.items()),
    ]
    if "total_amount" in header.columns:
        sums.append((header.columns["total_amount"], total(row.total_amount or Decimal(0) for row in rows)))
    found: list[Finding] = []
    for column, value in sums:
        said, problem = _figure(sheet, index, column)
        if problem is not None:
            found.append(problem)
        if said is not None and abs(said - value) > _CENT:
            found.append(
                warning(
                    "report-total-disagrees",
                    sheet.file,
                    f"{sheet.at(index, column)}: the total row says {said}, and the rows sum to {value}. Expected the same. "
                    "Ask the distributor for the rows that are missing.",
                    said=str(said),
                    sum=str(value),
                )
            )
    return found


def _period(sheet: Sheet, above: int) -> Period:
    for index, line in enumerate(sheet.rows[:above]):
        for column, value in enumerate(line):
            match = _PERIOD.search(value) if isinstance(value, str) else None
            if match is None:
                continue
            place = sheet.at(index, column)
            order = stamps.order_of([match[1], match[2]], None, place)
            first, last = stamps.read_date(match[1], order.value), stamps.read_date(match[2], order.value)
            if first is not None and last is not None and first <= last:
                return Period(first, last + timedelta(days=1))
            raise UnreadableFile(f"{place}: found {value!r}, expected a period such as 01/09/2021 - 30/09/2021.")
    raise UnreadableFile(
        f"{sheet.file}, sheet {sheet.name}: no period above the table. Expected a line such as 'Período de facturación: 01/09/2021 - 30/09/2021'."
    )
