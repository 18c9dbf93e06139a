"""A proposed tariff or calendar: priced as the bill is, changing nothing until it is adopted; truth by hand and by billing with it."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import text

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.billing.corrections import Correction
from eisenergy.billing.model import Bill, LineCode
from eisenergy.blockruns import OffGrid
from eisenergy.desk import proposing
from eisenergy.desk.drafting import draft, facts
from eisenergy.desk.workspace import Workspace
from eisenergy.masters import codec
from eisenergy.masters.calendars import BadHours
from eisenergy.period import BillingMonth
from eisenergy.run import month
from eisenergy.run.past import Past
from eisenergy.store import audit, books, masters, proposals
from eisenergy.store.appended import NotStored, Overtaken
from eisenergy.store.audit import Actor
from eisenergy.store.proposals import Effect
from eisenergy.tariffs import revise
from eisenergy.timeofuse import CalendarError, DayCalendar

SEPTEMBER = BillingMonth(2021, 9)
BY = Actor(name="ana@eis.example", address="10.0.0.9")
AT = datetime(2021, 11, 2, 15, tzinfo=UTC)
TABLES = (
    "tariffs",
    "calendars",
    "contracts",
    "customers",
    "changes",
    "drafts",
    "invoices",
    "invoice_lines",
    "parked",
    "history",
)


def typed(workspace: Workspace, scope: Scope, day: date, **changes: str) -> dict[revise.Place, str]:
    tariff = masters.tariff(workspace.database, scope, "EIS-TOU")
    return revise.values(tariff, day) | {tuple(key.split("__")): text for key, text in changes.items()}


def propose(workspace: Workspace, scope: Scope, start: date, *, like: date | None = None, **changes: str) -> uuid.UUID:
    """A version with the values of a day, by default its first, but for some."""
    return proposing.propose_tariff(
        workspace.database,
        scope,
        "EIS-TOU",
        base=proposals.base_of(workspace.database, scope, "tariff", "EIS-TOU"),
        start=start,
        typed=typed(workspace, scope, like or start, **changes),
        correcting=False,
        schemas=workspace.settings.params / "schemas",
        by=BY,
        user=None,
        at=AT,
    )


def compared(workspace: Workspace, scope: Scope, id: uuid.UUID) -> dict[tuple[str, str], Effect]:
    """Do the job's work, and return its lines."""
    steps: list[str] = []
    begun: list[int] = []
    proposing.compare(workspace, scope, proposals.find(workspace.database, scope, id), begun.append, steps.append)
    lines = proposals.effects(workspace.database, scope, id)
    assert begun == [len(steps)] == [len(lines)]
    return {(one.contract, str(one.month)): one for one in lines}


def everything(workspace: Workspace, scope: Scope) -> dict[str, object]:
    with workspace.database.session(scope) as connection:
        return {
            table: connection.execute(text(f"SELECT to_jsonb(t) FROM eisenergy.{table} t ORDER BY 1")).scalars().all()
            for table in TABLES
        }


def bill_of(workspace: Workspace, scope: Scope, contract: str = "EIS-0001") -> Bill:
    draft = books.draft(workspace.database, scope, contract, SEPTEMBER)
    assert draft is not None
    return draft.bill


def september_of(lines: dict[tuple[str, str], Effect], contract: str = "EIS-0001") -> Effect:
    return lines[contract, "2021-09"]


RATE, KWH = Decimal("0.121456"), Decimal("9114.7")  # of block PUNTA: price sheet, cell C10; the workbook's September


def test_ten_percent_more_for_one_block_is_what_a_hand_finds(billed: Workspace, scope: Scope) -> None:
    """By hand from the workbook's bill: energy 6441.33281916 + 9114.7 * 0.0121456, and what follows from it."""
    before = everything(billed, scope)
    id = propose(billed, scope, date(2021, 9, 1), energy__PUNTA=str(RATE * Decimal("1.1")))
    lines = compared(billed, scope, id)
    found = september_of(lines)
    energy = (Decimal("6441.33281916") + KWH * RATE / 10).quantize(Decimal("0.01"))
    charges = energy + Decimal("3798.58") + Decimal("885.61") + Decimal("38.28") + Decimal("659.25")
    subtotal = charges - Decimal("238.68")  # 2 % of 11,933.76
    by_hand = subtotal + Decimal("1520.36") - Decimal("116.95") + Decimal("12.50")  # 13 % and 1 % of 11,695.08
    assert (charges, subtotal) == (Decimal("11933.76"), Decimal("11695.08"))
    assert (found.before, found.after, found.dated) == (Decimal("12989.48"), by_hand, by_hand)
    assert everything(billed, scope) == before, "to look at what might be changes nothing"
    summary = proposals.find(billed.database, scope, id).summary
    assert [month["month"] for month in summary["months"]] == ["2021-07", "2021-08", "2021-09"]
    assert (summary["lines"], summary["without"], summary["lacks"]) == (24, 22, [])
    assert (summary["largest"][0]["contract"], summary["largest"][0]["after"]) == ("EIS-0001", str(by_hand))
    assert len(summary["largest"]) == 2
    restaurant = lines["EIS-0002", "2021-09"]
    assert Decimal(summary["months"][2]["difference"]) == (
        by_hand - Decimal("12989.48") + restaurant.after - restaurant.before
    )
    september = date(2021, 9, 1)
    later = propose(billed, scope, date(2022, 1, 1), like=september, energy__PUNTA=str(RATE * Decimal("1.1")))
    found = september_of(compared(billed, scope, later))
    assert (found.before, found.after) == (Decimal("12989.48"), by_hand), "as if it had held all along"
    assert found.dated == Decimal("12989.48"), "by its date it changes nothing"


def test_what_was_said_is_what_is_billed(billed: Workspace, scope: Scope) -> None:
    """In the middle of a month: both halves at their rates, and the demand by days."""
    database = billed.database
    start = date(2021, 9, 16)
    was = bill_of(billed, scope)
    id = propose(billed, scope, start, energy__PUNTA="0.2", demand__VALLE="9")
    said = compared(billed, scope, id)
    stale = propose(billed, scope, date(2021, 9, 20), energy__PUNTA="0.3")
    september = september_of(said)
    assert len({september.before, september.after, september.dated}) == 3
    with pytest.raises(proposals.NotReady):
        proposing.adopt(database, scope, proposals.find(database, scope, stale), by=BY, at=AT)
    compared(billed, scope, stale)
    assert proposing.adopt(database, scope, proposals.find(database, scope, id), by=BY, at=AT)
    assert not proposing.adopt(database, scope, proposals.find(database, scope, id), by=BY, at=AT), "pressed twice"
    kept = everything(billed, scope)
    assert not proposals.current(database, scope, proposals.find(database, scope, stale))
    with pytest.raises(Overtaken, match="EIS-TOU"):
        proposing.adopt(database, scope, proposals.find(database, scope, stale), by=BY, at=AT)
    assert everything(billed, scope) == kept
    (line,) = [entry for entry in audit.entries(database, scope) if entry.action == "TARIFF"]
    assert (line.actor, line.subject, line.new["from"]) == ("ana@eis.example", "EIS-TOU", "2021-09-16")
    assert (line.old["values"]["energy PUNTA"], line.new["values"]["energy PUNTA"]) == ("0.121456", "0.2")
    month.bill_month(billed, scope, SEPTEMBER)
    for contract in ("EIS-0001", "EIS-0002"):
        assert bill_of(billed, scope, contract).total == september_of(said, contract).dated
    now = bill_of(billed, scope)
    same = {LineCode.LOSSES, LineCode.FTPMS, LineCode.DEVIATION, LineCode.MUNICIPAL_FEE}
    assert {line.code for line in now.lines if line.amount == was.line(line.code).amount} == same


def test_what_a_bill_carries_of_earlier_months_stays_on_it(billed: Workspace, scope: Scope) -> None:
    """100 of August: 13 % VAT and 1 % retention follow, so 112 more before and after."""
    database = billed.database
    plain = september_of(compared(billed, scope, propose(billed, scope, date(2022, 1, 1), energy__PUNTA="0.3")))
    known = facts(billed, scope, masters.contract(database, scope, "EIS-0001"), SEPTEMBER, SEPTEMBER)
    earlier = Correction(
        period=SEPTEMBER.plus(-1).period, month="2021-08", invoice="FAC-0", difference=Decimal(100), origin="by hand"
    )
    made = draft(known, SEPTEMBER, [earlier])
    assert made.bill is not None
    books.save_drafts(database, scope, SEPTEMBER, [books.Draft(bill=made.bill, input_hash=made.input_hash)])
    found = september_of(compared(billed, scope, propose(billed, scope, date(2022, 1, 1), energy__PUNTA="0.3")))
    assert found.before == made.bill.total
    assert abs(found.before - plain.before - 112) <= Decimal("0.01")
    assert abs(found.after - plain.after - 112) <= Decimal("0.01")
    month.bill_month(billed, scope, SEPTEMBER, customers=["EIS-0001"])


def test_an_issued_invoice_stays_and_the_difference_is_the_next_bills(billed: Workspace, scope: Scope) -> None:
    database = billed.database
    month.issue_month(billed, scope, SEPTEMBER, issued_on=date(2021, 10, 5), at=AT)
    invoices = everything(billed, scope)["invoices"]
    id = propose(billed, scope, date(2021, 9, 20), energy__PUNTA="0.3")
    found = september_of(compared(billed, scope, id))
    assert found.number == "FAC-000001"
    assert found.billed == found.before
    proposal = proposals.find(database, scope, id)
    assert proposal.summary["issued"] == [["2021-09", 2]]
    proposing.adopt(database, scope, proposal, by=BY, at=AT)
    assert everything(billed, scope)["invoices"] == invoices
    (carried,) = Past.read(billed, scope, SEPTEMBER.plus(1)).corrections("EIS-0001")
    # of the taxable difference 13 % VAT less 1 % retention follow, each rounded
    assert abs(carried.difference * Decimal("1.12") - (found.dated - found.billed)) <= Decimal("0.02")
    again = propose(billed, scope, date(2021, 9, 25), energy__PUNTA="0.4")
    twice = september_of(compared(billed, scope, again))
    assert twice.billed == found.billed
    assert twice.before == found.dated, "what the masters in use give, not what was billed"


@pytest.mark.long
def test_hours_that_change(billed: Workspace, scope: Scope) -> None:
    """The afternoon at the highest rate, as it is billed afterwards; a block without rates is told."""
    database, schemas = billed.database, billed.settings.params / "schemas"
    name = "eis-bloques"
    before = everything(billed, scope)

    def asked(data: dict[str, object]) -> uuid.UUID:
        base = proposals.base_of(database, scope, "calendar", name)
        return proposing.propose_calendar(
            database, scope, name, base=base, data=data, schemas=schemas, by=BY, user=None, at=AT
        )

    hours = [{"from": "00:00", "to": "12:00", "block": "valle"}, {"from": "12:00", "to": "24:00", "block": "punta"}]
    id = asked({"source": "-", "hours": hours, "holidays": {"2021-09-15": "Independencia"}})
    lines = compared(billed, scope, id)
    restaurant = lines["EIS-0002", "2021-09"]
    assert restaurant.after != restaurant.before
    assert everything(billed, scope) == before
    unknown = asked({"source": "-", "hours": [hours[0], {**hours[1], "block": "OTRO"}]})
    compared(billed, scope, unknown)
    found = proposals.find(database, scope, unknown)
    assert "no energy rate of block OTRO" in found.summary["lacks"][0]
    assert found.summary["without"] == found.summary["lines"]
    for wrong, error in (
        ([{"from": "00:00", "to": "23:00", "block": "A"}], CalendarError),
        ([{"from": "00:00", "to": "25:00", "block": "A"}], BadHours),
        ([{"from": "00:00", "to": "12:07", "block": "A"}, {"from": "12:07", "to": "24:00", "block": "B"}], OffGrid),
    ):  # fmt: skip
        with pytest.raises(error):
            asked({"source": "-", "hours": wrong})
    masters.save_tariff(
        database, scope, masters.tariff(database, scope, "EIS-TOU")
    )  # nothing new: nothing is overtaken
    assert proposing.adopt(database, scope, proposals.find(database, scope, id), by=BY, at=AT)
    month_of = Past.read(billed, scope, SEPTEMBER.plus(1)).corrections("EIS-0002")
    assert abs(month_of[0].difference * Decimal("1.13") - (restaurant.after - restaurant.billed)) <= Decimal("0.05")


@pytest.mark.long
def test_a_workbook_of_hours(billed: Workspace, scope: Scope) -> None:
    database = billed.database
    file = billed.settings.samples / "Bloques horarios.xlsx"
    base = proposals.base_of(database, scope, "calendar", "eis-bloques")
    id = proposing.propose_calendar(
        database, scope, "eis-bloques", base=base, data=None, file={"sha256": "0" * 64, "name": file.name},
        schemas=None, by=BY, user=None, at=AT,
    )  # fmt: skip
    with pytest.raises(proposals.NotReady):
        proposing.adopt(database, scope, proposals.find(database, scope, id), by=BY, at=AT)
    read = proposing.read_calendar(database, scope, proposals.find(database, scope, id), file, AT.date())
    assert read.document == proposals.find(database, scope, id).document
    found = codec.load(DayCalendar, read.document)
    assert found.holidays == {date(2021, 9, 15)}
    assert found.blocks == ("VALLE", "RESTO", "PUNTA")


def test_only_the_sellers_own_operators(billed: Workspace, scope: Scope) -> None:
    database = billed.database
    id = propose(billed, scope, date(2022, 2, 1), energy__PUNTA="0.5")
    for other in (Scope.operator("LUZ"), Scope.customer("EIS", "EIS-0001")):
        with pytest.raises(proposals.NoProposal):
            proposals.find(database, other, id)
        assert proposals.effects(database, other, id) == ()
        with pytest.raises((NotStored, OutOfScope)):
            proposing.adopt(database, other, proposals.find(database, scope, id), by=BY, at=AT)


def test_somebody_else_was_quicker_than_the_form(billed: Workspace, scope: Scope) -> None:
    with pytest.raises(Overtaken):
        proposing.propose_tariff(
            billed.database, scope, "EIS-TOU", base=1, start=date(2022, 3, 1),
            typed=typed(billed, scope, date(2022, 3, 1), energy__PUNTA="1"), correcting=False, schemas=None,
            by=BY, user=None, at=AT,
        )  # fmt: skip
