"""The invoice as a page: the same document as the PDF's, in HTML that needs no script and no other file."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from eisenergy.publish import theme

Document = dict[str, Any]

CSS: Final = """
.eis-invoice{--ink:INK;--muted:MUTED;--rule:RULE;--panel:PANEL;--brand:BRAND;--accent:ACCENT;--warning:WARNING;
 color:var(--ink);background:#fff;font-family:FONT;font-size:15px;line-height:1.45;max-width:60rem;margin:0 auto;
 font-variant-numeric:tabular-nums}
.eis-invoice *{box-sizing:border-box}
.eis-invoice h2,.eis-invoice h3{margin:0;color:var(--brand);line-height:1.2}
.eis-invoice h2{font-size:1.5rem}
.eis-invoice h3{font-size:1rem;margin:1.6rem 0 .5rem;padding:0;border:0}
.eis-invoice p{margin:.25rem 0}
.eis-invoice .muted{color:var(--muted);font-size:.87em}
.eis-invoice .head{display:flex;flex-wrap:wrap;gap:1rem;justify-content:space-between;padding-bottom:1rem;
 border-bottom:3px solid var(--brand)}
.eis-invoice .head>div{flex:1 1 18rem}
.eis-invoice .total{background:var(--brand);color:#fff;border-radius:.5rem;padding:1rem 1.25rem;flex:0 1 20rem}
.eis-invoice .total .big{font-size:2.1rem;font-weight:700;line-height:1.1;white-space:nowrap}
.eis-invoice .total .what{margin-top:.6rem}
.eis-invoice .total .cur{font-size:1rem;font-weight:400;margin-right:.35rem}
.eis-invoice .draft{display:inline-block;border:2px solid var(--warning);color:var(--warning);font-weight:700;
 letter-spacing:.08em;padding:.1rem .6rem;border-radius:.3rem;margin-bottom:.5rem}
.eis-invoice .two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,19rem),1fr));gap:0 2rem}
.eis-invoice dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem .9rem;margin:0}
.eis-invoice dt{color:var(--muted);font-weight:400}
.eis-invoice dd{margin:0;overflow-wrap:anywhere}
.eis-invoice .kpis{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;margin-top:1.2rem}
.eis-invoice .kpi{background:var(--panel);border-radius:.4rem;padding:.6rem .8rem}
.eis-invoice .kpi b{display:block;font-size:1.35rem;line-height:1.2;color:var(--brand)}
.eis-invoice .kpi b small{font-size:.8rem;font-weight:400;color:var(--muted)}
.eis-invoice .scroll{overflow-x:auto}
.eis-invoice table{width:100%;border-collapse:collapse;margin:0;font-size:inherit}
.eis-invoice th,.eis-invoice td{padding:.3rem .5rem;text-align:right;border:0;border-bottom:1px solid var(--rule);
 vertical-align:baseline;background:none}
.eis-invoice td{white-space:nowrap}
.eis-invoice th:first-child,.eis-invoice td:first-child{text-align:left;padding-left:0;white-space:normal}
.eis-invoice th:last-child,.eis-invoice td:last-child{padding-right:0}
.eis-invoice thead th{color:var(--muted);font-weight:600;font-size:.8em;border-bottom:2px solid var(--brand)}
.eis-invoice tr.line td:first-child,.eis-invoice tr.line td:last-child{font-weight:600}
.eis-invoice tr.part td,.eis-invoice tr.note td{color:var(--muted);font-size:.9em;border-bottom-style:dotted}
.eis-invoice tr.part td:first-child,.eis-invoice tr.note td:first-child{padding-left:1.1rem}
.eis-invoice tr.sum td{background:var(--panel)}
.eis-invoice tr.strong td{border-top:2px solid var(--brand);font-weight:700}
.eis-invoice tr.grand td{font-size:1.25em;font-weight:700;color:var(--brand);border-bottom:3px double var(--brand)}
.eis-invoice .swatch{display:inline-block;width:.7em;height:.7em;border-radius:2px;margin-right:.45em}
@media (max-width:40rem){.eis-invoice .opt{display:none}.eis-invoice .total .big{font-size:1.8rem}}
"""


def style() -> str:
    """Return the style sheet with the house's colours filled in."""
    css = CSS
    for name in ("INK", "MUTED", "RULE", "PANEL", "BRAND", "ACCENT", "WARNING"):
        css = css.replace(f":{name}", f":{getattr(theme, name)}")
    return css.replace("FONT", theme.CSS_FONT)


def page(document: Document) -> str:
    """Return an invoice document as an HTML fragment with its own style sheet; every text is escaped."""
    total = document["total"]
    draft = document["draft"]
    parts = [
        f"<style>{style()}</style>",
        f'<div class="eis-invoice" lang="{escape(document["lang"])}">',
        '<div class="head"><div>',
        f'<div class="draft">{escape(draft["label"])}</div>' if draft else "",
        f"<h2>{escape(document['issuer']['name'])}</h2>",
        *(f'<p class="muted">{escape(text)}</p>' for text in document["issuer"]["lines"]),
        '</div><div class="total">',
        f"<div><b>{escape(document['title'])}</b></div><div>{escape(total['month'])}</div>",
        f'<div class="what">{escape(total["label"])}</div>',
        f'<div class="big"><span class="cur">{escape(total["currency"])}</span>{escape(total["amount"])}</div>',
        f"<div>{escape(total['due'])}</div></div></div>",
        '<div class="two"><div>',
        f"<h3>{escape(document['customer']['heading'])}</h3><p><b>{escape(document['customer']['name'])}</b></p>",
        _pairs(document["customer"]["rows"]),
        "</div><div>",
        f"<h3>{escape(document['supply']['heading'])}</h3>",
        _pairs([*document["facts"], *document["supply"]["rows"]]),
        "</div></div>",
        '<div class="kpis">',
        *(_kpi(tile) for tile in document["kpis"]),
        "</div>",
        _charges(document),
        f'<p class="muted">{escape(document["legend"]["note"])}</p>',
        f"<h3>{escape(document['estimates']['heading'])}</h3>",
        _estimates(document["estimates"]),
        f"<h3>{escape(document['legend']['heading'])}</h3>",
        _pairs(document["legend"]["items"]),
        f"<h3>{escape(document['origins']['heading'])}</h3>",
        f'<div class="muted">{_pairs(document["origins"]["rows"])}</div>',
        "</div>",
    ]
    return "\n".join(part for part in parts if part)


def _pairs(rows: list[list[str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in rows) + "</dl>"


def _kpi(tile: dict[str, str]) -> str:
    return (
        f'<div class="kpi"><span class="muted">{escape(tile["label"])}</span>'
        f"<b>{escape(tile['value'])} <small>{escape(tile['unit'])}</small></b>"
        f'<span class="muted">{escape(tile["note"])}</span></div>'
    )


def _charges(document: Document) -> str:
    classes = ("", "", ' class="opt"', ' class="opt"', "")
    columns = document["charges"]["columns"]
    head = "".join(f'<th scope="col"{css}>{escape(name)}</th>' for name, css in zip(columns, classes, strict=True))
    seller, third, total = document["seller_total"], document["third_party"], document["total"]
    rows = [
        *(_row(row, row["kind"]) for row in document["charges"]["rows"]),
        *(_row(row, "line sum") for row in document["sums"]),
        _wide(seller["label"], seller["amount"], "strong"),
        f'<tr class="note"><td colspan="5">{escape(third["heading"])}. {escape(third["note"])}</td></tr>',
        _wide(third["label"], third["amount"], "line"),
        _wide(f"{total['label']} ({total['currency']})", total["amount"], "grand"),
    ]
    return (
        f"<h3>{escape(document['charges']['heading'])}</h3>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _row(row: dict[str, str], css: str) -> str:
    if row["kind"] == "note":
        return f'<tr class="note"><td colspan="5">{escape(row["concept"])}</td></tr>'
    swatch = f'<span class="swatch" style="background:{escape(row["colour"])}"></span>' if row["colour"] else ""
    return (
        f'<tr class="{css}"><td>{swatch}{escape(row["concept"])}</td><td>{escape(row["quantity"])}</td>'
        f'<td class="opt">{escape(row["rate"])}</td><td class="opt">{escape(row["part"])}</td>'
        f"<td>{escape(row['amount'])}</td></tr>"
    )


def _wide(label: str, amount: str, css: str) -> str:
    return (
        f'<tr class="{css}"><td colspan="2">{escape(label)}</td><td class="opt"></td><td class="opt"></td>'
        f"<td>{escape(amount)}</td></tr>"
    )


def _estimates(estimates: Document) -> str:
    text = f"<p>{escape(estimates['text'])}</p>"
    if not estimates["rows"]:
        return text
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in estimates["columns"])
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(value)}</td>" for value in row) + "</tr>" for row in estimates["rows"]
    )
    methods = escape("; ".join(estimates["methods"]))
    return (
        f'{text}<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f'<p class="muted">{escape(estimates["columns"][-1])}: {methods}</p>'
    )
