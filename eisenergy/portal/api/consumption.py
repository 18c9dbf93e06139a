"""What a customer took: intervals, and what hours, days and months of them come to."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from eisenergy.desk import consumption
from eisenergy.frames import ESTIMATED
from eisenergy.period import Period
from eisenergy.portal import files
from eisenergy.portal.api.call import Answer, Call
from eisenergy.portal.api.operations import CURSOR, Operations, limit
from eisenergy.portal.api.problems import Problem
from eisenergy.portal.api.schemas import INSTANT, TEXT, Schema
from eisenergy.portal.guard import OWN
from eisenergy.portal.ranges import MOST_DAYS
from eisenergy.store import masters

operations: Final = Operations("Consumption")
EVERY: Final = {"hour": "1h", "day": "1d", "month": "1mo"}
DIGITS: Final = 6
"""Of kWh and kW: those of the readings."""
_STAMP: Final = "%Y-%m-%dT%H:%M:%S%:z"
_RANGE: Final[dict[str, Schema]] = {
    "from": {
        "type": "string",
        "pattern": INSTANT,
        "description": "First instant: RFC 3339 with offset, or a day, which begins at midnight where the seller is. Write + as %2B",
        "examples": ["2021-09-01"],
    },
    "to": {
        "type": "string",
        "pattern": INSTANT,
        "description": f"First instant after the range, as `from`; at most {MOST_DAYS} days after it",
        "examples": ["2021-10-01"],
    },
    "contract": {
        "type": "string",
        "minLength": 1,
        "maxLength": 100,
        "pattern": TEXT,
        "description": "Number of the contract; needed where the customer has several",
        "examples": ["EIS-0001"],
    },
}


@operations.read(
    "/v1/customers/{customer}/readings",
    OWN,
    "List readings",
    given={200: ("ReadingPage", "A page of the list")},
    query={**_RANGE, "limit": limit(1000, 5000), "cursor": CURSOR},
    required=("from", "to"),
)
def list_readings(call: Call) -> Answer:
    """List the intervals of 15 minutes that begin in a range, its end left out.

    An issued month shows what its invoice was made from, estimates included; other months show what has come so far.
    """
    begin, end = _range(call)
    place = call.place()
    slots = _slots(call, begin, end)
    if place is None:
        call.note("SEEN", f"readings of {call.about()}, {begin.isoformat()} to {end.isoformat()}, interface")
    else:
        slots = slots.filter(pl.col("start") > pl.lit(datetime.fromisoformat(str(place[0]))))
    most = call.query["limit"]
    rows = slots.head(most)
    items = rows.select(_stamp(pl.col("start"), call), pl.col("kwh", "kw").round(DIGITS), "block", "quality").to_dicts()
    more = slots.height > most
    return call.page(items, [rows["start"][-1].isoformat()] if more else None)


@operations.read(
    "/v1/customers/{customer}/usage",
    OWN,
    "Sum usage by block and resolution",
    given={200: ("UsagePage", "A page of the list")},
    query={
        **_RANGE,
        "resolution": {"type": "string", "enum": list(EVERY), "default": "day", "description": "What is summed", "examples": ["day"]},
        "limit": limit(100, 1000),
        "cursor": CURSOR,
    },
    required=("from", "to"),
)  # fmt: skip
def sum_usage(call: Call) -> Answer:
    """Sum what was taken by hour, day or month where the seller is, and by block; nothing is told of what has no readings."""
    begin, end = _range(call)
    place = call.place()
    every = EVERY[call.query["resolution"]]
    zone = call.seller().timezone
    slots = _slots(call, begin, end).with_columns(
        pl.col("start").dt.convert_time_zone(zone).dt.truncate(every).alias("bucket")
    )
    if place is not None:
        slots = slots.filter(
            pl.col("bucket") > pl.lit(datetime.fromisoformat(str(place[0]))).dt.convert_time_zone(zone)
        )
    buckets = slots["bucket"].unique().sort()
    most = call.query["limit"]
    shown = buckets.head(most)
    items = _sums(slots.filter(pl.col("bucket").is_in(shown.implode())), every, call)
    return call.page(items, [shown[-1].isoformat()] if len(buckets) > most else None)


def _sums(slots: pl.DataFrame, every: str, call: Call) -> list[dict[str, Any]]:
    figures = (pl.col("kwh").sum().round(DIGITS), pl.col("kw").max().round(DIGITS).alias("max_kw"))
    whole = slots.group_by("bucket", maintain_order=True).agg(
        *figures, pl.len().alias("intervals"), (pl.col("quality") == ESTIMATED).sum().alias("estimated")
    )
    parts: dict[datetime, dict[str, dict[str, float]]] = {}
    by_block = slots.group_by("bucket", "block", maintain_order=True).agg(*figures)
    for bucket, block, kwh, max_kw in by_block.iter_rows():
        parts.setdefault(bucket, {})[block] = {"kwh": kwh, "max_kw": max_kw}
    stamped = whole.with_columns(
        _stamp(pl.col("bucket"), call).alias("start"), _stamp(pl.col("bucket").dt.offset_by(every), call).alias("end")
    )
    names = ("start", "end", "kwh", "max_kw", "intervals", "estimated")
    return [{**{name: row[name] for name in names}, "blocks": parts[row["bucket"]]} for row in stamped.to_dicts()]


def _stamp(at: pl.Expr, call: Call) -> pl.Expr:
    return at.dt.convert_time_zone(call.seller().timezone).dt.strftime(_STAMP)


def _slots(call: Call, begin: datetime, end: datetime) -> pl.DataFrame:
    """The intervals that begin in a range. :raises Problem: where the customer has several contracts and none is named"""
    database, scope, client = call.context.database, call.within(), call.seller()
    found = {entry.number: entry for entry in masters.contracts(database, scope, customer=call.about())}
    wanted = call.query.get("contract")
    if wanted is None and len(found) > 1:
        raise _wrong("contract", f"the customer has several, name one of {', '.join(sorted(found)[:20])}")
    if wanted is not None and wanted not in found:
        raise _wrong("contract", "the customer has none of this number")
    if not found:
        return pl.DataFrame(schema=consumption.SLOTS)
    contract = found[wanted or min(found)]
    workspace = files.workspace(call.context)
    zone = ZoneInfo(client.timezone)
    days = Period(
        begin.astimezone(zone).date(), (end - timedelta(microseconds=1)).astimezone(zone).date() + timedelta(days=1)
    )
    known = consumption.supplied(workspace, scope, client, contract)
    slots = consumption.intervals(workspace, scope, known, days, call.at.astimezone(zone).date())
    return slots.filter(pl.col("start") >= pl.lit(begin), pl.col("start") < pl.lit(end))


def _range(call: Call) -> tuple[datetime, datetime]:
    zone = ZoneInfo(call.seller().timezone)
    begin, end = (_instant(name, call.query[name], zone) for name in ("from", "to"))
    if end <= begin:
        raise _wrong("to", "lies not after from")
    if end - begin > timedelta(days=MOST_DAYS):
        raise _wrong("to", f"lies more than {MOST_DAYS} days after from: ask for the rest by itself")
    if end > call.at + timedelta(days=366):
        raise _wrong("to", "lies more than a year ahead")
    return begin, end


def _instant(name: str, given: str, zone: ZoneInfo) -> datetime:
    try:
        if "T" not in given:
            return datetime.combine(date.fromisoformat(given), time(0), zone).astimezone(UTC)
        return datetime.fromisoformat(re.sub(r"\.[0-9]+", _micro, given)).astimezone(UTC)
    except ValueError:
        raise _wrong(name, f"{given} is no day of the calendar") from None


def _micro(fraction: re.Match[str]) -> str:
    return f"{fraction[0]:0<7}"


def _wrong(name: str, detail: str) -> Problem:
    return Problem("invalid", f"{name}: {detail}.", errors=[{"parameter": name, "detail": detail}])
