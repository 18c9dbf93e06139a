"""Where the engine does not confirm a cached value: a second and a third opinion on that formula."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from eisenergy.workbook import office
from eisenergy.workbook.book import ERRORS, Book, Key
from eisenergy.workbook.engine import BY_TEXT, CIRCULAR, UNKNOWN, Translator
from eisenergy.workbook.evaluators import Evaluated, absence, library
from eisenergy.workbook.formula import pattern, references
from eisenergy.workbook.model import Value
from eisenergy.workbook.opinion import Opinion
from eisenergy.workbook.values import plain, same

BACKING: Final = 20
"""Cells of one pattern on which the second opinion must back the engine before the engine is believed for the rest."""
ASKED: Final = 3_000
"""Cells of one pattern about which the second opinion is asked at most."""

_ROUNDING: Final = 1e-12  # of the largest input: what is left when large numbers cancel
_NO_ANSWER: Final = (UNKNOWN, CIRCULAR)


def settle(book: Book, written: Mapping[Key, str], first: Mapping[Key, Value], absent: Mapping[Key, str]) -> Evaluated:
    """Return what the formulas give, from what the engine gave.

    A cached value counts as wrong only where every evaluator that can compute the formula says something else.

    :param written: cell -> formula as the translator wrote it
    :param first: cell -> what the engine gave
    :param absent: cell -> why it was not tried
    """
    dispute = _Dispute(book, written, first, dict(absent))
    dispute.settle()
    return Evaluated(
        values=dispute.values,
        by=tuple(dispute.by),
        absent=dispute.absent,
        distrusted=frozenset(dispute.distrusted),
    )


class _Dispute:
    def __init__(
        self, book: Book, written: Mapping[Key, str], first: Mapping[Key, Value], absent: dict[Key, str]
    ) -> None:
        self.book, self.written, self.first, self.absent = book, written, first, absent
        self.values: dict[Key, Value] = {}
        self.distrusted: set[tuple[str, str]] = set()
        self.by = [library("formualizer")]
        self.opinion = Opinion(book, book.value)

    def settle(self) -> None:
        disputed: dict[tuple[str, str], list[Key]] = {}
        for key, value in self.first.items():
            cached = self.book.value(key)
            if value not in _NO_ANSWER and (same(value, cached) or self._cancels(key, value, cached)):
                self.values[key] = value
            else:
                disputed.setdefault(self._group(key), []).append(key)
        if not disputed:
            return
        self.by.append(library("formulas"))
        unsettled = {key: second for group, cells in disputed.items() for key, second in self._second(group, cells)}
        if unsettled:
            self._third(unsettled)

    def _second(self, group: tuple[str, str], cells: list[Key]) -> Iterator[tuple[Key, Value]]:
        """Ask about the cells of one pattern; yield those on which the two do not agree, with the second opinion."""
        backed = 0
        for number, key in enumerate(cells):
            if backed >= BACKING and group not in self.distrusted:
                self.values[key] = self.first[key]
                continue
            able, second = self.opinion.of(self.written[key], *key) if number < ASKED else (False, None)
            if able and same(second, self.book.value(key)):
                self.values[key] = second
                self.distrusted.add(group)
            elif able and same(second, self.first[key]):
                self.values[key] = second
                backed += 1
            else:
                error = isinstance(second, str) and second in ERRORS  # it also says #VALUE! of what it does not know
                yield key, second if able and not error else UNKNOWN

    def _third(self, unsettled: Mapping[Key, Value]) -> None:
        third: Mapping[Key, Value] = {}
        translator = Translator(self.book, prefixes=True)
        asked = {
            key: translator.write(self.book.grids[key[0]].formulas[key[1:]], key[0])
            for key in unsettled
            if not BY_TEXT.search(self.written[key])
        }
        if asked and office.program():
            try:
                third = office.compute(self.book, asked)
                self.by.append(office.version())
            except (office.OfficeFailed, ValueError):
                third = {}
        for key, second in unsettled.items():
            group, first = self._group(key), self.first[key]
            if third.get(key) is not None:
                self.values[key] = third[key]
                if not same(third[key], first):
                    self.distrusted.add(group)
            elif second != UNKNOWN and (first in (*_NO_ANSWER, "#NAME?") or group in self.distrusted):
                self.values[key] = second
            elif first not in _NO_ANSWER:
                self.values[key] = first
            else:
                self.absent[key] = absence(key, f"no evaluator can compute {self.book.grids[key[0]].formulas[key[1:]]}")

    def _group(self, key: Key) -> tuple[str, str]:
        return key[0], pattern(self.book.grids[key[0]].formulas[key[1:]], *key)

    def _cancels(self, key: Key, value: Value, cached: Value) -> bool:
        """Say whether what is left after large numbers cancel is all that differs."""
        if isinstance(value, bool | str) or isinstance(cached, bool | str):
            return False
        one, other = plain(value), plain(cached)
        if not isinstance(one, int | float) or not isinstance(other, int | float) or abs(one - other) > 1e-6:
            return False
        largest = 0.0
        for area in references(self.written[key], key[0]):
            found = plain(self.book.value((area.sheet, *area.first))) if area.single else None
            largest = max(largest, abs(found)) if isinstance(found, int | float) else largest
        return abs(one - other) <= _ROUNDING * largest
