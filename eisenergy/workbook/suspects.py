"""Inputs that can be read and contradict what stands beside them: a rate unlike its neighbours, a period that is not the readings'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Final

from eisenergy.findings import Finding, blocking, warning
from eisenergy.workbook.book import Book
from eisenergy.workbook.input_cells import at, day_of, number_of, origin, values_of
from eisenergy.workbook.input_model import Inputs
from eisenergy.workbook.things import Thing, Understanding

_JUMP: Final = 5
"""A rate that is so many times the one before or after it, in both directions where there are two, is a typing error."""
_WITNESSES: Final = 2
"""Other dates that must agree before the one that does not is a finding."""
_HALF: Final = 0.5
_HIGHEST_VAT: Final = 0.27  # Hungary's, the highest standard rate of VAT

_NUMBERS: Final = frozenset(
    f"param.{name}"
    for name in ("contracted_kw", "loss_factor", "ftpms", "municipal_fee", "discount", "vat", "retention")
)

Rates = Mapping[str, Mapping[date, tuple[tuple[int, int], float]]]
"""Block -> first day -> place of the rate, and the rate."""


def suspects(book: Book, found: Understanding, inputs: Inputs) -> Iterator[Finding]:
    """Find rates, shares and a period that are hardly right beside the workbook's other inputs.

    A rate that is only unlike its neighbours may be meant, so that it is a warning; what no bill can have blocks.
    """
    since = found.one("rates.from")
    for name in ("energy", "demand", "ftpms"):
        thing = found.one(f"rates.{name}")
        if thing is None or since is None:
            continue
        rates = _rates(book, found, thing)
        jumps = list(_jumps(thing, rates))
        yield from jumps
        if name == "energy":
            yield from _dates(since, rates)
            # A rate out of scale is out of rank as well.
            yield from [] if jumps else _orders(thing, rates)
    yield from _unknown_blocks(book, found, inputs)
    yield from _once(book, found, inputs.step)
    yield from _texts(book, found)
    yield from _shares(book, found)
    yield from _losses(book, found)
    yield from _period(book, found, inputs)


def _rates(book: Book, found: Understanding, thing: Thing) -> Rates:
    blocks, starts = (values_of(book, found.one(f"rates.{name}")) for name in ("block", "from"))
    rates: dict[str, dict[date, tuple[tuple[int, int], float]]] = {}
    for row, (place, value) in values_of(book, thing).items():
        number, start = number_of(value), day_of(starts.get(row, (place, None))[1])
        name = found.block_of(blocks.get(row, (place, None))[1])
        if number is not None and start is not None and name is not None:
            rates.setdefault(name, {}).setdefault(start.date(), (place, number))
    return rates


def _unknown_blocks(book: Book, found: Understanding, inputs: Inputs) -> Iterator[Finding]:
    """Rates of a block that no hour belongs to, where other blocks of theirs have hours."""
    thing = found.one("rates.block")
    if thing is None or inputs.calendar is None:
        return
    calendars = (inputs.calendar, *inputs.kinds.values())
    known = {block for one in calendars for row in one.rows if (block := found.block_of(row.block)) is not None}
    names = [(place, found.block_of(value)) for place, value in values_of(book, thing).values()]
    if not known & {name for _, name in names}:
        return
    for place, name in names:
        if name is not None and name not in known:
            meant = get_close_matches(name.casefold(), [one.casefold() for one in known], n=1, cutoff=0.75)
            say = blocking if meant else warning  # a block of an old tariff has no hours any more
            yield say(
                "block-without-hours",
                thing.sheet,
                f"{origin(thing, place)}: found {name!r}, which no hour belongs to, expected one of {', '.join(sorted(known))}. Correct the name, if it is one of them.",
                **at(thing, place),
            )


def _once(book: Book, found: Understanding, step: int) -> Iterator[Finding]:
    """A block that the matrix has twice, and an hour of the table of all hours that it has twice or not at all.

    :param step: minutes between two rows of the table of hours
    """
    label, hour = found.one("block.label"), found.one("hour.hour")
    names = (
        [] if label is None else [(place, found.block_of(value)) for place, value in values_of(book, label).values()]
    )
    hours = [] if hour is None else [(place, number_of(value)) for place, value in values_of(book, hour).values()]
    counted = {number for _, number in hours}
    expected = {number * step / 60 for number in range(1440 // step)}
    if 24 in counted and 0 not in counted and len(counted) == 24:
        expected = {number + 1 for number in expected}
    for thing, cells, known in ((label, names, set(found.blocks.values())), (hour, hours, expected)):
        seen = set()
        for place, value in cells:
            if thing is not None and value is not None and (value in seen or value not in known):
                lacking = ", ".join(map(str, sorted(known - {one for _, one in cells}, key=str)))
                yield blocking(
                    "not-once",
                    thing.sheet,
                    f"{origin(thing, place)}: found {value if isinstance(value, str) else format(value, 'g')} for {thing.header!r}, which another row "
                    f"has or none should have; no row has {lacking or 'anything else'}. Expected each once. Correct the cell.",
                    **at(thing, place),
                )
            seen.add(value)


def _texts(book: Book, found: Understanding) -> Iterator[Finding]:
    """Numbers among the parameters that are texts."""
    for thing in found.things:
        place = thing.cells[0]
        value = book.value((thing.sheet, *place))
        if thing.role in _NUMBERS and isinstance(value, str) and number_of(value.replace("%", "")) is not None:
            yield blocking(
                "number-as-text",
                thing.sheet,
                f"{origin(thing, place)}: found the text {value!r} for {thing.header!r}, expected a number. Formulas may not count it. Type it "
                "as a number.",
                **at(thing, place),
            )


def _jumps(thing: Thing, rates: Rates) -> Iterator[Finding]:
    for name, dated in rates.items():
        days = sorted(dated)
        for number, day in enumerate(days):
            place, rate = dated[day]
            beside = [dated[days[n]][1] for n in (number - 1, number + 1) if 0 <= n < len(days)]
            others = [one for at_day, (_, one) in dated.items() if at_day != day]
            if len(others) < _WITNESSES or rate <= 0 or min(others) <= 0 or max(others) >= _JUMP * min(others):
                continue
            if all(rate >= _JUMP * one or one >= _JUMP * rate for one in beside):
                yield warning(
                    "rate-jumps",
                    thing.sheet,
                    f"{origin(thing, place)}: found {rate:g} as {thing.header!r} of {name} from {day}, and "
                    f"{' and '.join(f'{one:g}' for one in beside)} beside it. Expected a rate of their size. Look it up and correct it.",
                    **at(thing, place),
                )


def _dates(since: Thing, rates: Rates) -> Iterator[Finding]:
    """A row whose first day is its own, where at every other one all blocks have a rate."""
    if len(rates) < 2:
        return
    counted = Counter(day for dated in rates.values() for day in dated)
    whole = [day for day, count in counted.items() if count == len(rates)]
    if len(whole) < _WITNESSES:
        return
    for name, dated in rates.items():
        for day, (place, _) in sorted(dated.items()):
            # The others' day that this block has not, next to its own: the day that was meant.
            meant = [one for one, count in counted.items() if count == len(rates) - 1 and one not in dated]
            if counted[day] != 1 or len(meant) != 1:
                continue
            cell = (place[0], since.column)
            yield warning(
                "rate-date-alone",
                since.sheet,
                f"{origin(since, cell)}: found {day} as the first day of a rate of {name}; every other block has one from {meant[0]}, and "
                f"all blocks change on the same days elsewhere. Expected {meant[0]}. Correct the day.",
                **at(since, cell),
            )


def _orders(thing: Thing, rates: Rates) -> Iterator[Finding]:
    """A date at which the blocks' rates do not rank as at all the others."""
    days = sorted(set.intersection(*(set(dated) for dated in rates.values()))) if len(rates) > 1 else []
    ranks = {day: tuple(name for _, name in sorted((rates[name][day][1], name) for name in rates)) for day in days}
    usual, often = Counter(ranks.values()).most_common(1)[0] if ranks else ((), 0)
    odd = [day for day, rank in ranks.items() if rank != usual]
    if often < _WITNESSES or len(odd) != 1:
        return
    for expected, name in zip(usual, ranks[odd[0]], strict=True):
        if expected != name:
            place, rate = rates[name][odd[0]]
            yield warning(
                "rates-out-of-rank",
                thing.sheet,
                f"{origin(thing, place)}: found {rate:g} for {name} from {odd[0]}; at every other date the blocks rank "
                f"{' < '.join(usual)} by price. Were two of them swapped? Look the rates up.",
                **at(thing, place),
            )


def _shares(book: Book, found: Understanding) -> Iterator[Finding]:
    def read(role: str) -> tuple[Thing, float] | None:
        thing = found.one(role)
        value = None if thing is None else number_of(book.value((thing.sheet, *thing.cells[0])))
        return None if thing is None or value is None or not 0 <= value <= 1 else (thing, value)

    vat, retention = read("param.vat"), read("param.retention")
    if vat is not None and vat[1] > _HIGHEST_VAT:
        thing, value = vat
        yield blocking(
            "vat-rate-unlikely",
            thing.sheet,
            f"{origin(thing, thing.cells[0])}: found a VAT rate of {value:.4g}, expected {_HIGHEST_VAT} at most. Correct it.",
            **at(thing, thing.cells[0]),
        )
    if vat is not None and retention is not None and retention[1] > max(vat[1], 0.13):
        thing, value = retention
        say = blocking if value >= _HALF else warning
        yield say(
            "retention-above-vat",
            thing.sheet,
            f"{origin(thing, thing.cells[0])}: found {value:.4g} as the part of the price that is retained of the VAT, which is {vat[1]:.4g}; "
            "expected no more than that. Type 0.01 for 1 %.",
            **at(thing, thing.cells[0]),
        )


def _losses(book: Book, found: Understanding) -> Iterator[Finding]:
    """Factors below zero, or dearer than the energy itself."""
    energy = found.one("rates.energy")
    prices = [] if energy is None else [number_of(value) for _, value in values_of(book, energy).values()]
    highest = max((one for one in prices if one is not None), default=None)
    for role in ("param.loss_factor", "param.ftpms", "param.municipal_fee", "param.contracted_kw"):
        thing = found.one(role)
        value = None if thing is None else number_of(book.value((thing.sheet, *thing.cells[0])))
        if thing is None or value is None:
            continue
        dear = role in ("param.loss_factor", "param.ftpms") and highest is not None and value >= max(1, _JUMP * highest)
        if value < 0 or dear:
            expected = "zero or more" if value < 0 else f"less than the energy itself costs ({highest:g})"
            yield blocking(
                "parameter-unlikely",
                thing.sheet,
                f"{origin(thing, thing.cells[0])}: found {value:g} for {thing.header!r}, expected {expected}. Correct it; type 0.0153 for 1.53 %.",
                **at(thing, thing.cells[0]),
            )


def _period(book: Book, found: Understanding, inputs: Inputs) -> Iterator[Finding]:
    thing = found.one("param.period")
    moment = None if thing is None else day_of(book.value((thing.sheet, *thing.cells[0])))
    if thing is None or moment is None or inputs.period is None:
        return
    months = {(day.year, day.month) for day in inputs.period}
    if (moment.year, moment.month) not in months:
        yield blocking(
            "period-differs",
            thing.sheet,
            f"{origin(thing, thing.cells[0])}: found {moment:%Y-%m-%d} as the period, and readings from {inputs.period.start} up to "
            f"{inputs.period.end}. Expected a day of theirs. Correct the period, or the dates of the readings.",
            **at(thing, thing.cells[0]),
        )
