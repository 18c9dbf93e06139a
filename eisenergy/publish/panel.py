"""A panel: one card of a page, which a document shows as a table and a terminal as a line."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eisenergy.publish import theme
from eisenergy.publish.document import typst_json
from eisenergy.publish.figure import Data

WHOLE: Final = 16
"""A cell up to this long, a contract's number for example, is not broken into lines."""

FIRST: Final = 25
"""Rows that a table of a page has room for."""

LONG: Final = 10
"""Letters of a figure beyond which it is set smaller, so that it stays on its tile."""

_COLOURS = {
    "ink": theme.INK,
    "muted": theme.MUTED,
    "rule": theme.RULE,
    "panel": theme.PANEL,
    "brand": theme.BRAND,
    "accent": theme.ACCENT,
    "warning": theme.WARNING,
}
"""As ``reports/typst/dashboard-page.typ`` names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A card of a page.

    :param body: HTML inside the card
    :param data: the same as a table, for documents
    :param plain: the same as a line
    :param span: columns the card takes of a page's twelve
    :param numeric: columns of ``data`` that are set flush right in print
    :param printed: the card in Typst, where a table of ``data`` is not what a document should show
    :param note: what a document says below the table
    """

    name: str
    title: str
    body: str
    data: Data
    plain: str
    span: int = 12
    numeric: frozenset[int] = frozenset()
    printed: str | None = None
    note: str = ""

    def html(self) -> str:
        """Return the card."""
        heading = f"<h3>{html.escape(self.title)}</h3>" if self.title else ""
        return f'<section class="panel span-{self.span}" id="{self.name}">{heading}{self.body}</section>'

    def typst(self) -> str:
        """Return the table in Typst, with a heading above it. Texts are passed as strings, so they need no escaping."""
        if self.printed is not None:
            return self.printed
        if not self.data.rows:
            return ""
        cells = ", ".join(typst_json(cell) for row in self.data.rows for cell in row)
        header = ", ".join(f"strong({typst_json(column)})" for column in self.data.columns)
        texts = [max(len(row[n]) for row in self.data.rows) for n in range(len(self.data.columns))]
        widest = texts.index(max(texts))
        columns = ", ".join("1fr" if n == widest else "auto" for n in range(len(texts)))
        align = ", ".join("right" if n in self.numeric else "left" for n in range(len(texts)))
        heading = f"#heading(level: 2, {typst_json(self.title)})\n" if self.title else ""
        note = f"\n#text(fill: rgb({typst_json(theme.MUTED)}), {typst_json(self.note)})" if self.note else ""
        return (
            f"{heading}#table(columns: ({columns},), align: ({align},), stroke: (x, y) => (bottom: 0.5pt + "
            f'rgb("#D5DBE2")), table.header({header}), {cells}){note}'
        )

    def _repr_mimebundle_(
        self, include: Sequence[str] | None = None, exclude: Sequence[str] | None = None
    ) -> dict[str, str]:
        del include, exclude
        return {
            "text/html": self.html(),
            "text/markdown": f"```{{=typst}}\n{self.typst()}\n```\n",
            "text/plain": self.plain,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """One figure with its name above and a remark below."""

    name: str
    value: str
    unit: str = ""
    remark: str = ""

    def html(self) -> str:
        """Return the figure as one tile."""
        unit = f'<span class="unit">{html.escape(self.unit)}</span>' if self.unit else ""
        remark = f'<span class="remark">{html.escape(self.remark)}</span>' if self.remark else ""
        return (
            f'<div class="tile"><span class="name">{html.escape(self.name)}</span>'
            f'<span class="value{" long" if len(self.value) > LONG else ""}">{html.escape(self.value)}{unit}</span>{remark}</div>'
        )


def tiles(name: str, title: str, figures: Sequence[KeyFigure], columns: tuple[str, str]) -> Panel:
    """Return a row of key figures as a panel."""
    return Panel(
        name=name,
        title=title,
        body=f'<div class="tiles">{"".join(figure.html() for figure in figures)}</div>',
        data=Data(
            columns=columns,
            rows=tuple((figure.name, " ".join(filter(None, (figure.value, figure.unit)))) for figure in figures),
        ),
        plain=" · ".join(" ".join(filter(None, (figure.name, figure.value, figure.unit))) for figure in figures),
        printed=f"#kpi-row({typst_json(_printed_tiles(figures))})",
    )


def _printed_tiles(figures: Sequence[KeyFigure]) -> dict[str, object]:
    return {
        "theme": _COLOURS,
        "tiles": [
            {"label": figure.name, "value": figure.value, "unit": figure.unit, "note": figure.remark}
            for figure in figures
        ],
    }


def head(name: str, month: str, title: str, place: str) -> Panel:
    """Return the head of a page: the month, whose page it is, and a line below."""
    body = f'<p class="month">{html.escape(month)}</p><h2>{html.escape(title)}</h2><p class="place">{html.escape(place)}</p>'
    printed = (
        f"#heading(level: 1, {typst_json(title)})\n#text(fill: rgb({typst_json(theme.MUTED)}), "
        f"{typst_json(f'{month} · {place}')})\n#v(3mm)"
    )
    return Panel(
        name=name,
        title="",
        body=body,
        data=Data(columns=(title, month), rows=((place, ""),)),
        plain=f"{title}, {month}. {place}",
        printed=printed,
    )


def table(
    name: str,
    title: str,
    columns: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    *,
    nothing: str,
    note: str = "",
    numeric_from: int = 99,
) -> Panel:
    """Return a table as a panel; on a narrow page each row becomes a list of its cells.

    :param nothing: what is said instead when there is no row
    :param note: what is said below
    :param numeric_from: columns from this one are set flush right
    """

    def kind(n: int, cell: str = "") -> str:
        if n >= numeric_from:
            return " class=n"
        return " class=whole" if 0 < len(cell) <= WHOLE else ""

    heading = "".join(f"<th{kind(n)}>{html.escape(text)}</th>" for n, text in enumerate(columns))
    lines = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{html.escape(column)}"{kind(n, cell)}>{html.escape(cell)}</td>'
            for n, (column, cell) in enumerate(zip(columns, row, strict=True))
        )
        + "</tr>"
        for row in rows
    )
    below = f'<p class="note">{html.escape(note)}</p>' if note else ""
    return Panel(
        name=name,
        title=title,
        body=f'<table class="stacked"><thead><tr>{heading}</tr></thead><tbody>{lines}</tbody></table>{below}'
        if rows
        else f'<p class="note">{html.escape(nothing)}</p>',
        data=Data(columns=columns, rows=tuple(rows)) if rows else Data(columns=(title,), rows=((nothing,),)),
        plain="; ".join([" ".join(row) for row in rows] + ([note] if note else [])) or nothing,
        numeric=frozenset(range(numeric_from, len(columns))) if rows else frozenset(),
        note=note,
    )
