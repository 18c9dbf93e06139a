"""The stamps of a table's rows: which columns hold them, how they are written, and the rows that have none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from eisenergy.contents import UnreadableFile
from eisenergy.findings import Finding, blocking, info, warning
from eisenergy.readings import clock, numbers
from eisenergy.readings import stamps as writing
from eisenergy.readings.columns import TIMES, Role
from eisenergy.readings.mapping import Mapping
from eisenergy.readings.model import Choice, RawTable
from eisenergy.sheets import fold, uncalculated

SAMPLE: Final = 500
"""Cells of a column that say what kind of times it holds."""

HOURS_ONLY: Final = re.compile(r"\s*\d{1,2}(\.0)?\s*")
"""What a column of hours, rather than of times of day, holds."""

_FOOTERS = {
    "total",
    "totales",
    "totals",
    "suma",
    "sum",
    "maximo",
    "max",
    "maximum",
    "minimo",
    "min",
    "promedio",
    "average",
    "subtotal",
}


@dataclass(slots=True)
class Stamped:
    """Stamps of every table side by side, and what was decided about them.

    :param parts: per table: ``index`` (row of the raw frame), ``row`` (of the file), ``stamp`` (naive local [us]), ``offset`` [us]
    :param columns: ``date``, ``time`` or ``timestamp`` -> column
    """

    parts: list[pl.DataFrame]
    order: Choice
    convention: Choice
    interval: Choice
    columns: dict[str, int]
    reasons: dict[int, str]
    findings: list[Finding] = field(default_factory=list)


def used(table: RawTable, roles: Sequence[Role | None], block: Sequence[int]) -> dict[str, int]:
    """Choose the columns that hold the stamps: of several times of day the one with minutes, of two ends the start."""
    found: dict[str, list[int]] = {}
    for column in block:
        role = roles[column]
        if role is not None and role.field in TIMES and str(column) in table.frame.columns:
            found.setdefault(role.field, []).append(column)

    def rank(column: int) -> tuple[int, int]:
        role = roles[column]
        return (2 if role is not None and role.stamp == "end" else 0, 0)

    if "timestamp" in found:
        return {"timestamp": min(found["timestamp"], key=rank)}
    result: dict[str, int] = {}
    if "date" in found:
        result["date"] = min(found["date"], key=rank)
    clocks = [column for column in found.get("time", ()) if not _hours_only(table.frame[str(column)])]
    if clocks:
        result["time"] = min(clocks, key=rank)
    elif found.get("time") and not _has_times(table.frame[str(result["date"])]):
        result["time"] = min(found["time"], key=rank)
    return result


def _hours_only(column: pl.Series) -> bool:
    text = column.cast(pl.String).drop_nulls().head(SAMPLE)
    return text.is_empty() or bool(text.str.contains(f"^{HOURS_ONLY.pattern}$").all())


def _has_times(column: pl.Series) -> bool:
    text = column.cast(pl.String).drop_nulls().head(500)
    return bool(
        (text.str.contains(r"\d:\d\d") & ~text.str.contains("00:00:00")).any()
        or text.str.contains(r"^\d{5}\.\d+$").any()
    )


def stamps(
    table: RawTable, roles: Sequence[Role | None], blocks: Sequence[Sequence[int]], setting: Mapping, meter: str
) -> Stamped:
    """Read the stamps of a table's rows.

    :raises UnreadableFile: when no row has a readable time, or day and month cannot be told apart
    """
    chosen = [used(table, roles, block) for block in blocks]
    written = [_texts(table, columns) for columns in chosen]
    days = pl.concat([frame["day"] for frame in written]).drop_nulls().unique(maintain_order=True)
    order = writing.order_of([day for day in days if any(c.isdigit() for c in day)], setting.date_order, table.place)
    read_days = {day: writing.read_date(day, order.value) for day in days}
    day_values = {text: None if day is None else writing.epoch_us(day) for text, day in read_days.items()}
    findings: list[Finding] = []
    parts: list[pl.DataFrame] = []
    whole_days = False
    for frame, columns, block in zip(written, chosen, blocks, strict=True):
        clocks = frame["clock"].drop_nulls().unique(maintain_order=True)
        clock_values = {text: writing.read_time(text) for text in clocks}
        whole_days = whole_days or any(value == writing.DAY_US for value in clock_values.values())
        read, carried = _stamped(
            frame, day_values, clock_values, "time" in columns, _never_calculated(table, frame, columns)
        )
        if carried:
            findings.append(
                info(
                    "date-carried-down",
                    meter,
                    f"{table.place}: {carried} row(s) have a time and no date; the date above them was taken.",
                    count=carried,
                )
            )
        good = read.filter(pl.col("stamp").is_not_null())
        findings += _unread(table, read, block, columns, meter, good.is_empty())
        parts.append(good.select("index", "row", "stamp", "offset"))
    every = pl.concat([part["stamp"] for part in parts])
    interval = clock.interval_of(every, table.place)
    headers = {
        role.stamp for columns in chosen for column in columns.values() if (role := roles[column]) and role.stamp
    }
    convention = clock.convention_of(
        int(every.min()),  # type: ignore[arg-type]
        int(every.max()),  # type: ignore[arg-type]
        whole_days,
        headers.pop() if len(headers) == 1 else None,
        setting.stamp,
        int(interval.value),
    )
    for name, decided, said in (("date order", order, setting.date_order), ("stamp", convention, setting.stamp)):
        if said is not None and said != decided.value and "first" not in decided.why[:20]:
            findings.append(
                warning(
                    "mapping-contradicted",
                    meter,
                    f"{table.place}: the mapping {setting.name!r} says {name} {said}, and the file proves {decided.value} "
                    f"({decided.why}). The file was followed. Correct the mapping.",
                )
            )
    reasons = {
        column: (role.why if (role := roles[column]) is not None else "")
        for columns in chosen
        for column in columns.values()
    }
    return Stamped(parts, order, convention, interval, chosen[0], reasons, findings)


def _texts(table: RawTable, columns: dict[str, int]) -> pl.DataFrame:
    """Part the stamp columns into ``day``, ``clock``, ``offset`` and ``serial`` (a spreadsheet's day number with its fraction)."""
    first = columns.get("timestamp", columns.get("date", -1))
    text = numbers.clean(table.frame[str(first)].cast(pl.String))
    day, clock_text, zone = writing.split(text)
    if "time" in columns:
        clock_text = numbers.clean(table.frame[str(columns["time"])].cast(pl.String))
    serial = text.set(~text.str.contains(r"^\d{5}\.\d+$").fill_null(False), None).cast(pl.Float64)
    has_serial = serial.is_not_null()
    return pl.DataFrame(
        {
            "index": pl.int_range(table.frame.height, eager=True),
            "row": table.rows,
            "written": text,
            "day": day.set(has_serial, None) if has_serial.any() else day,
            "clock": clock_text,
            "zone": zone,
            "serial": serial,
        }
    )


def _stamped(
    frame: pl.DataFrame,
    days: dict[str, int | None],
    clocks: dict[str, int | None],
    has_time_column: bool,
    hidden_days: pl.Series,
) -> tuple[pl.DataFrame, int]:
    day = writing.joined(frame["day"], days, pl.Int64)
    clock_us = writing.joined(frame["clock"], clocks, pl.Int64)
    carried = 0
    if has_time_column:
        bare = frame["day"].is_null() & clock_us.is_not_null() & ~hidden_days
        if bare.any():
            carried = int(bare.sum())
            above = day.forward_fill()
            day = pl.select(pl.when(bare).then(above).otherwise(day)).to_series()
    else:
        clock_us = pl.select(pl.when(frame["clock"].is_null()).then(0).otherwise(clock_us)).to_series()
    stamp = day + clock_us
    if frame["serial"].null_count() < frame.height:
        seconds = ((frame["serial"] - 25_569.0) * 86_400.0).round().cast(pl.Int64) * 1_000_000
        stamp = pl.select(pl.coalesce(stamp, seconds)).to_series()
    zones = {text: writing.read_offset(text) for text in frame["zone"].drop_nulls().unique()}
    offset = writing.joined(frame["zone"], dict(zones), pl.Int64)
    return frame.with_columns(stamp=stamp, offset=offset), carried


def _never_calculated(table: RawTable, frame: pl.DataFrame, columns: dict[str, int]) -> pl.Series:
    """Say in which rows the date is a formula without a value: no date above may stand in for it."""
    bare = frame.filter(pl.col("day").is_null() & pl.col("serial").is_null() & pl.col("clock").is_not_null())
    if table.sheet is None or bare.is_empty() or "date" not in columns:
        return pl.repeat(False, frame.height, eager=True)
    held = table.hidden([(int(row) - 1, columns["date"]) for row in bare["row"]])
    return frame["row"].is_in([row + 1 for row, _, _ in held])


def _unread(
    table: RawTable, read: pl.DataFrame, block: Sequence[int], columns: dict[str, int], meter: str, none: bool
) -> list[Finding]:
    """Report the rows whose time cannot be read; empty rows and a total below the table are none."""
    bad = read.filter(pl.col("stamp").is_null())
    if bad.is_empty() and not none:
        return []
    names = [str(column) for column in block if str(column) in table.frame.columns]
    filled = table.frame.select(pl.any_horizontal(pl.col(name).is_not_null() for name in names).alias("x"))["x"]
    bad = bad.filter(filled.gather(bad["index"]))
    date_column = columns.get("timestamp", columns.get("date", 0))
    if none and not table.frame.height:
        raise UnreadableFile(
            f"{table.place}: there are no rows below the header in row {table.header_row + 1}. Expected readings: export the file again."
        )
    if none:
        shown = next((row["written"] for row in bad.iter_rows(named=True) if row["written"]), None)
        first = int(bad["index"][0]) if bad.height else 0
        hidden = _formula(table, bad, date_column)
        raise UnreadableFile(
            hidden
            if hidden
            else f"{table.where(first, date_column) if table.frame.height else table.place}: no row has a readable time"
            + (f"; the first one reads {shown!r}" if shown else "")
            + ". Expected dates and times such as 01/09/2021 00:15. Check the date and time columns, and load the file again."
        )
    if bad.is_empty():
        return []
    last = int(read.filter(pl.col("stamp").is_not_null())["index"].max())  # type: ignore[arg-type]
    serious: list[int] = []
    below: list[int] = []
    for row in bad.iter_rows(named=True):
        words = fold(f"{row['written'] or ''} {row['clock'] or ''}").split()
        is_footer = bool(
            words and (words[0] in _FOOTERS or (row["index"] > last and not any(map(str.isdigit, "".join(words)))))
        )
        if is_footer or (not words and row["index"] > last) or _is_header_again(row["written"], table, date_column):
            below.append(row["index"])
        else:
            serious.append(row["index"])
    found: list[Finding] = []
    if below:
        found.append(
            info(
                "rows-left-out",
                meter,
                f"{table.where(below[0])}: {len(below)} row(s) are no readings (totals, notes or headers again) and were left out.",
                count=len(below),
                rows=[int(table.rows[index]) for index in below[:100]],
            )
        )
    if serious:
        written = read["written"][serious[0]], read["clock"][serious[0]]
        shown = " ".join(text for text in written if text)
        text = _formula(table, bad, date_column) or (
            f"{table.where(serious[0], date_column)}: found {shown!r}, expected a date and time such as 01/09/2021 00:15 "
            f"({len(serious)} such row(s)). Correct the cell, and load the file again."
        )
        found.append(
            blocking(
                "unreadable-time",
                meter,
                text,
                count=len(serious),
                rows=[int(table.rows[index]) for index in serious[:100]],
            )
        )
    return found


def _is_header_again(written: str | None, table: RawTable, column: int) -> bool:
    return written is not None and fold(written) == fold(table.headers[column] or "")


def _formula(table: RawTable, bad: pl.DataFrame, column: int) -> str | None:
    if table.sheet is None or bad.is_empty():
        return None
    hidden = table.hidden([(int(row) - 1, column) for row in bad["row"].head(1000)])
    if hidden and hidden[0][2].startswith("="):
        index = int((table.rows == hidden[0][0] + 1).arg_max() or 0)
        return uncalculated(table.where(index, column))
    return None
