"""What a browser shows of events: this month's energy as readings arrive, and the notices that did not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from portal_cases import START, Running, furnish, populate, serving, subscribe
from screens import SIZES, Screens
from sqlalchemy import text
from stream_cases import EIS, Meter, give_blocks

from eisenergy.config import Settings
from eisenergy.desk.workspace import Workspace
from eisenergy.store import deliveries, outbox
from eisenergy.store.database import Database
from eisenergy.store.lake import Lake
from eisenergy.store.outbox import New
from eisenergy.work import telling


@pytest.fixture(scope="module")
def portal(settings: Settings, database: Database) -> Iterator[Running]:
    furnish(settings, database)
    give_blocks(database)
    with serving(settings, database) as running:
        running.people = populate(database)
        running.told = subscribe(settings, database)
        yield running


def test_this_months_energy_follows_the_readings(
    portal: Running, screens: Screens, settings: Settings, database: Database, tmp_path: Path
) -> None:
    portal.clock.at = datetime(2026, 11, 2, 18, tzinfo=UTC)
    workspace = Workspace(settings=settings, database=database, lake=Lake.open(settings, database))
    meter = Meter("M1")
    with screens.window("phone") as window:
        cookie = {"name": "eisenergy", "value": portal.session_of("customer"), "url": portal.url}
        window.context.add_cookies([cookie])
        assert window.open(portal.url + "/c/EIS/clientes/EIS-0001") == 200
        box = window.page.locator("[data-live]")
        assert not box.is_visible()  # nothing has come of this month
        for n, kwh in enumerate((25.0, 50.0)):
            meter.take(datetime(2026, 11, 1 + n, 12, tzinfo=UTC), 20, lambda _, kwh=kwh: kwh)
            meter.post(workspace, tmp_path / str(n))
            wanted = f"{meter.sums()['kwh']:,.0f}"
            window.page.locator(f"[data-of=month]:text-is('{wanted}')").wait_for(timeout=30_000)
        assert window.page.inner_text("[data-of=today]") == "1,000"
        assert wanted == "1,500"
        window.look("customer-live")
        portal.clock.at = START


@pytest.mark.parametrize("size", [pytest.param(size, marks=[pytest.mark.long] * (size != "phone")) for size in SIZES])
def test_notices_that_did_not_arrive(portal: Running, screens: Screens, database: Database, size: str) -> None:
    one = uuid.UUID(portal.told["EIS"])
    with database.session(EIS) as connection:
        outbox.write(connection, "EIS", [New(type=outbox.ISSUED, customer=f"C-{size}", data={})], START)
    telling.spread(database, portal.context.settings, START)
    for delivery in deliveries.next_ones(database, EIS, one, START, limit=5):
        deliveries.delivered(database, EIS, delivery, START, "204 No Content")
    with database.session(EIS) as connection:
        connection.execute(
            text("UPDATE eisenergy.deliveries SET state = 'dead', attempts = 12, answer = :why WHERE customer = :code"),
            {"why": "hooks.example: no answer within 10 s", "code": f"C-{size}"},
        )
    with screens.window(size) as window:
        cookie = {"name": "eisenergy", "value": portal.session_of("operator"), "url": portal.url}
        window.context.add_cookies([cookie])
        assert window.open(f"{portal.url}/c/EIS/avisos/{one}") == 200
        assert window.page.get_by_role("button", name="Enviar otra vez todos").is_visible()
        window.look("operator-subscription")
