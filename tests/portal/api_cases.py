"""The shipped September 2021 behind the interface, a second seller beside it, and tokens of everybody."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
from portal_cases import BY, Clock, Person, Running, mark, person, serving
from store_cases import make_client, make_contract, make_draft

from eisenergy.accounts import Role, Scope
from eisenergy.config import Settings
from eisenergy.desk.workspace import Workspace
from eisenergy.masters import calendars, clients, customers
from eisenergy.period import BillingMonth
from eisenergy.run import intake, month
from eisenergy.store import api_tokens, books, jobs, masters
from eisenergy.store.database import Database
from eisenergy.store.grants import EVERY_CLIENT, Grant
from eisenergy.store.lake import Lake
from eisenergy.tariffs import load as tariffs

SEPTEMBER = BillingMonth(2021, 9)
NOW = datetime(2021, 10, 25, 12, tzinfo=UTC)
EIS, LUZ = Scope.operator("EIS"), Scope.operator("LUZ")
BOOK = "Ejemplo de procesamiento de descargas de medidores.xlsx"
LIST = "Datos de clientes para facturación.xlsx"
LIFE = timedelta(days=30)
GRANTS = {
    "admin": Grant(client=EVERY_CLIENT, role=Role.SYSTEM_ADMIN),
    "operator": Grant(client="EIS", role=Role.CLIENT_ADMIN),
    "manager": Grant(client="EIS", role=Role.CUSTOMER_MANAGER, customers=frozenset({"EIS-0001", "EIS-0002"})),
    "customer": Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0001"})),
    "neighbour": Grant(client="LUZ", role=Role.CLIENT_ADMIN),
}


@dataclass
class Api:
    """The interface over a running portal, asked with tokens."""

    running: Running
    tokens: dict[str, str]
    jobs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wire = self.running.wire()

    def ask(self, who: str | None, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = dict(options.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens.get(who, who)}"
        return self.wire.request(method, path, headers=headers, **options)

    def get(self, who: str | None, path: str, **options: Any) -> httpx2.Response:
        return self.ask(who, "GET", path, **options)

    def post(self, who: str | None, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        if body is not None:
            options["content"] = json.dumps(body)
            options["headers"] = {"Content-Type": "application/json", **options.get("headers", {})}
        return self.ask(who, "POST", path, **options)

    def pages(self, who: str, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        cursor = None
        while True:
            answer = self.get(who, path, params={**query, **({"cursor": cursor} if cursor else {})})
            assert answer.status_code == 200, answer.text
            yield from answer.json()["items"]
            cursor = answer.json()["next"]
            if cursor is None:
                return


def furnish(settings: Settings, database: Database, lake: Lake) -> None:
    """The steel works' and the restaurant's September, billed and issued; and a seller that has customers of the same codes."""
    workspace = Workspace(settings=settings, database=database, lake=lake)
    masters.save_client(database, EIS, clients.load(settings.params / "clients" / "EIS.yaml"))
    blocks = calendars.read_spreadsheet(settings.samples / "Bloques horarios.xlsx", "eis-bloques")
    masters.save_calendar(database, EIS, blocks)
    rules = tariffs.read_yaml(settings.params / "tariffs" / "EIS-TOU.yaml")
    rates = tariffs.read_spreadsheet(settings.samples / "Tarifas EIS-TOU.xlsx")
    masters.save_tariff(database, EIS, tariffs.combine(rules, rates))
    masters.save_contracts(database, EIS, customers.read(settings.samples / LIST).contracts[:3])
    intake.ingest(workspace, EIS, [settings.samples / name for name in (BOOK, "5741444.csv")])
    month.bill_month(workspace, EIS, SEPTEMBER)
    month.issue_month(workspace, EIS, SEPTEMBER, issued_on=date(2021, 10, 5), at=NOW)
    masters.save_client(database, LUZ, make_client("LUZ"))
    theirs = [make_contract(n) for n in (1, 4)]
    theirs = [replace(one, customer=replace(one.customer, name=mark("LUZ", one.number))) for one in theirs]
    masters.save_contracts(database, LUZ, theirs)
    books.save_drafts(database, LUZ, SEPTEMBER, [make_draft(contract) for contract in theirs])
    books.issue(database, LUZ, SEPTEMBER, client=make_client("LUZ"), issued_on=date(2021, 10, 5), at=NOW)


def token(database: Database, owner: Person, grant: Grant, *, at: datetime = NOW, client: str | None = None) -> str:
    return api_tokens.create(
        database, owner.user, grant, f"of {owner.email}", LIFE, client=client or grant.client, by=BY, at=at  # type: ignore[arg-type]
    )  # fmt: skip


@contextmanager
def api(settings: Settings, database: Database, lake: Lake) -> Iterator[Api]:
    """Serve it all on loopback."""
    furnish(settings, database, lake)
    with serving(settings, database, Clock(NOW)) as running:
        for who, grant in GRANTS.items():
            running.people[who] = person(database, f"{who}@{grant.client.lower().replace('*', 'all')}.example", grant)
        found = Api(running, {who: token(database, running.people[who], grant) for who, grant in GRANTS.items()})
        for scope in (EIS, LUZ):
            with database.session(scope) as connection:
                subject = mark(scope.client, "operator")
                job = jobs.defer(connection, scope, "bill", subject, {"month": "2021-09"}, by=BY, user=None, at=NOW)
            found.jobs[scope.client] = str(job)
        yield found


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}
