"""The head of the meter's sheet: customer and contract, invoice, parameters and options, each a label with its value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from eisenergy.billing.model import LineCode
from eisenergy.workbook.layout import BRAND, DAY, INPUT, MONEY, PANEL, RULE, SHARE, Page
from eisenergy.workbook.sheet_slots import From, Slots

if TYPE_CHECKING:
    from eisenergy.workbook.export import Source

FEE, DISCOUNT, VAT, RETENTION = ((row, 5) for row in (5, 6, 7, 8))
LOSS, FTPMS = (7, 2), (8, 2)
"""(row, column) of the parameters that formulas read."""
_TEXT: Final[dict[str, Any]] = {"font_color": INPUT}
_GIVEN: Final[dict[str, Any]] = {"font_color": INPUT, "bg_color": PANEL, "border": 1, "border_color": RULE}


def write(page: Page, source: Source, slots: Slots) -> None:
    """Write the labelled cells above the matrix of blocks: customer, parameters, invoice, options."""
    invoice, bill, contract = source.invoice, source.bill, source.bill.contract
    page.text(
        1,
        1,
        f"{invoice.issuer.name} - Procesamiento de descargas de medidores",
        bold=True,
        font_size=14,
        font_color=BRAND,
    )
    label = _label(page)
    label(2, 1, "Cliente", contract.customer.name)
    label(3, 1, "Medidor", contract.meter.serial)
    label(4, 1, "Nodo", contract.meter.site.node)
    label(5, 1, "Periodo")
    page.day(5, 2, bill.period.start, **_TEXT, align="left")
    page.day(5, 3, bill.period.end - timedelta(days=1), **_TEXT, align="left", num_format=f'"a "{DAY}')
    label(6, 1, "Potencia contratada (kW)")
    if contract.contracted_kw is None:
        page.text(6, 2, "no indicada", **_TEXT)  # an empty cell would leave the label to the next one's value
    else:
        page.number(6, 2, contract.contracted_kw.value, **_GIVEN, num_format="#,##0.##")
    for place, name, price in ((LOSS, "Factor de perdidas", slots.loss), (FTPMS, "FTPMS", slots.ftpms)):
        label(place[0], place[1] - 1, name)
        if price.source in (From.PARAMETER, From.NOBODY):
            page.number(*place, price.value, **_GIVEN, num_format="0.0000##")
        else:
            page.text(*place, "de la lectura" if price.source is From.READINGS else "ver Tarifas", **_TEXT)
    label(2, 4, "Factura", invoice.number)
    label(3, 4, "Emisión")
    page.day(3, 5, invoice.issued_on, **_TEXT, align="left")
    label(4, 4, "Vencimiento")
    page.day(4, 5, invoice.due_on, **_TEXT, align="left")
    for (row, column), name, code, style in (
        (FEE, f"Tasa municipal ({bill.currency})", LineCode.MUNICIPAL_FEE, MONEY),
        (DISCOUNT, "Descuento", LineCode.DISCOUNT, SHARE),
        (VAT, "IVA", LineCode.VAT, SHARE),
        (RETENTION, "Retencion IVA", LineCode.RETENTION, SHARE),
    ):
        label(row, column - 1, name)
        rate = float(source.parts(code)[0].rate)
        reduces = code in (LineCode.DISCOUNT, LineCode.RETENTION)
        page.number(row, column, 0.0 - rate if reduces else rate, **_GIVEN, num_format=style)
    _others(page, source, slots)


def _others(page: Page, source: Source, slots: Slots) -> None:
    """Contract, customer, and the options of the bill."""
    invoice, bill, contract = source.invoice, source.bill, source.bill.contract
    who, site, rules = contract.customer, contract.meter.site, source.tariff.rules
    label = _label(page)
    label(2, 7, "Contrato", contract.number)
    label(3, 7, "NIT", who.nit)
    label(4, 7, "NCR", who.ncr)
    label(5, 7, "Pliego", bill.tariff)
    label(6, 7, "Calendario", bill.calendar)
    label(7, 7, "Zona horaria", bill.timezone)
    label(8, 7, "Huella (sha256)", invoice.input_hash)
    label(2, 10, "Dirección", who.address)
    label(3, 10, "Municipio", site.municipality)
    label(4, 10, "Teléfono", who.phone)
    label(5, 10, "Correo", who.email)
    label(6, 10, "Giro", who.activity)
    options = (
        ("Base de la demanda", str(rules.demand_basis)),
        ("Bloque de la demanda", rules.demand_rate_block or ""),
        ("Base de las pérdidas", str(rules.loss_basis)),
        ("Bloques con FTPMS", ", ".join(rules.ftpms_blocks) or "ninguno"),
        ("Modo de desviación", str(rules.deviation_mode)),
    )
    for row, (name, value) in enumerate((pair for pair in options if pair[1]), 2):
        page.text(row, 15, name, bold=True)
        page.text(row, 17, value, **_TEXT)
    page.text(7, 15, "Intervalos", bold=True)
    page.text(7, 17, f"{len(slots.frame)} de {bill.slots_expected}, {slots.estimated} estimados", **_TEXT)


def _label(page: Page) -> Callable[..., None]:
    def label(row: int, column: int, name: str, value: str | None = None) -> None:
        page.text(row, column, name, bold=True)
        if value is not None:
            page.text(row, column + 1, value, **_TEXT)

    return label
