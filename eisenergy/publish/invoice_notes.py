"""What stands around the invoice's table: key figures, estimated readings, how charges are computed, where values come from."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from eisenergy.billing.model import Bill, LineCode
from eisenergy.money import difference, excel_round, product, quotient, total
from eisenergy.publish.invoice_lines import peak
from eisenergy.publish.texts import (
    DOT,
    MINUS,
    NBSP,
    format_instant,
    format_kwh,
    format_number,
    format_range,
    method_name,
    month_short,
    present,
    word,
)

if TYPE_CHECKING:
    from eisenergy.desk import CustomerMonth


def kpis(month: CustomerMonth, locale: str) -> list[dict[str, str]]:
    """Return the month's key figures: label, value, unit and a remark each."""
    bill, indicators = month.bill, month.bill.indicators

    def tile(key: str, value: str, unit: str, note: str) -> dict[str, str]:
        return {"label": word(key, locale), "value": value, "unit": unit, "note": note}

    none = "\N{EM DASH}"
    load, power_factor, price = indicators.load_factor, indicators.power_factor, indicators.price_per_kwh
    kw, at, _ = peak(bill)
    per_day = word("kpi.day_mean", locale, kwh=format_kwh(quotient(bill.kwh, Decimal(bill.period.days)), locale))
    return [
        tile("kpi.energy", format_number(bill.kwh, 0, locale), "kWh", _against(month, locale) or per_day),
        tile("kpi.demand", format_number(kw, 2, locale), "kW", format_instant(at, bill.timezone, locale) if at else ""),
        tile(
            "kpi.load_factor",
            none if load is None else format_number(product(load, Decimal(100)), 1, locale),
            "" if load is None else "%",
            word("kpi.load_factor.note", locale),
        ),
        tile(
            "kpi.power_factor",
            none if power_factor is None else format_number(power_factor, 2, locale),
            "",
            word("kpi.power_factor.none" if power_factor is None else "kpi.power_factor.note", locale),
        ),
        tile(
            "kpi.price",
            none if price is None else format_number(price, 4, locale),
            "" if price is None else f"{bill.currency}/kWh",
            word("kpi.price.note", locale),
        ),
    ]


def _against(month: CustomerMonth, locale: str) -> str:
    """Say how the energy changed against the same month last year, or the month before where last year is unknown."""
    by_month = {item.month: total(item.kwh.values()) for item in month.history if item.kwh and not item.missing}
    for reference in (month.month.plus(-12), month.month.plus(-1)):
        before = by_month.get(reference)
        if before and before > 0:
            change = excel_round(product(difference(quotient(month.bill.kwh, before), Decimal(1)), Decimal(100)), 1)
            sign = "+" if change > 0 else MINUS if change < 0 else ""
            text = f"{sign}{format_number(abs(change), 1, locale)}{NBSP}%"
            return word("kpi.against", locale, change=text, month=f"{month_short(reference, locale)} {reference.year}")
    return ""


def estimates(bill: Bill, locale: str) -> dict[str, Any]:
    """Return what was estimated: a sentence, and a row per run of intervals with its energy and method."""
    expected = format_number(Decimal(bill.slots_expected), 0, locale)
    texts = []
    if bill.estimated:
        texts.append(
            word(
                "estimates.text",
                locale,
                slots=str(sum(item.slots for item in bill.estimated)),
                expected=expected,
                kwh=format_kwh(total(item.kwh for item in bill.estimated), locale),
            )
        )
    if bill.slots_missing:
        texts.append(word("estimates.missing", locale, slots=str(bill.slots_missing), expected=expected))
    if not texts:
        texts.append(word("estimates.none", locale, expected=expected))
    methods = list(dict.fromkeys(item.method for item in bill.estimated))
    return {
        "heading": word("estimates", locale),
        "complete": not bill.estimated and not bill.slots_missing,
        "text": " ".join(texts),
        "columns": [word(f"col.{name}", locale) for name in ("range", "slots", "kwh", "method")],
        "rows": [
            [
                format_range(item.start, item.end, bill.timezone, locale),
                str(item.slots),
                format_number(item.kwh, 2, locale),
                str(methods.index(item.method) + 1),
            ]
            for item in bill.estimated
        ],
        "methods": [f"({n}) {method_name(method, locale)}" for n, method in enumerate(methods, 1)],
    }


def legend(bill: Bill, locale: str) -> list[list[str]]:
    """Return one sentence per charge, as the bill's rules have it."""
    rules = bill.rules
    blocks = ", ".join(rules.get("ftpms_blocks") or ["PUNTA"])
    keys = {
        LineCode.ENERGY: "legend.energy",
        LineCode.DEMAND: f"legend.demand.{rules.get('demand_basis') or 'period_max'}",
        LineCode.LOSSES: f"legend.losses.{rules.get('loss_basis') or 'charge_per_kwh'}",
        LineCode.FTPMS: "legend.ftpms",
        LineCode.DEVIATION: f"legend.deviation.{rules.get('deviation_mode') or 'shortfall'}",
        LineCode.DISCOUNT: "legend.discount",
        LineCode.CORRECTION: "legend.correction",
        LineCode.VAT: "legend.vat",
        LineCode.RETENTION: "legend.retention",
        LineCode.MUNICIPAL_FEE: "legend.municipal_fee",
    }
    present = {line.code for line in bill.lines}
    items = [
        [word(f"line.{code}", locale), word(key, locale, blocks=blocks)]
        for code, key in keys.items()
        if code in present
    ]
    items += [[word(f"kpi.{name}", locale), word(f"legend.{name}", locale)] for name in ("load_factor", "price")]
    return items


def origins(month: CustomerMonth, locale: str) -> list[list[str]]:
    """Return where every price came from, which readings and versions were used, and the hash of all inputs."""
    bill = month.bill
    rows: list[list[str]] = []
    for line in bill.lines:
        found = list(dict.fromkeys(part.origin for part in line.parts if part.origin))
        if found and line.code is not LineCode.CORRECTION:
            rows.append([word(f"line.{line.code}", locale), _joined(found, locale)])
    source = bill.provenance
    if source:
        rows.append([word("origin.readings", locale), "; ".join(sorted(set(source.sources.values())))])
        rows.append([word("origin.versions", locale), DOT.join(_versions(bill, locale))])
    if month.invoice:
        rows.append([word("origin.hash", locale), month.invoice.input_hash])
    return [row for row in rows if row[1]]


def _joined(origins: list[str], locale: str) -> str:
    """Join origins in the reader's language; cells of one sheet follow its name once."""
    groups: dict[str, list[str]] = {}
    for origin in origins:
        text = re.sub(
            r"column (\w+) of the readings of meter (\S+)",
            lambda found: word("origin.column", locale, column=found[1], meter=found[2]),
            origin,
        )
        text = re.sub(r"\bline (\d+)", lambda found: word("origin.line", locale, line=found[1]), text)
        cell = re.fullmatch(r"(.*!)([A-Z]{1,3}\d+)", text)
        groups.setdefault(cell[1] if cell else text, []).append(cell[2] if cell else "")
    return "; ".join(head + ", ".join(present(*cells)) for head, cells in groups.items())


def _versions(bill: Bill, locale: str) -> list[str]:
    source = bill.provenance
    assert source is not None
    return [
        f"eisenergy {source.code_version}",
        word("origin.lake", locale, version=str(source.lake_version)),
        word("origin.tariff", locale, hash=source.tariff_version[:12]),
        word("origin.calendar", locale, name=bill.calendar, hash=source.calendar_version[:12]),
    ]
