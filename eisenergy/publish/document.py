"""The invoice as a document of printed strings: what the Typst template, the page and the plain text all show.

Every figure is formatted here, from the bill's own rounded amounts. The template adds and rounds no money; the plain numbers
in the document only say how high a column is drawn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from eisenergy.billing.model import Bill, BillLine, BillPart, LineCode
from eisenergy.desk import CustomerMonth
from eisenergy.money import difference, excel_round, product, quotient, total
from eisenergy.publish import invoice_figures, invoice_html, theme
from eisenergy.publish.texts import (
    DEFAULT_LOCALE,
    MINUS,
    NBSP,
    format_day,
    format_instant,
    format_kwh,
    format_money,
    format_number,
    format_percent,
    format_period,
    format_range,
    format_rate,
    language,
    method_name,
    month_name,
    month_short,
    word,
)

Document = dict[str, Any]

CHARGES: Final = (
    LineCode.ENERGY,
    LineCode.DEMAND,
    LineCode.LOSSES,
    LineCode.FTPMS,
    LineCode.DEVIATION,
    LineCode.DISCOUNT,
    LineCode.CORRECTION,
)
DOT: Final = f"{NBSP}\N{MIDDLE DOT} "


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table of charges.

    :param kind: ``line`` (has an amount), ``part`` (a product inside a line) or ``note`` (a sentence below it)
    :param part: amount of a product, not rounded to cents; printed in a column of its own
    :param colour: the block's colour, empty for none
    """

    kind: str
    concept: str
    quantity: str = ""
    rate: str = ""
    part: str = ""
    amount: str = ""
    colour: str = ""
    code: str = ""


def invoice_document(month: CustomerMonth, *, locale: str | None = None) -> Document:
    """Return the invoice of a customer's month as JSON types.

    :param locale: overrides the client's, for example ``en-US``
    :returns: strings as printed, and plain numbers for drawing; see ``reports/typst/bill-page.typ``, which prints it
    :raises UnknownLocale: for a language without texts
    """
    locale = locale or month.client.locale or DEFAULT_LOCALE
    bill, invoice = month.bill, month.invoice
    issuer = invoice.issuer if invoice else month.client
    customer, site = bill.contract.customer, bill.contract.meter.site

    def say(key: str, **values: str) -> str:
        return word(key, locale, **values)

    number = invoice.number if invoice else ""
    issued = invoice.issued_on if invoice else None
    due = invoice.due_on if invoice else None
    municipality = site.municipality or customer.municipality
    fee = bill.line(LineCode.MUNICIPAL_FEE)
    rows = charge_rows(bill, locale)
    return {
        "lang": language(locale),
        "theme": {
            "ink": theme.INK,
            "muted": theme.MUTED,
            "rule": theme.RULE,
            "panel": theme.PANEL,
            "brand": theme.BRAND,
            "accent": theme.ACCENT,
            "warning": theme.WARNING,
        },
        "meta": _meta(month, issuer.name, number, issued, locale),
        "draft": {"label": say("draft"), "note": say("draft.note")} if invoice is None else None,
        "title": say("invoice"),
        "number": number or say("draft.number"),
        "issuer": {
            "name": issuer.name,
            "lines": _present(
                f"{say('nit')} {issuer.nit}{DOT}{say('ncr')} {issuer.ncr}",
                issuer.activity,
                issuer.address,
                DOT.join(_present(issuer.phone and f"{say('phone')} {issuer.phone}", issuer.email, issuer.website)),
            ),
        },
        "facts": [
            [say("number"), number or say("draft.number")],
            [say("period"), format_period(bill.period, locale)],
            [say("issued"), format_day(issued, locale) if issued else "\N{EM DASH}"],
            [say("due"), format_day(due, locale) if due else "\N{EM DASH}"],
        ],
        "total": {
            "label": say("total"),
            "currency": bill.currency,
            "amount": format_money(bill.total, locale),
            "due": say("pay_before", day=format_day(due, locale)) if due else say("draft.note"),
            "month": month_name(month.month, locale),
        },
        "customer": {
            "heading": say("customer"),
            "name": customer.name,
            "rows": [
                [say("nit"), customer.nit or say("none")],
                [say("ncr"), customer.ncr or say("none")],
                [say("activity.short"), customer.activity or say("none")],
                [say("address"), ", ".join(_present(customer.address, customer.municipality)) or say("none")],
                [say("email"), DOT.join(_present(customer.email, customer.phone)) or say("none")],
            ],
        },
        "supply": {
            "heading": say("supply"),
            "rows": [
                [say("contract"), bill.contract.number],
                [say("meter"), bill.contract.meter.serial],
                [say("node"), ", ".join(_present(site.node, municipality))],
                [say("tariff"), bill.tariff],
                [say("contracted"), _contracted(bill, locale)],
            ],
        },
        "charges": {
            "heading": say("charges"),
            "columns": [
                say("col.concept"),
                say("col.quantity"),
                f"{say('col.rate')} ({bill.currency})",
                say("col.part"),
                f"{say('col.amount')} ({bill.currency})",
            ],
            "rows": [asdict(row) for row in rows],
        },
        "sums": [asdict(row) for row in _sums(bill, locale)],
        "seller_total": {
            "label": say("seller_total", issuer=issuer.name),
            "amount": format_money(difference(bill.total, fee.amount), locale),
        },
        "third_party": {
            "heading": say("third_party"),
            "label": say("line.municipal_fee"),
            "amount": format_money(fee.amount, locale),
            "note": say("third_party.note", municipality=municipality or say("none"), issuer=issuer.name),
        },
        "consumption": say("consumption"),
        "kpis": _kpis(month, locale),
        "history": invoice_figures.history(month, locale),
        "profile": invoice_figures.profile(month, locale),
        "daily": invoice_figures.daily(month, locale),
        "estimates": _estimates(bill, locale),
        "legend": {"heading": say("legend"), "items": _legend(bill, locale), "note": say("rounding")},
        "origins": {"heading": say("origins"), "rows": _origins(month, locale)},
        "footer": {
            "left": DOT.join(
                _present(issuer.name, f"{say('invoice.short')} {number or say('draft.number')}", bill.contract.number)
            ),
            "page": say("page", page="{page}", pages="{pages}"),
        },
    }


def _present(*texts: str) -> list[str]:
    return [text for text in texts if text]


def _meta(month: CustomerMonth, issuer: str, number: str, issued: date | None, locale: str) -> dict[str, Any]:
    invoice = word("invoice.short", locale)
    name, label = month.bill.contract.customer.name, number or word("draft", locale)
    return {
        "title": f"{invoice} {label} \N{MIDDLE DOT} {name} \N{MIDDLE DOT} {month_name(month.month, locale)}",
        "author": issuer,
        "keywords": _present(invoice, number, month.bill.contract.number, str(month.month), month.bill.tariff),
        # a draft has no date of issue; the end of its period keeps its document reproducible
        "date": (issued or month.bill.period.end).isoformat(),
        "lang": language(locale),
        "region": "SV" if language(locale) == "es" else "US",
    }


def _contracted(bill: Bill, locale: str) -> str:
    power = bill.contract.contracted_kw
    return f"{format_rate(power.value, locale, least=0, most=2)}{NBSP}kW" if power else word("none", locale)


# ------------------------------------------------------------------ charges


def charge_rows(bill: Bill, locale: str) -> list[Row]:
    """Return the rows above the subtotal: each charge, its products, and what must be said about it."""
    rows: list[Row] = []
    for line in bill.lines:
        if line.code in CHARGES:
            rows += _charge(bill, line, locale)
    return rows


def _charge(bill: Bill, line: BillLine, locale: str) -> list[Row]:
    name = word(f"line.{line.code}", locale)
    amount = format_money(line.amount, locale)
    if line.code is LineCode.DISCOUNT:
        return [_share_row(line, name, locale)]
    if line.code is LineCode.CORRECTION:
        return [Row(kind="line", concept=name, amount=amount, code=line.code), *_corrections(line, locale)]
    parts = _merged(bill, line, locale)
    one = len(parts) == 1 and line.code is not LineCode.ENERGY
    head = Row(
        kind="line",
        concept=name,
        quantity=_quantity(line.quantity, line.unit, locale) if line.quantity is not None else "",
        rate=format_rate(line.parts[0].rate, locale) if one else "",
        amount=amount,
        code=line.code,
    )
    return [head, *([] if one else parts), *(Row(kind="note", concept=text) for text in _notes(bill, line, locale))]


def _quantity(value: Decimal, unit: str, locale: str) -> str:
    return f"{format_number(value, 2, locale)}{NBSP}{unit}"


def _share_row(line: BillLine, name: str, locale: str) -> Row:
    rate = abs(line.parts[0].rate) if line.parts else abs(line.rate or Decimal(0))
    base = format_money(line.quantity or Decimal(0), locale)
    return Row(
        kind="line",
        concept=f"{name} {format_percent(rate, locale)}",
        quantity=word("share.of", locale, base=base),
        amount=format_money(line.amount, locale),
        code=line.code,
    )


def _merged(bill: Bill, line: BillLine, locale: str) -> list[Row]:
    """One row per block and price; where the block does not matter to the price, one row per price."""
    by_block = line.code is LineCode.ENERGY or len({part.rate for part in line.parts}) > 1
    groups: dict[tuple[str, str | None, Decimal, date | None], list[BillPart]] = {}
    for part in line.parts:
        groups.setdefault((part.label, part.block if by_block else None, part.rate, part.rate_from), []).append(part)
    order = {summary.block: n for n, summary in enumerate(bill.blocks)}
    keys = sorted(groups, key=lambda key: (order.get(key[1] or "", -1), key[3] or date.min))
    colours = theme.block_colours(summary.block for summary in bill.blocks)
    several = {block for block in order if sum(key[1] == block for key in keys) > 1}
    rows = []
    for key in keys:
        label, block, rate, _ = key
        parts = groups[key]
        rows.append(
            Row(
                kind="part",
                concept=_part_name(bill, line, label, block, parts, locale, dated=block is None or block in several),
                quantity=_quantity(total(part.quantity for part in parts), parts[0].unit, locale),
                rate=format_rate(rate, locale),
                part=format_number(total(part.exact for part in parts), 4, locale),
                colour=colours.get(block or "", ""),
            )
        )
    return rows


def _part_name(
    bill: Bill, line: BillLine, label: str, block: str | None, parts: list[BillPart], locale: str, *, dated: bool
) -> str:
    names = [block or ""]
    if line.code is LineCode.DEVIATION:
        names.append(word("deviation.over" if label.startswith("above") else "deviation.short", locale))
    period = parts[0].period
    if line.code is LineCode.DEMAND:
        summary = next((item for item in bill.blocks if item.block == block), None)
        if summary and summary.max_kw_at:
            names.append(format_instant(summary.max_kw_at, bill.timezone, locale))
        if period and period != bill.period:
            span = format_period(period, locale)
            names.append(word("days.of", locale, period=span, n=str(period.days), of=str(bill.period.days)))
    elif dated and period and period != bill.period:
        names.append(format_period(period, locale))
    return DOT.join(_present(*names))


def _corrections(line: BillLine, locale: str) -> list[Row]:
    rows = []
    for part in line.parts:
        invoice = re.search(r"invoice (\S+)$", part.label)
        period = format_period(part.period, locale) if part.period else part.label
        name = word("correction.of", locale, period=period, number=invoice[1]) if invoice else period
        rows.append(Row(kind="part", concept=name, part=format_number(part.exact, 4, locale)))
    return rows


def _notes(bill: Bill, line: BillLine, locale: str) -> list[str]:
    if line.code is LineCode.ENERGY:
        export = total(summary.kwh_export for summary in bill.blocks)
        return [word("export", locale, kwh=format_kwh(export, locale))] if export else []
    if line.code is LineCode.DEMAND:
        return [_peak(bill, locale)] if bill.blocks else []
    if line.code is LineCode.FTPMS:
        blocks = sorted({part.block for part in line.parts if part.block})
        return [word("ftpms.blocks", locale, blocks=", ".join(blocks))] if blocks and len(line.parts) == 1 else []
    return []


def peak(bill: Bill) -> tuple[Decimal, datetime | None, int]:
    """Return the bill's highest power [kW], when it first occurred (UTC) and how many intervals reached it."""
    highest = max((summary.max_kw for summary in bill.blocks), default=Decimal(0))
    tied = [summary for summary in bill.blocks if summary.max_kw == highest and summary.max_kw_at]
    first = min((summary.max_kw_at for summary in tied if summary.max_kw_at), default=None)
    return highest, first, sum(summary.max_kw_ties for summary in tied)


def _peak(bill: Bill, locale: str) -> str:
    kw, at, ties = peak(bill)
    texts = []
    if at:
        texts.append(word("demand.at", locale, when=format_instant(at, bill.timezone, locale)))
    if ties > 1:
        texts.append(word("demand.ties", locale, n=str(ties)))
    power = bill.contract.contracted_kw
    if power and power.value > 0:
        share = quotient(kw, power.value)
        key = "demand.over" if share > 1 else "demand.of"
        texts.append(word(key, locale, kw=_contracted(bill, locale), share=format_percent(share, locale, most=1)))
    return DOT.join(texts)


def _sums(bill: Bill, locale: str) -> list[Row]:
    rows = []
    for code in (LineCode.SUBTOTAL, LineCode.VAT, LineCode.RETENTION):
        line = bill.line(code)
        name = word(f"line.{code}", locale)
        if code is LineCode.SUBTOTAL:
            rows.append(Row(kind="line", concept=name, amount=format_money(line.amount, locale), code=code))
        else:
            rows.append(_share_row(line, name, locale))
    return rows


# -------------------------------------------------------------- consumption


def _kpis(month: CustomerMonth, locale: str) -> list[dict[str, str]]:
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


def _estimates(bill: Bill, locale: str) -> dict[str, Any]:
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


def _legend(bill: Bill, locale: str) -> list[list[str]]:
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


def _origins(month: CustomerMonth, locale: str) -> list[list[str]]:
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
    return "; ".join(head + ", ".join(_present(*cells)) for head, cells in groups.items())


def _versions(bill: Bill, locale: str) -> list[str]:
    source = bill.provenance
    assert source is not None
    return [
        f"eisenergy {source.code_version}",
        word("origin.lake", locale, version=str(source.lake_version)),
        word("origin.tariff", locale, hash=source.tariff_version[:12]),
        word("origin.calendar", locale, name=bill.calendar, hash=source.calendar_version[:12]),
    ]


# ------------------------------------------------------- one output, three readers


@dataclass(frozen=True, slots=True)
class InvoiceOutput:
    """What a notebook shows of an invoice: a page for HTML, Typst for the PDF, plain text for a terminal."""

    document: Document

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        """Return the three forms; a front end takes the richest one that it knows."""
        del include, exclude
        return {
            "text/html": invoice_html.page(self.document),
            "text/markdown": fence(self.document),
            "text/plain": plain(self.document),
        }


def invoice_bundle(month: CustomerMonth, *, locale: str | None = None) -> InvoiceOutput:
    """Return the invoice as one output for three readers.

    :param locale: overrides the client's
    :raises UnknownLocale: for a language without texts
    """
    return InvoiceOutput(invoice_document(month, locale=locale))


def typst_json(value: object) -> str:
    r"""Return a Typst expression that evaluates to a JSON value, safe in a raw Markdown block.

    Everything but plain ASCII is escaped inside the JSON, and so are the signs that Markdown, HTML, a shortcode or Typst
    could take for their own (backtick, ``<``, ``>``, ``&``, ``$``, ``#``, ``@``, ``{{``): no name can end the block.
    """
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True, allow_nan=False)
    text = re.sub(r"[`<>&$#@~]", lambda found: f"\\u{ord(found[0]):04x}", text)
    return 'json(bytes("' + text.replace("\\", "\\\\").replace('"', '\\"') + '"))'


def fence(document: Document, function: str = "invoice") -> str:
    """Return a document as a raw Typst block that calls a function of ``bill-page.typ`` with it."""
    return f"```{{=typst}}\n#{function}({typst_json(document)})\n```\n"


def plain(document: Document) -> str:
    """Return a document as text for a terminal: what is charged, and the total."""
    width = 46
    head = [
        document["title"],
        *(f"{label}: {value}" for label, value in document["facts"]),
        document["customer"]["name"],
    ]
    if document["draft"]:
        head.insert(0, f"*** {document['draft']['label']} ***")
    rows = [row for row in document["charges"]["rows"] + document["sums"] if row["kind"] == "line"]
    lines = [(row["concept"], row["amount"]) for row in rows]
    lines.append((document["third_party"]["label"], document["third_party"]["amount"]))
    lines.append(
        (f"{document['total']['label'].upper()} ({document['total']['currency']})", document["total"]["amount"])
    )
    body = [f"{label:<{width}}{amount:>14}" for label, amount in lines]
    return "\n".join([*head, "", *body])
