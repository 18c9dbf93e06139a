"""Block calendars compiled over a period: runs of UTC microseconds.

A *run* is a stretch of time in which block and tariff segment are constant; a month has about five a day. Compiled runs carry calendar,
tariff dates, time zone and clock changes as integers, so that one pass over the readings needs no look-up per row.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from eisenergy.period import Period, Spans
from eisenergy.timeofuse import DayCalendar

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR: Final = timedelta(hours=1)


class OffGrid(ValueError):
    """A block, segment or clock change that does not fall on the border of an interval."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """A calendar over a period, compiled: stretches of constant block and segment, in order.

    :param start_us: UTC microseconds since 1970 at which each run starts [int64, one per run]
    :param end_us: and ends, exclusive
    :param block: index into ``blocks`` [int16]
    :param segment: index into ``segments`` [int16]
    :param expected: (segment, block) -> number of intervals
    :param minutes: length of an interval
    """

    start_us: npt.NDArray[np.int64]
    end_us: npt.NDArray[np.int64]
    block: npt.NDArray[np.int16]
    segment: npt.NDArray[np.int16]
    blocks: tuple[str, ...]
    segments: tuple[Period, ...]
    expected: dict[tuple[int, str], int]
    timezone: str
    minutes: int

    def __len__(self) -> int:
        return len(self.start_us)

    @property
    def spans(self) -> Spans:
        """The same without its runs."""
        return Spans(segments=self.segments, blocks=self.blocks, expected=self.expected, timezone=self.timezone)


def compile_runs(calendar: DayCalendar, segments: tuple[Period, ...], timezone: str, minutes: int = 15) -> Runs:
    """Compile a calendar over tariff segments and a time zone into runs.

    A local hour that a clock change repeats is there twice, one that it skips is not there.

    :param segments: half-open periods of local dates, in order and without overlap
    :param timezone: IANA name
    :param minutes: length of an interval
    :raises OffGrid: when a run would begin or end inside an interval
    :raises ValueError: when there is no segment, or they overlap or are out of order
    """
    if not segments or any(a.end > b.start for a, b in itertools.pairwise(segments)):
        found = ", ".join(str(segment) for segment in segments) or "none"
        raise ValueError(f"segments must be in order and must not overlap: got {found}")
    index = {block: number for number, block in enumerate(calendar.blocks)}
    slot = timedelta(minutes=minutes)
    origin = segments[0].utc(timezone)[0]
    found_runs: list[tuple[datetime, datetime, int, str]] = []
    for number, segment in enumerate(segments):
        for start, end, block in _stretches(calendar, *segment.utc(timezone), timezone):
            if (start - origin) % slot or (end - origin) % slot:
                local = (start if (start - origin) % slot else end).astimezone(ZoneInfo(timezone))
                raise OffGrid(
                    f"calendar {calendar.name}: block {block} has a border at {local:%Y-%m-%d %H:%M:%S} ({timezone}), inside an "
                    f"interval of {minutes} minutes. Blocks must change where an interval ends: move the border."
                )
            if found_runs and found_runs[-1][1:] == (start, number, block):
                found_runs[-1] = (found_runs[-1][0], end, number, block)
            else:
                found_runs.append((start, end, number, block))
    expected: dict[tuple[int, str], int] = {}
    for start, end, number, block in found_runs:
        expected[number, block] = expected.get((number, block), 0) + (end - start) // slot
    return Runs(
        start_us=np.array([microseconds(run[0]) for run in found_runs], dtype=np.int64),
        end_us=np.array([microseconds(run[1]) for run in found_runs], dtype=np.int64),
        block=np.array([index[run[3]] for run in found_runs], dtype=np.int16),
        segment=np.array([run[2] for run in found_runs], dtype=np.int16),
        blocks=calendar.blocks,
        segments=segments,
        expected=expected,
        timezone=timezone,
        minutes=minutes,
    )


def microseconds(instant: datetime) -> int:
    """Return an instant as microseconds since 1970, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def transitions(start: datetime, end: datetime, timezone: str) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Cut ``[start, end)`` where the zone's offset changes: yield (UTC start, UTC end, offset from UTC)."""
    zone = ZoneInfo(timezone)

    def offset(instant: datetime) -> timedelta:
        value = instant.astimezone(zone).utcoffset()
        assert value is not None
        return value

    since, here = start, start
    while here < end:
        step = min(here + _HOUR, end)
        if offset(here) != offset(step):
            before, after = here, step
            while after - before > timedelta(seconds=1):
                middle = before + (after - before) // 2
                before, after = (middle, after) if offset(middle) == offset(here) else (before, middle)
            change = after.replace(microsecond=0)  # zones change on whole seconds
            yield since, change, offset(here)
            since = here = change
        else:
            here = step
    if since < end:
        yield since, end, offset(since)


def _stretches(
    calendar: DayCalendar, start: datetime, end: datetime, timezone: str
) -> Iterator[tuple[datetime, datetime, str]]:
    """Yield (UTC start, UTC end, block) in order, covering ``[start, end)``."""
    for since, until, offset in transitions(start, end, timezone):
        first, last = ((instant + offset).replace(tzinfo=None) for instant in (since, until))
        day = first.date()
        while (midnight := datetime(day.year, day.month, day.day)) < last:  # noqa: DTZ001 - a local wall-clock time
            for start_minute, end_minute, block in calendar.day_blocks(day):
                begin = max(first, midnight + timedelta(minutes=start_minute))
                finish = min(last, midnight + timedelta(minutes=end_minute))
                if begin < finish:
                    yield since + (begin - first), since + (finish - first), block
            day += timedelta(days=1)
