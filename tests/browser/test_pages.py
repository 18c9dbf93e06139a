"""Every page of the portal in a phone's and a desk's size: looked at by axe-core, nothing cut off, no complaint in the console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from portal_cases import PASSWORD, Running, furnish, give_masters, give_tokens, populate, serving
from screens import SIZES, Screens, Window

from eisenergy.config import Settings
from eisenergy.store.database import Database

PAGES = {
    "customer": {
        "home": "/c/EIS/clientes/EIS-0001",
        "invoices": "/c/EIS/clientes/EIS-0001/facturas",
        "usage": "/c/EIS/clientes/EIS-0001/consumo",
        "savings": "/c/EIS/clientes/EIS-0001/ahorro",
        "account": "/cuenta",
        "factor": "/cuenta/factor",
        "tokens": "/cuenta/fichas",
    },
    "operator": {
        "overview": "/c/EIS",
        "uploads": "/c/EIS/cargas",
        "billing": "/c/EIS/facturacion",
        "billing-month": "/c/EIS/facturacion/2021-09",
        "billing-contract": "/c/EIS/facturacion/2021-09/contrato/EIS-0001",
        "billing-issue": "/c/EIS/facturacion/2021-10/emitir?que=all",
        "excel": "/c/EIS/excel",
        "jobs": "/c/EIS/trabajos",
        "contracts": "/c/EIS/clientes",
        "contract": "/c/EIS/clientes/EIS-0001/ficha",
        "tariffs": "/c/EIS/tarifas",
        "tariff-form": "/c/EIS/tarifas/EIS-TOU/nueva",
        "calendars": "/c/EIS/calendarios",
        "calendar-form": "/c/EIS/calendarios/EIS/nueva",
        "events": "/c/EIS/avisos",
        "users": "/c/EIS/usuarios",
        "log": "/c/EIS/bitacora",
        "client-tokens": "/c/EIS/fichas",
        "as-customer": "/c/EIS/clientes/EIS-0002",
    },
    "admin": {"choose": "/"},
}
EVERYBODYS = {"interface": "/v1", "sign-in": "/entrar", "forgot": "/clave", "dead-link": "/enlace/none"}


@pytest.fixture(scope="module")
def portal(settings: Settings, database: Database) -> Iterator[Running]:
    furnish(settings, database)
    with serving(settings, database) as running:
        running.people = populate(database)
        running.proposed = give_masters(database)
        give_tokens(database, running.people)
        yield running


def as_person(portal: Running, window: Window, who: str) -> None:
    window.context.add_cookies([{"name": "eisenergy", "value": portal.session_of(who), "url": portal.url}])


EACH = [
    # operators sit at a desk, customers hold a phone; the other way round is looked at in ``make test-long``
    pytest.param(
        who, size, marks=[pytest.mark.long] if (who, size) in (("operator", "phone"), ("customer", "desk")) else []
    )
    for who in PAGES
    for size in SIZES
]


@pytest.mark.parametrize(("who", "size"), EACH)
def test_pages_behind_the_login(portal: Running, screens: Screens, who: str, size: str) -> None:
    with screens.window(size) as window:
        as_person(portal, window, who)
        for name, path in PAGES[who].items():
            assert window.open(portal.url + path) == 200, path
            window.look(f"{who}-{name}")


@pytest.mark.parametrize("size", ["phone", pytest.param("desk", marks=pytest.mark.long)])
def test_pages_before_the_login(portal: Running, screens: Screens, size: str) -> None:
    with screens.window(size) as window:
        for name, path in EVERYBODYS.items():
            window.open(portal.url + path)
            window.complaints.clear()  # the browser reports a status of 410 as an error
            window.look(name)


def test_somebody_signs_in_and_out_with_the_keyboard_alone(portal: Running, screens: Screens) -> None:
    with screens.window("phone") as window:
        page = window.page
        window.open(f"{portal.url}/c/EIS/clientes/EIS-0001/facturas")
        page.get_by_label("Correo").focus()
        page.keyboard.type("customer@eis.example")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/facturas")
        assert "FAC-000001" in page.content()
        window.open(f"{portal.url}/c/EIS/clientes/EIS-0002")
        assert "EIS-0002" not in page.inner_text("main")
        page.get_by_role("button", name="Salir").press("Enter")
        page.wait_for_url("**/entrar")
        assert window.open(f"{portal.url}/cuenta") == 200
        assert "/entrar" in page.url
