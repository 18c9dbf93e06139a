"""The rates in a workbook: dated, per block; and the options of the bill, where labels or formulas say them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from eisenergy.accounts import Sourced
from eisenergy.findings import Finding, blocking
from eisenergy.period import Dated, NotInForce, Overlap
from eisenergy.sheets import cell as name_of
from eisenergy.sheets import fold
from eisenergy.tariffs.model import BillingRules, DemandBasis, DeviationMode, LossBasis, RateKind, ScalarKind, Tariff
from eisenergy.workbook.book import Book
from eisenergy.workbook.formula import texts_in
from eisenergy.workbook.input_cells import at, day_of, exact, number_of, origin, values_of
from eisenergy.workbook.input_model import Inputs
from eisenergy.workbook.model import Value
from eisenergy.workbook.things import Thing, Understanding, exactly

LONG_AGO: Final = date(1900, 1, 1)


def tariff_of(book: Book, found: Understanding, inputs: Inputs) -> Tariff | None:
    """Read the rates as a tariff; ``None`` where the workbook has no table of them."""
    block, since = found.one("rates.block"), found.one("rates.from")
    if block is None or since is None:
        return None
    blocks, starts = values_of(book, block), values_of(book, since)
    letters = name_of(0, since.column - 1).rstrip("1")
    rates: dict[RateKind, dict[str, Dated[Sourced]]] = {}
    for kind in RateKind:
        thing = found.one(f"rates.{kind.value}")
        if thing is None:
            continue
        by_block: dict[str, list[tuple[date, Sourced]]] = {}
        for row, (place, value) in values_of(book, thing).items():
            number, start = number_of(value), day_of(starts.get(row, (place, None))[1])
            name = found.block_of(blocks.get(row, (place, None))[1])
            if number is None or start is None or name is None:
                if value is not None:
                    inputs.findings.append(_bad_rate(thing, place, value, start, name))
                continue
            by_block.setdefault(name, []).append((start.date(), Sourced(exact(number), origin(thing, place))))
        rates[kind] = {
            name: _dated(f"{kind.value} rate of {name}", pairs, thing, letters, inputs)
            for name, pairs in by_block.items()
        }
    ftpms = inputs.values.get("param.ftpms")
    if ftpms and (RateKind.FTPMS not in rates or _reads(found, "ftpms", "param.ftpms", "rates.ftpms")):
        rates[RateKind.FTPMS] = {name: Dated.of("FTPMS", ((LONG_AGO, ftpms),)) for name in found.blocks.values()}
    scalars = _vat(inputs)
    if losses := _losses(book, found):
        scalars[ScalarKind.LOSS_FACTOR] = losses
    return Tariff(
        name="workbook",
        currency="USD",
        calendar="workbook",
        rates=rates,
        scalars=scalars,
        rules=rules_of(book, found, inputs, rates),
    )


def with_vat(tariff: Tariff, inputs: Inputs) -> Tariff:
    """Return a tariff given from outside with the workbook's VAT rate where it has none, as a price sheet has not."""
    return (
        tariff if ScalarKind.VAT_RATE in tariff.scalars else replace(tariff, scalars={**tariff.scalars, **_vat(inputs)})
    )


def _vat(inputs: Inputs) -> dict[ScalarKind, Dated[Sourced]]:
    # Without a VAT rate the rest of the bill is compared all the same; its VAT is then zero, and so different.
    vat = inputs.values.get("param.vat", Sourced(Decimal(0), "the workbook names no VAT rate"))
    return {ScalarKind.VAT_RATE: Dated.of("VAT rate", ((LONG_AGO, vat),))}


def with_ends(book: Book, found: Understanding, inputs: Inputs, tariff: Tariff) -> Tariff | None:
    """Return the tariff with an empty cell in a block's newer row as the end of its rate; ``None`` where there is no such cell."""
    blocks, starts = values_of(book, found.one("rates.block")), values_of(book, found.one("rates.from"))
    rates = {kind: dict(by_block) for kind, by_block in tariff.rates.items()}
    for kind, by_block in rates.items():
        thing = found.one(f"rates.{kind.value}")
        filled = {row for row, (_, value) in values_of(book, thing).items() if value is not None}
        if thing is None or (kind is RateKind.FTPMS and _reads(found, "ftpms", "param.ftpms", "rates.ftpms")):
            continue
        for row, (place, block) in blocks.items():
            name, start = found.block_of(block), day_of(starts.get(row, (place, None))[1])
            dated = by_block.get(name or "")
            if row in filled or start is None or dated is None or name is None:
                continue
            if min(dated.starts) < start.date() and start.date() not in dated.starts:
                by_block[name] = Dated.of(dated.name, (*dated.values, (start.date(), None)))
                inputs.ends[dated.name, start.date()] = origin(thing, (row, thing.column))
    return replace(tariff, rates=rates) if inputs.ends else None


def _reads(found: Understanding, price: str, source: str, other: str) -> bool:
    """Whether the intervals take a price from one source and not from another."""
    things = [thing for name in (f"slot.{price}", f"slot.{price}_amount") for thing in found.of(name)]
    read = {one.role for thing in things for one in thing.reads}
    return source in read and other not in read


def dated_losses(found: Understanding) -> bool:
    """Whether the intervals' loss factor comes from a table of dates, and not from the one parameter."""
    things = [thing for name in ("slot.loss_factor", "slot.loss_amount") for thing in found.of(name)]
    read = {one.role for thing in things for one in thing.reads}
    return "losses.factor" in read and "param.loss_factor" not in read


def _losses(book: Book, found: Understanding) -> Dated[Sourced] | None:
    """The loss factor with its dates; an empty cell ends the one before."""
    thing, since = found.one("losses.factor"), found.one("losses.from")
    if thing is None or since is None:
        return None
    factors = values_of(book, thing)
    pairs: dict[date, Sourced | None] = {}
    for row, (place, value) in values_of(book, since).items():
        start = day_of(value)
        cell, factor = factors.get(row, (place, None))
        number = number_of(factor)
        if start is not None:
            pairs[start.date()] = None if number is None else Sourced(exact(number), origin(thing, cell))
    return Dated.of("loss factor", tuple(pairs.items())) if pairs else None


def _bad_rate(thing: Thing, place: tuple[int, int], value: Value, start: datetime | None, name: str | None) -> Finding:
    what = "no first day of validity" if start is None else "no block" if name is None else "no number"
    return blocking(
        "bad-rate",
        thing.sheet,
        f"{origin(thing, place)}: found {value!r} with {what} in its row, expected a rate with its block and first day. Correct the row.",
        **at(thing, place),
    )


def _dated(name: str, pairs: list[tuple[date, Sourced]], thing: Thing, since: str, inputs: Inputs) -> Dated[Sourced]:
    try:
        return Dated.of(name, tuple(pairs))
    except Overlap as problem:
        seen: dict[date, Sourced] = {}
        for start, value in pairs:
            if start in seen:
                place = re.sub(r"^[A-Z]+", since, value.origin.rpartition("!")[2])
                inputs.findings.append(
                    blocking("rates-overlap", thing.sheet, f"{value.origin}: {problem}", sheet=thing.sheet, cell=place)
                )
            seen.setdefault(start, value)
        return Dated.of(name, tuple(seen.items()))


def rules_of(
    book: Book, found: Understanding, inputs: Inputs, rates: dict[RateKind, dict[str, Dated[Sourced]]]
) -> BillingRules:
    """Return the options that labels state or formulas show; else the reference workbook\'s."""
    texts = {role: fold(text) for role, text in inputs.texts.items()}
    demand = rates.get(RateKind.DEMAND, {})
    block = found.block_of(inputs.texts.get("param.demand_rate_block"))
    block = block or next(iter(_blocks_in_formula(book, found, "line.demand")), None)
    if "param.ftpms_blocks" in inputs.texts:
        applies = _named_blocks(found, inputs.texts["param.ftpms_blocks"])
    elif found.one("rates.ftpms") is not None:
        applies = tuple(rates.get(RateKind.FTPMS, {}))
    else:
        applies = tuple(name for name in found.blocks.values() if name.upper() in ("PUNTA", "PEAK"))
        applies = applies or _blocks_in_formula(book, found, "slot.ftpms")
    return BillingRules(
        demand_basis=DemandBasis.BLOCK_MAX
        if texts.get("param.demand_basis") in ("block max", "maximo por bloque", "por bloque")
        else DemandBasis.PERIOD_MAX,
        demand_rate_block=block if block in demand else next(iter(demand), None),
        loss_basis=LossBasis.ENERGY
        if texts.get("param.loss_basis") in ("energy", "energia")
        else LossBasis.CHARGE_PER_KWH,
        ftpms_blocks=applies,
        deviation_mode=DeviationMode.BOTH
        if texts.get("param.deviation_mode") in ("both", "ambas", "ambos")
        else DeviationMode.SHORTFALL,
    )


def _named_blocks(found: Understanding, text: str) -> tuple[str, ...]:
    """The blocks that a text lists; a block's own name may hold a comma or an "and"."""
    parts = re.split(r"(\s*[,;/]\s*|\s+(?:y|e|and)\s+)", text.strip())
    named: list[str] = []
    first = 0
    while first < len(parts):
        ends = range(len(parts), first, -1)
        whole = ((end, found.blocks.get(exactly("".join(parts[first:end])))) for end in ends)
        until, block = next(((end, block) for end, block in whole if block), (first + 1, found.block_of(parts[first])))
        named += [block] if block else []
        first = until
    return tuple(dict.fromkeys(named))


def _blocks_in_formula(book: Book, found: Understanding, role: str) -> tuple[str, ...]:
    thing = found.one(role)
    if thing is None or not thing.formulas:
        return ()
    named = map(found.block_of, texts_in(book.grids[thing.sheet].formulas[thing.formulas[0]]))
    return tuple(dict.fromkeys(block for block in named if block))


def compare(book: Book, found: Understanding, tariff: Tariff, inputs: Inputs) -> None:
    """Compare the workbook's rates with a tariff given from outside."""
    block, since = values_of(book, found.one("rates.block")), values_of(book, found.one("rates.from"))
    for kind in RateKind:
        thing = found.one(f"rates.{kind.value}")
        for row, (place, value) in values_of(book, thing).items():
            number, start = number_of(value), day_of(since.get(row, (place, None))[1])
            name = found.block_of(block.get(row, (place, None))[1])
            if thing is None or number is None or start is None or name is None or kind not in tariff.rates:
                continue
            try:
                given = tariff.rate(kind, name, start.date())[1]
            except NotInForce as problem:
                given, why = None, str(problem)
            if given is not None and given.value == exact(number):
                continue
            why = why if given is None else f"{given.value} ({given.origin})"
            inputs.findings.append(
                blocking(
                    "rate-differs",
                    thing.sheet,
                    f"{origin(thing, place)}: found {number:g} as {kind.value} rate of {name} from {start:%Y-%m-%d}, expected {why}. "
                    f"Correct the cell, or the tariff {tariff.name}.",
                    **at(thing, place),
                )
            )
