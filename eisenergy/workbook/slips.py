"""An analyst's slips, found from the workbook's structure alone, whatever its cells mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from eisenergy.findings import Finding, Severity
from eisenergy.workbook import slips_circles, slips_formulas, slips_hours, slips_lookups, slips_ranges, slips_values
from eisenergy.workbook.book import Book
from eisenergy.workbook.slips_structure import Structure

RULES: Final[tuple[Callable[[Structure], Iterable[Finding]], ...]] = (
    slips_formulas.without_a_number,
    slips_formulas.unlike_neighbours,
    slips_formulas.typed_among_formulas,
    slips_formulas.rates_typed_in,
    slips_formulas.reads_nothing,
    slips_lookups.approximate_lookups,
    slips_lookups.ranges_apart,
    slips_formulas.outside_the_workbook,
    slips_ranges.short_ranges,
    slips_ranges.swallowed_headers,
    slips_ranges.counted_twice,
    slips_circles.circles,
    slips_ranges.hidden_in_totals,
    slips_ranges.merged_in_tables,
    slips_values.texts_among_values,
    slips_values.rows_out_of_order,
    slips_hours.hours_covered_once,
    slips_values.spaces_in_labels,
)
"""What is looked for; each rule yields its findings."""


def slips(book: Book, timezone: str | None = None) -> tuple[Finding, ...]:
    """Find what a workbook's structure alone shows to be wrong, or likely so.

    :param timezone: IANA name, where the local times of the workbook follow a clock that may change
    :returns: findings whose ``data`` name ``sheet`` and ``cell``; a blocking one changes a number that something totals. The gravest
        first, then in order of sheet, row and column
    """
    structure = Structure(book, timezone)
    order = {name: number for number, name in enumerate(book.grids)}
    found = [finding for rule in RULES for finding in rule(structure)]
    grave = [Severity.BLOCKING, Severity.WARNING, Severity.INFO]
    return tuple(
        sorted(
            found,
            key=lambda one: (
                grave.index(one.severity),
                order.get(one.data["sheet"], len(order)),
                one.data["row"],
                one.data["column"],
            ),
        )
    )
