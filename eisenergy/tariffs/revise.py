"""A new version of a tariff from what somebody typed: checked as a parameter document is, every fault at its place.

A version holds whole: from its first day on, every rate is the one it names. Values that do not depend on the block, such as VAT, keep
their entry, with the law it names, where the new version has the same value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from eisenergy.accounts import Sourced
from eisenergy.findings import Severity
from eisenergy.period import Dated, NotInForce, Period
from eisenergy.tariffs import document
from eisenergy.tariffs.check import Blocks, check
from eisenergy.tariffs.model import UNITS, RateKind, ScalarKind, Tariff
from eisenergy.tariffs.version import version

Place = tuple[str, str]
"""A rate's kind and block, or a value's kind and nothing."""
START: Final[Place] = ("start", "")
LOOKED_AT: Final = timedelta(days=28)
"""Days from the first on for which the version has to have all that a bill needs."""
ALWAYS: Final = date(1900, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with one value.

    :param place: which; :data:`START` for the first day
    :param code: ``missing``, ``not-an-amount``, ``not-a-share``, ``taken``, ``unchanged``, or that of a finding
    :param message: what was found, where, what was expected, what to do
    """

    place: Place
    code: str
    message: str


class Unfit(ValueError):
    """A version that cannot be one; says why, place by place."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(fault.message for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a tariff says between two changes.

    :param until: last day, ``None`` while it holds
    :param rates: kind -> block -> rate; what is not in force is not there
    """

    start: date
    until: date | None
    rates: Mapping[RateKind, Mapping[str, Sourced]]
    scalars: Mapping[ScalarKind, Sourced]

    def holds(self, day: date) -> bool:
        """Whether it is in force on a day."""
        return self.start <= day and (self.until is None or day <= self.until)


def starts(tariff: Tariff) -> tuple[date, ...]:
    """Return the days on which a version begins, in order: those on which a rate changes, and a value's from the first rate on."""
    rates = {day for blocks in tariff.rates.values() for dated in blocks.values() for day in dated.starts}
    first = min(rates, default=None)
    scalars = {day for dated in tariff.scalars.values() for day in dated.starts if first is None or day >= first}
    return tuple(sorted(rates | scalars))


def versions(tariff: Tariff) -> tuple[Version, ...]:
    """Return a tariff's versions, the newest first."""
    days = starts(tariff)
    result = []
    for number, day in enumerate(days):
        following = days[number + 1] - timedelta(days=1) if number + 1 < len(days) else None
        rates = {
            kind: {block: value for block, dated in blocks.items() if (value := _on(dated, day)) is not None}
            for kind, blocks in tariff.rates.items()
        }
        scalars = {kind: value for kind, dated in tariff.scalars.items() if (value := _on(dated, day)) is not None}
        result.append(Version(start=day, until=following, rates=rates, scalars=scalars))
    return tuple(reversed(result))


def values(tariff: Tariff, day: date) -> dict[Place, str]:
    """Return every value in force on a day, as it is typed."""
    result = {
        (kind.value, block): f"{value.value:f}"
        for kind, blocks in tariff.rates.items()
        for block, dated in blocks.items()
        if (value := _on(dated, day)) is not None
    }
    found = {(kind.value, ""): _on(dated, day) for kind, dated in tariff.scalars.items()}
    return result | {place: f"{value.value:f}" for place, value in found.items() if value is not None}


def revise(
    tariff: Tariff,
    start: date,
    typed: Mapping[Place, str],
    *,
    origin: str,
    calendar: Blocks,
    correcting: bool = False,
    schemas: Path | None = None,
) -> Tariff:
    """Return a tariff with one version more.

    :param start: its first day
    :param typed: place -> text as it was typed; empty where there is no such rate or value
    :param origin: where the numbers come from, in words
    :param correcting: whether it may take the place of a version that begins on the same day
    :param schemas: folder of ``tariff.schema.json``; ``None``: the shipped one
    :raises Unfit: with every fault at its place: what a parameter document or a price sheet would be refused for
    """
    given = {place: text.strip() for place, text in typed.items()}
    faults = [*_missing(tariff, given), *_unreadable(tariff, start, given, origin, schemas)]
    if start in starts(tariff) and not correcting:
        said = f"tariff {tariff.name} has a version from {start} already; validity must not overlap. Choose another day, or correct that one."
        faults.append(Fault(place=START, code="taken", message=said))
    if faults:
        raise Unfit(tuple(faults))
    kept = {place: text for place, text in given.items() if text}
    before = values(tariff, start)
    if {place: Decimal(text) for place, text in kept.items()} == {
        place: Decimal(text) for place, text in before.items()
    }:
        said = f"tariff {tariff.name}: every value is the one that holds on {start} already. Change one."
        raise Unfit((Fault(place=START, code="unchanged", message=said),))
    result = _with(tariff, start, kept, origin)
    found = check(result, calendar, Period(start, start + LOOKED_AT))
    if refused := [one for one in found if one.severity is Severity.BLOCKING]:
        raise Unfit(
            tuple(
                Fault(
                    place=(str(one.data.get("kind", "start")), str(one.data.get("block", ""))),
                    code=one.code,
                    message=one.message,
                )
                for one in refused
            )
        )
    return result


def throughout(tariff: Tariff, day: date) -> Tariff:
    """Return a tariff whose values are at all times those of one day: what a version would have cost before it began."""

    def held(dated: Dated[Sourced]) -> Dated[Sourced]:
        return Dated.of(dated.name, {ALWAYS: _on(dated, day)})

    rates = {kind: {block: held(dated) for block, dated in blocks.items()} for kind, blocks in tariff.rates.items()}
    return _stamped(replace(tariff, rates=rates, scalars={kind: held(dated) for kind, dated in tariff.scalars.items()}))


def _missing(tariff: Tariff, given: Mapping[Place, str]) -> Iterator[Fault]:
    carried = [(kind.value, block) for kind, blocks in tariff.rates.items() for block in blocks]
    carried += [(kind.value, "") for kind in tariff.scalars]
    for what, block in carried:
        if not given.get((what, block)):
            where = f", block {block}" if block else ""
            said = f"tariff {tariff.name}, {what}{where}: nothing is given, expected a number in {UNITS[what]}. Type 0 where nothing is charged."
            yield Fault(place=(what, block), code="missing", message=said)


def _unreadable(
    tariff: Tariff, start: date, given: Mapping[Place, str], origin: str, schemas: Path | None
) -> Iterator[Fault]:
    """What the schema of parameter documents says of the values."""
    rates: dict[str, Any] = {}
    scalars: dict[str, Any] = {}
    for (what, block), text in given.items():
        if not text:
            continue
        entry = {"label": what, "unit": UNITS.get(what, ""), "source": origin}
        if block:
            rates.setdefault(what, {**entry, "blocks": {}})["blocks"][block] = {start.isoformat(): text}
        else:
            scalars[what] = {**entry, "values": {start.isoformat(): text}}
    data = {
        "name": tariff.name, "currency": tariff.currency, "calendar": tariff.calendar, "rates": rates, "scalars": scalars
    }  # fmt: skip
    for path, said in document.faults(data, "tariff.schema.json", schemas):
        what = str(path[1]) if len(path) > 1 else START[0]
        block = str(path[3]) if len(path) > 3 and path[0] == "rates" else ""
        code = "not-a-share" if UNITS.get(what) == "1" else "not-an-amount"
        yield Fault(place=(what, block), code=code, message=said)


def _with(tariff: Tariff, start: date, given: Mapping[Place, str], origin: str) -> Tariff:
    rates: dict[RateKind, dict[str, Dated[Sourced]]] = {kind: dict(blocks) for kind, blocks in tariff.rates.items()}
    scalars = dict(tariff.scalars)
    for (what, block), text in given.items():
        value = Sourced(Decimal(text), origin)
        if block:
            blocks = rates.setdefault(RateKind(what), {})
            name = f"tariff {tariff.name}, {what} rate of block {block}"
            blocks[block] = _set(blocks.get(block, Dated.of(name, {})), start, value)
            continue
        kind = ScalarKind(what)
        dated = scalars.get(kind, Dated.of(f"tariff {tariff.name}, {what}", {}))
        before = _on(dated, start)
        if before is None or before.value != value.value:
            scalars[kind] = _set(dated, start, value)
    return _stamped(replace(tariff, rates=rates, scalars=scalars))


def _set(dated: Dated[Sourced], start: date, value: Sourced) -> Dated[Sourced]:
    """Put a value in force; one from another place, where the same number stands, keeps its origin."""
    entries = dict(dated.values)
    there = entries.get(start)
    if there is not None and there.value == value.value:
        return dated
    return Dated.of(dated.name, {**entries, start: value})


def _on(dated: Dated[Sourced], day: date) -> Sourced | None:
    try:
        return dated.at(day)
    except NotInForce:
        return None


def _stamped(tariff: Tariff) -> Tariff:
    return replace(tariff, version=version(tariff))
