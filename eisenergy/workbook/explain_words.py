"""The words of the sheet that explains an exported invoice, in Spanish and English, by key."""

from __future__ import annotations

import re
from typing import Final

EXPLANATION: Final[dict[str, tuple[str, str]]] = {
    "sheet": ("Cómo se calcula", "How it is calculated"),
    "title": ("Cómo se calcula la factura {number}", "How invoice {number} is calculated"),
    "head": (
        "{customer} · contrato {contract} · medidor {meter} · {first} a {last} · tarifa {tariff} · emitida el {issued}",
        "{customer} · contract {contract} · meter {meter} · {first} to {last} · tariff {tariff} · issued on {issued}",
    ),
    "note": (
        "Los importes en negro son fórmulas que leen la hoja «{sheet}»: al recalcular este libro se obtiene la factura al centavo. "
        "El desglose de cada línea es el de la factura emitida.",
        "Amounts in black are formulas that read the sheet '{sheet}': calculating this workbook again gives the invoice to the cent. "
        "The breakdown of each line is that of the invoice as issued.",
    ),
    "rounding": (
        "Cada línea se redondea a centavos una sola vez (ROUND de Excel), y las sumas suman líneas ya redondeadas.",
        "Each line is rounded to cents once (Excel's ROUND), and sums add rounded lines.",
    ),
    "lines": ("Las líneas de la factura", "The lines of the invoice"),
    "columns": ("Las columnas de la tabla de intervalos", "The columns of the table of intervals"),
    "rules": ("Las reglas de esta factura", "The rules of this invoice"),
    "readings": ("Las lecturas", "The readings"),
    "versions": ("Versiones que hicieron esta factura", "The versions that made this invoice"),
    "names": ("Nombres definidos", "Defined names"),
    "col.item": ("Concepto", "Item"),
    "col.block": ("Bloque", "Block"),
    "col.days": ("Días", "Days"),
    "col.quantity": ("Cantidad", "Quantity"),
    "col.unit": ("Unidad", "Unit"),
    "col.rate": ("Precio unitario", "Unit price"),
    "col.rate_unit": ("Unidad del precio", "Unit of the price"),
    "col.part": ("Parcial exacto", "Exact detail"),
    "col.amount": ("Importe", "Amount"),
    "col.cell": ("Celda", "Cell"),
    "col.origin": (
        "Cómo se calcula y de dónde sale cada número",
        "How it is calculated, and where each number came from",
    ),
    "line.energy": ("Costo de energía", "Energy"),
    "line.demand": ("Cargo por demanda", "Demand charge"),
    "line.losses": ("Ajuste por pérdidas", "Losses"),
    "line.ftpms": ("Recargo FTPMS", "FTPMS surcharge"),
    "line.deviation": ("Cargo por desviación", "Deviation charge"),
    "line.discount": ("Descuento", "Discount"),
    "line.correction": ("Corrección de períodos anteriores", "Correction of earlier periods"),
    "line.subtotal": ("Subtotal gravado", "Taxable subtotal"),
    "line.vat": ("IVA", "VAT"),
    "line.retention": ("Retención de IVA", "VAT retention"),
    "line.municipal_fee": ("Tasa municipal", "Municipal fee"),
    "line.total": ("TOTAL A PAGAR", "TOTAL TO PAY"),
    "how.energy": (
        "kWh de cada intervalo por la tarifa de su bloque vigente en su fecha (columna Costo energia), sumado.",
        "kWh of each interval times its block's rate in force on its date (column Costo energia), added up.",
    ),
    "how.demand.period_max": (
        "El máximo kW del período por la tarifa de demanda del bloque {block}: la media de sus días en la hoja Tarifas.",
        "The period's maximum kW times the demand rate of block {block}: the mean of its days on the sheet Tarifas.",
    ),
    "how.demand.block_max": (
        "El máximo kW de cada bloque por la tarifa de demanda del bloque (media de sus días en la hoja Tarifas), sumado.",
        "Each block's maximum kW times the block's demand rate (mean of its days on the sheet Tarifas), added up.",
    ),
    "how.losses.charge_per_kwh": (
        "kWh de cada intervalo por el factor de pérdidas, que es un precio por kWh, sumado.",
        "kWh of each interval times the loss factor, which is a price per kWh, added up.",
    ),
    "how.losses.energy": (
        "Costo de energía de cada intervalo por el factor de pérdidas, sumado.",
        "Energy cost of each interval times the loss factor, added up.",
    ),
    "how.ftpms": (
        "kWh de los intervalos de {blocks} por el precio FTPMS, sumado; en los demás bloques no se aplica.",
        "kWh of the intervals in {blocks} times the FTPMS price, added up; it does not apply in other blocks.",
    ),
    "how.ftpms.none": ("FTPMS no se aplica en ningún bloque.", "FTPMS applies to no block."),
    "how.deviation.shortfall": (
        "En cada intervalo, lo pronosticado y no consumido por Cost Des Neg, sumado.",
        "In each interval, what was forecast and not taken times Cost Des Neg, added up.",
    ),
    "how.deviation.both": (
        "En cada intervalo, lo pronosticado y no consumido por Cost Des Neg, y lo consumido sobre el pronóstico por Costo Desv POS, "
        "sumado.",
        "In each interval, what was forecast and not taken times Cost Des Neg, and what was taken beyond the forecast times Costo "
        "Desv POS, added up.",
    ),
    "how.deviation.none": (
        "No hay pronóstico para este período: no hay desviación.",
        "There is no forecast for this period, so there is no deviation.",
    ),
    "how.discount": (
        "Las cinco líneas anteriores, ya redondeadas, por el descuento.",
        "The five lines above, as rounded, times the discount.",
    ),
    "how.correction": (
        "Lo que costaron períodos anteriores con sus lecturas reales, menos lo facturado por ellos (hoja Correcciones).",
        "What earlier periods cost on their real readings, less what was billed for them (sheet Correcciones).",
    ),
    "how.subtotal": ("Suma de las líneas anteriores, ya redondeadas.", "Sum of the lines above, as rounded."),
    "how.vat": (
        "Subtotal por la tasa de IVA vigente el último día del período.",
        "Subtotal times the VAT rate in force on the period's last day.",
    ),
    "how.retention": (
        "Subtotal por la parte que el cliente retiene para la administración tributaria.",
        "Subtotal times the share that the customer retains for the tax office.",
    ),
    "how.municipal_fee": (
        "De la municipalidad, cobrada por su cuenta: fuera del subtotal y del IVA.",
        "The municipality's, collected for it: outside the subtotal and outside VAT.",
    ),
    "how.total": (
        "Subtotal más IVA, menos retención, más tasa municipal.",
        "Subtotal plus VAT, less retention, plus municipal fee.",
    ),
    "half": (
        "El valor exacto termina en medio centavo; se redondea antes a más decimales para que la suma binaria no decida el centavo.",
        "The exact value ends on half a cent; it is first rounded to more places so that binary sums do not decide the cent.",
    ),
    "since": ("vigente desde {day}", "in force from {day}"),
    "prices": ("{count} precios distintos, de {low} a {high}", "{count} different prices, from {low} to {high}"),
    "part.energy": ("energía", "energy"),
    "part.demand": ("demanda", "demand"),
    "part.losses": ("pérdidas", "losses"),
    "part.ftpms": ("FTPMS", "FTPMS"),
    "part.below forecast": ("bajo el pronóstico", "below forecast"),
    "part.above forecast": ("sobre el pronóstico", "above forecast"),
    "part.discount": ("descuento", "discount"),
    "part.VAT": ("IVA", "VAT"),
    "part.retention": ("retención", "retention"),
    "part.municipal fee": ("tasa municipal", "municipal fee"),
    "unit.period": ("período", "period"),
    "input": ("Entrada", "Input"),
    "formula": ("Fórmula", "Formula"),
    "slot.Date": ("Fecha local del comienzo del intervalo.", "Local date on which the interval starts."),
    "slot.Time": ("Hora local del comienzo del intervalo.", "Local time at which the interval starts."),
    "slot.kWh": ("Energía consumida en el intervalo.", "Energy taken in the interval."),
    "slot.kW": (
        "Potencia media, como la da el medidor; si no la da, kWh por hora.",
        "Mean power as the meter gives it, else kWh per hour.",
    ),
    "slot.kVA": ("Potencia aparente, donde el medidor la da.", "Apparent power, where the meter gives it."),
    "slot.kVAR": ("Potencia reactiva, donde el medidor la da.", "Reactive power, where the meter gives it."),
    "slot.Hora": ("Hora del día del intervalo.", "Hour of the day of the interval."),
    "slot.Block": ("Bloque de la hora, de la hoja Hora-Bloque.", "Block of the hour, from the sheet Hora-Bloque."),
    "slot.Block.days": (
        "Bloque de la hora, de la hoja Hora-Bloque, en la columna que la hoja Dias da al día.",
        "Block of the hour, from the sheet Hora-Bloque, in the column that the sheet Dias gives the day.",
    ),
    "slot.Pronostico kWh": (
        "Energía pronosticada; vacío donde no hay pronóstico.",
        "Energy forecast; empty where there is none.",
    ),
    "slot.Tarifa kWh": (
        "La tarifa más reciente del bloque que no es posterior a la fecha, de la hoja Tarifas.",
        "The block's newest rate not after the date, from the sheet Tarifas.",
    ),
    "slot.Costo energia": ("kWh × Tarifa kWh.", "kWh × Tarifa kWh."),
    "slot.Factor de perdidas": ("Precio de las pérdidas por kWh.", "Price of losses per kWh."),
    "slot.Factor de perdidas.energy": (
        "Parte del costo de energía que se cobra por pérdidas.",
        "Share of the energy cost that is charged for losses.",
    ),
    "slot.Ajuste perdidas": ("kWh × Factor de perdidas.", "kWh × Factor de perdidas."),
    "slot.Ajuste perdidas.energy": ("Costo energia × Factor de perdidas.", "Costo energia × Factor de perdidas."),
    "slot.FTPMS": ("Precio FTPMS en sus bloques, cero en los demás.", "FTPMS price in its blocks, zero in the others."),
    "slot.Recargo FTPMS": ("kWh × FTPMS.", "kWh × FTPMS."),
    "slot.Costo Desv POS": ("Costo de consumir más que lo pronosticado.", "Cost of taking more than forecast."),
    "slot.Cost Des Neg": ("Costo de consumir menos que lo pronosticado.", "Cost of taking less than forecast."),
    "slot.Cargo desviacion": ("Desviación del intervalo por su costo.", "The interval's deviation times its cost."),
    "slot.Lectura": (
        "«medida», o «estimada» donde faltó la lectura.",
        "'medida' (measured), or 'estimada' where the reading was missing.",
    ),
    "slot.own": (
        "Solo donde vino con la lectura; donde está vacío, el importe toma el del cliente o de la tarifa.",
        "Only where it came with the reading; where it is empty, the amount takes the customer's or the tariff's.",
    ),
    "rule.demand_basis": ("Base de la demanda", "Demand basis"),
    "rule.demand_rate_block": ("Bloque que fija la tarifa de demanda", "Block that sets the demand rate"),
    "rule.loss_basis": ("Base de las pérdidas", "Loss basis"),
    "rule.ftpms_blocks": ("Bloques con FTPMS", "Blocks with FTPMS"),
    "rule.deviation_mode": ("Modo de la desviación", "Deviation mode"),
    "rule.calendar": ("Calendario de bloques", "Block calendar"),
    "rule.timezone": ("Zona horaria", "Time zone"),
    "option.period_max": ("un máximo de todo el período", "one maximum of the whole period"),
    "option.block_max": ("un máximo por bloque, a la tarifa de su bloque", "a maximum per block, at its block's rate"),
    "option.charge_per_kwh": ("kWh × factor", "kWh × factor"),
    "option.energy": ("kWh × factor × tarifa de energía", "kWh × factor × energy rate"),
    "option.shortfall": ("solo lo pronosticado y no consumido", "only what was forecast and not taken"),
    "option.both": ("lo consumido de menos y de más", "what was taken below and beyond the forecast"),
    "none": ("ninguno", "none"),
    "intervals": ("Intervalos", "Intervals"),
    "intervals.of": ("{present} de {expected}, de 15 minutos cada uno", "{present} of {expected}, 15 minutes each"),
    "file": ("Archivo", "File"),
    "estimated": ("Estimados", "Estimated"),
    "estimated.run": (
        "{slots} intervalos, del {start} al {end}, {kwh} kWh: {method}",
        "{slots} intervals, from {start} to {end}, {kwh} kWh: {method}",
    ),
    "version.invoice": ("Factura", "Invoice"),
    "version.input": ("Huella de los datos (sha256)", "Hash of the inputs (sha256)"),
    "version.lake": ("Versión de la tabla de lecturas", "Version of the readings table"),
    "version.readings": ("Huella de las lecturas", "Hash of the readings"),
    "version.tariff": ("Huella de la tarifa", "Hash of the tariff"),
    "version.calendar": ("Huella del calendario", "Hash of the calendar"),
    "version.code": ("Versión de eisenergy", "Version of eisenergy"),
    "method.similar-days": (
        "mismo intervalo de los días semejantes más cercanos",
        "same interval of the nearest similar days",
    ),
    "method.other-days": ("mismo intervalo de los días más cercanos", "same interval of the nearest days"),
    "method.mean": ("media de los intervalos medidos", "mean of the measured intervals"),
    "method.register": ("totalizador del medidor, repartido por igual", "the meter's register, spread evenly"),
    "method.meter": ("estimada por el propio medidor", "estimated by the meter itself"),
    "method.scaled": ("{method}, ajustado al totalizador del medidor", "{method}, scaled to the meter's register"),
}
"""Key -> (Spanish, English)."""

_SPANISH: Final = (
    (r"column (\w+) of the readings of meter (.+)", r"columna \1 de las lecturas del medidor \2"),
    (r"none in the customer master, none in tariff (.+)", r"ni los datos del cliente ni la tarifa \1 lo indican"),
    (r"loss factor (\S+) \((.*)\) times energy rate (\S+) \((.*)\)", r"factor de pérdidas \1 (\2) por tarifa \3 (\4)"),
    (
        r"subtotal (\S+) on the readings known now, less (\S+) billed by ([^,]+)(.*)",
        r"subtotal \1 con las lecturas actuales, menos \2 facturado en \3\4",
    ),
)
"""What the library says of a number's origin -> the same in Spanish; files and cells are the same in both."""


def explain_title(locale: str) -> str:
    """Return the name of the sheet that explains."""
    return say("sheet", locale)


def say(key: str, locale: str, **values: object) -> str:
    """Return a text by its key, its ``{placeholders}`` filled; Spanish for any locale that is not English."""
    return EXPLANATION[key][_english(locale)].format(**values)


def method(name: str, locale: str) -> str:
    """Return how intervals were estimated; a method without words by its own name."""
    plain = name.removesuffix("-register")
    if f"method.{plain}" not in EXPLANATION:
        return name
    text = say(f"method.{plain}", locale)
    return say("method.scaled", locale, method=text) if plain != name else text


def part(label: str, locale: str) -> str:
    """Return the label of a product."""
    days = re.fullmatch(r"demand, (\d+) of (\d+) days", label)
    if days and not _english(locale):
        return f"demanda, {days[1]} de {days[2]} días"
    return say(f"part.{label}", locale) if f"part.{label}" in EXPLANATION else label


def origin(text: str, locale: str) -> str:
    """Return where a number came from, as the library says it or in Spanish."""
    if _english(locale):
        return text
    for english, spanish in _SPANISH:
        if re.fullmatch(english, text):
            text = re.sub(english, spanish, text)
            break
    text = re.sub(r", less (\S+) corrected since", r", menos \1 corregido desde entonces", text)
    return re.sub(r"\bline (\d+)", r"línea \1", text)


def _english(locale: str) -> bool:
    return locale.lower().startswith("en")
