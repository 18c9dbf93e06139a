"""The cells of a table: figures, what is none of them, alarms, and the columns nobody asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from eisenergy.findings import Finding, blocking, warning
from eisenergy.readings import numbers
from eisenergy.readings.model import RawTable
from eisenergy.sheets import uncalculated

ALARM_FREE: Final = [
    "ok",
    "normal",
    "bueno",
    "good",
    "valid",
    "valido",
    "válido",
    "0",
    "0.0",
    "a",
    "no",
    "none",
    "-",
    "",
]


def is_empty(table: RawTable, column: int) -> bool:
    """Say whether a column has no cell below its header."""
    name = str(column)
    return name not in table.frame.columns or table.frame[name].null_count() == table.frame.height


def figures_of(table: RawTable, column: int, decimal: str) -> tuple[pl.Series, pl.Series]:
    """Read a column's figures.

    :returns: the figures, and whether a cell holds something that is no figure
    """
    series = table.frame[str(column)]
    if series.dtype == pl.String:
        text = numbers.clean(series)
        values = numbers.parse(text, decimal)
        return values, text.is_not_null() & values.is_null()
    values = numbers.parse(series, decimal)
    if values.null_count():
        text = numbers.clean(table.text(column))
        written = numbers.parse(text.set(values.is_not_null(), None), decimal)
        values = pl.select(pl.coalesce(values, written)).to_series()
        return values, text.is_not_null() & values.is_null()
    return values, pl.repeat(False, len(values), eager=True)


def check(
    table: RawTable, column: int, name: str, keep: pl.Series, values: pl.Series, bad: pl.Series, meter: str
) -> list[Finding]:
    """Report cells that hold something else than a figure, and formulas that were never calculated."""
    found: list[Finding] = []
    wrong = keep.filter(bad)
    if len(wrong):
        first = int(wrong[0])
        found.append(
            blocking(
                "not-a-number",
                meter,
                f"{table.where(first, column)}: found {table.text(column)[first]!r}, expected a figure for {name} "
                f"({len(wrong)} such cell(s) in the column). Correct the cell, and load the file again.",
                count=len(wrong),
                first_row=int(table.rows[first]),
                column=table.label(column),
            )
        )
    empty = keep.filter(values.is_null() & ~bad)
    if len(empty) and table.sheet is not None:
        hidden = table.hidden([(int(table.rows[int(index)]) - 1, column) for index in empty])
        if hidden:
            row, _, held = hidden[0]
            place = table.where(int((table.rows == row + 1).arg_max() or 0), column)
            text = (
                uncalculated(place)
                if held.startswith("=")
                else f"{place}: found {held!r}, expected a figure for {name}. Correct the cell, and load the file again."
            )
            code = "formula-without-value" if held.startswith("=") else "not-a-number"
            found.append(
                blocking(
                    code,
                    meter,
                    f"{text} ({len(hidden)} such cell(s) in the column.)",
                    count=len(hidden),
                    first_row=row + 1,
                    column=table.label(column),
                )
            )
    return found


def alarms(table: RawTable, column: int, keep: pl.Series, meter: str) -> list[Finding]:
    """Report the rows in which a status column says anything but that all is well."""
    status = table.frame[str(column)].cast(pl.String).gather(keep)
    frame = pl.DataFrame({"index": keep, "status": status}).with_columns(pl.col("status").str.strip_chars())
    raised = frame.filter(pl.col("status").is_not_null() & ~pl.col("status").str.to_lowercase().is_in(ALARM_FREE))
    if raised.is_empty():
        return []
    shown = raised["status"].unique(maintain_order=True).to_list()[:5]
    return [
        warning(
            "meter-alarm",
            meter,
            f"{table.where(int(raised['index'][0]), column)}: the meter reports {', '.join(map(repr, shown))} in {raised.height} row(s). "
            "The readings were used as they are. Ask for the meter's event log.",
            count=raised.height,
            rows=[int(table.rows[int(index)]) for index in raised["index"].head(100)],
            values=shown,
        )
    ]


def extra(table: RawTable, left: Sequence[int], keep: pl.Series, decimal: str) -> pl.Series | None:
    """Keep the cells of columns that no field goes by, as one JSON object per row."""
    kept: dict[str, pl.Series] = {}
    for column in left:
        if is_empty(table, column):
            continue
        series = table.frame[str(column)]
        if series.dtype == pl.String:
            text = numbers.clean(series)
            whole = numbers.parse(text, decimal)
            plain = not text.str.contains(r"^[+-]?0\d").any() and not text.str.contains(r"[A-Za-z ]").any()
            series = whole if plain and whole.null_count() == text.null_count() else series.str.strip_chars()
        label = table.label(column)
        kept[label if label not in kept else f"{label} ({column + 1})"] = series.gather(keep)
    if not kept:
        return None
    return pl.DataFrame(kept).select(pl.struct(pl.all()).struct.json_encode().alias("extra"))["extra"]
