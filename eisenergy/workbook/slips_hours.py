"""Hours that a table of first hour, last hour and block gives to two blocks, or to none."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from eisenergy.findings import Finding
from eisenergy.sheets import cell
from eisenergy.workbook import roles, tables
from eisenergy.workbook.book import Grid
from eisenergy.workbook.input_cells import number_of
from eisenergy.workbook.slips_structure import Structure, slip
from eisenergy.workbook.tables import Table

_HOUR: Final = 60
_DAY: Final = 24  # hours


def step_of(table: Iterable[float], borders: Iterable[float]) -> int:
    """Return the minutes between two rows of a table of hours: 60, or less where blocks begin within an hour.

    :param table: the hours of the table that has one row for each; empty where there is none
    :param borders: first and last hours of the blocks
    """
    minutes = [round(hour * _HOUR) for hour in table] or [round(hour * _HOUR) for hour in borders]
    return math.gcd(_HOUR, *minutes)


def half_open(hours: Iterable[tuple[float | None, float | None]]) -> bool:
    """Say whether the last hour of every row is the first of the next one: it is then the end, and not an hour of the row."""
    pairs = sorted((start, end) for start, end in hours if start is not None and end is not None)
    return len(pairs) > 1 and all(
        end % _DAY == start % _DAY for (_, end), (start, _) in zip(pairs, [*pairs[1:], pairs[0]], strict=True)
    )


def hours_covered_once(structure: Structure) -> Iterator[Finding]:
    """Find hours that a table of blocks gives to two rows, or to none."""
    found = [(grid, table) for grid in structure.book.grids.values() for table in tables.find(grid)[0]]
    steps = [hour for grid, table in found if table.kind == roles.HOUR for hour in _listed(grid, table)]
    for grid, table in found:
        if table.kind == roles.HOURS:
            yield from not_covered_once(grid, table, steps)


def _listed(grid: Grid, table: Table) -> list[float]:
    """The hours, or parts of them, that a table has one row for."""
    columns = [[number_of(grid.values.get((row, column))) for row in table.rows] for column in sorted(table.columns)]
    return next(([value for value in column if value is not None] for column in columns if None not in column), [])


def not_covered_once(grid: Grid, table: Table, steps: Sequence[float] = ()) -> Iterator[Finding]:
    """Find hours that one table of first hour, last hour and block gives to two rows, or to none.

    :param steps: hours, or parts of them, that another table has a row for
    """
    numbers = [
        column for column in sorted(table.columns) if number_of(grid.values.get((table.rows[0], column))) is not None
    ]
    if len(numbers) != 2:
        return
    named = next((c for c, text in table.columns.items() if roles.header_role(roles.HOURS, text) == "day_kind"), None)
    ranges: dict[int, tuple[float, float]] = {}
    kinds: dict[int, str] = {}
    for row in table.rows:
        first, last = (number_of(grid.values.get((row, column))) for column in numbers)
        if first is not None and last is not None:
            ranges[row] = (first, last)
            kinds[row] = "" if named is None else str(grid.values.get((row, named)) or "").strip()
    step = step_of(steps, itertools.chain(*ranges.values()))
    if half_open(ranges.values()):
        ranges = {row: (first, last - step / _HOUR) for row, (first, last) in ranges.items()}
    for kind in sorted(set(kinds.values()) - {""}) or [""]:
        own = {row: ends for row, ends in ranges.items() if kinds[row] in ("", kind)}
        yield from _covered_once(grid, (numbers[0], numbers[1]), own, step, kind)


def _covered_once(
    grid: Grid, columns: tuple[int, int], ranges: dict[int, tuple[float, float]], step: int, kind: str
) -> Iterator[Finding]:
    """Find hours of one kind of day with two rows, or none.

    :param columns: those of the first and of the last hours
    :param step: minutes
    """
    on = f" on a day {kind!r}" if kind else ""
    day = 1440 // step
    owners: dict[int, int] = {}
    for row, (first, last) in ranges.items():
        start, end = int(first * 60) // step, int(last * 60) // step
        twice: dict[int, list[int]] = {}
        for place in range(start, end + 1) if start <= end else [*range(start, day), *range(end + 1)]:
            if place in owners:
                twice.setdefault(owners[place], []).append(place)
            owners.setdefault(place, row)
        for other, shared in twice.items():
            yield slip(
                "hour-in-two-blocks",
                True,
                (grid.name, row, columns[0]),
                f"{grid.name}!{cell(row - 1, columns[0] - 1)}: {_hours(shared, step)}{on} to this row and to row {other} already. Expected "
                "every hour once; a look-up takes the first. Correct the hours.",
                hours=[_hour_number(place, step) for place in shared],
            )
    if not owners:
        return
    # each gap is told at the row that ends before it
    gaps: dict[int, list[int]] = {}
    for place in (place for place in range(day) if place not in owners):
        before = next(one for one in itertools.count(1) if (place - one) % day in owners)
        gaps.setdefault(owners[(place - before) % day], []).append(place)
    for row, lacking in gaps.items():
        yield slip(
            "hour-in-no-block",
            True,
            (grid.name, row, columns[1]),
            f"{grid.name}!{cell(row - 1, columns[1] - 1)}: {_hours(lacking, step)}{on} to no row of the table; this one ends before. Expected every "
            "hour once. Correct the hours.",
            hours=[_hour_number(place, step) for place in lacking],
        )


def _hours(places: list[int], step: int) -> str:
    many = len(places) > 1
    if step == 60:
        return f"hour{'s' if many else ''} {', '.join(map(str, places))} belong{'' if many else 's'}"
    times = ", ".join(f"{place * step // 60:02d}:{place * step % 60:02d}" for place in places)
    return f"{times} belong{'' if many else 's'}"


def _hour_number(place: int, step: int) -> float:
    return place * step / 60 if step < 60 else place
