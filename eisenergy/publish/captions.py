"""Words of charts and pages, Spanish (es) or English (en), and how numbers, dates and blocks are written in them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from eisenergy.billing.model import LineCode
from eisenergy.period import BillingMonth
from eisenergy.publish import texts

_ES: Final[dict[str, str]] = {
    "daily.title": "Energía por día y bloque",
    "monthly.title": "Energía de los últimos 13 meses",
    "gauge.title": "Demanda máxima frente a la potencia contratada",
    "heat.title": "Perfil de carga por día y hora",
    "duration.title": "Curva de duración de la carga",
    "duration.summary": "La mitad del mes la potencia superó {half} kW; una décima parte del mes, {tenth} kW.",
    "axis.share": "Parte del mes [%]",
    "axis.power": "Potencia [kW]",
    "breakdown.title": "De qué se compone su factura",
    "savings.title": "Ahorro frente a meses anteriores",
    "quality.title": "Calidad de las lecturas",
    "customers.energy": "Energía por cliente [kWh]",
    "customers.money": "Total facturado por cliente [{currency}]",
    "customers.health": "Intervalos estimados y faltantes por cliente",
    "history.title": "Energía de todos los clientes",
    "axis.day": "Día del mes",
    "axis.hour": "Hora del día",
    "axis.energy": "Energía [kWh]",
    "axis.mean_power": "Potencia media [kW]",
    "axis.money": "Monto [{currency}]",
    "axis.slots": "Intervalos",
    "axis.month": "Mes",
    "block": "Bloque",
    "weekday": "Día",
    "measured": "Medido",
    "estimated": "Estimado",
    "missing": "Faltante",
    "against_previous": "Frente al mes anterior",
    "against_last_year": "Frente al mismo mes del año anterior",
    "cumulative": "Acumulado",
    "quantity": "Concepto",
    "contracted": "Potencia contratada",
    "of_contracted": "{share} % de {kw} kW contratados",
    "no_contracted": "Sin potencia contratada",
    "mark.estimated": "E: mes con lecturas estimadas",
    "mark.draft": "color claro: mes sin factura emitida",
    "daily.summary": "{total} kWh en {month}; el día de mayor consumo fue el {day} con {kwh} kWh.",
    "monthly.summary": "{kwh} kWh en {month}.",
    "monthly.change": " {change} % frente al mismo mes del año anterior.",
    "gauge.summary": "La demanda máxima fue de {kw} kW el {when}.",
    "heat.summary": "La potencia media es mayor el {weekday} a las {hour}:00.",
    "breakdown.summary": "Total a pagar: {total}. El mayor cargo es {line} con {amount}.",
    "savings.summary": "Ahorro acumulado: {cumulative}.",
    "savings.none": "Aún no hay meses anteriores con los que comparar.",
    "quality.summary": "{measured} intervalos medidos, {estimated} estimados, {missing} faltantes.",
    "customers.summary": "{count} clientes; el mayor es {name} con {value}.",
    "customers.rest": "los otros {count}",
    "customers.others": "Se muestran los primeros {shown}; {rest} suman {value}.",
    "list.first": "Se muestran {shown} de {count}; todos están en la lista de clientes (CSV).",
    "list.file": "Lista completa (CSV)",
    "list.search": "Buscar cliente, contrato, medidor o factura",
    "list.of": "de",
    "list.back": "Anteriores",
    "list.next": "Siguientes",
    "list.none": "Nada coincide con la búsqueda.",
    "health.summary": "{estimated} intervalos estimados y {missing} faltantes en {count} clientes.",
    "health.clean": "Todas las lecturas son medidas: no hay intervalos estimados ni faltantes.",
    "data": "Ver los datos",
    "invoice": "Factura",
    "draft": "Sin emitir",
    "draft.note": "Este mes aún no tiene factura emitida: los montos son provisionales.",
    "invoices": "Sus facturas",
    "no_invoices": "Aún no hay facturas emitidas.",
    "number": "Número",
    "month": "Mes",
    "issued_on": "Emisión",
    "due_on": "Vence",
    "total": "Total",
    "documents": "Documentos",
    "view": "Ver factura",
    "pdf": "Descargar PDF",
    "dashboard": "Consumo",
    "dashboard.pdf": "Consumo en PDF",
    "see_dashboard": "Ver consumo del mes",
    "pay_before": "Pagar antes del {day}",
    "this_month": "Su mes en cifras",
    "total_due": "Total a pagar",
    "energy": "Energía",
    "max_demand": "Demanda máxima",
    "price": "Precio todo incluido",
    "load_factor": "Factor de carga",
    "power_factor": "Factor de potencia",
    "against_last_year.short": "Ahorro frente al año anterior",
    "against_previous.short": "Ahorro frente al mes anterior",
    "fed_in": "{kwh} kWh entregados a la red",
    "saved.none": "sin mes para comparar",
    "saved.cumulative": "acumulado {amount}",
    "change_year": "{change} % frente a {month}",
    "estimated_ranges": "Lecturas estimadas",
    "all_measured": "Todas las lecturas del mes son medidas.",
    "from": "Desde",
    "to": "Hasta",
    "method": "Método",
    "slots": "Intervalos",
    "findings": "Hallazgos (texto del sistema, en inglés)",
    "no_findings": "Sin hallazgos en este mes.",
    "severity.info": "Aviso",
    "severity.warning": "Atención",
    "severity.blocking": "Bloqueante",
    "severity": "Nivel",
    "message": "Qué se encontró",
    "customers": "Clientes",
    "customer": "Cliente",
    "contract": "Contrato",
    "meter": "Medidor",
    "state": "Estado",
    "state.issued": "Emitida",
    "state.draft": "Por emitir",
    "state.none": "Sin consumo que facturar",
    "state.parked": "Retenida",
    "parked": "Clientes retenidos",
    "no_parked": "Ningún cliente retenido: todos pueden facturarse.",
    "reason": "Motivo y qué hacer",
    "distributor": "Comparación con la distribuidora",
    "distributor.none": "La distribuidora no ha informado de ningún medidor este mes.",
    "distributor.ours": "Nuestra medición [kWh]",
    "distributor.theirs": "Distribuidora [kWh]",
    "distributor.difference": "Nuestra menos distribuidora [kWh]",
    "distributor.percent": "De la distribuidora [%]",
    "active": "Clientes activos",
    "issued": "Facturas emitidas",
    "billed": "Total facturado",
    "estimated_slots": "Intervalos estimados",
    "parked.short": "Retenidos",
    "max_kw": "Demanda [kW]",
    "view_as": "Ver como este cliente",
    "operator": "Operación",
    "skip": "Saltar al contenido",
    "menu": "Navegación",
    "meter_of": "Medidor {meter}, nodo {node}",
}
_EN: Final[dict[str, str]] = {
    "daily.title": "Energy by day and block",
    "monthly.title": "Energy of the last 13 months",
    "gauge.title": "Maximum demand against contracted power",
    "heat.title": "Load profile by weekday and hour",
    "duration.title": "Load duration curve",
    "duration.summary": "Power was above {half} kW half of the month, and above {tenth} kW a tenth of it.",
    "axis.share": "Share of the month [%]",
    "axis.power": "Power [kW]",
    "breakdown.title": "What your invoice is made of",
    "savings.title": "Savings against earlier months",
    "quality.title": "Quality of the readings",
    "customers.energy": "Energy by customer [kWh]",
    "customers.money": "Total billed by customer [{currency}]",
    "customers.health": "Estimated and missing intervals by customer",
    "history.title": "Energy of all customers",
    "axis.day": "Day of the month",
    "axis.hour": "Hour of the day",
    "axis.energy": "Energy [kWh]",
    "axis.mean_power": "Mean power [kW]",
    "axis.money": "Amount [{currency}]",
    "axis.slots": "Intervals",
    "axis.month": "Month",
    "block": "Block",
    "weekday": "Day",
    "measured": "Measured",
    "estimated": "Estimated",
    "missing": "Missing",
    "against_previous": "Against the month before",
    "against_last_year": "Against the same month last year",
    "cumulative": "Cumulative",
    "quantity": "Item",
    "contracted": "Contracted power",
    "of_contracted": "{share} % of {kw} kW contracted",
    "no_contracted": "No contracted power",
    "mark.estimated": "E: month with estimated readings",
    "mark.draft": "pale: month without an issued invoice",
    "daily.summary": "{total} kWh in {month}; the highest day was the {day} with {kwh} kWh.",
    "monthly.summary": "{kwh} kWh in {month}.",
    "monthly.change": " {change} % against the same month last year.",
    "gauge.summary": "The maximum demand was {kw} kW on {when}.",
    "heat.summary": "Mean power is highest on {weekday} at {hour}:00.",
    "breakdown.summary": "Total to pay: {total}. The largest charge is {line} with {amount}.",
    "savings.summary": "Cumulative saving: {cumulative}.",
    "savings.none": "There is no earlier month to compare with yet.",
    "quality.summary": "{measured} intervals measured, {estimated} estimated, {missing} missing.",
    "customers.summary": "{count} customers; the largest is {name} with {value}.",
    "customers.rest": "the other {count}",
    "customers.others": "The first {shown} are shown; {rest} come to {value}.",
    "list.first": "{shown} of {count} are shown; all are in the list of customers (CSV).",
    "list.file": "The whole list (CSV)",
    "list.search": "Search for a customer, contract, meter or invoice",
    "list.of": "of",
    "list.back": "Previous",
    "list.next": "Next",
    "list.none": "Nothing matches.",
    "health.summary": "{estimated} intervals estimated and {missing} missing over {count} customers.",
    "health.clean": "All readings are measured: no interval is estimated or missing.",
    "data": "Show the data",
    "invoice": "Invoice",
    "draft": "Not issued",
    "draft.note": "No invoice is issued for this month yet: the amounts are provisional.",
    "invoices": "Your invoices",
    "no_invoices": "No invoices issued yet.",
    "number": "Number",
    "month": "Month",
    "issued_on": "Issued",
    "due_on": "Due",
    "total": "Total",
    "documents": "Documents",
    "view": "View invoice",
    "pdf": "Download PDF",
    "dashboard": "Consumption",
    "dashboard.pdf": "Consumption as PDF",
    "see_dashboard": "See the month's consumption",
    "pay_before": "Pay by {day}",
    "this_month": "Your month in figures",
    "total_due": "Total to pay",
    "energy": "Energy",
    "max_demand": "Maximum demand",
    "price": "All-in price",
    "load_factor": "Load factor",
    "power_factor": "Power factor",
    "against_last_year.short": "Saved against last year",
    "against_previous.short": "Saved against the month before",
    "fed_in": "{kwh} kWh fed in",
    "saved.none": "no month to compare with",
    "saved.cumulative": "{amount} so far",
    "change_year": "{change} % against {month}",
    "estimated_ranges": "Estimated readings",
    "all_measured": "All readings of the month are measured.",
    "from": "From",
    "to": "To",
    "method": "Method",
    "slots": "Intervals",
    "findings": "Findings",
    "no_findings": "No findings this month.",
    "severity.info": "Note",
    "severity.warning": "Warning",
    "severity.blocking": "Blocking",
    "severity": "Level",
    "message": "What was found",
    "customers": "Customers",
    "customer": "Customer",
    "contract": "Contract",
    "meter": "Meter",
    "state": "State",
    "state.issued": "Issued",
    "state.draft": "To be issued",
    "state.none": "Nothing to bill",
    "state.parked": "Parked",
    "parked": "Parked customers",
    "no_parked": "No customer is parked: all can be billed.",
    "reason": "Why, and what to do",
    "distributor": "Comparison with the distributor",
    "distributor.none": "The distributor has reported no meter this month.",
    "distributor.ours": "Our metering [kWh]",
    "distributor.theirs": "Distributor [kWh]",
    "distributor.difference": "Ours less theirs [kWh]",
    "distributor.percent": "Of theirs [%]",
    "active": "Active customers",
    "issued": "Invoices issued",
    "billed": "Total billed",
    "estimated_slots": "Estimated intervals",
    "parked.short": "Parked",
    "max_kw": "Demand [kW]",
    "view_as": "View as this customer",
    "operator": "Operations",
    "skip": "Skip to content",
    "menu": "Navigation",
    "meter_of": "Meter {meter}, node {node}",
}
_WEEKDAYS_ES: Final = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
_WEEKDAYS_EN: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Words:
    """The words of one language, over those of the invoice in ``publish.texts``.

    :param locale: for example ``es-SV``
    :raises texts.UnknownLocale: for a language without texts
    """

    def __init__(self, locale: str) -> None:
        self.locale = locale
        self.language = texts.language(locale)
        self._texts = _EN if self.language == "en" else _ES

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its values filled in. :raises KeyError: for a key that is not a text."""
        text = self._texts[key]
        return text.format(**values) if values else text

    def line(self, code: LineCode) -> str:
        """Return the name of a line of the bill, as the invoice prints it."""
        return texts.word(f"line.{code.value}", self.locale)

    def month(self, month: BillingMonth) -> str:
        """Return ``septiembre de 2021``."""
        return texts.month_name(month, self.locale)

    def short_month(self, month: BillingMonth) -> str:
        """Return ``sep 21``, for axes."""
        return f"{texts.month_short(month, self.locale)} {month.year % 100:02d}"

    def weekday(self, number: int) -> str:
        """Return the name of a weekday, 1 = Monday."""
        return (_WEEKDAYS_EN if self.language == "en" else _WEEKDAYS_ES)[number - 1]

    def day(self, day: date) -> str:
        """Return ``30/09/2021``, or ``30 Sep 2021`` in English."""
        return texts.format_day(day, self.locale)

    def block(self, name: str) -> str:
        """Return a block's name as readers see it."""
        return name.capitalize()


@lru_cache(maxsize=4096)
def number(value: Decimal | float, places: int = 0) -> str:
    """Return ``57,883`` or, with places, ``57,883.07``: both languages of El Salvador's readers write it so."""
    if type(value) is float and value > 0 and (scaled := value * 10**places) < 1e8 and abs(scaled % 1 - 0.5) > 1e-5:
        return f"{value:,.{places}f}"  # far from a half, however it is rounded comes to the same: a year of days is 1,460 of these
    return texts.format_number(Decimal(value), places)


def money(value: Decimal, currency: str) -> str:
    """Return ``USD 12,989.48``."""
    return f"{currency}{texts.NBSP}{number(value, 2)}"
