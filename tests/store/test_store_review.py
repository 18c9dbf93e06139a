"""Lists, sums and fingerprints of a month as the database makes them, against the same made slowly from the records themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import chain

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError
from store_cases import AT, make_client, make_contract, make_draft

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.billing.model import BlockSummary
from eisenergy.config import Settings
from eisenergy.findings import blocking, info, warning
from eisenergy.period import BillingMonth
from eisenergy.store import books, contract_list, listing, masters, review, selection, stages
from eisenergy.store.books import Draft
from eisenergy.store.database import Database
from eisenergy.store.migrate import config
from eisenergy.store.selection import DraftsChanged, Reviewed

EIS, LUZ = Scope.operator("EIS"), Scope.operator("LUZ")
SEPTEMBER, AUGUST = BillingMonth(2021, 9), BillingMonth(2021, 8)
TOTALS = {1: "100.00", 2: "12989.48", 3: "-5.25", 4: "0.00", 5: "777.10", 6: "3.00"}
BEFORE = {1: "50.00", 2: "13000.00", 4: "0.00", 5: "777.10"}
WARNED = (2, 5)


def _draft(n: int, month: BillingMonth, total: str) -> Draft:
    draft = make_draft(make_contract(n), month, total=total)
    found = [info("noted", "x", "a note")] * n
    found += [warning("odd", "x", "a warning")] * (n in WARNED)
    nothing = Decimal(0)
    block = BlockSummary(
        block="VALLE", kwh=nothing, kwh_export=nothing, energy_rate=None, energy_amount=nothing, max_kw=nothing, max_kw_at=None,
        max_kw_ties=0, slots=2880 - n, estimated=7 * (n in (2, 4, 5)),
    )  # fmt: skip
    bill = replace(draft.bill, findings=tuple(found), blocks=(block,), slots_missing=n % 2)
    return replace(draft, bill=bill)


@pytest.fixture(scope="module", autouse=True)
def drafts(database: Database) -> dict[int, Draft]:
    """September of six contracts, August of four: one issued, three drafted; a seventh waits; another seller has the same."""
    for scope in (EIS, LUZ):
        client = make_client(scope.client)
        masters.save_client(database, scope, client)
        masters.save_contracts(database, scope, [make_contract(n) for n in range(1, 8)])
        books.save_drafts(database, scope, AUGUST, [_draft(n, AUGUST, total) for n, total in BEFORE.items()])
        books.issue(database, scope, AUGUST, client=client, issued_on=date(2021, 9, 1), at=AT, contracts={"EIS-0001"})
        made = {n: _draft(n, SEPTEMBER, total) for n, total in TOTALS.items()}
        books.save_drafts(database, scope, SEPTEMBER, made.values())
        why = [blocking("no-readings", "m", "no reading. Ingest it."), info("noted", "x", "a note")]
        books.park(database, scope, SEPTEMBER, make_contract(7), why)
    return made


def _codes(database: Database, view: str, **asked: object) -> list[int]:
    _, lines = review.page(database, EIS, SEPTEMBER, view, **asked)  # type: ignore[arg-type]
    return [int(line.contract[-4:]) for line in lines]


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("order", review.ORDERS)
def test_a_list_is_in_the_order_asked_for(database: Database, drafts: dict[int, Draft], order: str, down: bool) -> None:
    total = {n: Decimal(one) for n, one in TOTALS.items()}
    before = {n: Decimal(one) for n, one in BEFORE.items()}
    keys = {
        "contract": {n: n for n in total},
        "customer": {n: drafts[n].bill.contract.customer.name for n in total},
        "total": total,
        "difference": {n: abs(total[n] - before[n]) for n in before},
        "share": {n: abs(total[n] - before[n]) / before[n] for n in before if before[n]},
        "findings": {n: int(n in WARNED) for n in total},
    }[order]
    known = sorted(keys, key=lambda n: (keys[n], -n if down else n), reverse=down)
    if order != "contract":  # of equals the lower number is first either way
        known = sorted(sorted(keys), key=lambda n: keys[n], reverse=down)
    assert _codes(database, review.DRAFTS, order=order, down=down) == known + sorted(set(total) - set(keys))
    pages = [_codes(database, review.DRAFTS, order=order, down=down, limit=4, after=after) for after in (0, 4, 8)]
    assert [len(page) for page in pages] == [4, 2, 0]
    assert [*chain(*pages)] == known + sorted(set(total) - set(keys))
    found = review.page(database, EIS, SEPTEMBER, review.DRAFTS, order=order, down=down, limit=4, after=2)
    # A search goes through the rows another way: for what all of them hold, it finds the same, and the same sums.
    searched = review.page(
        database, EIS, SEPTEMBER, review.DRAFTS, order=order, down=down, limit=4, after=2, search="E"
    )
    assert found == searched


def test_lines_tell_what_the_records_hold(database: Database, drafts: dict[int, Draft]) -> None:
    total, lines = review.page(database, EIS, SEPTEMBER, review.DRAFTS, limit=3)
    every = [Decimal(one) for one in TOTALS.values()]
    assert (total.count, total.total) == (6, sum(every))
    assert total.kwh == sum(draft.bill.kwh for draft in drafts.values())
    assert (total.before, total.compared) == (
        sum(map(Decimal, BEFORE.values())), sum(Decimal(TOTALS[n]) for n in BEFORE)
    )  # fmt: skip
    for line in lines:
        n = int(line.contract[-4:])
        before = Decimal(BEFORE[n]) if n in BEFORE else None
        assert (line.total, line.before, line.warnings, line.notes) == (Decimal(TOTALS[n]), before, n in WARNED, n)
        assert line.difference == (None if before is None else Decimal(TOTALS[n]) - before)
        assert line.name == drafts[n].bill.contract.customer.name
        assert line == review.line(database, EIS, SEPTEMBER, review.DRAFTS, line.contract)
    assert review.line(database, EIS, SEPTEMBER, review.DRAFTS, "EIS-0007") is None


def test_views_and_searches(database: Database) -> None:
    assert _codes(database, review.WARNED) == list(WARNED)
    assert _codes(database, review.CLEAN) == [1, 3, 4, 6]
    assert _codes(database, review.ISSUED) == []
    assert _codes(database, review.WAITING, order="share", down=True) == [7]
    waiting = review.line(database, EIS, SEPTEMBER, review.WAITING, "EIS-0007")
    assert waiting is not None
    assert [finding.code for finding in waiting.findings] == ["no-readings", "noted"]
    _, issued = review.page(database, EIS, AUGUST, review.ISSUED)
    assert [(line.contract, line.warnings, line.notes) for line in issued] == [("EIS-0001", 0, 1)]
    assert _codes(database, review.DRAFTS, search="0004") == [4]
    for sign in ("%", "_", "\\", "'"):
        assert _codes(database, review.DRAFTS, search=sign) == []
    _, hidden = review.page(database, Scope.customer("EIS", "EIS-0002"), SEPTEMBER, review.DRAFTS)
    assert [line.contract for line in hidden] == ["EIS-0002"]


def test_drafts_from_before_their_findings_were_counted_are_looked_into(database: Database) -> None:
    with database.session(EIS) as connection:
        connection.execute(text("UPDATE eisenergy.drafts SET made = made - 'findings' WHERE month = '2021-09'"))
    try:
        assert _codes(database, review.WARNED) == list(WARNED)
        assert stages.stage(database, EIS, SEPTEMBER).warned == len(WARNED)
    finally:
        books.save_drafts(database, EIS, SEPTEMBER, [_draft(n, SEPTEMBER, total) for n, total in TOTALS.items()])


def test_a_fingerprint_is_the_same_by_the_database_and_by_hand(database: Database, drafts: dict[int, Draft]) -> None:
    for which, meant in (
        (selection.ALL, set(TOTALS)),
        (selection.CLEAN, set(TOTALS) - set(WARNED)),
        ("chosen", {2, 3}),
    ):
        chosen = [f"EIS-000{n}" for n in (3, 2, 9)]
        found = selection.select(database, EIS, SEPTEMBER, which, chosen)
        rows = [(f"EIS-000{n}", drafts[n].input_hash, Decimal(TOTALS[n])) for n in sorted(meant, reverse=True)]
        assert found.fingerprint == selection.fingerprint(rows)
        assert (found.count, found.total) == (len(meant), sum(total for _, _, total in rows))
        named = selection.contracts(database, EIS, SEPTEMBER, which, chosen)
        assert named == tuple(sorted(contract for contract, _, _ in rows))
        assert selection.contracts(database, EIS, SEPTEMBER, which, chosen, limit=1) == named[:1]
    assert selection.select(database, EIS, AUGUST.plus(-9), selection.ALL).count == 0
    assert selection.fingerprint(rows) != selection.fingerprint([*rows[:-1], (*rows[-1][:2], Decimal("0.01"))])


@pytest.mark.parametrize("what", ["total", "input_hash", "gone", "another"])
def test_what_is_not_as_it_was_seen_is_not_issued(database: Database, drafts: dict[int, Draft], what: str) -> None:
    seen = selection.select(database, LUZ, SEPTEMBER, selection.ALL)
    meant = frozenset(selection.contracts(database, LUZ, SEPTEMBER, selection.ALL))
    changes = {
        "total": "UPDATE eisenergy.drafts SET total = total + 0.01 WHERE contract = 'EIS-0003' AND month = '2021-09'",
        "input_hash": "UPDATE eisenergy.drafts SET input_hash = 'x' WHERE contract = 'EIS-0003' AND month = '2021-09'",
        "gone": "DELETE FROM eisenergy.drafts WHERE contract = 'EIS-0003' AND month = '2021-09'",
    }
    reviewed = Reviewed(contracts=meant, fingerprint=seen.fingerprint)
    if what == "another":
        reviewed = replace(reviewed, contracts=meant - {"EIS-0003"})
    else:
        with database.session(LUZ) as connection:
            connection.execute(text(changes[what]))
    try:
        with pytest.raises(DraftsChanged, match="Nothing was issued"):
            _post(database, reviewed)
        assert books.heads(database, LUZ, SEPTEMBER) == ()
    finally:
        books.save_drafts(database, LUZ, SEPTEMBER, drafts.values())


def _post(database: Database, reviewed: Reviewed) -> None:
    day = date(2021, 10, 1)
    books.post(database, LUZ, SEPTEMBER, client=make_client("LUZ"), issued_on=day, at=AT, reviewed=reviewed)


def test_what_was_seen_and_nothing_else_is_issued_and_summed(database: Database) -> None:
    chosen = ["EIS-0002", "EIS-0005"]
    seen = selection.select(database, LUZ, SEPTEMBER, selection.CHOSEN, chosen)
    _post(database, Reviewed(contracts=frozenset(chosen), fingerprint=seen.fingerprint))
    assert [head.contract for head in books.heads(database, LUZ, SEPTEMBER)] == chosen
    with pytest.raises(DraftsChanged):
        _post(database, Reviewed(contracts=frozenset(chosen), fingerprint=seen.fingerprint))
    stage = stages.stage(database, LUZ, SEPTEMBER)
    heads = books.heads(database, LUZ, SEPTEMBER)
    assert (stage.issued, stage.issued_total) == (2, sum(head.total for head in heads))
    assert stage.issued_kwh == sum(head.kwh for head in heads)
    assert (stage.drafts, stage.waiting, stage.unread, stage.warned) == (4, 1, 1, 0)
    assert stage.metered == stages.Metered(contracts=7, with_readings=6)
    assert stages.in_force(database, LUZ, SEPTEMBER) == 7
    assert stages.in_force(database, LUZ, BillingMonth(2001, 1)) == 0


def test_sums_by_month_are_those_of_the_invoices(database: Database) -> None:
    """Of both sellers, whoever issued and however often: of one there are two issues of one month."""
    for n in (2, 5):
        books.issue(
            database, EIS, AUGUST, client=make_client(), issued_on=date(2021, 9, 2), at=AT, contracts={f"EIS-000{n}"}
        )
    for scope in (EIS, LUZ):
        heads = books.heads(database, scope)
        found = {one.month: (one.issued, one.issued_kwh, one.issued_total) for one in stages.stages(database, scope)}
        for month in (AUGUST, SEPTEMBER):
            ours = [head for head in heads if head.month == month]
            assert found[month] == (len(ours), sum(h.kwh for h in ours), sum(h.total for h in ours))
        for month in (AUGUST, SEPTEMBER):
            assert stages.health(database, scope, month) == _health(database, scope, month)
    assert [one.month for one in stages.stages(database, EIS, months=1)] == [SEPTEMBER]
    assert [one.month for one in stages.stages(database, LUZ, months=2)] == [SEPTEMBER, AUGUST]
    assert stages.stages(database, Scope.customer("EIS", "EIS-0001"))[0].issued == 0
    with database.session(LUZ) as connection:
        assert connection.execute(text("SELECT count(*) FROM eisenergy.month_sums WHERE client = 'EIS'")).scalar() == 0


def _health(database: Database, scope: Scope, month: BillingMonth) -> stages.Health:
    """By the bills themselves, one after the other."""
    bills = [one.bill for one in (*books.invoices(database, scope, month=month), *books.drafts(database, scope, month))]
    estimated = [sum(block.estimated for block in bill.blocks) for bill in bills]
    unsound = [bool(some or bill.slots_missing) for some, bill in zip(estimated, bills, strict=True)]
    return stages.Health(
        slots=sum(bill.slots_expected for bill in bills),
        estimated=sum(estimated),
        missing=sum(bill.slots_missing for bill in bills),
        customers=sum(unsound),
    )


def test_sums_of_what_was_issued_before_there_were_any_are_the_same(database: Database, settings: Settings) -> None:
    """What the migration adds up once is what the trigger adds up as invoices are issued; it is undone here."""
    made = ScriptDirectory.from_config(config()).get_revision("0014").module
    sums = text("SELECT * FROM eisenergy.month_sums ORDER BY client, month")
    engine = create_engine(str(settings.database_url), poolclass=NullPool)
    with engine.connect() as connection:
        for table in ("invoices", "month_sums"):
            connection.execute(text(f"ALTER TABLE eisenergy.{table} NO FORCE ROW LEVEL SECURITY"))
        kept = connection.execute(sums).all()
        connection.execute(text("UPDATE eisenergy.month_sums SET slots = 0, estimated = 0, missing = 0, unsound = 0"))
        assert connection.execute(sums).all() != kept
        connection.execute(text(made.ISSUED_BEFORE))
        assert connection.execute(sums).all() == kept
        connection.rollback()


def test_a_scope_that_only_reads_issues_nothing(database: Database) -> None:
    with pytest.raises(OutOfScope):
        books.post(
            database,
            Scope.customer("EIS", "EIS-0001"),
            SEPTEMBER,
            client=make_client(),
            issued_on=date(2021, 10, 1),
            at=AT,
        )


@pytest.mark.parametrize("search", ["", "eis-000", "cliente 3", "nobody", "%"])
@pytest.mark.parametrize(("limit", "after"), [(50, 0), (3, 0), (3, 3), (3, 6), (3, 7), (3, 99)])
def test_lists_tell_how_many_there_are_and_some_of_them(
    database: Database, search: str, limit: int, after: int
) -> None:
    """Of customers and contracts, on the last page and behind it; against the records themselves."""
    every = sorted(masters.contracts(database, EIS), key=lambda one: one.number)
    found = [one for one in every if search in one.number.lower() or search in one.customer.name.lower()]
    count, customers = listing.customers(database, EIS, search=search, limit=limit, after=after)
    wanted = found[after : after + limit]
    assert (count, [(one.code, one.name) for one in customers]) == (
        len(found), [(one.customer.code, one.customer.name) for one in wanted]
    )  # fmt: skip
    count, contracts = contract_list.lines(database, EIS, search=search, limit=limit, after=after)
    assert (count, [(one.contract, one.meter) for one in contracts]) == (
        len(found), [(one.number, one.meter.serial) for one in wanted]
    )  # fmt: skip


@contextmanager
def _owner(settings: Settings) -> Iterator[object]:
    engine = create_engine(str(settings.database_url), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def test_sums_are_kept_by_the_trigger(database: Database, settings: Settings) -> None:
    """Without it the comparison above fails: it is broken once to see that."""
    with _owner(settings) as connection:
        connection.execute(text("ALTER TABLE eisenergy.invoices DISABLE TRIGGER sum_months"))  # type: ignore[attr-defined]
    try:
        books.issue(database, LUZ, AUGUST, client=make_client("LUZ"), issued_on=date(2021, 9, 1), at=AT)
        with pytest.raises(AssertionError):
            test_sums_by_month_are_those_of_the_invoices(database)
    finally:
        with _owner(settings) as connection:
            connection.execute(text("ALTER TABLE eisenergy.invoices ENABLE TRIGGER sum_months"))  # type: ignore[attr-defined]


def test_readings_are_counted_by_the_files_that_hold_them(database: Database) -> None:
    assert stages.newest_readings(database, EIS, "America/El_Salvador") is None
    assert stages.metered(database, EIS, SEPTEMBER, "America/El_Salvador") == stages.Metered(
        contracts=7, with_readings=0
    )
    serials = [make_contract(n).meter.serial for n in (1, 2)]
    with database.session(EIS) as connection:
        connection.execute(
            text(
                "INSERT INTO eisenergy.source_files (client, sha256, name, bytes, kind, status, received_at, meters, starts, ends, rows, "
                "findings) VALUES ('EIS', repeat('a', 64), 'f', 1, 'readings', 'loaded', now(), :meters, '2021-09-01 06:00Z', "
                "'2021-10-01 06:00Z', 1, '[]'), ('EIS', repeat('b', 64), 'g', 1, 'readings', 'refused', now(), '{}', "
                "'2021-10-01 06:00Z', '2021-11-01 06:00Z', 1, '[]')"
            ),
            {"meters": serials},
        )
    assert stages.newest_readings(database, EIS, "America/El_Salvador") == SEPTEMBER
    for month, count in ((SEPTEMBER, 2), (SEPTEMBER.plus(1), 0), (AUGUST, 0)):
        assert stages.metered(database, EIS, month, "America/El_Salvador").with_readings == count
    health = stages.health(database, EIS, SEPTEMBER)
    bills = [draft.bill for draft in books.drafts(database, EIS, SEPTEMBER)]
    assert health.slots == sum(bill.slots_expected for bill in bills)
    assert health.missing == sum(bill.slots_missing for bill in bills)


def test_only_the_database_writes_the_sums_of_another(database: Database) -> None:
    with pytest.raises(DBAPIError, match="row-level security"), database.session(EIS) as connection:
        connection.execute(text("INSERT INTO eisenergy.month_sums VALUES ('LUZ', '2020-01', 1, 1, 1)"))
