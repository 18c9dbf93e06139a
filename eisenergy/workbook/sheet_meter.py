"""The meter's sheet: customer and parameters, the matrix of blocks, the invoice's lines, the intervals.

Source: reference workbook, sheet ``Nodo Ateos 5614086``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from eisenergy.billing.model import BlockSummary, LineCode
from eisenergy.money import excel_round, total
from eisenergy.tariffs.model import DemandBasis
from eisenergy.workbook import sheet_head, sheet_slots
from eisenergy.workbook.layout import (
    BRAND,
    ESTIMATED,
    EXACT,
    INPUT,
    MOMENT,
    MONEY,
    MUTED,
    PANEL,
    RULE,
    TOTAL,
    Page,
    comparable,
    fixed,
    ref,
    rounded,
    serial,
)
from eisenergy.workbook.sheet_calendar import HourLookup
from eisenergy.workbook.sheet_head import DISCOUNT, FEE, FTPMS, LOSS, RETENTION, VAT
from eisenergy.workbook.sheet_slots import Area, Slots
from eisenergy.workbook.sheet_tariffs import RateSheet

if TYPE_CHECKING:
    from eisenergy.workbook.export import Source

LABELS: Final = {
    LineCode.ENERGY: "Costo de energia",
    LineCode.DEMAND: "Cargo por demanda",
    LineCode.LOSSES: "Ajuste por perdidas",
    LineCode.FTPMS: "Recargo FTPMS",
    LineCode.DEVIATION: "Cargo por desviacion",
    LineCode.DISCOUNT: "Descuento",
    LineCode.CORRECTION: "Correccion de periodos anteriores",
    LineCode.SUBTOTAL: "Subtotal gravado",
    LineCode.VAT: "IVA",
    LineCode.RETENTION: "Retencion IVA",
    LineCode.MUNICIPAL_FEE: "Tasa municipal",
    LineCode.TOTAL: "TOTAL A PAGAR",
}
NAMES: Final = {
    LineCode.ENERGY: "Costo_de_energia",
    LineCode.DEMAND: "Cargo_por_demanda",
    LineCode.LOSSES: "Ajuste_por_perdidas",
    LineCode.FTPMS: "Recargo_FTPMS",
    LineCode.DEVIATION: "Cargo_por_desviacion",
    LineCode.DISCOUNT: "Descuento",
    LineCode.CORRECTION: "Correccion",
    LineCode.SUBTOTAL: "Subtotal_gravado",
    LineCode.VAT: "IVA",
    LineCode.RETENTION: "Retencion_IVA",
    LineCode.MUNICIPAL_FEE: "Tasa_municipal",
    LineCode.TOTAL: "Total_a_pagar",
}
MATRIX: Final = (
    *("Bloque", "Energia kWh", "Costo energia", "Maximo kW", "Fecha del maximo", "Recargo FTPMS", "Ajuste perdidas"),
    "Cargo desviacion",
)
MATRIX_HEADER: Final = 10
SUMS: Final = {
    2: sheet_slots.KWH,
    3: sheet_slots.COST,
    6: sheet_slots.FTPMS_AMOUNT,
    7: sheet_slots.LOSS_AMOUNT,
    8: sheet_slots.DEVIATION,
}
"""Column of the matrix -> column of the intervals that it sums."""


@dataclass(frozen=True, slots=True)
class Meter:
    """Where things stand on the meter's sheet.

    :param names: defined name -> what it refers to
    :param lines: line -> row; its amount is in column B
    :param halves: lines that end on half a cent, see :func:`eisenergy.workbook.layout.rounded`
    """

    page: Page
    names: Mapping[str, str]
    lines: Mapping[LineCode, int]
    total: int
    area: Area
    halves: frozenset[LineCode]
    day_kinds: bool

    @property
    def sheet(self) -> str:
        """The sheet's name."""
        return self.page.name


def write(
    page: Page, source: Source, slots: Slots, hours: HourLookup, rates: RateSheet, corrections: Page | None
) -> Meter:
    """Write the meter's sheet, and return where things stand on it."""
    blocks = source.bill.blocks
    bottom = MATRIX_HEADER + len(blocks) + 1  # the matrix's totals
    lines = {line.code: bottom + 2 + number for number, line in enumerate(source.bill.lines)}
    first = lines[LineCode.TOTAL] + 5
    area = Area(first, first + len(slots.frame) - 1)
    sheet_head.write(page, source, slots)
    _matrix(page, source, area, bottom)
    where = _correct(corrections, source)
    halves = _lines(page, source, lines, bottom, rates, where)
    _legend(page, first - 3, slots)
    page.table(first - 1, area.last, sheet_slots.HEADERS, "Intervalos")
    sheet_slots.write(page, slots, source.tariff, area, hours, rates, loss_cell=fixed(*LOSS), ftpms_cell=fixed(*FTPMS))
    page.chart(
        MATRIX_HEADER,
        10,
        f"Potencia media (kW), {source.bill.period.start:%Y-%m}",
        (area.column(sheet_slots.DATE), area.column(sheet_slots.KW)),
    )
    _print(page, area, len(sheet_slots.HEADERS))
    cells = {NAMES[code]: (row, 2) for code, row in lines.items()}
    cells |= {"Energia_kWh": (bottom, 2), "Maximo_kW": (bottom, 4), "Fecha_del_maximo": (bottom, 5)}
    cells |= {"Tasa_de_IVA": VAT, "Tasa_de_retencion": RETENTION, "Tasa_de_descuento": DISCOUNT}
    cells |= {"Factor_de_perdidas": LOSS, "Precio_FTPMS": FTPMS, "Factura": (2, 5)}
    names = {name: fixed(*place, sheet=page.name) for name, place in cells.items()}
    return Meter(page, names, lines, bottom, area, halves, bool(hours.days))


def _matrix(page: Page, source: Source, area: Area, bottom: int) -> None:
    page.headers(MATRIX_HEADER, 1, MATRIX)
    blocks = area.column(sheet_slots.BLOCK)
    kw = area.column(sheet_slots.KW)
    body: dict[str, Any] = {"border": 1, "border_color": RULE}
    first = MATRIX_HEADER + 1
    plain = all(comparable(block.block) for block in source.bill.blocks)  # one formula for the whole column
    for row, block in enumerate(source.bill.blocks, first):
        page.text(row, 1, block.block, **body, bold=True)
        name = ref(row, 1)
        for column, value in _block_values(source, block).items():
            where = area.column(SUMS[column])
            text = f"=SUMIFS({where},{blocks},{name})" if plain else f"=SUMPRODUCT(({blocks}={name})*{where})"
            page.formula(row, column, text, value, **body, num_format=MONEY if column == 2 else EXACT)
        page.formula(row, 4, f"=SUMPRODUCT(MAX(({blocks}={name})*{kw}))", block.max_kw, **body, num_format=MONEY)
        found = f"MATCH(1,INDEX(({blocks}={name})*({kw}={ref(row, 4)}),0),0)"
        _moment(page, row, area, found, source, block, body)
    style: dict[str, Any] = body | {"bold": True, "bg_color": PANEL}
    page.text(bottom, 1, "Maximo de la matriz / Total", **style, text_wrap=True)
    for column in SUMS:
        value = total(_block_values(source, block)[column] for block in source.bill.blocks)
        text = f"=SUM({ref(first, column)}:{ref(bottom - 1, column)})"
        page.formula(bottom, column, text, value, **style, num_format=MONEY if column == 2 else EXACT)
    top = max(source.bill.blocks, key=lambda block: block.max_kw)
    page.formula(bottom, 4, f"=MAX({ref(first, 4)}:{ref(bottom - 1, 4)})", top.max_kw, **style, num_format=MONEY)
    tied = [block for block in source.bill.blocks if block.max_kw == top.max_kw and block.max_kw_at is not None]
    earliest = min(tied, key=lambda block: block.max_kw_at or source.invoice.issued_at)
    _moment(page, bottom, area, f"MATCH({ref(bottom, 4)},{kw},0)", source, earliest, style)


def _moment(
    page: Page, row: int, area: Area, found: str, source: Source, block: BlockSummary, style: dict[str, Any]
) -> None:
    """When a maximum was reached first; zero, which is not shown, where a block has no interval."""
    days, clocks = area.column(sheet_slots.DATE), area.column(sheet_slots.TIME)
    text = f"INDEX({days},{found})+INDEX({clocks},{found})"
    at = 0.0
    if block.max_kw_at is None:
        text = f"IF(COUNTIF({area.column(sheet_slots.BLOCK)},{ref(row, 1)})=0,0,{text})"
    else:
        at = serial(block.max_kw_at.astimezone(source.zone).replace(tzinfo=None))
    page.formula(row, 5, f"={text}", at, **style, num_format=f"{MOMENT};;", align="center")


def _block_values(source: Source, block: BlockSummary) -> dict[int, Decimal]:
    def of(code: LineCode) -> Decimal:
        return total(part.exact for part in source.parts(code) if part.block == block.block)

    return {
        2: block.kwh,
        3: block.energy_amount,
        6: of(LineCode.FTPMS),
        7: of(LineCode.LOSSES),
        8: of(LineCode.DEVIATION),
    }


def _correct(page: Page | None, source: Source) -> str:
    """Write the differences of earlier periods; return their cells."""
    parts = source.parts(LineCode.CORRECTION)
    if page is None:
        return ""
    page.headers(1, 1, ("Periodo", "Desde", "Hasta", "Diferencia", "De donde sale"))
    style: dict[str, Any] = {"font_color": INPUT, "border": 1, "border_color": RULE}
    for row, part in enumerate(parts, 2):
        page.text(row, 1, part.label, **style)
        if part.period is not None:
            page.day(row, 2, part.period.start, **style)
            page.day(row, 3, part.period.end - timedelta(days=1), **style)
        page.number(row, 4, part.exact, **style, num_format="#,##0.00####")
        page.text(row, 5, part.origin, border=1, border_color=RULE, font_color=MUTED)
    page.widths(28, 12, 12, 14, 80)
    page.sheet.freeze_panes(1, 0)
    return fixed(2, 4, len(parts) + 1, sheet=page.name)


def _lines(
    page: Page, source: Source, rows: Mapping[LineCode, int], bottom: int, rates: RateSheet, corrections: str
) -> frozenset[LineCode]:
    amounts = {line.code: line for line in source.bill.lines}

    def cells(first: LineCode, last: LineCode) -> str:
        return f"{ref(rows[first], 2)}:{ref(rows[last], 2)}"

    before = LineCode.CORRECTION if LineCode.CORRECTION in rows else LineCode.DISCOUNT
    subtotal, exact = ref(rows[LineCode.SUBTOTAL], 2), {code: line.exact for code, line in amounts.items()}
    charged = cells(LineCode.ENERGY, LineCode.DEVIATION)
    fee = fixed(*FEE)
    texts = {
        LineCode.ENERGY: rounded(ref(bottom, 3), exact[LineCode.ENERGY]),
        LineCode.DEMAND: rounded(_demand(source, bottom, rates), exact[LineCode.DEMAND]),
        LineCode.LOSSES: rounded(ref(bottom, 7), exact[LineCode.LOSSES]),
        LineCode.FTPMS: rounded(ref(bottom, 6), exact[LineCode.FTPMS]),
        LineCode.DEVIATION: rounded(ref(bottom, 8), exact[LineCode.DEVIATION]),
        LineCode.DISCOUNT: "-" + rounded(f"SUM({charged})*{fixed(*DISCOUNT)}", exact[LineCode.DISCOUNT]),
        LineCode.SUBTOTAL: f"SUM({cells(LineCode.ENERGY, before)})",
        LineCode.VAT: rounded(f"{subtotal}*{fixed(*VAT)}", exact[LineCode.VAT]),
        LineCode.RETENTION: "-" + rounded(f"{subtotal}*{fixed(*RETENTION)}", exact[LineCode.RETENTION]),
        LineCode.MUNICIPAL_FEE: fee
        if exact[LineCode.MUNICIPAL_FEE] == excel_round(exact[LineCode.MUNICIPAL_FEE])
        else rounded(fee, exact[LineCode.MUNICIPAL_FEE]),
        LineCode.TOTAL: f"SUM({cells(LineCode.SUBTOTAL, LineCode.MUNICIPAL_FEE)})",
    }
    if corrections:
        texts[LineCode.CORRECTION] = rounded(f"SUM({corrections})", exact[LineCode.CORRECTION])
    for code, row in rows.items():
        style: dict[str, Any] = {"bottom": 1, "bottom_color": RULE}
        if code is LineCode.SUBTOTAL:
            style |= {"bold": True, "bg_color": PANEL}
        elif code is LineCode.TOTAL:
            style |= {"bold": True, "bg_color": TOTAL, "top": 1, "bottom": 6, "bottom_color": BRAND, "font_size": 12}
        page.text(row, 1, LABELS[code], **({"bold": True} | style))
        page.formula(row, 2, f"={texts[code]}", amounts[code].amount, **style, num_format=MONEY)
    return frozenset(code for code, text in texts.items() if "ROUND(ROUND(" in text)


def _demand(source: Source, bottom: int, rates: RateSheet) -> str:
    """Return the demand charge before rounding; a rate that changes inside the period is weighted by days."""
    rules = source.tariff.rules
    if rules.demand_basis is DemandBasis.PERIOD_MAX:
        return f"{ref(bottom, 4)}*{rates.average(rules.demand_rate_block or next(iter(rates.demand)))}"
    charged = [(row, block) for row, block in enumerate(source.bill.blocks, MATRIX_HEADER + 1) if block.slots]
    return "+".join(f"{ref(row, 4)}*{rates.average(block.block)}" for row, block in charged)


def _legend(page: Page, row: int, slots: Slots) -> None:
    page.text(row, 1, "Azul: dato de entrada.", font_color=INPUT, italic=True)
    page.text(row, 3, "Negro: fórmula.", italic=True)
    if slots.estimated:
        page.text(row, 5, "Fondo naranja: lectura estimada.", italic=True, bg_color=ESTIMATED)
        page.blank(row, 6, bg_color=ESTIMATED)


def _print(page: Page, area: Area, columns: int) -> None:
    sheet = page.sheet
    page.widths(26, 13, 13, 13, 16, 14, 14, 14, 11, 10, 12, 10, 12, 10, 12, 10, 10, 12, 10)
    sheet.set_row(0, 24)
    sheet.set_row(MATRIX_HEADER - 1, 30)
    sheet.set_row(area.first - 2, 30)
    sheet.freeze_panes(1, 2)
    sheet.repeat_rows(area.first - 2)
    sheet.print_area(0, 0, area.last - 1, columns - 1)
