"""Events: there with their effect or not at all; told at least once, in order per customer, signed; tried again, dead, sent again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from receivers import Receiver, near, receiving
from sqlalchemy import event as hooks
from sqlalchemy import text
from store_cases import OCTOBER, SEPTEMBER, make_client, make_contract, make_draft, make_tariff
from work_cases import BY, EIS, LUZ, environment, now, wait, working

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.config import Settings
from eisenergy.findings import warning
from eisenergy.period import BillingMonth
from eisenergy.store import audit, books, deliveries, files, masters, outbox, sealing, subscriptions
from eisenergy.store.database import Database
from eisenergy.store.files import SourceFile
from eisenergy.store.outbox import New
from eisenergy.store.subscriptions import BadSubscription, NoSubscription, Subscription
from eisenergy.variables import BadSetting
from eisenergy.work import telling

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def _sellers(database: Database) -> None:
    for scope in (EIS, LUZ):
        masters.save_client(database, scope, make_client(scope.client))
        masters.save_contracts(database, scope, [make_contract(n) for n in range(1, 5)])


@pytest.fixture(autouse=True)
def _nothing_before(database: Database) -> None:
    for scope in (EIS, LUZ):
        with database.session(scope) as connection:
            connection.execute(text("DELETE FROM eisenergy.deliveries"))
            connection.execute(text("DELETE FROM eisenergy.outbox"))
            connection.execute(text("UPDATE eisenergy.subscriptions SET removed_at = now(), secret = NULL"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def near_settings(settings: Settings) -> Settings:
    return near(settings)


def subscribe(
    database: Database, settings: Settings, url: str, *types: str, scope: Scope = EIS
) -> tuple[Subscription, str]:
    with database.session(scope) as connection:
        return subscriptions.add(connection, scope, sealing.key_of(settings), url, types, by=BY, at=AT)


def happen(database: Database, *numbers: tuple[str, object], scope: Scope = EIS) -> None:
    """Events of customers, each with a number to know it by."""
    with database.session(scope) as connection:
        for customer, number in numbers:
            outbox.write(
                connection,
                scope.client,
                [New(type=outbox.ISSUED, customer=customer or None, data={"number": number})],
                AT,
            )


def tell(database: Database, settings: Settings, chosen: Subscription, at: datetime) -> telling.Told:
    telling.spread(database, settings, at)
    return telling.tell(database, settings, chosen.client, chosen.id, now=lambda: at)


def types_of(database: Database, scope: Scope = EIS) -> list[str]:
    return [one.type for one in reversed(outbox.newest(database, scope))]


# with the effect, or not at all


def issue(database: Database, month: BillingMonth, count: int = 3) -> books.IssueResult:
    books.save_drafts(database, EIS, month, [make_draft(make_contract(n), month) for n in range(1, count + 1)])
    return books.issue(database, EIS, month, client=make_client(), issued_on=date(2021, 11, 5), at=AT)


def test_an_issue_writes_its_events_in_one_statement_and_in_its_own_transaction(database: Database) -> None:
    statements: list[str] = []

    def seen(_: object, __: object, statement: str, *___: object) -> None:
        if "INTO eisenergy.outbox" in statement:
            statements.append(statement)

    hooks.listen(database.engine, "before_cursor_execute", seen)
    try:
        made = issue(database, SEPTEMBER)
    finally:
        hooks.remove(database.engine, "before_cursor_execute", seen)
    assert len(statements) == 1
    found = list(reversed(outbox.newest(database, EIS)))
    assert [one.type for one in found] == ["invoice.issued"] * 3
    for one, invoice in zip(found, made.issued, strict=True):
        assert one.customer == invoice.bill.contract.customer.code
        assert one.data == {
            "number": invoice.number,
            "contract": invoice.bill.contract.number,
            "customer": one.customer,
            "month": "2021-09",
            "issued_on": "2021-11-05",
            "due_on": "2021-11-20",
            "currency": "USD",
            "kwh": one.data["kwh"],
            "total": str(invoice.bill.total),
        }
        assert Decimal(one.data["kwh"]) == invoice.bill.kwh
    assert outbox.newest(database, LUZ) == ()
    issue(database, SEPTEMBER)  # nothing new to issue
    assert len(outbox.newest(database, EIS)) == 3


def test_what_is_undone_has_no_event(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The invoices' transaction fails after their events were written: neither is there."""
    written: list[int] = []
    issued = outbox.issued

    def failing(connection: object, *given: object) -> None:
        issued(connection, *given)  # type: ignore[arg-type]
        written.append(connection.execute(text("SELECT count(*) FROM eisenergy.outbox")).scalar_one())  # type: ignore[attr-defined]
        raise RuntimeError("in the end not")

    monkeypatch.setattr(outbox, "issued", failing)
    with pytest.raises(RuntimeError, match="in the end not"):
        issue(database, OCTOBER)
    assert written == [3]
    assert outbox.count(database, EIS) == 0
    assert books.invoices(database, EIS, month=OCTOBER) == ()


def arrived(n: int, *meters: str, status: str = "loaded", kind: str = "regular") -> SourceFile:
    return SourceFile(
        sha256=f"{n:064x}", name=f"Descarga de Ana Pérez {n}.csv", bytes=9, kind=kind, status=status, received_at=AT,  # type: ignore[arg-type]
        meters=meters, start=AT - timedelta(days=1), end=AT, rows=96,
        findings=(warning("odd", "Ana Pérez", "x"),),
    )  # fmt: skip


def test_a_file_of_readings_is_told_once_with_its_customers_and_without_its_name(database: Database) -> None:
    files.register_all(database, EIS, [arrived(1, "M1"), arrived(2, "M2", status="refused"), arrived(3, "M1", "M2")])
    files.register_all(database, EIS, [arrived(1, "M1"), arrived(2, "M2"), arrived(4, "EIS", kind="distributor")])
    files.register_all(database, EIS, [arrived(5, "M99")])
    found = list(reversed(outbox.newest(database, EIS)))
    assert [(one.customer, one.data["customers"], one.data["meters"]) for one in found] == [
        ("EIS-0001", ["EIS-0001"], ["M1"]),
        (None, ["EIS-0001", "EIS-0002"], ["M1", "M2"]),
        ("EIS-0002", ["EIS-0002"], ["M2"]),
        (None, [], ["M99"]),
    ]
    assert {one.type for one in found} == {"meter.reading.ingested"}
    assert "Ana" not in json.dumps([dict(one.data) for one in found])
    assert found[0].data["rows"] == 96
    assert datetime.fromisoformat(found[0].data["end"]) == AT


def test_masters_that_change_are_told_and_what_stands_in_them_is_not(database: Database) -> None:
    contract = make_contract(1, notes={"a": "b"})
    masters.save_contracts(database, EIS, [contract, make_contract(9)])
    masters.save_contracts(database, EIS, [contract])
    masters.save_tariff(database, EIS, make_tariff())
    masters.save_tariff(database, EIS, make_tariff())
    found = [(one.type, one.customer, dict(one.data)) for one in reversed(outbox.newest(database, EIS))]
    assert found == [
        ("customer.changed", "EIS-0001", {"customer": "EIS-0001", "change": "changed", "contracts": ["EIS-0001"]}),
        ("customer.changed", "EIS-0009", {"customer": "EIS-0009", "change": "added", "contracts": ["EIS-0009"]}),
        ("tariff.changed", None, {"tariff": "EIS-TOU", "version": "v1", "change": "added"}),
    ]


# told


def test_a_webhook_gets_cloudevents_that_it_can_check(
    database: Database, near_settings: Settings, receiver: Receiver
) -> None:
    chosen, secret = subscribe(database, near_settings, receiver.url)
    assert chosen.secret is not None
    assert secret not in chosen.secret
    happen(database, ("EIS-0001", "FAC-1"))
    told = tell(database, near_settings, chosen, AT)
    assert (told.delivered, told.failed) == (1, 0)
    (one,) = receiver.got
    assert one.path == "/hook?of=eis"
    assert one.headers["content-type"].startswith("application/cloudevents+json")
    assert one.signed_with(secret)
    assert not one.signed_with("whsec_" + "A" * 43 + "=")
    assert one.headers["webhook-timestamp"] == str(int(AT.timestamp()))
    event = outbox.newest(database, EIS)[0]
    assert one.headers["webhook-id"] == str(event.id)
    assert one.event == {
        "specversion": "1.0", "id": str(event.id), "source": "/v1/clients/EIS", "type": "invoice.issued",
        "subject": "EIS-0001", "time": "2026-11-01T12:00:00Z", "datacontenttype": "application/json",
        "data": {"number": "FAC-1"},
    }  # fmt: skip
    assert tell(database, near_settings, chosen, AT).delivered == 0
    assert len(receiver.got) == 1


def test_only_what_was_asked_for_is_told_and_only_its_own_client(
    database: Database, near_settings: Settings, receiver: Receiver
) -> None:
    chosen, _ = subscribe(database, near_settings, receiver.url, "meter.reading.ingested", "tariff.changed")
    luz, _ = subscribe(database, near_settings, receiver.url, scope=LUZ)
    happen(database, ("EIS-0001", "not asked for"))
    files.register_all(database, EIS, [arrived(100 + uuid.uuid4().int % 10**9, "M1")])
    assert tell(database, near_settings, chosen, AT).delivered == 1
    assert telling.tell(database, near_settings, "LUZ", luz.id, now=lambda: AT).delivered == 0
    assert telling.tell(database, near_settings, "LUZ", chosen.id, now=lambda: AT).delivered == 0
    assert [one.event["type"] for one in receiver.got] == ["meter.reading.ingested"]
    with database.session(EIS) as connection:
        subscriptions.test(connection, EIS, chosen.id, by=BY, at=AT)
    assert tell(database, near_settings, chosen, AT).delivered == 1  # its type need not be asked for
    assert receiver.got[-1].event["type"] == "subscription.test"
    telling.spread(database, near_settings, AT)
    assert telling.tell(database, near_settings, "LUZ", luz.id, now=lambda: AT).delivered == 0


def test_a_failure_holds_back_that_customers_later_events_and_no_others(
    database: Database, near_settings: Settings, receiver: Receiver
) -> None:
    chosen, _ = subscribe(database, near_settings, receiver.url)
    happen(database, ("A", 1), ("B", 1), ("A", 2), ("", 1), ("B", 2), ("A", 3), ("", 2))
    receiver.answer = lambda one: 503 if one.event.get("subject") == "A" else 200
    told = tell(database, near_settings, chosen, AT)
    assert (told.delivered, told.failed) == (4, 1)
    assert receiver.order() == {"A": [1], "B": [1, 2], "": [1, 2]}
    assert tell(database, near_settings, chosen, AT + timedelta(seconds=4)).failed == 0  # not yet
    assert tell(database, near_settings, chosen, AT + timedelta(seconds=5)).failed == 1
    happen(database, ("A", 4))
    receiver.answer = lambda one: 200
    assert tell(database, near_settings, chosen, AT + timedelta(seconds=19)).delivered == 0
    assert tell(database, near_settings, chosen, AT + timedelta(seconds=20)).delivered == 4
    assert receiver.order()["A"] == [1, 1, 1, 2, 3, 4]
    ids = [one.headers["webhook-id"] for one in receiver.got if one.event.get("subject") == "A"]
    assert ids[0] == ids[1] == ids[2]
    assert len(set(ids)) == 4


def test_the_time_between_two_tries_grows_to_a_limit() -> None:
    found = [int(deliveries.wait(n).total_seconds()) for n in range(1, 13)]
    assert found == [5, 15, 45, 135, 405, 1215, 3645, 10935, 21600, 21600, 21600, 21600]
    assert deliveries.wait(10**6) == timedelta(hours=6)


def test_what_never_arrives_is_dead_and_goes_on_when_sent_again_or_given_up(
    database: Database, near_settings: Settings, receiver: Receiver
) -> None:
    chosen, _ = subscribe(database, near_settings, receiver.url)
    happen(database, ("A", 1), ("A", 2), ("A", 3))
    receiver.answer = lambda one: 500
    at = AT
    for _ in range(deliveries.TRIES):
        assert tell(database, near_settings, chosen, at).failed == 1
        at += timedelta(hours=6)
    assert tell(database, near_settings, chosen, at + timedelta(days=9)).failed == 0
    assert deliveries.counts(database, EIS) == {chosen.id: {"dead": 1, "waiting": 2}}
    (dead,) = deliveries.listed(database, EIS, state="dead")
    assert (dead.attempts, dead.answer) == (12, "answered 500 Internal Server Error")
    receiver.got.clear()
    receiver.answer = lambda one: 200
    with database.session(LUZ) as connection:
        assert deliveries.again(connection, LUZ, chosen.id, None, by=BY, at=at) == 0
    with database.session(EIS) as connection:
        assert deliveries.again(connection, EIS, chosen.id, dead.event.position + 1, by=BY, at=at) == 0
        assert deliveries.again(connection, EIS, chosen.id, dead.event.position, by=BY, at=at) == 1
    assert tell(database, near_settings, chosen, at).delivered == 3
    assert receiver.order() == {"A": [1, 2, 3]}
    with database.session(EIS) as connection:
        connection.execute(text("UPDATE eisenergy.deliveries SET state = 'dead' WHERE position = :p"), {"p": dead.event.position})  # fmt: skip
        assert deliveries.again(connection, EIS, chosen.id, None, by=BY, at=at, drop=True) == 1
    assert deliveries.counts(database, EIS) == {}
    states = [one.state for one in deliveries.listed(database, EIS, subscription=chosen.id)]
    assert states == ["delivered", "delivered", "dropped"]
    actions = [entry.action for entry in audit.entries(database, EIS, limit=2)]
    assert actions == ["EVENTS_DROPPED", "EVENTS_AGAIN"]


def test_an_answer_holds_what_it_likes(database: Database, near_settings: Settings) -> None:
    """What is said beside a status is kept and shown: PostgreSQL takes no NUL, and the event would be sent without end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        chosen, _ = subscribe(database, near_settings, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        happen(database, ("A", 1))

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 t\x00a\x00k\xffen <b>\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert tell(database, near_settings, chosen, AT) == telling.Told(delivered=1)
        thread.join()
    (kept,) = deliveries.listed(database, EIS)
    assert (kept.state, kept.answer) == ("delivered", "200 takÿen <b>")


def test_nobody_there_ends_the_turn_and_waits(database: Database, near_settings: Settings) -> None:
    with receiving() as gone:
        url = gone.url
    chosen, _ = subscribe(database, near_settings, url)
    happen(database, *((f"C{n}", n) for n in range(20)))
    told = tell(database, near_settings, chosen, AT)
    assert (told.delivered, told.failed) == (0, telling.ENOUGH)
    assert "127.0.0.1: " in deliveries.listed(database, EIS)[-1].answer


def test_a_paused_one_is_told_afterwards_and_a_removed_one_never(
    database: Database, near_settings: Settings, receiver: Receiver
) -> None:
    chosen, _ = subscribe(database, near_settings, receiver.url)
    with database.session(EIS) as connection:
        subscriptions.pause(connection, EIS, chosen.id, True, by=BY, at=AT)
    happen(database, ("A", 1))
    assert telling.spread(database, near_settings, AT) == ()
    assert tell(database, near_settings, chosen, AT).delivered == 0
    with database.session(EIS) as connection:
        subscriptions.pause(connection, EIS, chosen.id, False, by=BY, at=AT)
    assert telling.spread(database, near_settings, AT) == (("EIS", chosen.id),)
    assert tell(database, near_settings, chosen, AT).delivered == 1
    happen(database, ("A", 2))
    with database.session(EIS) as connection:
        subscriptions.remove(connection, EIS, chosen.id, by=BY, at=AT)
    assert tell(database, near_settings, chosen, AT).delivered == 0
    with pytest.raises(NoSubscription, match="list them with"):
        subscriptions.find(database, EIS, chosen.id)
    assert [one.event["data"] for one in receiver.got] == [{"number": 1}]


def test_one_sends_at_a_time(database: Database, near_settings: Settings, receiver: Receiver) -> None:
    chosen, _ = subscribe(database, near_settings, receiver.url)
    happen(database, ("A", 1))
    telling.spread(database, near_settings, AT)
    with deliveries.alone(database, "EIS", chosen.id) as mine:
        assert mine
        assert tell(database, near_settings, chosen, AT) == telling.Told()
    assert tell(database, near_settings, chosen, AT).delivered == 1


def test_a_secret_of_another_key_is_said_and_nothing_is_sent(
    database: Database, near_settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    from dataclasses import replace

    chosen, _ = subscribe(database, near_settings, receiver.url)
    happen(database, ("A", 1))
    assert tell(database, replace(near_settings, home=tmp_path), chosen, AT).failed == 1
    assert "EISENERGY_SECRET_KEY" in deliveries.listed(database, EIS)[0].answer
    assert receiver.got == []


def test_what_cannot_be_subscribed_is_refused(database: Database, settings: Settings) -> None:
    subscribe(database, settings, "https://one.example/")
    with pytest.raises(BadSubscription, match="subscribed already"):
        subscribe(database, settings, "https://one.example/")
    with pytest.raises(BadSubscription, match=r"'x\.y' is no type of event: expected some of meter\.reading\.ingested"):
        subscribe(database, settings, "https://two.example/", "x.y")
    for scope in (Scope.customer("EIS", "EIS-0001"), Scope(client="EIS", role=EIS.role, customers=frozenset({"A"}))):
        with pytest.raises(OutOfScope):
            subscribe(database, settings, "https://two.example/", scope=scope)
    for n in range(subscriptions.MOST - 1):
        subscribe(database, settings, f"https://{n}.example/")
    with pytest.raises(BadSubscription, match="remove one first"):
        subscribe(database, settings, "https://more.example/")


def test_old_events_go_when_nobody_waits_for_them(
    database: Database, near_settings: Settings, receiver: Receiver
) -> None:
    chosen, _ = subscribe(database, near_settings, receiver.url)
    receiver.answer = lambda one: 500 if one.event.get("subject") == "A" else 200
    happen(database, ("A", 1), ("B", 1))
    tell(database, near_settings, chosen, AT)
    happen(database, ("C", 1))  # nobody was told of it yet
    assert telling.sweep(database, near_settings, AT + timedelta(days=30)) == 0
    assert telling.sweep(database, near_settings, AT + timedelta(days=30, seconds=1)) == 1
    assert {one.customer for one in outbox.newest(database, EIS)} == {"A", "C"}


# a process that dies between sending and marking


DYING = """
import os, sys, uuid
from datetime import UTC, datetime
from eisenergy.config import Settings
from eisenergy.store import deliveries
from eisenergy.store.database import Database
from eisenergy.work import telling
deliveries.delivered = lambda *_: os.kill(os.getpid(), 9)
settings = Settings.load()
with Database.open(settings) as database:
    telling.tell(database, settings, "EIS", uuid.UUID(sys.argv[1]))
"""


def test_killed_between_send_and_mark_it_is_sent_again(
    database: Database, near_settings: Settings, receiver: Receiver
) -> None:
    chosen, secret = subscribe(database, near_settings, receiver.url)
    happen(database, ("A", 1), ("A", 2))
    telling.spread(database, near_settings, now())
    process = subprocess.run(
        [sys.executable, "-c", DYING, str(chosen.id)], env=environment(near_settings), timeout=60, check=False
    )
    assert process.returncode == -signal.SIGKILL
    assert receiver.order() == {"A": [1]}
    assert deliveries.counts(database, EIS) == {chosen.id: {"waiting": 2}}
    wait(
        lambda: telling.tell(database, near_settings, "EIS", chosen.id).delivered == 2, 20
    )  # PostgreSQL lets go of its lock
    assert receiver.order() == {"A": [1, 1, 2]}
    assert all(one.signed_with(secret) for one in receiver.got)
    assert receiver.got[0].headers["webhook-id"] == receiver.got[1].headers["webhook-id"]


@pytest.mark.long
def test_a_worker_sends_what_happens(
    database: Database, near_settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    """The command as it is started, with the queue in between."""
    subscribe(database, near_settings, receiver.url)
    with working(near_settings, tmp_path / "log", heartbeat=0.5):
        happen(database, ("A", 1), ("A", 2))
        wait(lambda: receiver.order() == {"A": [1, 2]}, 30, (tmp_path / "log").read_text())
        happen(database, ("A", 3))
        wait(lambda: receiver.order() == {"A": [1, 2, 3]}, 30)
    with database.engine.begin() as connection:
        left = connection.execute(
            text("SELECT args FROM eisenergy_jobs.procrastinate_jobs WHERE task_name = 'tell'")
        ).scalars()
        assert all(set(args) == {"client", "subscription"} for args in left)


def test_settings_that_cannot_be_read_are_refused() -> None:
    home = Path(os.sep)
    for name, value in (("KAFKA", "broker"), ("WEBHOOK_NETWORKS", "everything"), ("EVENTS_DAYS", "0")):
        with pytest.raises(BadSetting, match=f"EISENERGY_{name}="), suppress(KeyError):
            Settings.load({f"EISENERGY_{name}": value}, home=home)
    found = Settings.load(
        {"EISENERGY_WEBHOOK_NETWORKS": "127.0.0.0/8, ::1", "EISENERGY_KAFKA": "a:1,b:2"}, home=home
    ).work
    assert (found.networks, found.kafka) == (("127.0.0.0/8", "::1/128"), "a:1,b:2")
    again = Settings.load(found.environment(), home=home).work
    assert again == found


def test_the_commands_subscribe_list_deliver_and_send_again(
    database: Database, near_settings: Settings, receiver: Receiver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    from eisenergy.cli import main

    for name, value in (near_settings.environment() | near_settings.work.environment()).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, code: int = 0) -> dict[str, object]:
        monkeypatch.setattr(sys, "argv", ["eisenergy", "events", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
        said = capsys.readouterr().out
        return json.loads(said) if "--json" in arguments else {"said": said}

    made = run("subscribe", receiver.url, "--type", "invoice.issued", "--json")
    refused = run("subscribe", "https://10.0.0.1/", "--json", code=3)
    assert "no public address" in str(refused["error"])
    happen(database, ("A", 1), ("A", 2))
    assert run("deliver", "--json") == {"delivered": 2, "failed": 0, "dead": 0}
    assert all(one.signed_with(str(made["secret"])) for one in receiver.got)
    assert receiver.order() == {"A": [1, 2]}
    events = run("list", "--json")["events"]
    assert [one["data"]["number"] for one in events] == [2, 1]  # type: ignore[attr-defined]
    receiver.answer = lambda one: 500
    happen(database, ("A", 3))
    run("deliver", code=1)
    with database.session(EIS) as connection:
        connection.execute(text("UPDATE eisenergy.deliveries SET state = 'dead' WHERE state = 'waiting'"))
    (dead,) = run("list", "--dead", "--json")["events"]  # type: ignore[misc]
    assert dead["answer"] == "answered 500 Internal Server Error"
    (listed,) = run("subscriptions", "--json")["subscriptions"]  # type: ignore[misc]
    assert (listed["id"], listed["dead"], listed["types"]) == (made["id"], 1, ["invoice.issued"])
    receiver.answer = lambda one: 200
    assert "1 to be sent again" in str(run("again", str(made["id"])[:8])["said"])
    assert run("deliver", "--json") == {"delivered": 1, "failed": 0, "dead": 0}
    run("again", "nothing", code=3)
    run("unsubscribe", str(made["id"]))
    assert run("subscriptions", "--json") == {"subscriptions": []}
