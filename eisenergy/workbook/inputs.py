"""The inputs of a bill as they stand in a workbook: readings, rates, hours and parameters; never what a formula computed.

A cell that cannot be used is a finding, and what can be computed without it is computed.
"""

from __future__ import annotations

from dataclasses import replace

from eisenergy.accounts import Contract, Customer, Meter, Site, Sourced
from eisenergy.billing.corrections import Correction
from eisenergy.tariffs.model import Tariff
from eisenergy.workbook.book import Book
from eisenergy.workbook.input_cells import day_of, exact, number_of, origin
from eisenergy.workbook.input_hours import calendar_of
from eisenergy.workbook.input_model import METER, Inputs
from eisenergy.workbook.input_rates import compare, dated_losses, tariff_of, with_ends, with_vat
from eisenergy.workbook.input_slots import slots_of
from eisenergy.workbook.things import Understanding


def collect(book: Book, found: Understanding, timezone: str, tariff: Tariff | None = None) -> Inputs:
    """Read the inputs.

    :param timezone: IANA name of the sheet's dates and times
    :param tariff: to be used instead of the workbook's own rates, which are compared with it
    """
    inputs = Inputs(timezone=timezone)
    _parameters(book, found, inputs)
    own = tariff_of(book, found, inputs)
    inputs.tariff = own if tariff is None else _completed(tariff, own, inputs)
    if tariff is None and own is not None and (ending := with_ends(book, found, inputs, own)) is not None:
        inputs.tariff, inputs.lasting = ending, own
    if tariff is not None and own is not None:
        compare(book, found, tariff, inputs)
    slots_of(book, found, inputs)
    calendar_of(book, found, inputs)
    if tariff is None:
        _without_unused_blocks(inputs)
    _days(book, found, inputs)
    _contract(found, inputs)
    _corrections(book, found, inputs)
    return inputs


def _without_unused_blocks(inputs: Inputs) -> None:
    """A block that no day of the bill has is none of the bill's, whatever the options name."""
    if inputs.tariff is None or inputs.calendar is None:
        return
    rules = inputs.tariff.rules
    blocks = tuple(block for block in rules.ftpms_blocks if block in inputs.calendar.blocks)
    rules = replace(rules, ftpms_blocks=blocks)
    inputs.tariff = replace(inputs.tariff, rules=rules)
    inputs.lasting = None if inputs.lasting is None else replace(inputs.lasting, rules=rules)


def _completed(given: Tariff, own: Tariff | None, inputs: Inputs) -> Tariff:
    """The given tariff; a price sheet, which has rates only, with the workbook's VAT rate and rules."""
    if own is None or given.scalars:
        return with_vat(given, inputs)
    return replace(given, scalars=own.scalars, rules=own.rules)


def _parameters(book: Book, found: Understanding, inputs: Inputs) -> None:
    for thing in found.things:
        if not thing.role.startswith("param."):
            continue
        place = thing.cells[0]
        value = book.grids[thing.sheet].values.get(place)
        if isinstance(value, str):
            inputs.texts[thing.role] = value  # also a number: it may be a block's name
        number = number_of(value)
        if number is None:
            moment = day_of(value)
            if moment is not None and not isinstance(value, str):
                inputs.texts[thing.role] = moment.date().isoformat()
            continue
        inputs.values[thing.role] = Sourced(exact(number), origin(thing, place))


def _days(book: Book, found: Understanding, inputs: Inputs) -> None:
    """The days that have a row in a table of daily rates; such a table may go on after the last reading."""
    moments = (day_of(book.value((thing.sheet, *place))) for thing in found.of("day.day") for place in thing.cells)
    inputs.days = tuple(sorted({moment.date() for moment in moments if moment is not None}))


def _contract(found: Understanding, inputs: Inputs) -> None:
    if inputs.period is None or inputs.tariff is None:
        return
    nothing = ""
    customer = Customer(
        code="workbook",
        name=inputs.texts.get("param.customer", nothing),
        **dict.fromkeys(("nit", "ncr", "address", "municipality", "phone", "email", "activity"), nothing),
    )
    inputs.contract = Contract(
        number="workbook",
        customer=customer,
        meter=Meter(serial=METER, site=Site(node=nothing, municipality=nothing, address=nothing)),
        tariff=inputs.tariff.name,
        contracted_kw=inputs.values.get("param.contracted_kw"),
        loss_factor=None if dated_losses(found) else inputs.values.get("param.loss_factor"),
        municipal_fee=inputs.values.get("param.municipal_fee"),
        retention_rate=inputs.values.get("param.retention"),
        discount_rate=inputs.values.get("param.discount"),
        start=inputs.period.start,
    )


def _corrections(book: Book, found: Understanding, inputs: Inputs) -> None:
    """The corrections of earlier periods that the workbook carries.

    They are the rows of their table where a line reads them, or where the one line reads nothing; else the lines' own cells.
    """
    if inputs.period is None:
        return
    rows, lines = found.one("corrections.amount"), found.of("line.correction")
    for thing in lines:
        source = thing
        if rows is not None and not rows.formulas and (rows in thing.reads or (len(lines) == 1 and not thing.formulas)):
            source = rows
        for place in source.cells:
            number = number_of(book.grids[source.sheet].values.get(place))
            if number is not None:
                one = Correction(
                    period=inputs.period, month="", invoice="", difference=exact(number), origin=origin(source, place)
                )
                inputs.corrections = (*inputs.corrections, one)
                line = origin(thing, thing.cells[0])
                inputs.corrected[line] = (*inputs.corrected.get(line, ()), one)
