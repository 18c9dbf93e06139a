"""Charts of a checked workbook: where it differs, by day and column. In English: analysts read them."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

import altair as alt

from eisenergy.desk.checking import CheckedWorkbook
from eisenergy.publish import chart_style as style
from eisenergy.publish import theme
from eisenergy.publish.figure import Data, Figure
from eisenergy.publish.workbook_columns import header, letters, longest_sheet, moments
from eisenergy.workbook.overview import SYMBOLS, State, states

COLOURS: Final = {
    State.EQUAL: "#8CCBAA",
    State.DIFFERENT: "#B3261A",
    State.STALE: "#C97700",
    State.FINDING: "#E3A23B",
    State.NO_VALUE: "#9C8500",
    State.ERROR: "#5E0F0B",
    State.NOT_OURS: "#C3CAD2",
    State.NOT_UNDERSTOOD: "#7446B0",
}
"""As in ``reports/assets/workbook-grid.css``."""

WELL: Final = (State.EQUAL, State.NOT_OURS)
FEW: Final = 20
"""Formulas a column needs to be drawn over the days, where any column has as many."""

MOST: Final = 40
"""Columns drawn at most."""

_QUIET: Final = "#E4EFE9"
_MILD, _GRAVE = "#F2B04C", "#B3261A"  # darker with more, so that they also read in grey


def over_time(checked: CheckedWorkbook) -> Figure:
    """Return how many cells of each column are wrong on each day, as a heat map of the sheet with the most formulas."""
    result, book = checked.result, checked.book
    sheet = longest_sheet(result) or next(iter(book.grids), "")
    kinds = {(one.row, one.column): kind for one, kind in states(result).items() if one.sheet == sheet}
    own = [one for one in result.cells if one.place.sheet == sheet]
    lengths = Counter(one.place.column for one in own)
    columns = [column for column in sorted(lengths) if lengths[column] >= min(FEW, max(lengths.values()))][:MOST]
    if not columns:
        return _nothing("over-time", "Where it differs, by day and column")
    names = {column: _name(checked, sheet, column) for column in columns}
    when = moments(book, sheet, (one.place.row for one in own if one.place.column in names))
    cells: Counter[tuple[str, int]] = Counter()
    wrong: Counter[tuple[str, int]] = Counter()
    for one in own:
        row, column = one.place.row, one.place.column
        if column in names and row in when:
            cells[when[row], column] += 1
            wrong[when[row], column] += kinds[row, column] not in WELL
    days = list(dict.fromkeys(when[row] for row in sorted(when)))
    values = [
        {"when": day, "column": names[column], "cells": count, "wrong": wrong[day, column]}
        for (day, column), count in cells.items()
    ]
    most = max(wrong.values(), default=0)
    fill = alt.Color(
        "wrong:Q",
        scale=alt.Scale(domain=[0, max(most, 1)], range=[_MILD, _GRAVE]),
        legend=alt.Legend(title="cells to look at", format=",.0f", tickMinStep=1) if most else None,
    )
    tiles = (
        alt.Chart(style.inline(values))
        .mark_rect(stroke="white", strokeWidth=1)
        .encode(
            x=alt.X("when:O", title=None, sort=days, axis=alt.Axis(labelAngle=-60, labelOverlap="greedy")),
            y=alt.Y("column:N", title=None, sort=list(names.values()), axis=alt.Axis(labelLimit=260)),
            color=alt.condition("datum.wrong == 0", alt.value(_QUIET), fill),
            tooltip=[
                alt.Tooltip("when:O", title="when"),
                alt.Tooltip("column:N", title="column"),
                alt.Tooltip("wrong:Q", title="cells to look at"),
                alt.Tooltip("cells:Q", title="cells"),
            ],
        )
    )
    figures = (
        alt.Chart(style.inline([one for one in values if one["wrong"]]))
        .mark_text(fontSize=11, fontWeight="bold")
        .encode(
            x=alt.X("when:O", sort=days),
            y=alt.Y("column:N", sort=list(names.values())),
            text="wrong:Q",
            color=alt.condition(f"datum.wrong > {most * 0.6}", alt.value("#FFFFFF"), alt.value(theme.INK)),
        )
    )
    bad = sum(wrong.values())
    hit = [day for day in days if any(wrong[day, column] for column in columns)]
    summary = (
        f"{bad:,} of {sum(cells.values()):,} cells of {sheet} are to be looked at, between {hit[0]} and {hit[-1]}."
        if hit
        else f"All {sum(cells.values()):,} cells of these columns of {sheet} are as they should be."
    )
    return Figure(
        name="over-time",
        title="Where it differs, by day and column",
        spec=style.spec(alt.layer(tiles, figures), max(80, 26 * len(columns))),
        summary=summary,
        data=Data(
            columns=("column", "cells", "to look at", "first", "last"),
            rows=tuple(_spread(names[column], column, days, cells, wrong) for column in columns),
        ),
        data_label="Data",
        span=12,
    )


def _spread(
    name: str, column: int, days: list[str], cells: Counter[tuple[str, int]], wrong: Counter[tuple[str, int]]
) -> tuple[str, ...]:
    hit = [day for day in days if wrong[day, column]]
    total = sum(cells[day, column] for day in days)
    return (
        name,
        f"{total:,}",
        f"{sum(wrong[day, column] for day in days):,}",
        *(hit[:1] or ("",)),
        *(hit[-1:] or ("",)),
    )


def by_column(checked: CheckedWorkbook) -> Figure:
    """Return how the cells of each column with formulas ended, as bars; what is wrong is written beside them."""
    if not checked.result.cells:
        return _nothing("by-column", "How each column's formulas ended")
    kinds = states(checked.result)
    columns: dict[tuple[str, int], Counter[State]] = defaultdict(Counter)
    for one in checked.result.cells:
        columns[one.place.sheet, one.place.column][kinds[one.place]] += 1
    main = longest_sheet(checked.result)
    order = sorted(columns, key=lambda key: (list(checked.book.grids).index(key[0]), key[1]))[:MOST]
    names = {key: _name(checked, *key, with_sheet=key[0] != main) for key in order}
    shown = [kind for kind in State if any(columns[key][kind] for key in order)]
    values = [
        {
            "column": names[key],
            "state": f"{SYMBOLS[kind]} {kind.value}",
            "order": shown.index(kind),
            "cells": columns[key][kind],
            "share": columns[key][kind] / columns[key].total(),
        }
        for key in order
        for kind in shown
        if columns[key][kind]
    ]
    labels = [f"{SYMBOLS[kind]} {kind.value}" for kind in shown]
    bars = (
        alt.Chart(style.inline(values))
        .mark_bar()
        .encode(
            x=alt.X(
                "share:Q",
                title="share of the column's formulas",
                axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
                scale=alt.Scale(domain=[0, 1]),
            ),
            y=alt.Y("column:N", title=None, sort=list(names.values()), axis=alt.Axis(labelLimit=320)),
            color=alt.Color(
                "state:N",
                sort=labels,
                scale=alt.Scale(domain=labels, range=[COLOURS[kind] for kind in shown]),
                legend=alt.Legend(columns=3),
            ),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("column:N", title="column"),
                alt.Tooltip("state:N", title="ended"),
                alt.Tooltip("cells:Q", title="cells"),
            ],
        )
    )
    told = [{"column": names[key], "text": _told(columns[key])} for key in order]
    words = (
        alt.Chart(style.inline(told))
        .mark_text(align="left", dx=8, fontSize=13, color=theme.INK)
        .encode(x=alt.datum(0), y=alt.Y("column:N", sort=list(names.values())), text="text:N")
    )
    left = len(columns) - len(order)
    return Figure(
        name="by-column",
        title="How each column's formulas ended",
        spec=style.spec(alt.layer(bars, words), max(80, 24 * len(order))),
        summary=f"{sum(bool(_bad(columns[key])) for key in columns):,} of {len(columns):,} columns with formulas have cells to look at.",
        data=Data(
            columns=("column", *labels),
            rows=tuple((names[key], *(f"{columns[key][kind]:,}" for kind in shown)) for key in order),
        ),
        data_label="Data",
        span=12,
        notes=(f"{left:,} more columns are not drawn.",) if left > 0 else (),
    )


def _nothing(name: str, title: str) -> Figure:
    """Return a drawing that says there is nothing to draw."""
    said = "The workbook has no formulas."
    chart = alt.Chart(style.inline([{}])).mark_text(text=said, fontSize=16, color=theme.MUTED)
    return Figure(
        name=name,
        title=title,
        spec=style.spec(chart, 60),
        summary=said,
        data=Data(columns=("column", "cells"), rows=()),
        data_label="Data",
        span=12,
    )


def _bad(ended: Counter[State]) -> int:
    return sum(count for kind, count in ended.items() if kind not in WELL)


def _told(ended: Counter[State]) -> str:
    """Return what a column's cells ended as, what is wrong first."""
    order = sorted(ended, key=lambda kind: (kind in WELL, list(State).index(kind)))
    return ", ".join(f"{ended[kind]:,} {kind.value}" for kind in order)


def _name(checked: CheckedWorkbook, sheet: str, column: int, *, with_sheet: bool = False) -> str:
    """Return a column as its reader knows it: sheet, letters and header."""
    where = f"{sheet}!{letters(column)}" if with_sheet else letters(column)
    return f"{where}  {header(checked.book, sheet, column)}".strip()
