"""The words of the invoice in Spanish and English, by key. Code that prints them is in ``publish.texts``."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, dict[str, str]]] = {
    # headings
    "invoice": {"es": "Factura de energía eléctrica", "en": "Electricity invoice"},
    "invoice.short": {"es": "Factura", "en": "Invoice"},
    "draft": {"es": "BORRADOR", "en": "DRAFT"},
    "draft.note": {
        "es": "Documento sin validez fiscal: aún no se ha emitido.",
        "en": "Not a valid tax document: it has not been issued.",
    },
    "draft.number": {"es": "sin número", "en": "no number"},
    "number": {"es": "Factura n.º", "en": "Invoice no."},
    "period": {"es": "Período facturado", "en": "Billing period"},
    "issued": {"es": "Fecha de emisión", "en": "Issue date"},
    "due": {"es": "Fecha de vencimiento", "en": "Due date"},
    "pay_before": {"es": "Pagar a más tardar el {day}", "en": "Pay by {day}"},
    "total": {"es": "Total a pagar", "en": "Total to pay"},
    "customer": {"es": "Cliente", "en": "Customer"},
    "supply": {"es": "Suministro", "en": "Supply"},
    "nit": {"es": "NIT", "en": "NIT"},
    "ncr": {"es": "NCR", "en": "NCR"},
    "activity": {"es": "Actividad económica", "en": "Business activity"},
    "activity.short": {"es": "Giro", "en": "Activity"},
    "address": {"es": "Dirección", "en": "Address"},
    "phone": {"es": "Tel.", "en": "Phone"},
    "email": {"es": "Correo", "en": "E-mail"},
    "contract": {"es": "Contrato", "en": "Contract"},
    "meter": {"es": "Medidor", "en": "Meter"},
    "node": {"es": "Nodo", "en": "Node"},
    "site": {"es": "Municipio", "en": "Municipality"},
    "tariff": {"es": "Tarifa", "en": "Tariff"},
    "contracted": {"es": "Potencia contratada", "en": "Contracted power"},
    "none": {"es": "no indicado", "en": "not given"},
    # the charges
    "charges": {"es": "Detalle de cargos", "en": "Charges"},
    "col.concept": {"es": "Concepto", "en": "Item"},
    "col.quantity": {"es": "Cantidad", "en": "Quantity"},
    "col.rate": {"es": "Precio unitario", "en": "Unit price"},
    "col.part": {"es": "Parcial", "en": "Detail"},
    "col.amount": {"es": "Importe", "en": "Amount"},
    "line.energy": {"es": "Costo de energía", "en": "Energy"},
    "line.demand": {"es": "Cargo por demanda", "en": "Demand charge"},
    "line.losses": {"es": "Ajuste por pérdidas", "en": "Losses"},
    "line.ftpms": {"es": "Recargo FTPMS", "en": "FTPMS surcharge"},
    "line.deviation": {"es": "Cargo por desviación", "en": "Deviation charge"},
    "line.discount": {"es": "Descuento", "en": "Discount"},
    "line.correction": {"es": "Corrección de períodos anteriores", "en": "Correction of earlier periods"},
    "line.subtotal": {"es": "Subtotal gravado", "en": "Taxable subtotal"},
    "line.vat": {"es": "IVA", "en": "VAT"},
    "line.retention": {"es": "Retención IVA", "en": "VAT retention"},
    "line.municipal_fee": {"es": "Tasa municipal", "en": "Municipal fee"},
    "line.total": {"es": "Total a pagar", "en": "Total to pay"},
    "share.of": {"es": "sobre {base}", "en": "of {base}"},
    "days.of": {"es": "{n} de {of} días", "en": "{n} of {of} days"},
    "correction.of": {"es": "{period}, factura {number}", "en": "{period}, invoice {number}"},
    "export": {
        "es": "Energía entregada a la red: {kwh}, no facturada.",
        "en": "Energy fed into the grid: {kwh}, not billed.",
    },
    "demand.at": {"es": "Demanda máxima: {when}", "en": "Maximum demand: {when}"},
    "demand.ties": {"es": "alcanzada {n} veces", "en": "reached {n} times"},
    "demand.of": {
        "es": "potencia contratada {kw} (uso {share})",
        "en": "contracted power {kw} ({share} used)",
    },
    "demand.over": {
        "es": "excede la potencia contratada de {kw} ({share})",
        "en": "exceeds the contracted {kw} ({share})",
    },
    "ftpms.blocks": {"es": "bloque {blocks}", "en": "{blocks} block"},
    "deviation.short": {"es": "Energía pronosticada y no consumida", "en": "Energy forecast and not taken"},
    "deviation.over": {"es": "Energía consumida sobre el pronóstico", "en": "Energy taken beyond the forecast"},
    "seller_total": {"es": "Total {issuer}", "en": "Total {issuer}"},
    "third_party": {"es": "Cobro por cuenta de terceros", "en": "Collected for a third party"},
    "third_party.note": {
        "es": "Se cobra por cuenta de la municipalidad de {municipality}. No es ingreso de {issuer} ni causa IVA.",
        "en": "Collected for the municipality of {municipality}. Not income of {issuer} and not subject to VAT.",
    },
    # consumption
    "consumption": {"es": "Su consumo", "en": "Your consumption"},
    "kpi.energy": {"es": "Energía del período", "en": "Energy of the period"},
    "kpi.demand": {"es": "Demanda máxima", "en": "Maximum demand"},
    "kpi.load_factor": {"es": "Factor de carga", "en": "Load factor"},
    "kpi.power_factor": {"es": "Factor de potencia", "en": "Power factor"},
    "kpi.price": {"es": "Precio medio", "en": "All-in price"},
    "kpi.price.note": {"es": "todo incluido", "en": "everything included"},
    "kpi.day_mean": {"es": "{kwh} por día", "en": "{kwh} per day"},
    "kpi.against": {"es": "{change} frente a {month}", "en": "{change} against {month}"},
    "kpi.contracted": {"es": "{share} de la contratada", "en": "{share} of contracted"},
    "kpi.load_factor.note": {"es": "potencia media / máxima", "en": "mean / maximum power"},
    "kpi.power_factor.note": {"es": "medio del período", "en": "mean of the period"},
    "kpi.power_factor.none": {"es": "sin medición reactiva", "en": "no reactive metering"},
    "history": {"es": "Consumo de los últimos 13 meses", "en": "Consumption of the last 13 months"},
    "history.alt": {
        "es": "Columnas apiladas por bloque horario, en {unit}: {months}.",
        "en": "Columns stacked by time-of-use block, in {unit}: {months}.",
    },
    "history.estimated": {
        "es": "* mes con lecturas estimadas o faltantes",
        "en": "* month with estimated or missing readings",
    },
    "profile": {"es": "Perfil medio por hora", "en": "Mean profile by hour"},
    "profile.weekday": {"es": "Lunes a viernes", "en": "Monday to Friday"},
    "profile.weekend": {"es": "Sábado y domingo", "en": "Saturday and Sunday"},
    "profile.alt": {
        "es": "Potencia media por hora del día: de lunes a viernes máximo {weekday} kW, en fin de semana {weekend} kW.",
        "en": "Mean power by hour of the day: Monday to Friday at most {weekday} kW, on weekends {weekend} kW.",
    },
    "profile.hour": {"es": "por hora local", "en": "by local hour"},
    "daily": {"es": "Consumo diario", "en": "Daily consumption"},
    "daily.alt": {
        "es": "Energía por día del período, apilada por bloque horario; máximo {kwh} kWh el {day}.",
        "en": "Energy per day of the period, stacked by block; at most {kwh} kWh on {day}.",
    },
    "daily.axis": {"es": "por día", "en": "by day"},
    # estimates
    "estimates": {"es": "Lecturas estimadas", "en": "Estimated readings"},
    "estimates.text": {
        "es": "{slots} de {expected} intervalos de 15 minutos se facturan con lecturas estimadas ({kwh}). Cuando lleguen"
        " las lecturas reales, la diferencia aparecerá como corrección en una factura posterior.",
        "en": "{slots} of {expected} 15-minute intervals are billed on estimates ({kwh}). When the real readings arrive,"
        " the difference appears as a correction in a later invoice.",
    },
    "estimates.missing": {
        "es": "Faltan {slots} de {expected} intervalos de 15 minutos, sin estimación.",
        "en": "{slots} of {expected} 15-minute intervals are missing and not estimated.",
    },
    "estimates.none": {
        "es": "Todos los intervalos del período ({expected}) tienen lectura del medidor.",
        "en": "Every interval of the period ({expected}) was read from the meter.",
    },
    "col.range": {"es": "Intervalo (hora local)", "en": "Range (local time)"},
    "col.slots": {"es": "Lecturas", "en": "Slots"},
    "col.kwh": {"es": "kWh", "en": "kWh"},
    "col.method": {"es": "Método", "en": "Method"},
    "method.similar-days": {
        "es": "mismo intervalo de los días semejantes más cercanos",
        "en": "same slot of the nearest similar days",
    },
    "method.similar-days-register": {
        "es": "mismo intervalo de los días semejantes más cercanos, ajustado al totalizador del medidor",
        "en": "same slot of the nearest similar days, scaled to the meter's register",
    },
    "method.other-days": {
        "es": "mismo intervalo de los días más cercanos",
        "en": "same slot of the nearest days",
    },
    "method.other-days-register": {
        "es": "mismo intervalo de los días más cercanos, ajustado al totalizador del medidor",
        "en": "same slot of the nearest days, scaled to the meter's register",
    },
    "method.mean": {"es": "media de los intervalos medidos", "en": "mean of the measured slots"},
    "method.mean-register": {
        "es": "media de los intervalos medidos, ajustada al totalizador del medidor",
        "en": "mean of the measured slots, scaled to the meter's register",
    },
    "method.register": {
        "es": "totalizador del medidor, repartido por igual",
        "en": "the meter's register, spread evenly",
    },
    "method.meter": {"es": "estimada por el propio medidor", "en": "estimated by the meter itself"},
    # legends
    "legend": {"es": "Cómo se calcula", "en": "How it is computed"},
    "legend.energy": {
        "es": "kWh de cada bloque horario por el precio del bloque vigente en la fecha de consumo.",
        "en": "kWh of each block times the block's price in force on the day of use.",
    },
    "legend.demand.period_max": {
        "es": "La mayor potencia de un intervalo de 15 minutos del período por su precio; si el precio cambia en el"
        " período, ponderado por días.",
        "en": "The period's highest 15-minute power times its price; weighted by days where the price changes.",
    },
    "legend.demand.block_max": {
        "es": "La mayor potencia de 15 minutos de cada bloque por el precio del bloque; si cambia, ponderado por días.",
        "en": "Each block's highest 15-minute power times the block's price; weighted by days where it changes.",
    },
    "legend.losses.charge_per_kwh": {
        "es": "Energía total por el factor de pérdidas de la red, un precio por kWh.",
        "en": "All energy times the network's loss factor, a price per kWh.",
    },
    "legend.losses.energy": {
        "es": "Costo de la energía por el factor de pérdidas de la red.",
        "en": "Cost of the energy times the network's loss factor.",
    },
    "legend.ftpms": {
        "es": "Energía del bloque {blocks} por el valor FTPMS del pliego tarifario.",
        "en": "Energy of the {blocks} block times the tariff's FTPMS value.",
    },
    "legend.deviation.shortfall": {
        "es": "Energía pronosticada y no consumida en cada intervalo por el costo de desviación negativa.",
        "en": "Energy forecast and not taken, per interval, times the cost of negative deviation.",
    },
    "legend.deviation.both": {
        "es": "Diferencia entre pronóstico y consumo de cada intervalo por el costo de desviación de su signo.",
        "en": "Difference between forecast and use, per interval, times the cost of deviation of its sign.",
    },
    "legend.discount": {
        "es": "Porcentaje pactado sobre la suma de los cargos de energía, demanda, pérdidas, FTPMS y desviación.",
        "en": "Agreed share of the charges for energy, demand, losses, FTPMS and deviation.",
    },
    "legend.correction": {
        "es": "Lo que habrían costado las lecturas reales de períodos estimados, menos lo facturado entonces.",
        "en": "What the real readings of estimated periods would have cost, less what was billed then.",
    },
    "legend.vat": {
        "es": "Impuesto a la transferencia de bienes muebles y a la prestación de servicios sobre el subtotal gravado.",
        "en": "Value added tax on the taxable subtotal.",
    },
    "legend.retention": {
        "es": "Parte del subtotal gravado que el cliente retiene como agente de retención y entera al fisco.",
        "en": "Share of the taxable subtotal that the customer withholds and pays to the tax authority.",
    },
    "legend.municipal_fee": {
        "es": "Importe mensual fijado por la municipalidad, fuera de la base del IVA.",
        "en": "Monthly amount set by the municipality, outside the VAT base.",
    },
    "legend.load_factor": {
        "es": "Potencia media del período entre la demanda máxima; cuanto más alto, más uniforme el consumo.",
        "en": "Mean power of the period over maximum demand; the higher, the more even the use.",
    },
    "legend.price": {
        "es": "Total a pagar entre la energía del período.",
        "en": "Total to pay over the energy of the period.",
    },
    "rounding": {
        "es": "Cada cargo se redondea una vez al centavo y los totales suman los importes redondeados. Los parciales se"
        " muestran con cuatro decimales.",
        "en": "Each charge is rounded once to the cent and totals add the rounded amounts. Details show four decimals.",
    },
    # where values come from
    "origins": {"es": "Origen de los valores", "en": "Where the values come from"},
    "origin.readings": {"es": "Lecturas", "en": "Readings"},
    "origin.versions": {"es": "Versiones", "en": "Versions"},
    "origin.column": {
        "es": "columna {column} de las lecturas del medidor {meter}",
        "en": "column {column} of the readings of meter {meter}",
    },
    "origin.line": {"es": "línea {line}", "en": "line {line}"},
    "origin.hash": {"es": "Huella de los datos", "en": "Hash of the inputs"},
    "origin.tariff": {"es": "tarifa {hash}", "en": "tariff {hash}"},
    "origin.calendar": {"es": "calendario {name} {hash}", "en": "calendar {name} {hash}"},
    "origin.lake": {"es": "lecturas v{version}", "en": "readings v{version}"},
    "page": {"es": "Página {page} de {pages}", "en": "Page {page} of {pages}"},
    "questions": {"es": "Consultas", "en": "Questions"},
}
