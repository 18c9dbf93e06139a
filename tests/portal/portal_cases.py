"""Two sellers with customers, invoices, sites and people; a portal that serves them on loopback; and browsers that visit it."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import uvicorn
from sqlalchemy import Connection, NullPool, create_engine, text
from store_cases import SEPTEMBER, make_client, make_contract, make_draft

from eisenergy.accounts import Role, Scope, Sourced
from eisenergy.config import Settings
from eisenergy.masters import calendars, codec
from eisenergy.period import Dated
from eisenergy.portal.app import guarded
from eisenergy.portal.context import Context
from eisenergy.portal.passwords import hash_of
from eisenergy.store import (
    api_tokens,
    attempts,
    books,
    jobs,
    masters,
    people,
    proposals,
    sealing,
    sessions,
    signins,
    subscriptions,
    uploads,
)  # fmt: skip
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database
from eisenergy.store.grants import EVERY_CLIENT, Grant, read_grants
from eisenergy.tariffs.model import BillingRules, RateKind, ScalarKind, Tariff
from eisenergy.tariffs.version import version
from eisenergy.work import workbooks

PASSWORD = "caballo correcto grapa 7"
HASH = hash_of(PASSWORD)
CODES = ("EIS-0001", "EIS-0002", "EIS-0003")
CLIENTS = ("EIS", "LUZ")
BY = Actor(name="test", address="test")
START = datetime(2026, 11, 1, 12, tzinfo=UTC)


def mark(client: str, customer: str) -> str:
    """A text that only one customer's own things hold."""
    return f"Mark-{client}-{customer}"


@dataclass
class Clock:
    """The portal's clock; tests turn it."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def turn(self, by: timedelta) -> None:
        self.at += by


@dataclass
class Person:
    """An account of the tests, and its session's place."""

    email: str
    user: object
    view: tuple[str, str] | None = None
    token: str = ""


@dataclass
class Running:
    """A portal that answers on loopback."""

    context: Context
    clock: Clock
    people: dict[str, Person] = field(default_factory=dict)
    opened: list[httpx2.Client] = field(default_factory=list)
    work: dict[str, tuple[str, str, str]] = field(
        default_factory=dict
    )  # client -> an upload, its job, a checked workbook
    proposed: dict[str, str] = field(default_factory=dict)  # client -> a proposal
    told: dict[str, str] = field(default_factory=dict)  # client -> a subscription
    tokens: dict[str, str] = field(default_factory=dict)  # everybody's, for the interface
    held: dict[str, object] = field(default_factory=dict)  # client -> id of a token of one of its customers
    reading: Connection | None = None

    def wire(self, **options: object) -> httpx2.Client:
        """A connection that keeps no cookies of its own accord; closed with the portal."""
        client = httpx2.Client(base_url=self.url, follow_redirects=False, timeout=60, verify=False, **options)
        self.opened.append(client)
        return client

    @property
    def url(self) -> str:
        return self.context.url

    @property
    def database(self) -> Database:
        return self.context.database

    def browser(self, **options: object) -> Browser:
        return Browser(self, **options)

    def session_of(self, name: str) -> str:
        """Start a session without the form, and return its token."""
        person = self.people[name]
        with self.database.signing_in() as connection:
            token = sessions.start(connection, person.user, self.clock())
            if person.view is not None:
                sessions.view_as(connection, token, person.view)
        return token

    def signed_in(self, name: str) -> Browser:
        browser = self.browser()
        browser.client.cookies.set("eisenergy", self.session_of(name))
        return browser

    def refusals(self) -> int:
        """How many lines of the log tell of a refusal."""
        return self._of_refusals("count(*)")

    def last_refusal(self) -> int:
        """The number of the log's last line that tells of a refusal."""
        return self._of_refusals("coalesce(max(id), 0)")

    def _of_refusals(self, what: str) -> int:
        if self.reading is None:  # thousands of times: a connection of its own, as a system administrator, kept
            engine = create_engine(self.database.app_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
            self.reading = engine.connect()
            self.reading.exec_driver_sql(
                "SELECT set_config('eisenergy.client', 'EIS', false), set_config('eisenergy.role', 'SYSTEM_ADMIN', false), "
                "set_config('eisenergy.customers', '*', false)"
            )
        query = f"SELECT {what} FROM eisenergy.audit WHERE action = 'REFUSED'"
        return int(self.reading.exec_driver_sql(query).scalar_one())

    def audit(self, action: str | None = None) -> list[object]:
        """The log of every client, oldest first, as a system administrator reads it."""
        scope = Scope(client="EIS", role=Role.SYSTEM_ADMIN)
        with self.database.session(scope) as connection:
            rows = connection.execute(text("SELECT * FROM eisenergy.audit ORDER BY id")).all()
        return [row for row in rows if action in (None, row.action)]


class Browser:
    """An HTTP client that sends forms as a browser does: with their hidden fields, cookies and Origin."""

    def __init__(self, running: Running, *, address: str | None = None, **options: object) -> None:
        self.running = running
        headers = {"X-Forwarded-For": address} if address else {}
        self.client = running.wire(headers=headers, **options)

    def get(self, path: str, **options: object) -> httpx2.Response:
        return self.client.get(path, **options)

    def follow(self, answer: httpx2.Response) -> httpx2.Response:
        while answer.is_redirect:
            answer = self.get(answer.headers["location"])
        return answer

    def token(self, page: str = "/entrar") -> str:
        """The token of the forms of a page."""
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.follow(self.get(page)).text)
        assert found is not None, page
        return found[1]

    def post(
        self, path: str, data: dict[str, str] | None = None, *, page: str = "/entrar", **options: object
    ) -> httpx2.Response:
        headers = {"Origin": self.running.url, **options.pop("headers", {})}
        return self.client.post(path, data={"csrf": self.token(page), **(data or {})}, headers=headers, **options)

    def sign_in(self, email: str, password: str = PASSWORD, *, wanted: str = "") -> httpx2.Response:
        return self.post("/entrar", {"email": email, "password": password, "next": wanted})


def as_sent(browser: Browser, path: str) -> tuple[int, str]:
    """Ask for a path exactly as it is written: other clients tidy dots up before they send."""
    parts = urlsplit(browser.running.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.putrequest("GET", path.replace(" ", "%20"))
        connection.putheader("Cookie", f"eisenergy={browser.client.cookies['eisenergy']}")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def leads_to_sign_in(answer: httpx2.Response) -> bool:
    return answer.status_code == 303 and answer.headers["location"].startswith("/entrar")


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def write_site(settings: Settings, client: str, customer: str, text: str) -> Path:
    """A published site in small."""
    folder = settings.sites / client / customer
    page = "<!DOCTYPE html><html><head><title>t</title></head><body class='x'><p>{}</p>"
    page += '<a href="../EIS-0002/2021-09/invoice.html">n</a>'
    page += '<span class="swatch" style="background:#004488"></span></body></html>'
    names = ("2021-09.html",) if customer == "_operator" else ("2021-09/invoice.html", "2021-09/dashboard.html")
    for name in ("index.html", *names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(page.format(text), encoding="utf-8")
    (folder / "assets" / "page").mkdir(parents=True, exist_ok=True)
    (folder / "assets" / "page" / "house.css").write_text("p { color: red }", encoding="utf-8")
    (folder / "2021-09").mkdir(exist_ok=True)
    (folder / "2021-09" / "invoice.pdf").write_bytes(b"%PDF-1.7 " + text.encode())
    (folder / "2021-09" / "invoice.json").write_text(f'{{"number": "FAC-00000{customer[-1]}"}}', encoding="utf-8")
    return folder


def furnish(settings: Settings, database: Database) -> None:
    """Two sellers with three customers each, one invoice a customer, and their sites."""
    for client in CLIENTS:
        scope = Scope.operator(client)
        masters.save_client(database, scope, make_client(client, name=f"Vende {client}"))
        contracts = [make_contract(n) for n in range(1, 4)]
        contracts = [
            replace(one, customer=replace(one.customer, name=mark(client, one.customer.code))) for one in contracts
        ]
        masters.save_contracts(database, scope, contracts)
        books.save_drafts(database, scope, SEPTEMBER, [make_draft(contract) for contract in contracts])
        books.issue(
            database,
            scope,
            SEPTEMBER,
            client=make_client(client),
            issued_on=date(2021, 10, 5),
            at=START,
        )
        for code in CODES:
            write_site(settings, client, code, mark(client, code))
        write_site(settings, client, "_operator", mark(client, "operator"))


def person(database: Database, email: str, *grants: Grant, password: str | None = HASH) -> Person:
    """An account with rights and a password."""
    scope = Scope(client="EIS", role=Role.SYSTEM_ADMIN)
    user = None
    for grant in grants:
        here = scope if grant.client == EVERY_CLIENT else replace(scope, client=grant.client)
        user = people.invite(database, here, email, grant, by=BY, at=START).user
    if password is not None:
        with database.signing_in() as connection:
            signins.set_password(connection, user, password, START)
    return Person(email=email, user=user)


def populate(database: Database) -> dict[str, Person]:
    """Everybody of the matrix, by the name it has there."""

    def limited(role: Role, client: str, *codes: str) -> Grant:
        return Grant(client=client, role=role, customers=frozenset(codes))

    operator = Grant(client="EIS", role=Role.CLIENT_ADMIN)
    found = {
        "admin": person(database, "admin@all.example", Grant(client=EVERY_CLIENT, role=Role.SYSTEM_ADMIN)),
        "operator": person(database, "operator@eis.example", operator),
        "manager": person(
            database, "manager@eis.example", limited(Role.CUSTOMER_MANAGER, "EIS", "EIS-0001", "EIS-0002")
        ),
        "customer": person(database, "customer@eis.example", limited(Role.CUSTOMER_USER, "EIS", "EIS-0001")),
        "neighbour": person(database, "neighbour@luz.example", Grant(client="LUZ", role=Role.CLIENT_ADMIN)),
        "viewer": person(database, "viewer@eis.example", operator),
        "stranger": person(database, "stranger@eis.example", limited(Role.CUSTOMER_USER, "EIS", "EIS-0001")),
    }
    found["viewer"].view = ("EIS", "EIS-0001")
    held_before(database, found["stranger"])
    people.revoke(database, Scope(client="EIS", role=Role.SYSTEM_ADMIN), found["stranger"].user, by=BY, at=START)
    return found


def held_before(database: Database, stranger: Person) -> None:
    """A token that its owner had before the right was taken away."""
    grant = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0001"}))
    stranger.token = make_token(database, stranger, grant)


def make_token(database: Database, owner: Person, grant: Grant, *, at: datetime = START) -> str:
    """A token of somebody's, with all of a right."""
    life = timedelta(days=300)
    return api_tokens.create(database, owner.user, grant, "test", life, client=grant.client, by=BY, at=at)  # type: ignore[arg-type]


def give_tokens(database: Database, people: dict[str, Person]) -> dict[str, str]:
    """A token of everybody who asks the interface, with all their rights."""
    found = {"stranger": people["stranger"].token}
    for who in ("admin", "operator", "manager", "customer", "neighbour"):
        with database.signing_in() as connection:
            grant = read_grants(connection, [people[who].user])[people[who].user][0]  # type: ignore[list-item, index]
        found[who] = make_token(database, people[who], grant)
    return found


def give_work(settings: Settings, database: Database) -> dict[str, tuple[str, str, str]]:
    """A file, a job and a checked workbook at each seller, whose names and contents hold the seller's mark."""
    found = {}
    for client in CLIENTS:
        scope = Scope.operator(client)
        sha256 = hashlib.sha256(client.encode()).hexdigest()
        with database.session(scope) as connection:
            name = f"{mark(client, 'operator')}.csv"
            ids = uploads.receive(connection, scope, name, sha256, 1, way="portal", by=BY, user=None, at=START)
        found[client] = (str(ids[0]), str(ids[1]), str(_checked(settings, database, scope)))
    return found


HOURS = {
    "source": "test",
    "hours": [
        {"from": "23:00", "to": "05:00", "block": "VALLE"},
        {"from": "05:00", "to": "18:00", "block": "RESTO"},
        {"from": "18:00", "to": "23:00", "block": "PUNTA"},
    ],
    "holidays": {"2021-09-15": "Independencia"},
}


def make_rates(name: str, calendar: str) -> Tariff:
    """A tariff of two versions, as the steel works' is."""

    def dated(first: str, second: str) -> Dated[Sourced]:
        days = {date(2021, 1, 1): first, date(2021, 7, 15): second}
        return Dated.of("rate", {day: Sourced(Decimal(value), "test") for day, value in days.items()})

    blocks = ("VALLE", "RESTO", "PUNTA")
    made = Tariff(
        name=name,
        currency="USD",
        calendar=calendar,
        rates={
            RateKind.ENERGY: {block: dated(f"0.10{n}", f"0.12{n}") for n, block in enumerate(blocks)},
            RateKind.DEMAND: {block: dated("7.5", "7.612") for block in blocks},
            RateKind.FTPMS: {block: dated("0.004", "0.0042") for block in blocks},
        },
        scalars={ScalarKind.VAT_RATE: Dated.of("vat", {date(1995, 7, 1): Sourced(Decimal("0.13"), "law")})},
        rules=BillingRules(demand_rate_block="VALLE"),
    )
    return replace(made, version=version(made))


def give_masters(database: Database) -> dict[str, str]:
    """A tariff, a calendar and a proposal at each seller, under the seller's mark; and the tariff that its contracts name."""
    found = {}
    for client in CLIENTS:
        scope, name = Scope.operator(client), mark(client, "operator")
        for calendar, tariff in ((name, name), ("EIS", "EIS-TOU")):
            masters.save_calendar(database, scope, calendars.of_data({**HOURS, "name": calendar}, "test"))
            masters.save_tariff(database, scope, make_rates(tariff, calendar))
        with database.session(scope) as connection:
            document = codec.dump(make_rates(name, name))
            found[client] = str(
                proposals.propose(
                    connection, scope, proposals.TARIFF, name, base=1, beside="", starts=date(2021, 10, 1),
                    document=document, origin=None, by=BY, user=None, at=START,
                )
            )  # fmt: skip
    return found


def _checked(settings: Settings, database: Database, scope: Scope) -> uuid.UUID:
    """A check of a workbook as a worker leaves it, in small."""
    name = mark(scope.client, "operator")
    told = {"name": f"{name}.xlsx", "sha256": hashlib.sha256(scope.client.encode()).hexdigest()}
    with database.session(scope) as connection:
        job = jobs.defer(
            connection, scope, workbooks.WORKBOOK, f"{name}.xlsx", told, by=BY, user=None, at=START, alone=False
        )
    taken = attempts.begin(database, scope.client, job, START)
    assert taken is not None
    attempts.end(database, taken, START, "done", result={"passed": True})
    folder = workbooks.folder_of(settings, scope.client, job)
    folder.mkdir(parents=True)
    report = {
        "passed": True,
        "headline": name,
        "evaluation": "",
        "seconds": 0,
        "formulas": 0,
        "stale": 0,
        "findings": 0,
    }
    report |= {"counts": {"equal": 0, "different": 0}, "total": None, "sheets": [], "causes": [], "causes_count": 0}
    (folder / workbooks.REPORT).write_text(json.dumps(report), encoding="utf-8")
    (folder / workbooks.GRID).write_text(
        f"<!doctype html><html><head></head><body>{name}</body></html>", encoding="utf-8"
    )
    (folder / f"{workbooks.COPY}.xlsx").write_text(name, encoding="utf-8")
    return job


def subscribe(settings: Settings, database: Database) -> dict[str, str]:
    """A subscription at each seller, whose address holds the seller's mark."""
    found = {}
    for client in CLIENTS:
        scope = Scope.operator(client)
        with database.session(scope) as connection:
            url = f"https://events.example/{mark(client, 'operator')}"
            made, _ = subscriptions.add(connection, scope, sealing.key_of(settings), url, (), by=BY, at=START)
        found[client] = str(made.id)
    return found


@contextmanager
def serving(settings: Settings, database: Database, clock: Clock | None = None) -> Iterator[Running]:
    """Serve the portal on loopback, from a thread of this process, so that a test can break a guard under it."""
    clock = clock or Clock()
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        context = Context(settings=settings, database=database, url=url, now=clock)
        config = uvicorn.Config(
            guarded(context), log_level="error", access_log=False, server_header=False, lifespan="off",
            proxy_headers=True, forwarded_allow_ips="127.0.0.1",
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            running = Running(context=context, clock=clock)
            yield running
            if running.reading is not None:
                running.reading.close()
            for client in running.opened:
                client.close()
        finally:
            server.should_exit = True
            thread.join(timeout=20)


@contextmanager
def owner(settings: Settings) -> Iterator[object]:
    """A connection as the database's owner, to break a policy with."""
    engine = create_engine(str(settings.database_url), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection
