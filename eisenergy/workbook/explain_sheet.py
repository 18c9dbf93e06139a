"""The sheet that explains an exported invoice: every line in words, its products, and where each number came from."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from eisenergy.billing.model import BillLine, BillPart, LineCode
from eisenergy.ledger.explain import MAX_PARTS, plain
from eisenergy.money import total
from eisenergy.tariffs.model import DemandBasis, LossBasis, RateKind
from eisenergy.workbook import explain_words as words
from eisenergy.workbook.layout import BRAND, INPUT, MONEY, MUTED, PANEL, RULE, TOTAL, Page, fixed, ref
from eisenergy.workbook.sheet_meter import Meter
from eisenergy.workbook.sheet_slots import (
    COST,
    DEVIATION,
    FTPMS_AMOUNT,
    HEADERS,
    LOSS_AMOUNT,
    NEG,
    POS,
    From,
    Slots,
)

if TYPE_CHECKING:
    from eisenergy.workbook.export import Source

COLUMNS: Final = ("item", "block", "days", "quantity", "unit", "rate", "rate_unit", "part", "amount", "cell", "origin")
ITEM, BLOCK, DAYS, QUANTITY, UNIT, PRICE, PRICE_UNIT, PART, AMOUNT, CELL, ORIGIN = range(1, 12)


def write(page: Page, source: Source, slots: Slots, meter: Meter, locale: str) -> None:
    """Write the explanation.

    :param meter: where things stand on the meter's sheet
    """
    _Explanation(page, source, slots, meter, locale).write()


def how(code: LineCode, source: Source, slots: Slots, locale: str) -> str:
    """Say in words how a line is calculated under the bill's rules."""
    rules = source.tariff.rules
    if code is LineCode.DEMAND:
        chosen = rules.demand_rate_block or next(iter(source.tariff.rates[RateKind.DEMAND]))
        return words.say(f"how.demand.{rules.demand_basis}", locale, block=chosen)
    if code is LineCode.LOSSES:
        return words.say(f"how.losses.{rules.loss_basis}", locale)
    if code is LineCode.FTPMS:
        blocks = ", ".join(rules.ftpms_blocks)
        return words.say("how.ftpms" if blocks else "how.ftpms.none", locale, blocks=blocks)
    if code is LineCode.DEVIATION:
        none = slots.frame["forecast_kwh"].is_null().all()
        return words.say("how.deviation.none" if none else f"how.deviation.{rules.deviation_mode}", locale)
    return words.say(f"how.{code}", locale)


class _Explanation:
    def __init__(self, page: Page, source: Source, slots: Slots, meter: Meter, locale: str) -> None:
        self._page, self._source, self._slots, self._meter, self._locale = page, source, slots, meter, locale
        self._row = 1

    def write(self) -> None:
        page, bill, invoice = self._page, self._source.bill, self._source.invoice
        page.text(1, 1, self._say("title", number=invoice.number), bold=True, font_size=14, font_color=BRAND)
        head = self._say(
            "head",
            customer=bill.contract.customer.name,
            contract=bill.contract.number,
            meter=bill.contract.meter.serial,
            first=bill.period.start,
            last=bill.period.end - timedelta(days=1),
            tariff=bill.tariff,
            issued=invoice.issued_on,
        )
        page.text(2, 1, head)
        page.text(3, 1, self._say("note", sheet=self._meter.sheet), italic=True, font_color=MUTED)
        page.text(4, 1, self._say("rounding"), italic=True, font_color=MUTED)
        self._row = 6
        self._lines()
        self._columns()
        self._pairs("rules", self._rules())
        self._pairs("readings", self._readings())
        self._pairs("versions", self._versions())
        self._pairs("names", ((name, place) for name, place in self._meter.names.items()))
        for code, row in self._meter.lines.items():
            self._meter.page.text(
                row, 3, how(code, self._source, self._slots, self._locale), italic=True, font_color=MUTED, indent=1
            )
        page.widths(32, 10, 23, 16, 8, 13, 13, 18, 14, 8, 92)
        page.sheet.freeze_panes(1, 0)

    def _say(self, key: str, **values: object) -> str:
        return words.say(key, self._locale, **values)

    def _heading(self, key: str) -> None:
        self._page.text(self._row, 1, self._say(key), bold=True, font_size=12, font_color=BRAND)
        self._row += 1

    def _lines(self) -> None:
        page = self._page
        self._heading("lines")
        page.headers(self._row, 1, [self._say(f"col.{name}") for name in COLUMNS])
        page.sheet.set_row(self._row - 1, 30)
        for line in self._source.bill.lines:
            self._row += 1
            self._line(line)
            for _, group in itertools.groupby(line.parts, key=lambda one: (one.label, one.block)):
                parts = tuple(group)
                for one in parts if len(parts) <= MAX_PARTS else ():
                    self._row += 1
                    self._part(one)
                if len(parts) > MAX_PARTS:
                    self._row += 1
                    self._range(parts)
        self._row += 2

    def _line(self, line: BillLine) -> None:
        page, row = self._page, self._row
        style: dict[str, Any] = {"bold": True, "bg_color": TOTAL if line.code is LineCode.TOTAL else PANEL}
        for column in range(ITEM, ORIGIN + 1):
            page.blank(row, column, **style)
        page.text(row, ITEM, self._say(f"line.{line.code}"), **style)
        there = self._meter.lines[line.code]
        place = fixed(there, 2, sheet=self._meter.sheet)
        page.formula(row, AMOUNT, f"={place}", line.amount, **style, num_format=MONEY)
        page.text(row, CELL, ref(there, 2), **(style | {"bold": False, "align": "center"}))
        text = how(line.code, self._source, self._slots, self._locale)
        if line.code in self._meter.halves:
            text += " " + self._say("half")
        page.text(row, ORIGIN, text, **(style | {"bold": False}))

    def _part(self, one: BillPart) -> None:
        page, row = self._page, self._row
        style: dict[str, Any] = {"bottom": 4, "bottom_color": RULE}
        self._label(one, style)
        if one.period is not None:
            first, last = one.period.start, one.period.end - timedelta(days=1)
            page.text(row, DAYS, f"{first} a {last}" if self._locale[:2] != "en" else f"{first} to {last}", **style)
        page.number(row, QUANTITY, one.quantity, **style, num_format="#,##0.00####")
        page.text(row, UNIT, self._unit(one.unit), **style, indent=1)
        page.number(row, PRICE, one.rate, **style, num_format="#,##0.00######")
        page.text(row, PRICE_UNIT, "" if one.rate_unit == "1" else self._unit(one.rate_unit), **style, indent=1)
        page.number(row, PART, one.exact, **style, num_format="#,##0.00########")
        since = "; " + self._say("since", day=one.rate_from) if one.rate_from else ""
        page.text(row, ORIGIN, words.origin(one.origin, self._locale) + since, **style, font_color=MUTED)

    def _range(self, parts: tuple[BillPart, ...]) -> None:
        page, row = self._page, self._row
        style: dict[str, Any] = {"bottom": 4, "bottom_color": RULE}
        self._label(parts[0], style)
        page.number(row, QUANTITY, total(one.quantity for one in parts), **style, num_format="#,##0.00####")
        page.text(row, UNIT, self._unit(parts[0].unit), **style, indent=1)
        page.text(row, PRICE_UNIT, self._unit(parts[0].rate_unit), **style, indent=1)
        page.number(row, PART, total(one.exact for one in parts), **style, num_format="#,##0.00########")
        prices = [one.rate for one in parts]
        said = self._say("prices", count=len(parts), low=plain(min(prices)), high=plain(max(prices)))
        origins = "; ".join(dict.fromkeys(words.origin(one.origin, self._locale) for one in parts))
        page.text(row, ORIGIN, f"{said}; {origins}", **style, font_color=MUTED)

    def _label(self, one: BillPart, style: dict[str, Any]) -> None:
        self._page.text(self._row, ITEM, words.part(one.label, self._locale), **style, indent=1)
        for column in range(BLOCK, ORIGIN + 1):
            self._page.blank(self._row, column, **style)
        self._page.text(self._row, BLOCK, one.block or "", **style)

    def _unit(self, unit: str) -> str:
        return unit.replace("period", self._say("unit.period"))

    def _columns(self) -> None:
        """Every column of the table of intervals: input or formula, and what it holds."""
        page = self._page
        self._heading("columns")
        made = {HEADERS.index(name) + 1 for name in ("Hora", "Block", "Tarifa kWh")} | {
            COST,
            LOSS_AMOUNT,
            FTPMS_AMOUNT,
            DEVIATION,
        }
        for number, price in self._slots.prices.items():
            nobody = price.source is From.NOBODY and number in (POS, NEG)
            made |= set() if price.given or nobody else {number}
        for number, header in enumerate(HEADERS, 1):
            formula = number in made
            page.text(self._row, 1, header, bold=True)
            page.text(
                self._row, 2, self._say("formula" if formula else "input"), **({} if formula else {"font_color": INPUT})
            )
            filled = self._slots.prices.get(number)
            own = f" {self._say('slot.own')}" if filled is not None and filled.own else ""
            page.text(self._row, 3, self._say(self._column_key(header)) + own)
            self._row += 1
        self._row += 1

    def _column_key(self, header: str) -> str:
        if header == "Block" and self._meter.day_kinds:
            return "slot.Block.days"
        basis = self._source.tariff.rules.loss_basis
        energy = basis is LossBasis.ENERGY and header in ("Factor de perdidas", "Ajuste perdidas")
        return f"slot.{header}.energy" if energy else f"slot.{header}"

    def _pairs(self, key: str, pairs: Iterable[tuple[str, str]]) -> None:
        self._heading(key)
        for name, value in pairs:
            self._page.text(self._row, 1, name, bold=True)
            self._page.text(self._row, 2, value)
            self._row += 1
        self._row += 1

    def _rules(self) -> list[tuple[str, str]]:
        rules, bill = self._source.tariff.rules, self._source.bill
        none = self._say("none")
        chosen = [("demand_basis", self._option(rules.demand_basis))]
        if rules.demand_basis is DemandBasis.PERIOD_MAX:
            chosen.append(("demand_rate_block", rules.demand_rate_block or none))
        chosen += [
            ("loss_basis", self._option(rules.loss_basis)),
            ("ftpms_blocks", ", ".join(rules.ftpms_blocks) or none),
            ("deviation_mode", self._option(rules.deviation_mode)),
            ("calendar", bill.calendar),
            ("timezone", bill.timezone),
        ]
        return [(self._say(f"rule.{name}"), value) for name, value in chosen]

    def _option(self, value: str) -> str:
        return f"{value}: {self._say(f'option.{value}')}"

    def _readings(self) -> list[tuple[str, str]]:
        bill = self._source.bill
        present = bill.slots_expected - bill.slots_missing
        found = [(self._say("intervals"), self._say("intervals.of", present=present, expected=bill.slots_expected))]
        made = bill.provenance
        if made is not None:
            found += [
                (self._say("file"), f"{name} (sha256 {digest})") if name else (self._say("file"), f"sha256 {digest}")
                for digest, name in sorted(made.sources.items(), key=lambda pair: pair[1])
            ]
        zone = self._source.zone
        for run in bill.estimated:
            text = self._say(
                "estimated.run",
                slots=run.slots,
                start=f"{run.start.astimezone(zone):%Y-%m-%d %H:%M}",
                end=f"{run.end.astimezone(zone):%Y-%m-%d %H:%M}",
                kwh=plain(run.kwh),
                method=words.method(run.method, self._locale),
            )
            found.append((self._say("estimated"), text))
        return found

    def _versions(self) -> list[tuple[str, str]]:
        invoice, made = self._source.invoice, self._source.bill.provenance
        found = [("invoice", invoice.number), ("input", invoice.input_hash)]
        if made is not None:
            found += [
                ("lake", str(made.lake_version)),
                ("readings", made.readings_hash),
                ("tariff", made.tariff_version),
                ("calendar", made.calendar_version),
                ("code", made.code_version),
            ]
        return [(self._say(f"version.{name}"), value) for name, value in found]
