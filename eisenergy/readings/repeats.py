"""Rows of a file that bring an interval again: dropped where they agree, reported where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from eisenergy.contents import UnreadableFile
from eisenergy.findings import Finding, blocking, info
from eisenergy.readings import clock
from eisenergy.readings.columns import NUMBERS
from eisenergy.readings.model import RawTable


def dropped(frame: pl.DataFrame, table: RawTable, meter: str, timezone: str) -> tuple[pl.DataFrame, list[Finding]]:
    """Make rows that agree one, and report those that do not.

    :param frame: rows of one meter with ``start``, ``row`` and ``index``, in the file's order
    :returns: one row per interval, the first, and the findings

    :raises UnreadableFile: when so many disagree that the table holds two meters
    """
    frame = frame.with_columns(order=pl.int_range(pl.len()), repeat=~pl.col("start").is_first_distinct())
    if not frame["repeat"].any():
        return frame.drop("order", "repeat"), clock.jump_findings(frame, table, meter, timezone)
    values = [name for name in NUMBERS if name in frame.columns]
    firsts = frame.filter(~pl.col("repeat"))
    pairs = frame.filter("repeat").join(
        firsts.select("start", *values, first_row="row"), on="start", how="left", validate="m:1", suffix="_first"
    )
    agree = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_first")) for name in values)
    agreeing, differing = pairs.filter(agree), pairs.filter(~agree)
    findings = clock.jump_findings(
        frame.with_columns(repeat=pl.col("order").is_in(agreeing["order"].implode())), table, meter, timezone
    )
    if differing.height >= 8 and differing.height >= 0.2 * firsts.height:
        first = differing.row(0, named=True)
        raise UnreadableFile(
            f"{table.where(first['index'])}: the stamps start again, and {differing.height} of them bring other figures than before. "
            "Expected one meter per sheet or file; this looks like two. Part them and load them again."
        )
    if agreeing.height:
        findings.append(
            info(
                "repeated-rows",
                meter,
                f"{table.place}: {agreeing.height} row(s) repeat an earlier one with the same figures and were dropped, the first in "
                f"row {int(agreeing['row'][0])}.",
                count=agreeing.height,
                rows=agreeing["row"].head(100).to_list(),
            )
        )
    findings += _disagreements(differing, values, table, meter)
    return firsts.drop("order", "repeat"), findings


def _disagreements(differing: pl.DataFrame, values: Sequence[str], table: RawTable, meter: str) -> Iterator[Finding]:
    """Report each stretch of rows once: a clock that was set back repeats many intervals in a row."""
    stretch = (pl.col("order").diff().fill_null(1) != 1).cum_sum()
    for (_,), rows in differing.with_columns(stretch=stretch).group_by("stretch", maintain_order=True):
        first, last = rows.row(0, named=True), rows.row(-1, named=True)
        name = next(name for name in values if first[name] != first[f"{name}_first"])
        figures = f"{name} is {first[f'{name}_first']} there and {first[name]} here"
        if rows.height == 1:
            what = f"the same interval stands in row {first['first_row']} with other figures: {figures}"
            todo = "Remove the wrong row"
        else:
            what = (
                f"rows {first['row']} to {last['row']} bring {rows.height} intervals again that stand in rows {first['first_row']} to "
                f"{last['first_row']} with other figures, the first: {figures}. A clock that was set back does this"
            )
            todo = "Remove the wrong rows"
        yield blocking(
            "rows-disagree",
            meter,
            f"{table.where(first['index'])}: {what}. Expected one reading per interval. {todo}, and load the file again.",
            rows=[first["first_row"], first["row"]],
            last_rows=[last["first_row"], last["row"]],
            values=[first[f"{name}_first"], first[name]],
            field=name,
            count=rows.height,
        )
