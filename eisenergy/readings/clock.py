"""From a file's stamps to the UTC start of each interval: convention, interval, grid, clock changes and jumps."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from eisenergy.contents import UnreadableFile
from eisenergy.findings import Finding, Severity, blocking, info, warning
from eisenergy.frames import SLOT_MINUTES
from eisenergy.readings.model import Choice, RawTable
from eisenergy.readings.stamps import DAY_US

_MINUTE: Final = 60_000_000
_SLOT: Final = SLOT_MINUTES * _MINUTE
_STEPS: Final = (1, 3, 5, 15, 30, 60)


def interval_of(stamps: pl.Series, place: str) -> Choice:
    """Say how many minutes lie between a file's stamps: the most frequent distance.

    :param stamps: naive local stamps [us]
    :raises UnreadableFile: when it is no interval that 15-minute slots can be made of
    """
    steps = stamps.unique().sort().diff().drop_nulls()
    if steps.is_empty():
        return Choice(value=str(SLOT_MINUTES), why="one stamp only: taken for a 15-minute interval")
    rounded = ((steps + _MINUTE // 2) // _MINUTE).alias("step")
    counts = rounded.value_counts(sort=True).sort(["count", "step"], descending=[True, False])
    minutes, often = int(counts["step"][0]), int(counts["count"][0])
    if minutes not in _STEPS and len(steps) < 4:
        return Choice(value=str(SLOT_MINUTES), why="too few stamps to tell: taken for 15-minute intervals")
    if minutes not in _STEPS:
        raise UnreadableFile(
            f"{place}: the stamps lie {minutes} minutes apart ({often} of {len(steps)} steps). Expected 15-minute readings, or "
            "1, 3, 5, 30 or 60 minutes. Ask for the 15-minute load profile."
        )
    return Choice(value=str(minutes), why=f"{often} of {len(steps)} steps between stamps")


def convention_of(
    first: int, last: int, whole_days: bool, header: str | None, mapped: str | None, minutes: int
) -> Choice:
    """Say whether stamps name the start or the end of their interval.

    :param first: earliest naive local stamp [us], wherever it stands; ``last``: the latest
    :param whole_days: whether any stamp is written ``24:00``
    :param header: what the header says
    :param mapped: what the mapping says
    """
    if header is not None:
        return Choice(value=header, why=f"the header names the {header} of the interval")
    if whole_days:
        return Choice(value="end", why="a stamp 24:00 can only be the end of an interval")
    step = minutes * _MINUTE
    first, last = first // step * step, last // step * step
    if last > first:
        if first % DAY_US == step and last % DAY_US == 0:
            return Choice(value="end", why="the first stamp ends a day's first interval and the last one is midnight")
        if first % DAY_US == 0 and last % DAY_US == DAY_US - step:
            return Choice(
                value="start", why="the first stamp is midnight and the last one starts a day's last interval"
            )
    if mapped is not None:
        return Choice(value=mapped, why="the mapping says so; the stamps do not prove it")
    return Choice(value="start", why="the default; nothing in the file proves it")


def to_utc(frame: pl.DataFrame, convention: str, minutes: int, timezone: str) -> pl.DataFrame:
    """Add ``start`` (UTC, on the file's own grid) and ``off_grid`` to rows with ``stamp`` [us] and ``offset`` [us or null].

    A stamp off the grid goes down to it. A local time that comes twice is the first one where it comes first in the file.
    A local time that does not exist has a null ``start``, unless it is the end of an interval that does.
    """
    step = minutes * _MINUTE
    frame = frame.with_columns(
        grid=(pl.col("stamp") // step * step), off_grid=(pl.col("stamp") % step != 0)
    ).with_columns(local=pl.col("grid").cast(pl.Datetime("us")))
    early = pl.col("local").dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    late = pl.col("local").dt.replace_time_zone(timezone, ambiguous="latest", non_existent="null")
    instants = frame.select(early=early.dt.convert_time_zone("UTC"), late=late.dt.convert_time_zone("UTC"))
    early_at, late_at = instants["early"], instants["late"]
    at = early_at
    if (early_at != late_at).fill_null(False).any():
        again = frame.select(pl.int_range(pl.len()).over("grid") > 0).to_series()
        at = pl.select(pl.when(again).then(late_at).otherwise(early_at).alias("at"))["at"]
    if frame["offset"].null_count() < frame.height:
        exact = (frame["grid"] - frame["offset"]).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        at = pl.select(pl.coalesce(exact, at).alias("at"))["at"]
    back = pl.duration(minutes=minutes)
    frame = frame.with_columns(start=at)
    if convention == "end":
        before = (
            (pl.col("local") - back)
            .dt.replace_time_zone(timezone, ambiguous="latest", non_existent="null")
            .dt.convert_time_zone("UTC")
        )
        frame = frame.with_columns(start=pl.coalesce(pl.col("start") - back, before))
    return frame.drop("local", "grid")


def grid_findings(frame: pl.DataFrame, table: RawTable, meter: str, timezone: str) -> list[Finding]:
    """Report stamps off the grid and local times that do not exist."""
    found: list[Finding] = []
    off = frame.filter("off_grid")
    if off.height:
        share = off.height / frame.height
        severity = Severity.INFO if share <= 0.05 else Severity.WARNING
        found.append(
            Finding(
                code="off-grid",
                severity=severity,
                subject=meter,
                message=f"{off.height} stamp(s) miss the interval grid, the first in {table.where(int(off['index'][0]))} "
                f"({_shown(int(off['stamp'][0]))}). They were taken down to the grid"
                + (
                    "."
                    if severity is Severity.INFO
                    else "; so many suggest a clock that runs off: set the meter's clock."
                ),
                data={"count": off.height, "first_row": int(off["row"][0])},
            )
        )
    lost = frame.filter(pl.col("start").is_null())
    if lost.height:
        found.append(
            blocking(
                "time-does-not-exist",
                meter,
                f"{table.where(int(lost['index'][0]))}: {_shown(int(lost['stamp'][0]))} does not exist in {timezone}, where clocks "
                f"go forward over it ({lost.height} row(s)). Expected local times that exist. If the meter does not "
                "change its clock, name its fixed time zone (for example Etc/GMT+6) in a mapping.",
                count=lost.height,
                first_row=int(lost["row"][0]),
            )
        )
    return found


def jump_findings(frame: pl.DataFrame, table: RawTable, meter: str, timezone: str) -> list[Finding]:
    """Report where the clock goes back, or far away, in the order of the file.

    :param frame: rows with ``start``, ``index``, ``row`` and ``repeat`` (whether the row repeats an earlier one's figures), in file order
    """
    rows = frame.filter(~pl.col("repeat"))
    if rows.height < 2:
        return []
    moves = rows.select(
        "index", "row", "start", before=pl.col("start").shift(1), move=pl.col("start").diff().dt.total_minutes()
    ).drop_nulls("move")
    if int((moves["move"] < 0).sum()) > moves.height // 2:  # the newest reading stands first
        moves = moves.with_columns(move=-pl.col("move"))
    found: list[Finding] = []
    day = 24 * 60
    far = moves.filter(pl.col("move").abs() > 366 * day)
    back = moves.filter((pl.col("move") < 0) & (pl.col("move").abs() <= 366 * day))
    for part, severity, what in (
        (far, Severity.BLOCKING, "jumps by more than a year"),
        (back, Severity.WARNING, "goes back"),
    ):
        if part.is_empty():
            continue
        first = part.row(0, named=True)
        a, b = (first[name].astimezone(ZoneInfo(timezone)) for name in ("before", "start"))
        found.append(
            Finding(
                code="clock-jump",
                severity=severity,
                subject=meter,
                message=f"{table.where(first['index'])}: the clock {what}, from {a:%Y-%m-%d %H:%M} to {b:%Y-%m-%d %H:%M} "
                f"({part.height} time(s) in the file). Expected stamps that follow each other. "
                "Check the meter's clock, and that the file holds one download of one meter.",
                data={"count": part.height, "first_row": first["row"], "from": a.isoformat(), "to": b.isoformat()},
            )
        )
    return found


def to_slots(
    frame: pl.DataFrame, minutes: int, split: bool, table: RawTable, meter: str
) -> tuple[pl.DataFrame, list[Finding]]:
    """Bring readings of another interval to 15-minute slots.

    Shorter ones are summed; a slot that lacks one of them is left out, since a part of its energy is no measurement of it.
    Longer ones are refused unless the mapping shares them evenly: the peak inside the hour is not in the file.

    :raises UnreadableFile: for longer intervals without ``split``
    """
    if minutes == SLOT_MINUTES:
        return frame, []
    sums = [name for name in ("kwh_import", "kwh_export", "kvarh", "forecast_kwh") if name in frame.columns]
    if minutes > SLOT_MINUTES:
        if not split:
            raise UnreadableFile(
                f"{table.place}: the readings are of {minutes} minutes. Expected 15 minutes: the bill needs the highest 15-minute "
                "power, which is not in this file. Ask for the 15-minute load profile, or say split: even in a mapping."
            )
        parts = minutes // SLOT_MINUTES
        shared = (
            frame.with_columns(pl.col(name) / parts for name in sums)
            .with_columns(part=pl.lit(list(range(parts))))
            .explode("part")
            .with_columns(start=pl.col("start") + pl.duration(minutes=pl.col("part") * SLOT_MINUTES))
        )
        if "register_kwh" in shared.columns:
            last = pl.col("part") == parts - 1
            shared = shared.with_columns(register_kwh=pl.when(last).then("register_kwh"))
        return shared.drop("part"), [
            warning(
                "split-evenly",
                meter,
                f"{table.place}: readings of {minutes} minutes were shared evenly among {parts} slots each, as the mapping says. "
                "The highest power of a slot is therefore too low. Ask for the 15-minute load profile.",
                readings=frame.height,
            )
        ]
    parts = SLOT_MINUTES // minutes
    means = [name for name in ("kw", "kva", "kvar") if name in frame.columns]
    last_of = [name for name in ("register_kwh",) if name in frame.columns]
    others = [name for name in frame.columns if name not in {*sums, *means, *last_of, "start", "slot"}]
    slots = (
        frame.sort("start", maintain_order=True)
        .with_columns(slot=pl.col("start").dt.truncate(f"{SLOT_MINUTES}m"))
        .group_by("slot", maintain_order=True)
        .agg(
            *(pl.col(name).sum() for name in sums),
            *(pl.col(name).mean() for name in means),
            *(pl.col(name).last() for name in last_of),
            *(pl.col(name).first() for name in others),
            present=pl.len(),
        )
        .rename({"slot": "start"})
    )
    whole = slots.filter(pl.col("present") == parts).drop("present")
    found = [
        info(
            "summed-to-slots",
            meter,
            f"{table.place}: {frame.height} readings of {minutes} minutes were summed into {whole.height} slots of 15 minutes.",
            readings=frame.height,
        )
    ]
    if whole.height < slots.height:
        found.append(
            warning(
                "incomplete-slots",
                meter,
                f"{table.place}: {slots.height - whole.height} slot(s) lack one of their {parts} readings of {minutes} minutes and "
                "count as missing. Ask for the meter's complete download.",
                count=slots.height - whole.height,
            )
        )
    return whole, found


def _shown(stamp: int) -> str:
    return str(pl.Series([stamp]).cast(pl.Datetime("us"))[0])
