"""The websocket of energies: numbers against a plain sum of what was posted, rights at the door and while it is open, limits."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from portal_cases import BY, START, Running, mark, owner, person
from sqlalchemy import text
from stream_cases import Meter, give_blocks
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from eisenergy.accounts import Role, Scope
from eisenergy.config import Settings
from eisenergy.desk.workspace import Workspace
from eisenergy.portal import arrivals, streams
from eisenergy.portal.api import stream
from eisenergy.portal.app import create_app
from eisenergy.portal.guard import PUBLIC, BadRule
from eisenergy.portal.routes import Routes, unruled
from eisenergy.store import api_tokens, masters, people, sessions
from eisenergy.store.database import Database
from eisenergy.store.grants import Grant
from eisenergy.store.lake import Lake

EIS, LUZ = Scope.operator("EIS"), Scope.operator("LUZ")
PATH = "/v1/metrics/stream"
NOON = datetime(2026, 11, 2, 18, tzinfo=UTC)
"""Noon of November's second day in El Salvador."""


@pytest.fixture(scope="module", autouse=True)
def _blocks(portal: Running, database: Database) -> None:
    give_blocks(database)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights are looked at again sooner than they are."""
    assert stream.LOOK <= 5
    monkeypatch.setattr(stream, "LOOK", 0.3)


@pytest.fixture
def workspace(settings: Settings, database: Database) -> Workspace:
    return Workspace(settings=settings, database=database, lake=Lake.open(settings, database))


@contextmanager
def opened(
    portal: Running, who: str | None = None, query: str = "", *, token: str | None = None, origin: str | None = "own"
) -> Iterator[ClientConnection]:
    headers = {}
    if who is not None:
        headers["Cookie"] = f"eisenergy={portal.session_of(who)}"
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    url = portal.url.replace("http", "ws", 1) + PATH + query
    with connect(
        url, additional_headers=headers, origin=portal.url if origin == "own" else origin, open_timeout=30, proxy=None
    ) as socket:
        yield socket


def refused(portal: Running, who: str | None = None, query: str = "", **more: str | None) -> int:
    with pytest.raises(InvalidStatus) as caught, opened(portal, who, query, **more):
        pass
    return int(caught.value.response.status_code)


def message(socket: ClientConnection) -> dict[str, object]:
    return json.loads(socket.recv(timeout=30))


def closed_with(socket: ClientConnection) -> int:
    with suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=30)
    assert socket.close_code is not None
    return socket.close_code


def test_the_numbers_are_the_sums_of_what_was_posted_and_follow_it(
    portal: Running, workspace: Workspace, tmp_path: Path
) -> None:
    portal.clock.at = NOON
    first, second = Meter("M1"), Meter("M2")
    first.take(datetime(2026, 11, 1, 6, tzinfo=UTC), 130, lambda n: 1 + n % 7 / 8)
    first.post(workspace, tmp_path / "1")
    with opened(portal, "customer") as one, opened(portal, "operator") as all_:
        shown = message(one)
        assert shown["type"] == "snapshot"
        assert (shown["client"], shown["day"], shown["month"], shown["of"]) == ("EIS", "2026-11-02", "2026-11", 1)
        assert shown["customers"] == [first.entry("EIS-0001")]
        everything = message(all_)
        assert [entry["customer"] for entry in everything["customers"]] == ["EIS-0001", "EIS-0002", "EIS-0003"]
        assert everything["customers"][1]["month"] == {"kwh": 0.0, "blocks": {}, "peak_kw": None}
        # a neighbour's readings, and another seller's of the same meter, are none of theirs
        second.take(datetime(2026, 11, 2, 6, tzinfo=UTC), 40, lambda n: 2.5)
        second.post(workspace, tmp_path / "2")
        luz = Meter("M1")
        luz.take(datetime(2026, 11, 2, 6, tzinfo=UTC), 40, lambda n: 1000.0)
        luz.post(workspace, tmp_path / "3", LUZ)
        # more of the same meter, and a correction of what was there
        first.take(datetime(2026, 11, 2, 14, tzinfo=UTC), 12, lambda n: 3.125)
        first.post(workspace, tmp_path / "4")
        update = message(one)
        assert update["type"] == "update"
        assert update["customers"] == [first.entry("EIS-0001")]
        found: dict[str, object] = {}
        while found.get("EIS-0001") != first.entry("EIS-0001"):
            told = message(all_)
            found |= {entry["customer"]: entry for entry in told["customers"]}
        assert found == {"EIS-0001": first.entry("EIS-0001"), "EIS-0002": second.entry("EIS-0002")}
        both = (first.sums("2026-11")["kwh"], second.sums("2026-11")["kwh"])
        assert told["total"]["month"]["kwh"] == pytest.approx(sum(both), abs=1e-6)  # type: ignore[arg-type]
        assert sum(told["total"]["month"]["blocks"].values()) == pytest.approx(sum(both), abs=1e-6)  # type: ignore[arg-type]
        with pytest.raises(TimeoutError):
            one.recv(timeout=0.5)
    assert mark("EIS", "EIS-0002") not in json.dumps(everything)  # codes, no names


def test_a_new_day_is_a_new_snapshot(portal: Running) -> None:
    portal.clock.at = NOON
    with opened(portal, "customer") as socket:
        today = message(socket)
        later = NOON + timedelta(hours=13)
        with portal.database.signing_in() as connection:  # somebody is there meanwhile
            connection.execute(
                text("UPDATE eisenergy.sessions SET seen_at = :at, expires_at = :at + interval '1 hour'"), {"at": later}
            )
        portal.clock.at = later
        tomorrow = message(socket)
        assert (today["day"], tomorrow["day"], tomorrow["type"]) == ("2026-11-02", "2026-11-03", "snapshot")
        assert tomorrow["customers"][0]["today"] == {"kwh": 0.0, "blocks": {}}
        assert tomorrow["customers"][0]["month"] == today["customers"][0]["month"]


def test_who_is_not_let_in(portal: Running) -> None:
    assert refused(portal) == 401
    assert refused(portal, "customer", origin=None) == 403
    assert refused(portal, "customer", origin="https://evil.example") == 403
    assert refused(portal, "customer", origin="null") == 403
    assert refused(portal, "customer", origin=portal.url + "0") == 403
    assert refused(portal, token="eis_none", origin=None) == 401
    assert refused(portal, "admin") == 400  # which client?
    assert refused(portal, "admin", "?client=NONE") == 404
    assert refused(portal, "customer", "?client=LUZ") == 403
    assert refused(portal, "customer", "?customer=EIS-0001&customer=EIS-0002") == 403
    assert refused(portal, "customer", "?customer=%00") == 400
    assert refused(portal, origin="https://evil.example") == 403
    assert refused(portal, token="eis_none", origin="https://evil.example") == 403
    lines = [row for row in portal.audit("REFUSED") if str(row.subject).startswith("WS ")]
    # four times somebody's session from elsewhere, twice somebody who wanted more; nobody at all does not fill the log
    assert [row.actor for row in lines] == ["customer@eis.example"] * 6
    assert [str(row.subject).endswith(": Origin") for row in lines] == [True] * 4 + [False] * 2
    assert "client=LUZ" in lines[-2].subject


def test_another_host_is_not_answered(portal: Running) -> None:
    parts = urlsplit(portal.url)
    for host, wanted in (("evil.example", 403), (parts.netloc, 401)):
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        connection.putrequest("GET", PATH, skip_host=True)
        for name, value in {
            "Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": portal.url,
        }.items():  # fmt: skip
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == wanted
        connection.close()


def test_a_program_sees_what_its_token_is_for(portal: Running) -> None:
    grant = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0002"}))
    token = api_tokens.create(
        portal.database, portal.people["manager"].user, grant, "t", timedelta(days=1), client="EIS", by=BY, at=START  # type: ignore[arg-type]
    )  # fmt: skip
    with opened(portal, token=token, origin=None) as socket:
        assert [entry["customer"] for entry in message(socket)["customers"]] == ["EIS-0002"]
        assert refused(portal, token=token, query="?client=LUZ", origin=None) == 403
        assert refused(portal, token=token, query="?customer=EIS-0001", origin=None) == 403
        assert refused(portal, token=token, origin="https://evil.example") == 403
        portal.clock.turn(timedelta(days=2))
        assert closed_with(socket) == streams.SIGNED_OUT


def test_it_ends_when_the_right_does(portal: Running) -> None:
    grant = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0001"}))
    portal.people["leaving"] = person(portal.database, "leaving@eis.example", grant)
    user = portal.people["leaving"].user
    with opened(portal, "leaving") as socket:
        message(socket)
        people.revoke(portal.database, EIS, user, by=BY, at=START)  # type: ignore[arg-type]
        began = time.monotonic()
        assert closed_with(socket) == streams.SIGNED_OUT
        assert time.monotonic() - began < 15
    people.invite(portal.database, EIS, "leaving@eis.example", grant, by=BY, at=START)
    token = api_tokens.create(portal.database, user, grant, "t", timedelta(days=1), client="EIS", by=BY, at=START)  # type: ignore[arg-type]
    with opened(portal, "leaving") as socket, opened(portal, token=token, origin=None) as program:
        message(socket)
        message(program)
        other = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0002"}))
        people.invite(portal.database, EIS, "leaving@eis.example", other, by=BY, at=START)
        assert closed_with(socket) in (streams.SIGNED_OUT, streams.NO_RIGHT)
        assert closed_with(program) == streams.SIGNED_OUT


def test_an_open_stream_keeps_no_session_alive(portal: Running) -> None:
    with opened(portal, "customer") as socket:
        message(socket)
        portal.clock.turn(timedelta(hours=1))
        with pytest.raises(TimeoutError):
            socket.recv(timeout=1.5)  # it is looked at meanwhile
        portal.clock.turn(timedelta(hours=1, seconds=1))
        assert closed_with(socket) == streams.SIGNED_OUT


def test_an_account_has_so_many_and_what_it_says_is_not_read(portal: Running) -> None:
    with opened(portal, "manager") as first:
        message(first)
        others = [opened(portal, "manager") for _ in range(streams.EACH - 1)]
        for one in others:
            one.__enter__()
        assert refused(portal, "manager") == 429
        with opened(portal, "customer") as elsewhere:  # somebody else's are their own
            message(elsewhere)
        for one in others:
            one.__exit__(None, None, None)
        deadline = time.monotonic() + 20
        while refused_or_open(portal) and time.monotonic() < deadline:
            time.sleep(0.1)
        first.send("x" * (stream.LONGEST + 1))
        assert closed_with(first) == stream.TOO_BIG
    with opened(portal, "customer") as socket:
        for _ in range(stream.MOST):
            socket.send("?")
        assert closed_with(socket) == stream.POLICY


def test_one_sellers_streams_leave_places_to_the_others(portal: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "OF_ONE", streams._about["EIS"] + 1)
    with opened(portal, "customer") as first:
        message(first)
        assert refused(portal, "manager") == 429
        with opened(portal, "neighbour") as other:
            message(other)
    deadline = time.monotonic() + 20
    while refused_or_open(portal) and time.monotonic() < deadline:
        time.sleep(0.1)
    with opened(portal, "manager") as free:
        message(free)


def refused_or_open(portal: Running) -> bool:
    """Whether the place of a stream that was closed is not free yet."""
    try:
        with opened(portal, "manager"):
            return False
    except InvalidStatus:
        return True


def test_who_watches_is_told_after_the_database_was_away(
    portal: Running, workspace: Workspace, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one connection that listens is cut; what arrives meanwhile is told all the same."""
    posted = threading.Event()
    monkeypatch.setattr(arrivals, "time", SimpleNamespace(sleep=lambda _: posted.wait(60)))
    portal.clock.at = NOON
    third = Meter("M3")
    third.take(datetime(2026, 11, 2, 6, tzinfo=UTC), 4, lambda n: 1.5)
    with opened(portal, "operator", "?customer=EIS-0003") as socket:
        message(socket)
        with owner(settings) as connection:
            ended = connection.execute(  # type: ignore[attr-defined]
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%eisenergy_outbox%'")
            ).scalars()  # fmt: skip
            assert list(ended) == [True]  # one connection, however many watch
        third.post(workspace, tmp_path)
        posted.set()
        assert message(socket)["customers"] == [third.entry("EIS-0003")]


def test_a_stream_without_a_rule_is_not_served(portal: Running) -> None:
    app = create_app(portal.context)

    @app.websocket("/v1/open")
    async def open_to_all(socket: object) -> None: ...

    assert unruled(app) == ["/v1/open"]
    for path, rule in (("/v1/x", PUBLIC), ("/c/{client}/x", stream.ONESELF_OR_VIEW)):
        with pytest.raises(BadRule):
            Routes().stream(path, rule)


def test_nobody_listens_when_nobody_watches(portal: Running) -> None:
    listening = arrivals.arrivals_of(portal.database)
    with opened(portal, "customer") as socket:
        message(socket)
        assert listening._thread is not None
    deadline = time.monotonic() + 20
    while listening._thread is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Slow:
    """The sending side of a reader who takes nothing until it is let."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []
        self.gate = asyncio.Event()

    async def send_text(self, text: str) -> None:
        self.sent.append(json.loads(text))
        await self.gate.wait()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_who_reads_slowly_gets_the_newest_and_who_reads_nothing_is_left(
    portal: Running, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.clock.at = NOON
    slow, changed, loop = Slow(), asyncio.Event(), asyncio.get_running_loop()
    listening = arrivals.arrivals_of(portal.database)
    watch = arrivals.Watch(client="LUZ", wake=lambda: loop.call_soon_threadsafe(changed.set))
    admitted = SimpleNamespace(socket=slow, scope=LUZ, context=portal.context, still=lambda: LUZ)
    followed = stream._Followed(
        admitted=admitted, workspace=workspace, arrivals=listening, watch=watch,
        client=masters.client(portal.database, LUZ), contracts=(), of=0, day=NOON.date(), shown={},
    )  # fmt: skip
    await asyncio.to_thread(listening.add, watch)
    meter = Meter("M2")
    task = asyncio.create_task(stream._outgoing(followed, changed))
    try:
        while not slow.sent:
            await asyncio.sleep(0.02)
        for n in range(3):
            meter.take(datetime(2026, 11, 2, 6 + n, tzinfo=UTC), 4, lambda _, n=n: 1.5 + n)
            await asyncio.to_thread(meter.post, workspace, tmp_path / str(n), LUZ)
        await asyncio.wait_for(changed.wait(), 20)
        assert len(slow.sent) == 1
        slow.gate.set()
        while len(slow.sent) < 2:
            await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        assert [entry["month"]["kwh"] for entry in slow.sent[1]["customers"]] == [meter.sums()["kwh"]]
        assert len(slow.sent) == 2
        monkeypatch.setattr(stream, "SLOW", 0.2)
        slow.gate.clear()
        meter.take(datetime(2026, 11, 2, 12, tzinfo=UTC), 1, lambda _: 9.0)
        await asyncio.to_thread(meter.post, workspace, tmp_path / "last", LUZ)
        with pytest.raises(streams.Closed, match="closed with 1013"):
            await asyncio.wait_for(task, 20)
    finally:
        task.cancel()
        listening.remove(watch)


@pytest.mark.anyio
async def test_news_that_come_while_it_ends_do_not_keep_it() -> None:
    """`asyncio.wait_for` of Python 3.11 forgets a cancellation that comes with what it waits for; then nobody ends the stream."""
    loop, looked, changed = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    class Still:
        def message(self) -> None:
            loop.call_soon_threadsafe(looked.set)

    async def ended(turns: int) -> bool:
        """Whether a stream ends that is told to so many turns of the loop after news."""
        looked.clear()
        changed.clear()
        task = asyncio.create_task(stream._outgoing(Still(), changed))  # type: ignore[arg-type]
        await looked.wait()
        await asyncio.sleep(stream.PAUSE + 0.05)
        changed.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=2)
        task.cancel()
        return bool(done)

    assert [await ended(turns) for turns in range(6)] == [True] * 6


def test_another_view_is_another_stream(portal: Running) -> None:
    """A stream opened as an operator ends when that session takes a customer's view."""
    token = portal.session_of("operator")
    url = portal.url.replace("http", "ws", 1) + PATH + "?client=EIS"
    with connect(
        url, additional_headers={"Cookie": f"eisenergy={token}"}, origin=portal.url, open_timeout=30, proxy=None
    ) as socket:
        assert len(message(socket)["customers"]) == 3
        with portal.database.signing_in() as connection:
            sessions.view_as(connection, token, ("EIS", "EIS-0001"))
        assert closed_with(socket) == streams.NO_RIGHT
    before = len(portal.audit("VIEWED"))
    with opened(portal, "viewer") as socket:
        assert [entry["customer"] for entry in message(socket)["customers"]] == ["EIS-0001"]
    (line,) = portal.audit("VIEWED")[before:]
    assert (line.actor, line.acting_as, line.subject) == ("viewer@eis.example", "EIS/EIS-0001", f"WS {PATH}")
