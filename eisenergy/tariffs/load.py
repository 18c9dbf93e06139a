"""Tariffs from price sheets and parameter documents, refused with file and cell or line when anything in them is in doubt.

The price sheet gives the rates per block; the document gives the calendar, the rules of the bill and the values that do not
depend on the block. :func:`combine` puts the two together.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from eisenergy.accounts import Sourced
from eisenergy.contents import UnreadableFile
from eisenergy.period import Dated
from eisenergy.tariffs import document
from eisenergy.tariffs.model import (
    UNITS,
    BillingRules,
    DemandBasis,
    DeviationMode,
    LossBasis,
    RateKind,
    ScalarKind,
    Tariff,
)
from eisenergy.tariffs.table import BadCell, Table, block_name, open_table, text_of
from eisenergy.tariffs.version import version

_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "block": ("Bloque", "Bloque horario", "Block", "Time block"),
    "start": ("Vigente desde", "Vigencia desde", "Desde", "Valid from", "Effective from", "From"),
    "end": ("Vigente hasta", "Vigencia hasta", "Hasta", "Valid to", "Valid until", "Effective to", "To"),
    RateKind.ENERGY: ("Cargo por energía", "Tarifa kWh", "Energía", "Energy charge", "Energy rate", "kWh rate"),
    RateKind.DEMAND: ("Cargo por demanda", "Tarifa demanda", "Demanda", "Demand charge", "Demand rate", "kW rate"),
    RateKind.FTPMS: ("FTPMS", "Recargo FTPMS", "Cargo FTPMS", "FTPMS charge", "FTPMS rate"),
    RateKind.COST_POS: (
        *("Costo Desv POS", "Costo desviación positiva", "Cost Des Pos", "Positive deviation cost"),
        "Cost of positive deviation",
    ),
    RateKind.COST_NEG: (
        *("Cost Des Neg", "Costo desviación negativa", "Costo Desv Neg", "Negative deviation cost"),
        "Cost of negative deviation",
    ),
}
_REQUIRED: Final = ("block", "start", RateKind.ENERGY, RateKind.DEMAND)
_GENERIC_NAMES: Final = ("hoja", "sheet", "tarifa", "tarifas", "tariff", "tariffs")


class BadTariff(UnreadableFile):
    """A tariff that cannot be used; one line per fault, each with file and cell or line."""


def read_spreadsheet(
    path: Path, *, name: str | None = None, currency: str = "USD", calendar: str = "", sheet: str | None = None
) -> Tariff:
    """Read the rates of a price sheet such as ``Tarifas EIS-TOU.xlsx``.

    A row holds a block, the first day of its rates and one rate per column [USD/kWh, demand USD/kW]; a last day (``Vigente hasta``,
    inclusive) is optional.

    :param name: the tariff's name; by default the sheet's name, or the last word of the title when the sheet's name says nothing
    :param sheet: the sheet to read; by default the only one that has the table
    :returns: a tariff with rates only, see :func:`combine`
    :raises BadTariff: for overlapping validity, a negative rate, an unknown unit, text in a rate, an empty rate: with file and cell
    :raises UnreadableFile: when the file has no such table

    Source: requirements of EIS Power, "Files that arrive".
    """
    table = open_table(path, _COLUMNS, _REQUIRED, sheet=sheet)
    kinds = [kind for kind in RateKind if table.has(kind)]
    faults = [*_unit_faults(table, kinds), *_unknown_columns(table)]
    title = name or _name(table)
    rates: dict[RateKind, dict[str, dict[date, Sourced | None]]] = {kind: {} for kind in kinds}
    places: dict[tuple[str, date], int] = {}
    ends: dict[tuple[str, date], tuple[date, int]] = {}
    for row in table.rows:
        try:
            block = block_name(table.needed(row, "block", "PUNTA"))
            table.needed(row, "start", "2021-07-15")
            start = table.day(row, "start")
            end = table.day(row, "end") if table.has("end") else None
        except BadCell as error:
            faults.append(str(error))
            continue
        assert start is not None  # needed() refused the empty cell
        if (block, start) in places:
            faults.append(
                f"{table.at(row, 'start')}: block {block} is valid from {start} a second time, first in "
                f"{table.at(places[block, start], 'start')}; validity must not overlap. Remove one of the rows."
            )
            continue
        places[block, start] = row
        if end is not None:
            ends[block, start] = (end + timedelta(days=1), row)
        for kind in kinds:
            try:
                rate = _rate(table, row, kind)
            except BadCell as error:
                faults.append(str(error))
                continue
            rates[kind].setdefault(block, {})[start] = rate
    faults += _close(table, rates, places, ends)
    if not places and not faults:
        faults.append(f"{table.at_header('block')}: no rates below the header. Add a row per block and first day.")
    if faults:
        raise BadTariff("\n".join(faults))
    return _stamped(
        Tariff(
            name=title,
            currency=currency,
            calendar=calendar,
            rates={
                kind: {block: Dated.of(_label(title, kind, block), values) for block, values in by_block.items()}
                for kind, by_block in rates.items()
            },
            scalars={},
        )
    )


def read_yaml(path: Path, *, schemas: Path | None = None) -> Tariff:
    """Read a tariff's parameter document: calendar, rules, dated values and, where they stand there, dated rates.

    :param schemas: folder of ``tariff.schema.json``; by default the one beside the document's folder
    :raises BadDocument: for a key given twice, an unknown unit, a number that is not a quoted decimal ...: with file and line
    """
    doc = document.read(path, "tariff.schema.json", schemas)
    data, name = doc.data, str(doc.data["name"])
    rules = data.get("rules", {})
    default = BillingRules()
    demand_block = rules.get("demand_rate_block")
    rates: dict[RateKind, dict[str, Dated[Sourced]]] = {}
    for key, entry in data.get("rates", {}).items():
        kind = RateKind(key)
        rates[kind] = {}
        for spelled in entry["blocks"]:
            block, where = block_name(spelled), ("rates", key, "blocks", spelled)
            if block in rates[kind]:
                raise document.BadDocument(f"{doc.origin(*where)}: block {block} is given twice. Remove one of them.")
            rates[kind][block] = _dated(doc, _label(name, kind, block), where, entry)
    return _stamped(
        Tariff(
            name=name,
            currency=data["currency"],
            calendar=data["calendar"],
            rates=rates,
            scalars={
                ScalarKind(key): _dated(doc, f"tariff {name}, {key}", ("scalars", key, "values"), entry)
                for key, entry in data.get("scalars", {}).items()
            },
            rules=BillingRules(
                demand_basis=DemandBasis(rules.get("demand_basis", default.demand_basis)),
                demand_rate_block=None if demand_block is None else block_name(demand_block),
                loss_basis=LossBasis(rules.get("loss_basis", default.loss_basis)),
                ftpms_blocks=tuple(block_name(block) for block in rules.get("ftpms_blocks", default.ftpms_blocks)),
                deviation_mode=DeviationMode(rules.get("deviation_mode", default.deviation_mode)),
            ),
        )
    )


def combine(base: Tariff, rates: Tariff) -> Tariff:
    """Put a price sheet's rates on a parameter document's calendar, rules and values.

    :param base: from :func:`read_yaml`
    :param rates: from :func:`read_spreadsheet`
    :raises BadTariff: when the two bear different names or currencies, or both give a rate of the same kind
    """
    if (base.name, base.currency) != (rates.name, rates.currency):
        raise BadTariff(
            f"the parameters are of tariff {base.name} in {base.currency}, the rates of tariff {rates.name} in "
            f"{rates.currency}: expected the same. Rename one of them."
        )
    both = [kind for kind in base.rates if kind in rates.rates]
    if both:
        raise BadTariff(
            f"tariff {base.name}: the {', '.join(both)} rates stand in the price sheet ({_first_origin(rates, both[0])}) and in "
            f"the parameters ({_first_origin(base, both[0])}): expected one place. Remove them from one of the two."
        )
    return _stamped(replace(base, rates={**base.rates, **rates.rates}))


def rows(tariff: Tariff) -> list[dict[str, Any]]:
    """Return every dated rate and value as a row of a table: what, block, from, until, value, unit, origin.

    ``from`` and ``until`` are the first and the last day of validity; ``until`` is ``None`` while the value holds. Decimals stay
    decimals.
    """
    dated = [(kind.value, block, one) for kind, blocks in tariff.rates.items() for block, one in blocks.items()]
    dated += [(scalar.value, "", one) for scalar, one in tariff.scalars.items()]
    result = []
    for what, block, one in dated:
        for index, (start, value) in enumerate(one.values):
            if value is None:
                continue
            following = one.starts[index + 1] - timedelta(days=1) if index + 1 < len(one.starts) else None
            entry = {"what": what, "block": block, "from": start, "until": following}
            result.append({**entry, "value": value.value, "unit": UNITS[what], "origin": value.origin})
    return result


def _stamped(tariff: Tariff) -> Tariff:
    return replace(tariff, version=version(tariff))


def _label(tariff: str, kind: RateKind, block: str) -> str:
    return f"tariff {tariff}, {kind} rate of block {block}"


def _name(table: Table) -> str:
    if table.sheet.name.casefold().rstrip(" 0123456789") not in _GENERIC_NAMES:
        return table.sheet.name.strip()
    if table.titles:
        return table.titles[0].split()[-1]
    raise BadTariff(
        f"{table.sheet.file}, sheet {table.sheet.name}: neither the sheet's name nor a title names the tariff. "
        "Name the sheet after it, for example EIS-TOU."
    )


def _unit_faults(table: Table, kinds: list[RateKind]) -> list[str]:
    faults = []
    for kind in kinds:
        unit = table.unit(kind)
        if unit is not None and _plain_unit(unit) != UNITS[kind].casefold():
            faults.append(
                f"{table.at_header(kind)}: found the unit {unit!r}, expected {UNITS[kind]}. "
                "Convert the rates and correct the header."
            )
    return faults


def _plain_unit(unit: str) -> str:
    return unit.casefold().replace(" ", "").replace("us$", "usd").replace("$", "usd")


def _unknown_columns(table: Table) -> list[str]:
    """A column of numbers that nobody reads may be a charge that nobody bills."""
    faults = []
    for heading, column in table.header.unknown.items():
        numbers = [row for row in table.rows if isinstance(table.sheet.rows[row][column], int | float)]
        if numbers:
            known = ", ".join(repr(names[0]) for names in _COLUMNS.values())
            faults.append(
                f"{table.sheet.at(table.header.row, column)}: found a column of numbers {heading!r} that is not known, "
                f"expected {known}. Rename or remove it."
            )
    return faults


def _rate(table: Table, row: int, kind: RateKind) -> Sourced:
    rate = table.positive(row, kind)
    if rate is None:
        raise BadCell(
            "missing-cell",
            table.at(row, kind),
            f"block {text_of(table.value(row, 'block'))} has no {kind} rate, expected a number in {UNITS[kind]}. "
            "Fill it in; type 0 where nothing is charged.",
        )
    return Sourced(rate, table.origin(row, kind))


def _close(
    table: Table,
    rates: dict[RateKind, dict[str, dict[date, Sourced | None]]],
    places: dict[tuple[str, date], int],
    ends: dict[tuple[str, date], tuple[date, int]],
) -> list[str]:
    """End the rates that name a last day, unless the next one starts the day after."""
    faults = []
    for (block, start), (after, row) in ends.items():
        later = [other for name, other in places if name == block and other > start]
        if after <= start:
            faults.append(f"{table.at(row, 'end')}: the last day lies before the first, {start}. Correct one of them.")
        elif later and min(later) < after:
            faults.append(
                f"{table.at(row, 'end')}: block {block} is valid until {after - timedelta(days=1)}, but again from {min(later)} in "
                f"{table.at(places[block, min(later)], 'start')}; validity must not overlap. Correct one of the dates."
            )
        elif after not in later:
            for by_block in rates.values():
                if block in by_block:
                    by_block[block][after] = None
    return faults


def _dated(doc: document.Document, name: str, path: tuple[str, ...], entry: dict[str, Any]) -> Dated[Sourced]:
    values: dict[str, Any] = doc.data
    for step in path:
        values = values[step]
    dated: dict[date, Sourced | None] = {}
    for key, text in values.items():
        try:
            start = date.fromisoformat(key)
        except ValueError:
            raise document.BadDocument(f"{doc.origin(*path, key)}: {key} is not a day. Correct the date.") from None
        origin = f"{doc.origin(*path, key)} ({entry['source']})"
        dated[start] = None if text is None else Sourced(Decimal(text), origin)
    return Dated.of(name, dated)


def _first_origin(tariff: Tariff, kind: RateKind) -> str:
    return next((v.origin for d in tariff.rates[kind].values() for _, v in d.values if v is not None), "no value")
