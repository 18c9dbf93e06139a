"""The operator's list of customers: a table for a few, the first of them with search, order and pages for thousands, a file with all.

The page's script (``reports/assets/lists.js``) makes the table from the rows that lie beside it. Without it the first rows stand there, those that
need somebody first, and the link to the file. The file is text in the notebook, too, and is written beside the page when that is published.
"""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from eisenergy.desk import ClientMonth, OperatorRow
from eisenergy.findings import Severity
from eisenergy.publish.captions import Words, money, number
from eisenergy.publish.figure import Data
from eisenergy.publish.pages import MISSING
from eisenergy.publish.panel import Panel

CSV: Final = "text/csv"
FIRST: Final = 100
"""Rows of the list that stand in the page as a table."""

_NUMERIC: Final = frozenset({3, 4, 5})
_NAME, _STATE = 1, 6
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet program takes a text that begins with it for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerList(Panel):
    """A panel with the whole list as a file.

    :param file: comma-separated, a line per contract
    """

    file: str

    def _repr_mimebundle_(
        self, include: Sequence[str] | None = None, exclude: Sequence[str] | None = None
    ) -> dict[str, str]:
        return {**Panel._repr_mimebundle_(self, include, exclude), CSV: self.file}


def customers(desk: ClientMonth) -> CustomerList:
    """Return all customers with their month, each linked to its own site; beyond a hundred the parked come first."""
    words = Words(desk.client.locale)
    columns = tuple(words(key) for key in ("contract", "customer", "meter", "energy", "max_kw", "total", "state"))
    many = len(desk.rows) > FIRST
    rows = sorted(desk.rows, key=lambda row: _KINDS.index(_kind(row))) if many else desk.rows
    cells = [_cells(row, words, desk.client.currency) for row in rows]
    heading = "".join(
        f"<th{' class=n' if n in _NUMERIC else ''}>{html.escape(text)}</th>" for n, text in enumerate(columns)
    )
    lines = "".join(_line(row, columns, mine, words) for row, mine in zip(rows[:FIRST], cells[:FIRST], strict=True))
    table = f'<table class="stacked"><thead><tr>{heading}</tr></thead><tbody>{lines}</tbody></table>'
    note = words("list.first", shown=FIRST, count=number(len(rows))) if many else ""
    beside = _beside(columns, rows, cells, words) if many else ""
    link = f'<a class="button quiet" href="{desk.month}.csv" download>{html.escape(words("list.file"))}</a>'
    hint = f'<p class="note">{html.escape(note)}</p>' if note else ""
    shown = cells[:FIRST]
    return CustomerList(
        name="customers",
        title=words("customers"),
        body=f'<div class="list">{table}{hint}{beside}</div><div class="actions">{link}</div>',
        data=Data(columns=columns, rows=tuple(shown)),
        plain="; ".join(f"{row[0]} {row[1]} {row[5]}" for row in shown) + (f"; {note}" if note else ""),
        numeric=_NUMERIC,
        note=note,
        file=_file(desk, words),
    )


_KINDS: Final = ("parked", "draft", "none", "noticed", "issued")
"""Those that need somebody first; ``noticed`` is issued, with estimates or gaps."""


def _kind(row: OperatorRow) -> str:
    if row.parked is not None:
        return "parked"
    if row.number is None:
        return "none" if row.total is None else "draft"
    return "noticed" if row.estimated or row.missing else "issued"


def _looks(kind: str) -> str:
    """How a state is drawn: estimates are the findings' business, the invoice is issued."""
    return "issued" if kind == "noticed" else kind


def _state(row: OperatorRow, words: Words) -> str:
    kind = _kind(row)
    return words(f"state.{kind}") if row.number is None else f"{words('state.issued')} {row.number}"


def _cells(row: OperatorRow, words: Words, currency: str) -> tuple[str, ...]:
    return (
        row.contract.number,
        row.contract.customer.name,
        row.contract.meter.serial,
        MISSING if row.kwh is None else f"{number(row.kwh)} kWh",
        MISSING if row.max_kw is None else number(row.max_kw, 1),
        MISSING if row.total is None else money(row.total, currency),
        _state(row, words),
    )


def _line(row: OperatorRow, columns: tuple[str, ...], cells: tuple[str, ...], words: Words) -> str:
    drawn = []
    for n, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        text = html.escape(cell)
        if n == _NAME:
            text = (
                f'<a href="../{html.escape(row.contract.number)}/index.html" '
                f'title="{html.escape(words("view_as"))}">{text}</a>'
            )
        if n == _STATE:
            text = f'<span class="state {_looks(_kind(row))}">{text}</span>'
        drawn.append(f'<td data-label="{html.escape(column)}"{" class=n" if n in _NUMERIC else ""}>{text}</td>')
    return f"<tr>{''.join(drawn)}</tr>"


def _beside(columns: Sequence[str], rows: Sequence[OperatorRow], cells: Sequence[tuple[str, ...]], words: Words) -> str:
    """All rows for the page's script, and the words it needs."""
    content = {
        "columns": columns,
        "numeric": sorted(_NUMERIC),
        "link": _NAME,
        "state": _STATE,
        "kinds": [_looks(kind) for kind in _KINDS],
        "words": {key: words(f"list.{key}") for key in ("search", "of", "back", "next", "none")}
        | {"link": words("view_as")},
        "rows": [[*mine, _KINDS.index(_kind(row))] for row, mine in zip(rows, cells, strict=True)],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" class="rows">{text}</script>'


def _file(desk: ClientMonth, words: Words) -> str:
    """The list as comma-separated text, figures as they were computed; its order is the contracts'."""
    keys = ("contract", "customer", "meter", "energy", "max_kw", "total", "state", "number", "estimated", "missing")
    heading = [words(key) for key in (*keys, "distributor.theirs", "reason", "findings")]
    heading[3] += " [kWh]"
    heading[5] += f" [{desk.client.currency}]"
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(heading)
    for row in desk.rows:
        kind = _kind(row)
        texts = (row.contract.number, row.contract.customer.name, row.contract.meter.serial)
        state = words("state.issued" if row.number is not None else f"state.{kind}")
        writer.writerow(
            [
                *(_text(text) for text in texts),
                *(_figure(value) for value in (row.kwh, row.max_kw, row.total)),
                state,
                row.number or "",
                row.estimated,
                row.missing,
                _figure(row.distributor_kwh),
                _text(row.parked or ""),
                _text(" ".join(one.message for one in row.findings if one.severity is not Severity.BLOCKING)),
            ]
        )
    return out.getvalue()


def _figure(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"


def _text(text: str) -> str:
    """A text that no spreadsheet program takes for a formula: names come from customers."""
    return f"'{text}" if text.startswith(_FORMULA) else text
