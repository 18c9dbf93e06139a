"""The invoice as a document of printed strings: what the Typst template, the page and the plain text all show.

Every figure is formatted here, from the bill's own rounded amounts. The template adds and rounds no money; the plain numbers
in the document only say how high a column is drawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from eisenergy.billing.model import LineCode
from eisenergy.money import difference
from eisenergy.publish import invoice_figures, invoice_html, invoice_notes, theme
from eisenergy.publish.invoice_lines import charge_rows, sum_rows
from eisenergy.publish.texts import (
    DEFAULT_LOCALE,
    DOT,
    clean,
    format_contracted,
    format_day,
    format_money,
    format_period,
    language,
    month_name,
    present,
    word,
)

if TYPE_CHECKING:
    from eisenergy.desk import CustomerMonth

Document = dict[str, Any]

_ESCAPED: Final = {sign: f"\\u{ord(sign):04x}" for sign in "`<>&$#@~"}
"""Signs that could mean something outside of JSON; none stands in another's code."""


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
    power = bill.contract.contracted_kw
    fee = bill.line(LineCode.MUNICIPAL_FEE)
    rows = charge_rows(bill, locale)
    document = {
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
            "lines": present(
                f"{say('nit')} {issuer.nit}{DOT}{say('ncr')} {issuer.ncr}",
                issuer.activity,
                issuer.address,
                DOT.join(present(issuer.phone and f"{say('phone')} {issuer.phone}", issuer.email, issuer.website)),
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
                [say("address"), ", ".join(present(customer.address, customer.municipality)) or say("none")],
                [say("email"), DOT.join(present(customer.email, customer.phone)) or say("none")],
            ],
        },
        "supply": {
            "heading": say("supply"),
            "rows": [
                [say("contract"), bill.contract.number],
                [say("meter"), bill.contract.meter.serial],
                [say("node"), ", ".join(present(site.node, municipality))],
                [say("tariff"), bill.tariff],
                [say("contracted"), format_contracted(power.value if power else None, locale)],
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
            "rows": [row.to_dict() for row in rows],
        },
        "sums": [row.to_dict() for row in sum_rows(bill, locale)],
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
        "kpis": invoice_notes.kpis(month, locale),
        "history": invoice_figures.history(month, locale),
        "profile": invoice_figures.profile(month, locale),
        "daily": invoice_figures.daily(month, locale),
        "estimates": invoice_notes.estimates(bill, locale),
        "legend": {"heading": say("legend"), "items": invoice_notes.legend(bill, locale), "note": say("rounding")},
        "origins": {"heading": say("origins"), "rows": invoice_notes.origins(month, locale)},
        "footer": {
            "left": DOT.join(
                present(issuer.name, f"{say('invoice.short')} {number or say('draft.number')}", bill.contract.number)
            ),
            "page": say("page", page="{page}", pages="{pages}"),
        },
    }
    cleaned: Document = _cleaned(document)
    return cleaned


def _cleaned(value: Any) -> Any:
    """Clean every text of a document: names come from spreadsheets, where anything can stand in a cell."""
    kind = type(value)
    if kind is str:
        return clean(value)
    if kind is dict:
        return {key: clean(item) if type(item) is str else _cleaned(item) for key, item in value.items()}
    if kind is list:
        return [item if type(item) is float else _cleaned(item) for item in value]
    return clean(value) if isinstance(value, str) else value


def _meta(month: CustomerMonth, issuer: str, number: str, issued: date | None, locale: str) -> dict[str, Any]:
    invoice = word("invoice.short", locale)
    name, label = month.bill.contract.customer.name, number or word("draft", locale)
    return {
        "title": f"{invoice} {label} \N{MIDDLE DOT} {name} \N{MIDDLE DOT} {month_name(month.month, locale)}",
        "author": issuer,
        "keywords": present(invoice, number, month.bill.contract.number, str(month.month), month.bill.tariff),
        # a draft has no date of issue; the end of its period keeps its document reproducible
        "date": (issued or month.bill.period.end).isoformat(),
        "lang": language(locale),
        "region": "SV" if language(locale) == "es" else "US",
    }


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
    for sign, code in _ESCAPED.items():
        text = text.replace(sign, code)
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
