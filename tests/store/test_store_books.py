from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from psycopg.errors import ProgramLimitExceeded
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError
from store_cases import (
    AT,
    EIS,
    OCTOBER,
    OTHER,
    SEPTEMBER,
    finish,
    make_client,
    make_contract,
    make_draft,
    start_child,
)

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.billing.batch import Entry, entry
from eisenergy.config import Settings
from eisenergy.findings import blocking
from eisenergy.period import BillingMonth
from eisenergy.store import books, lines, masters, runs
from eisenergy.store.arrays import Texts
from eisenergy.store.books import NoInvoice
from eisenergy.store.database import Database
from eisenergy.store.drafts import bases
from eisenergy.store.incoming import AHEAD, CONNECTIONS
from eisenergy.store.packing import COLUMNS, Rows

MONTHS = iter(BillingMonth(2030 + n // 12, n % 12 + 1) for n in range(600))


@pytest.fixture(scope="module", autouse=True)
def _masters(database: Database) -> None:
    for scope in (EIS, OTHER):
        masters.save_client(database, scope, make_client(scope.client))
        masters.save_contracts(database, scope, [make_contract(n) for n in range(1, 9)])


@pytest.fixture
def month() -> BillingMonth:
    """A month that no other test uses."""
    return next(MONTHS)


@pytest.fixture
def series() -> str:
    """A series that no other test uses."""
    return f"S{next(MONTHS)}"


@pytest.fixture(params=["one connection", "two connections"])
def _ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are taken out of the drafts by who writes them, as of few, or over a connection of their own, as of many."""
    monkeypatch.setattr(lines, "WORTH", 1 if request.param == "two connections" else 10**9)


def issue(database: Database, month: BillingMonth, series: str, scope: Scope = EIS) -> books.IssueResult:
    client = make_client(scope.client, series=series)
    return books.issue(database, scope, month, client=client, issued_on=AT.date(), at=AT)


def test_drafts_come_back_in_order_and_are_replaced(database: Database, month: BillingMonth) -> None:
    one, two = make_draft(make_contract(1), month), make_draft(make_contract(2), month)
    assert books.save_drafts(database, EIS, month, [two, one]) == ()
    assert books.drafts(database, EIS, month) == (one, two)
    better = make_draft(make_contract(1), month, total="11.00")
    books.save_drafts(database, EIS, month, [better])
    assert books.drafts(database, EIS, month) == (better, two)
    assert books.draft(database, EIS, "EIS-0001", month) == better
    assert books.draft(database, EIS, "EIS-0003", month) is None
    assert books.drafts(database, Scope.customer("EIS", "EIS-0002"), month) == (two,)
    assert books.drafts(database, OTHER, month) == ()


def test_many_puts_are_all_kept_and_a_failure_in_any_of_them_keeps_none(
    database: Database, month: BillingMonth
) -> None:
    made = make_draft(make_contract(1), month)
    line = entry(made.bill, made.input_hash)
    many = [replace(line, contract=f"EIS-9{n:03d}") for n in range(3 * AHEAD)]

    def put(ones: list[Entry], bad: int = -1) -> None:
        with books.drafting(database, EIS, month) as desk:
            for number, one in enumerate(ones):
                desk.put([one], Rows((b"no array",) * len(COLUMNS)) if number == bad else None)

    for bad in (0, AHEAD, len(many) - 1):
        with pytest.raises(ProgramLimitExceeded):
            put(many, bad)
        assert bases(database, EIS, month) == {}

    def fail() -> None:
        with books.drafting(database, EIS, month) as desk:
            desk.put(many)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert bases(database, EIS, month) == {}
    put(many)
    assert set(bases(database, EIS, month)) == {one.contract for one in many}


def test_drafts_come_over_several_connections_and_a_contract_only_once(database: Database, month: BillingMonth) -> None:
    made = make_draft(make_contract(1), month)
    line = entry(made.bill, made.input_hash)
    many = [replace(line, contract=f"EIS-9{n:03d}") for n in range(200)]
    with books.drafting(database, EIS, month) as desk:
        for begin in range(0, len(many), 20):
            desk.put(many[begin : begin + 20])
        used = {writer.cursor.connection.info.backend_pid for writer in desk._writers}
    assert len(used) == CONNECTIONS > 1
    assert set(bases(database, EIS, month)) == {one.contract for one in many}

    def twice(*puts: list[Entry]) -> None:
        with books.drafting(database, EIS, month) as desk:
            for ones in puts:
                desk.put(ones)

    for puts in ([many[:2], many[1:3]], [[line, line]]):
        with pytest.raises(ValueError, match=r"a run drafts a contract once; put twice: one of EIS-"):
            twice(*puts)


def test_who_drafts_a_month_waits_for_who_drafts_or_issues_it(database: Database, month: BillingMonth) -> None:
    """In whatever order the drafts come: two that wait for each other's rows would be ended by the server."""
    one, two = (make_draft(make_contract(n), month) for n in (1, 2))
    entries = [entry(draft.bill, draft.input_hash) for draft in (one, two)]
    done: list[str] = []

    def other() -> None:
        books.save_drafts(database, EIS, month, [one, two])
        done.append("other")

    with books.drafting(database, EIS, month) as desk:
        desk.put(entries[1:])
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(timeout=0.5)
        assert done == []
        desk.put(entries[:1])
        done.append("first")
    thread.join(timeout=30)
    assert done == ["first", "other"]
    assert books.drafts(database, EIS, month) == (one, two)


@pytest.mark.usefixtures("_ways")
def test_an_issue_numbers_in_order_of_contracts_and_keeps_the_whole_bill(
    database: Database, month: BillingMonth, series: str
) -> None:
    drafts = [make_draft(make_contract(n), month, total=f"{n}.50") for n in (3, 1, 2)]
    books.save_drafts(database, EIS, month, drafts)
    result = issue(database, month, series)
    assert [(invoice.number, invoice.bill.contract.number) for invoice in result.issued] == [
        (f"{series}-000001", "EIS-0001"),
        (f"{series}-000002", "EIS-0002"),
        (f"{series}-000003", "EIS-0003"),
    ]
    assert result.already == ()
    stored = books.invoice(database, EIS, f"{series}-000003")
    assert stored == result.issued[2]
    assert stored.bill == drafts[0].bill
    assert stored.issuer == make_client(series=series)
    assert stored.input_hash == drafts[0].input_hash
    assert (stored.issued_on, stored.due_on, stored.issued_at) == (date(2021, 10, 1), date(2021, 10, 16), AT)
    assert books.billed(database, EIS, "EIS-0003", month) == stored
    assert books.billed(database, EIS, "EIS-0003", month.plus(-300)) is None
    assert books.drafts(database, EIS, month) == ()
    with database.session(EIS) as connection:
        query = text("SELECT position, code, quantity, exact, amount FROM eisenergy.invoice_lines WHERE number = :n")
        lines = connection.execute(query, {"n": stored.number}).all()
    assert sorted(tuple(line) for line in lines) == [
        (1, "energy", Decimal("123.456789012345"), Decimal("3.5000001"), Decimal("3.50")),
        (2, "total", None, Decimal("3.5000001"), Decimal("3.50")),
    ]


def test_a_second_issue_changes_nothing_and_a_late_contract_gets_the_next_number(
    database: Database, month: BillingMonth, series: str
) -> None:
    books.save_drafts(database, EIS, month, [make_draft(make_contract(n), month) for n in (1, 3)])
    first = issue(database, month, series)
    again = issue(database, month, series)
    assert (again.issued, again.already) == ((), first.issued)
    late = [make_draft(make_contract(n), month, total="99.00") for n in (1, 2, 3)]
    assert books.save_drafts(database, EIS, month, late) == ("EIS-0001", "EIS-0003")
    third = issue(database, month, series)
    assert [invoice.number for invoice in third.issued] == [f"{series}-000003"]
    assert third.already == first.issued
    following = month.plus(1)
    next(MONTHS)
    books.save_drafts(database, EIS, following, [make_draft(make_contract(1), following)])
    assert [invoice.sequence for invoice in issue(database, following, series).issued] == [4]
    assert [invoice.sequence for invoice in books.invoices(database, EIS, month=month)] == [1, 2, 3]


def test_a_draft_left_over_from_an_issued_month_is_not_issued_again(
    database: Database, month: BillingMonth, series: str
) -> None:
    other = next(MONTHS)
    for each in (month, other):
        books.save_drafts(database, EIS, each, [make_draft(make_contract(1), each)])
    first = issue(database, month, series)
    with database.session(EIS) as connection:  # as if it had been saved while the invoice was posted
        move = text("UPDATE eisenergy.drafts SET month = :m WHERE month = :other")
        connection.execute(move, {"m": str(month), "other": str(other)})
    assert issue(database, month, series) == books.IssueResult(issued=(), already=first.issued)


@pytest.mark.usefixtures("_ways")
def test_a_draft_replaced_during_an_issue_gives_no_invoice_the_lines_of_another(
    database: Database, month: BillingMonth, series: str
) -> None:
    first, second = make_draft(make_contract(1), month, "10.00"), make_draft(make_contract(1), month, "20.00")
    books.save_drafts(database, EIS, month, [first])
    replaced: list[tuple[str, ...]] = []
    writer = threading.Thread(target=lambda: replaced.append(books.save_drafts(database, EIS, month, [second])))

    def between(*given: object) -> None:
        """A bill is made again when the issue has written the invoices and not yet their lines."""
        if str(given[2]).lstrip().startswith("INSERT INTO eisenergy.invoice_lines"):
            writer.start()
            writer.join(timeout=1)

    event.listen(database.engine, "before_cursor_execute", between)
    try:
        (invoice,) = issue(database, month, series).issued
    finally:
        event.remove(database.engine, "before_cursor_execute", between)
        writer.join(timeout=30)
    assert invoice.bill.total == Decimal("10.00")
    with database.session(EIS) as connection:
        query = text("SELECT amount FROM eisenergy.invoice_lines WHERE number = :number ORDER BY position")
        assert list(connection.execute(query, {"number": invoice.number}).scalars()) == [Decimal("10.00")] * 2
    # The writer waited; the draft it then wrote would stand beside the invoice and hide it on the operators' page.
    assert replaced == [(invoice.bill.contract.number,)]
    assert books.drafts(database, EIS, month) == ()


def test_lines_are_the_same_whoever_takes_them_out_of_the_drafts(
    database: Database, month: BillingMonth, series: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = next(MONTHS)
    found = []
    for each, worth in ((month, 10**9), (other, 1)):
        drafts = [make_draft(make_contract(n), each, total=f"{n}{n}.50") for n in (4, 1, 3, 2)]
        books.save_drafts(database, EIS, each, drafts)
        monkeypatch.setattr(lines, "WORTH", worth)
        numbers = [invoice.number for invoice in issue(database, each, series).issued]
        with database.session(EIS) as connection:
            query = text(
                "SELECT row_number() OVER (ORDER BY ctid), position, customer, code, quantity, unit, rate, exact, amount "
                "FROM eisenergy.invoice_lines WHERE client = :c AND number = ANY (:n)"
            )
            found.append(connection.execute(query, {"c": EIS.client, "n": numbers}).all())
    assert len(found[0]) == 8
    assert sorted(found[0]) == sorted(found[1])


def test_who_takes_lines_waits_for_no_migration(
    database: Database, month: BillingMonth, series: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.save_drafts(database, EIS, month, [make_draft(make_contract(1), month, total="7.25")])
    monkeypatch.setattr(lines, "WORTH", 1)
    made = {"client": EIS.client, "month": str(month)}
    made |= {"contracts": Texts.of(["EIS-0001"]), "numbers": Texts.of(["1"]), "sequences": Texts.of(["1"])}
    assert lines.taken(database, EIS, made) is not None
    with database.session(EIS) as migration:  # it changes the table, or waits to: who issues would wait for itself
        migration.execute(text("LOCK TABLE eisenergy.drafts IN ACCESS EXCLUSIVE MODE"))
        assert lines.taken(database, EIS, made) is None
    monkeypatch.setattr(lines, "taken", lambda *_: None)
    (invoice,) = issue(database, month, series).issued
    with database.session(EIS) as connection:
        query = text("SELECT amount FROM eisenergy.invoice_lines WHERE number = :number ORDER BY position")
        assert list(connection.execute(query, {"number": invoice.number}).scalars()) == [Decimal("7.25")] * 2


def test_only_the_contracts_asked_for_are_issued(database: Database, month: BillingMonth, series: str) -> None:
    books.save_drafts(database, EIS, month, [make_draft(make_contract(n), month) for n in (1, 2)])
    client = make_client(series=series)
    result = books.issue(database, EIS, month, client=client, issued_on=AT.date(), at=AT, contracts={"EIS-0002"})
    assert [invoice.bill.contract.number for invoice in result.issued] == ["EIS-0002"]
    assert len(books.drafts(database, EIS, month)) == 1


def test_tenants_number_apart(database: Database, month: BillingMonth, series: str) -> None:
    for scope in (EIS, OTHER):
        books.save_drafts(database, scope, month, [make_draft(make_contract(1), month)])
        assert [invoice.number for invoice in issue(database, month, series, scope).issued] == [f"{series}-000001"]


@pytest.mark.usefixtures("_ways")
def test_a_failure_in_the_middle_leaves_no_gap(database: Database, month: BillingMonth, series: str) -> None:
    drafts = [make_draft(make_contract(n), month) for n in (1, 2)]
    books.save_drafts(database, EIS, month, drafts)
    with database.session(EIS) as connection:  # the second draft's document becomes unreadable
        connection.execute(
            text("UPDATE eisenergy.drafts SET document = '{}' WHERE contract = 'EIS-0002' AND month = :m"),
            {"m": str(month)},
        )
    with pytest.raises(ValueError, match="Bill"):
        issue(database, month, series)
    assert books.invoices(database, EIS, month=month) == ()
    books.save_drafts(database, EIS, month, [drafts[1]])
    assert [invoice.sequence for invoice in issue(database, month, series).issued] == [1, 2]


def test_threads_that_issue_at_once_make_no_gap_and_no_double(
    database: Database, month: BillingMonth, series: str
) -> None:
    books.save_drafts(database, EIS, month, [make_draft(make_contract(n), month) for n in range(1, 9)])
    gate = threading.Barrier(4)
    results: list[books.IssueResult] = []

    def work() -> None:
        gate.wait()
        results.append(issue(database, month, series))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(result.issued) for result in results) == [0, 0, 0, 8]
    assert [invoice.sequence for invoice in books.invoices(database, EIS, month=month)] == list(range(1, 9))


ISSUER = """
import sys, time
from store_cases import *
from eisenergy.store import books
from eisenergy.store.database import Database
client = make_client(series=sys.argv[1])
with Database.open(Settings.load()) as database:
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(2035, 2041):
        books.issue(database, EIS, BillingMonth(n, 1), client=client, issued_on=AT.date(), at=AT)
"""


def test_processes_that_issue_at_once_make_no_gap_and_no_double(
    database: Database, settings: Settings, series: str
) -> None:
    months = [BillingMonth(year, 1) for year in range(2035, 2041)]
    for each in months:
        books.save_drafts(database, EIS, each, [make_draft(make_contract(n), each) for n in range(1, 5)])
    children = [start_child(ISSUER, settings, series) for _ in range(3)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n", child.communicate()[1]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        finish(child)
    made = [invoice for invoice in books.invoices(database, EIS) if invoice.series == series]
    assert [invoice.sequence for invoice in made] == list(range(1, 25))
    assert len({(invoice.bill.contract.number, invoice.month) for invoice in made}) == 24


def test_the_database_refuses_a_second_invoice_for_a_month(
    database: Database, month: BillingMonth, series: str
) -> None:
    books.save_drafts(database, EIS, month, [make_draft(make_contract(1), month)])
    issue(database, month, series)
    copy = (
        "INSERT INTO eisenergy.invoices SELECT client, 'X-1', 'X', 1, contract, customer, month, issued_on, issued_at, "
        "due_on, currency, kwh, total, input_hash, document FROM eisenergy.invoices WHERE month = :m"
    )
    with pytest.raises(Exception, match="invoices_client_contract_month_key"), database.session(EIS) as connection:
        connection.execute(text(copy), {"m": str(month)})


def test_parking_takes_the_draft_and_a_new_draft_takes_the_parking(database: Database, month: BillingMonth) -> None:
    contract, reason = make_contract(1), blocking("no-readings", "M1", "No readings.", slots=0)
    books.save_drafts(database, EIS, month, [make_draft(contract, month)])
    books.park(database, EIS, month, contract, [blocking("other", "M1", "Other.")])
    books.park(database, EIS, month, contract, [reason])
    assert books.drafts(database, EIS, month) == ()
    (waiting,) = books.parked(database, EIS, month)
    assert (waiting.contract, waiting.findings) == ("EIS-0001", (reason,))
    assert books.parked(database, Scope.customer("EIS", "EIS-0002"), month) == ()
    books.save_drafts(database, EIS, month, [make_draft(contract, month)])
    assert books.parked(database, EIS, month) == ()


def test_an_issued_contract_is_not_parked(database: Database, month: BillingMonth, series: str) -> None:
    books.save_drafts(database, EIS, month, [make_draft(make_contract(1), month)])
    issue(database, month, series)
    books.park(database, EIS, month, make_contract(1), [blocking("late", "M1", "Late.")])
    assert books.parked(database, EIS, month) == ()


def test_a_customer_finds_its_own_invoices_alone(database: Database, month: BillingMonth, series: str) -> None:
    books.save_drafts(database, EIS, month, [make_draft(make_contract(n), month) for n in (1, 2)])
    issue(database, month, series)
    own = Scope.customer("EIS", "EIS-0002")
    assert [invoice.number for invoice in books.invoices(database, own, month=month)] == [f"{series}-000002"]
    assert books.invoice(database, own, f"{series}-000002").month == month
    assert books.billed(database, own, "EIS-0001", month) is None
    with pytest.raises(NoInvoice, match=f"{series}-000001"):
        books.invoice(database, own, f"{series}-000001")
    with pytest.raises(NoInvoice, match="LUZ"):
        books.invoice(database, OTHER, f"{series}-000001")
    with pytest.raises(OutOfScope, match="EIS-0001"):
        books.invoices(database, own, customer="EIS-0001")


def test_who_may_not_issue_is_refused(database: Database, month: BillingMonth) -> None:
    own = Scope.customer("EIS", "EIS-0001")
    limited = Scope(client="EIS", role=Role.CLIENT_ADMIN, customers=frozenset({"EIS-0001"}))
    draft = make_draft(make_contract(2), month)
    for scope, client in ((own, "EIS"), (limited, "EIS"), (EIS, "LUZ")):
        with pytest.raises(OutOfScope):
            books.issue(database, scope, month, client=make_client(client), issued_on=AT.date(), at=AT)
    for scope in (own, limited):
        with pytest.raises(OutOfScope):
            books.save_drafts(database, scope, month, [draft])
        with pytest.raises(OutOfScope):
            books.park(database, scope, month, make_contract(2), [])


def test_runs_are_on_record(database: Database) -> None:
    first, second = (
        runs.RunRecord(
            command=command,
            month=None if command == "ingest" else str(OCTOBER),
            started_at=datetime(2021, 10, 1, tzinfo=UTC),
            ended_at=AT,
            status="done",
            report={"issued": 8},
        )
        for command in ("ingest", "run")
    )
    runs.record(database, EIS, first)
    runs.record(database, EIS, second)
    assert runs.runs(database, EIS) == (second, first)
    assert runs.runs(database, EIS, limit=1) == (second,)
    assert runs.runs(database, Scope.customer("EIS", "EIS-0001")) == ()
    with pytest.raises(OutOfScope):
        runs.record(database, Scope.customer("EIS", "EIS-0001"), first)


def test_the_month_is_checked_by_the_database_too(database: Database) -> None:
    assert books.drafts(database, EIS, SEPTEMBER) == ()
    with pytest.raises(Exception, match="parked_month_check"), database.session(EIS) as connection:
        connection.execute(text("INSERT INTO eisenergy.parked VALUES ('EIS', 'EIS-0001', '2021-13', 'EIS-0001', '[]')"))


def test_the_database_refuses_a_line_without_its_invoice(database: Database, month: BillingMonth, series: str) -> None:
    books.save_drafts(database, EIS, month, [make_draft(make_contract(n), month) for n in (1, 2)])
    issue(database, month, series)
    columns = "client, number, position, customer, code, unit, exact, amount"
    other = f"""
        INSERT INTO eisenergy.invoice_lines ({columns})
        SELECT client, CASE WHEN position = 1 AND number = :last THEN :named ELSE number END, position + 100, customer, code, unit,
            exact, amount
        FROM eisenergy.invoice_lines WHERE number LIKE :series AND position < 3
    """

    def insert(named: str) -> None:
        with database.session(EIS) as connection:
            connection.execute(text(other), {"last": f"{series}-000002", "named": named, "series": f"{series}-%"})

    with pytest.raises(IntegrityError, match=rf"there is no invoice \(EIS, {series}-000003\)"):
        insert(f"{series}-000003")
    books.save_drafts(database, OTHER, month, [make_draft(make_contract(1), month)])
    (theirs,) = issue(database, month, f"{series}Z", OTHER).issued
    with pytest.raises(IntegrityError, match="there is no invoice"):  # another tenant's is none of this one's
        insert(theirs.number)
    with database.session(EIS) as connection:
        count = text("SELECT count(*) FROM eisenergy.invoice_lines WHERE position > 100")
        assert connection.execute(count).scalar() == 0
    insert(f"{series}-000002")
    with database.session(EIS) as connection:
        assert connection.execute(count).scalar() == 4
