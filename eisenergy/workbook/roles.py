"""The words of a workbook: which header, label or option says which role, in Spanish and English.

A role is a name such as ``slot.kwh`` or ``line.vat``: the thing it belongs to, and what it is. Words are compared folded (no case, no
accents, no punctuation) and without a unit at their end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from eisenergy.sheets import fold

SLOT, MATRIX, RATES, DAYS, HOURS, HOUR = "slot", "block", "rates", "day", "hours", "hour"
KINDS, LOSSES, CORRECTIONS = "kinds", "losses", "corrections"

_ENERGY_COST: Final = r"(costos?|importe|monto|cargo)( de| por)?( la)? energia( activa)?|(cost|charge|amount)( of| for)? energy|energy (cost|charge|amount)"
_LOSS_AMOUNT: Final = r"(ajuste|cargo|importe|monto|costo)( de| por)? perdidas|loss(es)? (adjustment|amount|charge|cost)|adjustment for losses"
_FTPMS_AMOUNT: Final = r"(recargo|cargo|importe|monto) ftpms|ftpms (surcharge|amount|charge)"
_DEVIATION: Final = r"(cargo|importe|monto|costo)( de| por)? desviacion(es)?|deviations? (charge|amount|cost)"
_BLOCK: Final = r"bloques?( horarios?| tarifarios?)?|franjas?( horarias?)?|(time |tou |tariff )?blocks?|time of use"
_KWH: Final = r"kwh( del| import| consumidos?)?|(energia|consumo)( activa| de energia)?( kwh)?|(active )?energy( kwh)?|consumption( kwh)?"
_ENERGY_RATE: Final = r"tarifa( de| por)?( la)?( energia)?( kwh)?|precio( de| por)?( la)?( energia)?( kwh)?|(energy |kwh )?(rate|price|tariff)( kwh)?|tariff kwh"
_LOSS_FACTOR: Final = r"factor( de)? perdidas?|loss(es)? factor"
_COST: Final = (
    r"costos? (de )?(la )?des(v|viacion|viaciones)?s?( de)? {short}({spanish})?s?|cost des {short}|({english} )?dev(iation)?s? cost {short}({ending})?|"
    r"{english} dev(iation)?s? cost|cost (of )?({english} dev(iation)?s?|dev(iation)?s? {short}({ending})?)"
)
_COST_POS: Final = _COST.format(short="pos", spanish="itiva", english="positive", ending="itive")
_COST_NEG: Final = _COST.format(short="neg", spanish="ativa", english="negative", ending="ative")
_DAY_KIND: Final = r"(tipos?|clases?)( de(l)?)? dias?|(day|date) (type|kind|class)|(type|kind) of (the )?day"
_SINCE: Final = (
    r"vigente ?desde|desde|fecha( de)? (inicio|vigencia)|vigencia|valid from|from|effective( from| date)?|start( date)?"
)

HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    SLOT: {
        "date": r"fecha( de)?( lectura)?|(reading )?date|dia|day",
        "time": r"hora( de)?( inicio| lectura)?|(start )?time|intervalo|interval",
        "stamp": r"fecha (y )?hora|date (and )?time|time ?stamp|datetime|marca de tiempo",
        "kwh": _KWH,
        "kw": r"kw|(potencia|demanda)( activa)?( kw)?|(active )?(power|demand)( kw)?",
        "kva": r"kva|potencia aparente( kva)?|apparent power( kva)?",
        "kvar": r"kvar|potencia reactiva( kvar)?|reactive power( kvar)?",
        "hour": r"hora( del dia)?|hour( of( the)? day)?",
        "block": _BLOCK,
        "day_kind": _DAY_KIND,
        "forecast": r"(energia )?pronostic(o|ada)( de)?( la)?( energia| consumo)?( kwh)?|forecast( energy)?( kwh)?",
        "energy_rate": _ENERGY_RATE,
        "energy_cost": _ENERGY_COST,
        "loss_factor": _LOSS_FACTOR,
        "loss_amount": _LOSS_AMOUNT,
        "ftpms": r"(tarifa |precio )?ftpms( rate| price)?",
        "ftpms_amount": _FTPMS_AMOUNT,
        "cost_pos": _COST_POS,
        "cost_neg": _COST_NEG,
        "deviation_amount": _DEVIATION,
    },
    MATRIX: {
        "label": _BLOCK,
        "kwh": _KWH,
        "energy_cost": _ENERGY_COST,
        "max_kw": r"(maximo|maxima|max|pico)( de)?( demanda| potencia)?( kw)?|(demanda|potencia) maxima( kw)?|(max(imum)?|peak)( demand| power)?( kw)?",
        "max_kw_at": r"(fecha|hora|momento)( y hora)?( del?)?( la)?( maximo| maxima| pico)( kw)?|(date|time)( and time)?( of)?( the)? (max(imum)?|peak)( demand)?|(max(imum)?|peak) (at|time|date)",
        "ftpms_amount": _FTPMS_AMOUNT,
        "loss_amount": _LOSS_AMOUNT,
        "deviation_amount": _DEVIATION,
    },
    RATES: {
        "block": _BLOCK,
        "from": _SINCE,
        "until": r"vigente ?hasta|hasta|valid (until|to)|until|end( date)?",
        "energy": _ENERGY_RATE + r"|(cargo|costo) por energia|energy",
        "demand": r"(tarifa|precio|cargo)( de| por)?( la)? (demanda|potencia)( kw)?|demanda|demand (rate|price|tariff|charge)|(rate|tariff|price) demand|demand",
        "ftpms": r"(tarifa |precio )?ftpms( rate| price)?",
        "cost_pos": _COST_POS,
        "cost_neg": _COST_NEG,
    },
    DAYS: {
        "day": r"dia|day|fecha|date",
        "demand": r"(tarifa |precio |cargo )?(de |por )?(demanda|potencia) .+|demand( rate| price)? .+",
    },
    HOURS: {
        "first": r"hora ?(inicial|inicio|desde|de inicio)|desde|(start|first|from)( ?hour)?|hour (from|start)",
        "last": r"hora ?(final|fin|hasta|de fin)|hasta|(end|last|to|until)( ?hour)?|hour (to|end)",
        "block": _BLOCK,
        "day_kind": _DAY_KIND,
    },
    HOUR: {"hour": r"hora|hour", "block": _BLOCK},
    KINDS: {
        "day": r"dia|day|fecha|date",
        "day_kind": _DAY_KIND,
        "column": r"columna|column|(no|numero|number) (de|of) column(a)?",
    },
    LOSSES: {"from": rf"perdidas ?desde|loss(es)? from|{_SINCE}", "factor": _LOSS_FACTOR},
    CORRECTIONS: {
        "period": r"periodo|period|mes|month|factura|invoice",
        "first": r"desde|from",
        "last": r"hasta|to|until",
        "amount": r"diferencia|difference|correccion|correction",
    },
}
"""What tables there are and how their columns are called; the names are those of the roles, without the table."""

PARAMETERS: Final[Mapping[str, str]] = {
    "param.customer": r"cliente|customer|nombre( del cliente)?",
    "param.meter": r"medidor( no)?|meter( no| number)?|contador",
    "param.node": r"nodo|node|punto de retiro",
    "param.period": r"periodo|period|mes|month",
    "param.contracted_kw": r"(potencia|demanda|capacidad) contratada( kw)?|contracted (power|demand|capacity)( kw)?",
    "param.loss_factor": _LOSS_FACTOR,
    "param.ftpms": r"(tarifa |precio )?ftpms( rate| price)?",
    "param.municipal_fee": r"tasas? municipal(es)?( usd)?|municipal fees?( usd)?",
    "param.discount": r"(porcentaje de )?descuento|discount( rate| percent)?",
    "param.vat": r"(tasa |porcentaje )?(de )?iva|(vat|sales tax)( rate)?",
    "param.retention": r"(porcentaje de )?retencion( de)?( iva)?|tax withh(eld|olding)|(vat )?retention( rate)?|(vat )?withholding( rate)?",
    "param.demand_basis": r"base( de)?( la)? demanda|demand basis",
    "param.demand_rate_block": r"bloque (de|que fija) (la )?(tarifa de )?(la )?demanda|demand rate block",
    "param.loss_basis": r"base( de)?( las)? perdidas|loss(es)? basis",
    "param.ftpms_blocks": r"bloques? (con|de) ftpms|ftpms blocks?",
    "param.timezone": r"zona horaria|huso horario|time ?zone",
    "param.deviation_mode": r"modo( de)?( la)? desviacion|deviation mode",
}

LINES: Final[Mapping[str, str]] = {
    "line.energy": _ENERGY_COST,
    "line.demand": r"(cargo|costo|importe)( de| por)?( la)? (demanda|potencia)|demand (charge|cost|amount)|charge for demand",
    "line.losses": _LOSS_AMOUNT,
    "line.ftpms": _FTPMS_AMOUNT,
    "line.deviation": _DEVIATION,
    "line.discount": r"descuentos?|discount",
    "line.correction": r"correccion(es)?( .*)?|corrections?( .*)?|ajuste de periodos anteriores",
    "line.subtotal": r"sub ?total( gravado| afecto)?|(taxable )?sub ?total",
    "line.vat": r"iva|impuesto( .*)?|vat|sales tax|value added tax",
    "line.retention": r"(iva )?retencion( de)?( iva)?|iva retenido|tax withh(eld|olding)|(vat )?retention|(vat )?withholding",
    "line.municipal_fee": r"tasas? municipal(es)?|municipal fees?",
    "line.total": r"(gran |importe )?total( a pagar| general)?|monto a pagar|grand total|(total )?(amount )?(due|payable)|total (due|to pay|payable)|to pay",
}

_NUMBERED: Final = re.compile(r"^\s*(\(?\d{1,2}|\(?[a-z])[.)]\s+")
"""The number of a line before its words: ``3. IVA``."""
_SHARE: Final = re.compile(r"[(\[]?\d+([.,]\d+)?\s*%[)\]]?")
"""A rate said with a label: ``IVA (13 %)``."""
_SIGNS: Final = re.compile(r"(demanda|potencia|demand)\s+[^\w\s]+", re.IGNORECASE)
"""The demand rate of a block whose name has no letter, which folding would leave out."""
_SIGN: Final = re.compile(r"^(mas|menos|less|plus|minus|add)( el| la| los| las)? ")
_PERCENT: Final = re.compile(r"\(?\s*\d+([.,]\d+)?\s*%\s*\)?")  # a rate that a label names
_MONEY: Final = re.compile(r" (usd|us)$")
_UNIT: Final = re.compile(r" (usd|us|kwh|kw|kva|kvar|usd kwh|usd kw|usd period|usd mes|15 min)$")


def header_role(table: str, text: str) -> str:
    """Return the role a header names in a table of a kind, without the table's name; empty for none, and in a table of no kind."""
    if table == DAYS and _SIGNS.fullmatch(text.strip()):
        return "demand"
    return _match(HEADERS.get(table, {}), text)


def parameter_role(text: str) -> str:
    """Return the role of an input that a label names, for example ``param.vat``; empty for none."""
    return _match(PARAMETERS, text)


def line_role(text: str) -> str:
    """Return the invoice line that a label names, for example ``line.vat``; empty for none, as for a total of energy."""
    return _match(LINES, text, _MONEY)


def bill_word(text: str, table: str = "") -> bool:
    """Say whether a label, or a header in a table of a kind, is a word of the bill."""
    return bool(header_role(table, text)) if table in HEADERS else bool(parameter_role(text) or line_role(text))


def _match(words: Mapping[str, str], text: str, units: re.Pattern[str] = _UNIT) -> str:
    folded = _SIGN.sub("", fold(_SHARE.sub(" ", _NUMBERED.sub("", text.casefold()))).replace("%", "").strip())
    while folded:
        for role, expression in words.items():
            if _compiled(expression).fullmatch(folded):
                return role
        shorter = units.sub("", folded)
        if shorter == folded:
            return ""
        folded = shorter
    return ""


@lru_cache(maxsize=512)
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression)
