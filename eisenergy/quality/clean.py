"""Which of many months nothing can stand against: one look at each reading, instead of thirteen checks of each meter.

A month is clean when every interval is there, measured and usual, with a margin: :func:`eisenergy.quality.checks.check` then finds
nothing, and nothing is estimated. About every other month this says nothing; it is checked as it always was. So a month
wrongly held for not clean costs time, and one wrongly held for clean would cost a finding: every condition here is as strict as
the check's own, or stricter. The passes over the readings are compiled, in :mod:`eisenergy.quality.cleankernel`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from eisenergy.quality.month import HOURS, Limits

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

_MARGIN: Final = 0.999
"""Comparisons of sums that the checks add up in another order keep this distance."""


class Columns(NamedTuple):
    """Readings of many meters, one after the other, each sorted by time; NaN for null.

    :param start: UTC microseconds
    :param ordered: whether the row is measured, and follows the row before in its file or begins another file
    """

    start: Integers
    kwh: Floats
    kwh_export: Floats
    kw: Floats
    kvar: Floats
    kvarh: Floats
    forecast: Floats
    register: Floats
    ordered: Booleans


def clean(
    first: Integers,
    begin: Integers,
    rows: int,
    columns: Columns,
    *,
    contracted_kw: Floats,
    before: Floats,
    limits: Limits,
) -> Booleans:
    """Say of each meter's month whether nothing can stand against it.

    :param first: row of the first reading of the month [one per meter]
    :param begin: UTC microseconds of the month's first interval [one per meter]
    :param rows: intervals of the month; as many rows from ``first`` on are looked at
    :param contracted_kw: [kW]; NaN where none is contracted, and the month is not clean
    :param before: mean energy of an interval in the months before and after [kWh]; NaN: nothing is known
    """
    from eisenergy.quality.cleankernel import look  # here: to load what is compiled takes half a second

    result = np.zeros(len(first), dtype=np.bool_)
    if len(first) and (int(first.min()) < 0 or int(first.max()) + rows > len(columns.start)):
        raise ValueError(f"rows up to {first.max() + rows} were asked for, and there are {len(columns.start)}")
    figures = np.array(
        [
            HOURS,
            limits.contracted_warning * _MARGIN,
            limits.spike_warning * _MARGIN,
            limits.level_warning,
            limits.stuck_slots,
            limits.zero_slots,
            limits.power_tolerance * _MARGIN,
            limits.power_tolerance_kwh * _MARGIN,
            limits.power_share,
            limits.power_scale,
            limits.register_tolerance_kwh,
        ],
        dtype=np.float64,
    )
    look(first, begin, rows, *columns, contracted_kw, before, figures, result)
    return result


def ordered(
    measured: Booleans, source: npt.NDArray[np.int32], source_row: npt.NDArray[np.int32], rows: int, *, without: int
) -> tuple[Booleans, Integers]:
    """Return :attr:`Columns.ordered` of months that lie one after the other, and how many stretches of one file each month is.

    :param source: number of the row's file [one per row]
    :param source_row: row in that file
    :param rows: intervals of each month
    :param without: number of a file whose rows count as not measured; -1: none
    """
    from eisenergy.quality.cleankernel import put_in_order

    result, turns = np.zeros(len(measured), dtype=np.bool_), np.zeros(len(measured) // rows, dtype=np.int64)
    if not len(measured) == len(source) == len(source_row) == len(turns) * rows:
        raise ValueError(
            f"{len(measured)}, {len(source)} and {len(source_row)} rows are not months of {rows} intervals"
        )
    put_in_order(measured, source, source_row, rows, without, result, turns)
    return result, turns
