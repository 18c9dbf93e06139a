"""Words in two languages, and the roles they say."""

from __future__ import annotations

import pytest

from eisenergy.workbook import roles
from eisenergy.workbook.statement import NOTHING, ROLES

WORDS = {
    "slot.date": ("Fecha", "Fecha de lectura", "Date", "Reading date"),
    "slot.time": ("Hora", "Hora inicio", "Time", "Start time"),
    "slot.stamp": ("Fecha y hora", "Marca de tiempo", "Date and time", "Timestamp"),
    "slot.kwh": ("kWh", "Energía activa (kWh)", "Consumo", "Energy", "Consumption kWh"),
    "slot.kw": ("kW", "Demanda (kW)", "Potencia activa", "Active power", "Demand"),
    "slot.kva": ("kVA", "Potencia aparente", "Apparent power (kVA)"),
    "slot.kvar": ("kVAr", "Potencia reactiva", "Reactive power"),
    "slot.hour": ("Hora del día", "Hour", "Hour of the day"),
    "slot.block": ("Bloque", "Bloque horario", "Franja horaria", "Time of use", "TOU block"),
    "slot.forecast": ("Pronóstico", "Energía pronosticada (kWh)", "Forecast", "Forecast energy kWh"),
    "slot.energy_rate": ("Tarifa", "Tarifa energía (USD/kWh)", "Precio por energía", "Energy price", "Rate"),
    "slot.energy_cost": ("Costo energía (USD)", "Cargo por energía", "Energy cost", "Charge for energy"),
    "slot.loss_factor": ("Factor de pérdidas", "FACTOR PERDIDA", "Loss factor", "Losses factor"),
    "slot.loss_amount": ("Ajuste por pérdidas", "Importe pérdidas", "Loss charge", "Adjustment for losses"),
    "slot.ftpms": ("FTPMS", "Tarifa FTPMS", "FTPMS rate"),
    "slot.ftpms_amount": ("Recargo FTPMS", "Cargo FTPMS (USD)", "FTPMS surcharge"),
    "slot.cost_pos": ("Costo Desv Pos", "Costo desviación positiva", "Positive deviation cost", "Cost Des Pos"),
    "slot.cost_neg": ("Costo Desv Neg", "Costo desviaciones negativas", "Negative deviation cost", "Cost Des Neg"),
    "slot.deviation_amount": ("Cargo por desviación", "Importe desviaciones", "Deviation charge"),
    "block.label": ("Bloque", "Franja", "Block"),
    "block.kwh": ("kWh", "Consumo de energía", "Active energy"),
    "block.energy_cost": ("Costo energía", "Energy amount"),
    "block.max_kw": ("Máximo kW", "Demanda máxima", "Pico (kW)", "Peak demand", "Maximum kW"),
    "block.max_kw_at": ("Fecha del máximo", "Fecha y hora máxima", "Date of peak", "Peak date"),
    "block.ftpms_amount": ("Recargo FTPMS", "FTPMS charge"),
    "block.loss_amount": ("Ajuste por pérdidas", "Losses amount"),
    "block.deviation_amount": ("Cargo desviación", "Deviations cost"),
    "rates.block": ("Bloque tarifario", "Time block"),
    "rates.from": ("VigenteDesde", "Fecha de vigencia", "Valid from", "Effective date"),
    "rates.until": ("Vigente hasta", "Valid until", "End date"),
    "rates.energy": ("Tarifa kWh", "Precio energía", "Cargo por energía", "Energy", "kWh rate"),
    "rates.demand": ("Tarifa demanda", "Cargo por potencia", "Demand charge", "Rate demand"),
    "rates.ftpms": ("FTPMS", "Precio FTPMS", "FTPMS price"),
    "rates.cost_pos": ("Costo Des Pos", "Cost of positive deviation"),
    "rates.cost_neg": ("Costo Des Neg", "Cost of negative deviation"),
    "day.day": ("Día", "Fecha", "Day", "Date"),
    "day.demand": ("Tarifa demanda VALLE", "Precio de potencia RESTO", "Demand rate PEAK", "Demand VALLE"),
    "hours.first": ("Hora inicial", "Desde", "HoraInicio", "Start hour", "From"),
    "hours.last": ("Hora final", "Hasta", "End hour", "To"),
    "hours.block": ("Bloque", "Tariff block"),
    "hour.hour": ("Hora", "Hour"),
    "hour.block": ("Bloque", "Block"),
    "slot.day_kind": ("Tipo de día", "Day type"),
    "hours.day_kind": ("Clase de día", "Type of day"),
    "kinds.day": ("Día", "Fecha", "Date"),
    "kinds.day_kind": ("Tipo de día", "Tipos de días", "Day type", "Kind of the day"),
    "kinds.column": ("Columna", "No. de columna", "Number of column"),
    "losses.from": ("PerdidasDesde", "Vigente desde", "Losses from", "Effective date"),
    "losses.factor": ("Factor de pérdidas", "Loss factor"),
    "corrections.period": ("Período", "Factura", "Month"),
    "corrections.first": ("Desde", "From"),
    "corrections.last": ("Hasta", "Until"),
    "corrections.amount": ("Diferencia", "Corrección", "Difference"),
    "param.timezone": ("Zona horaria", "Huso horario", "Time zone"),
    "param.customer": ("Cliente", "Nombre del cliente", "Customer"),
    "param.meter": ("Medidor No.", "Contador", "Meter number"),
    "param.node": ("Nodo", "Punto de retiro", "Node"),
    "param.period": ("Período", "Mes", "Period", "Month"),
    "param.contracted_kw": ("Potencia contratada (kW)", "Capacidad contratada", "Contracted demand"),
    "param.loss_factor": ("Factor de pérdidas", "Loss factor"),
    "param.ftpms": ("FTPMS", "Tarifa FTPMS (USD/kWh)", "FTPMS rate"),
    "param.municipal_fee": ("Tasa municipal", "Tasas municipales (USD)", "Municipal fee"),
    "param.discount": ("Descuento", "Porcentaje de descuento (%)", "Discount rate"),
    "param.vat": ("IVA", "Tasa de IVA", "IVA (%)", "VAT rate"),
    "param.retention": ("Retención", "Porcentaje de retención IVA", "Withholding rate"),
    "param.demand_basis": ("Base de la demanda", "Demand basis"),
    "param.demand_rate_block": ("Bloque de la tarifa de demanda", "Demand rate block"),
    "param.loss_basis": ("Base de pérdidas", "Losses basis"),
    "param.ftpms_blocks": ("Bloques con FTPMS", "FTPMS blocks"),
    "param.deviation_mode": ("Modo de desviación", "Deviation mode"),
    "line.energy": ("Cargo por energía", "Energy charge"),
    "line.demand": ("Cargo por demanda", "Costo de potencia", "Demand charge"),
    "line.losses": ("Ajuste por pérdidas", "Loss adjustment"),
    "line.ftpms": ("Más: recargo FTPMS", "FTPMS surcharge"),
    "line.deviation": ("Cargo por desviación", "Deviation cost"),
    "line.discount": ("Menos: descuento", "Less discount"),
    "line.correction": ("Corrección de julio", "Ajuste de períodos anteriores", "Correction", "Corrections of July"),
    "line.subtotal": ("Subtotal", "Sub-total gravado", "Taxable subtotal"),
    "line.vat": ("IVA", "Más: IVA (13 %)", "IVA 13%", "VAT", "Value added tax"),
    "line.retention": ("Menos: retención IVA", "Retención 1.0 %", "Withholding"),
    "line.municipal_fee": ("Tasa municipal", "Municipal fee"),
    "line.total": ("Total a pagar (USD)", "TOTAL", "Monto a pagar", "Amount due", "Total payable"),
}


def role_of(table: str, text: str) -> str:
    """The role that words alone say."""
    if table == "param":
        return roles.parameter_role(text)
    if table == "line":
        return roles.line_role(text)
    named = roles.header_role(table, text)
    return f"{table}.{named}" if named else ""


@pytest.mark.parametrize(
    ("role", "text"),
    [(role, text) for role, texts in WORDS.items() for text in texts if role != "slot.hour" or text != "Hora"],
)
def test_a_role_is_known_by_its_words_in_both_languages(role: str, text: str) -> None:
    table = role.partition(".")[0]
    assert role_of(table, text) == role
    assert role_of(table, f"  {text.upper()}: ") == role


def test_every_role_has_words() -> None:
    with_words = {role for role in ROLES if role != NOTHING and not role.startswith("total.")}
    assert set(WORDS) == with_words


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("slot", "Costo energía con IVA"),
        ("slot", "kWh acumulado"),
        ("slot", "Fecha de instalación"),
        ("block", "Promedio kW"),
        ("rates", "Observaciones"),
        ("param", "Precio medio"),
        ("line", "Total kWh"),
        ("line", "Subtotal de agosto"),
    ],
)
def test_words_that_only_resemble_a_role_are_none(table: str, text: str) -> None:
    assert role_of(table, text) == ""
