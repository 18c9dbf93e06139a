"""What the pages show, and what a published site gives away: nothing but its own files."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from portal_cases import BY, START, Running, as_sent, mark, person

from eisenergy.accounts import Role, Scope
from eisenergy.portal import sites
from eisenergy.portal.routes import NoSuchPage
from eisenergy.portal.words import TEXTS
from eisenergy.store import audit, people
from eisenergy.store.grants import Grant

HOME = "/c/EIS/clientes/EIS-0001"


def test_a_customer_sees_invoices_and_gets_the_pdf(portal: Running) -> None:
    browser = portal.signed_in("customer")
    page = browser.get(HOME).text
    assert "FAC-000001" in page
    assert "USD 10.00" in page.replace("\xa0", " ")
    answer = browser.get(f"{HOME}/facturas/FAC-000001.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert 'filename="FAC-000001.pdf"' in answer.headers["content-disposition"]
    assert answer.content == b"%PDF-1.7 " + mark("EIS", "EIS-0001").encode()
    assert [row.subject for row in portal.audit("SEEN") if row.actor == "customer@eis.example"][
        -1
    ] == "invoice FAC-000001"


def test_numbers_of_others_are_refused_and_told_like_numbers_that_are_not(portal: Running) -> None:
    browser = portal.signed_in("customer")
    others, none = (browser.get(f"{HOME}/facturas/{number}.pdf") for number in ("FAC-000002", "FAC-999999"))
    assert (others.status_code, none.status_code) == (403, 403)
    assert others.text.replace("FAC-000002", "") == none.text.replace("FAC-999999", "")
    operator = portal.signed_in("operator")
    assert operator.get(f"{HOME}/facturas/FAC-000002.pdf").status_code == 404


PATHS = (
    "../EIS-0003/index.html",
    "..%2fEIS-0003/index.html",
    "%2e%2e/EIS-0003/index.html",
    "2021-09/../../EIS-0003/index.html",
    "..%5cEIS-0003%5cindex.html",
    "/etc/passwd",
    "//etc/passwd",
    "assets//page/house.css",
    "./index.html",
    ".staging/lock",
    "index.html%00.pdf",
    "index.html/",
    "2021-09",
    "away/index.html",
    "away.html",
    "notes.exe",
    "C:/index.html",
    "a" * 300,
)


@pytest.mark.parametrize("path", PATHS)
def test_path_tricks_lead_nowhere(portal: Running, path: str) -> None:
    folder = portal.context.settings.sites / "EIS" / "EIS-0001"
    if not (folder / "away").exists():
        os.symlink(folder.parent / "EIS-0003", folder / "away")
        os.symlink(folder.parent / "EIS-0003" / "index.html", folder / "away.html")
        (folder / "notes.exe").write_bytes(b"MZ")
    browser = portal.signed_in("customer")
    status, text = as_sent(browser, f"{HOME}/sitio/{path}")
    assert status in (403, 404)
    assert mark("EIS", "EIS-0003") not in text
    with pytest.raises(NoSuchPage):
        sites.inside(folder, path)


@pytest.mark.parametrize("customer", ["_operator", ".staging", "..", "%2e%2e", "EIS-0003%2f..%2fEIS-0001"])
def test_names_of_customers_lead_nowhere_either(portal: Running, customer: str) -> None:
    for who in ("customer", "operator"):
        status, text = as_sent(portal.signed_in(who), f"/c/EIS/clientes/{customer}/sitio/index.html")
        assert status in (403, 404)
        assert "Mark-" not in text


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "text/html; charset=utf-8"),
        ("2021-09/invoice.html", "text/html; charset=utf-8"),
        ("2021-09/invoice.pdf", "application/pdf"),
        ("assets/page/house.css", "text/css; charset=utf-8"),
    ],
)
def test_a_sites_files_have_their_types(portal: Running, path: str, kind: str) -> None:
    answer = portal.signed_in("customer").get(f"{HOME}/sitio/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)


def test_a_published_page_has_the_way_back_and_the_banner(portal: Running) -> None:
    page = portal.signed_in("customer").get(f"{HOME}/sitio/2021-09/invoice.html").text
    assert f'href="{HOME}"' in page
    assert "view-banner" not in page
    viewed = portal.signed_in("viewer").get(f"{HOME}/sitio/2021-09/invoice.html").text
    assert viewed.index("<body class='x'>") < viewed.index("view-banner") < viewed.index(mark("EIS", "EIS-0001"))


def test_a_published_page_needs_no_inline_style_and_leads_to_the_customers(portal: Running) -> None:
    browser = portal.signed_in("operator")
    for path in ("/c/EIS/sitio/", "/c/EIS/sitio/2021-09.html", f"{HOME}/sitio/"):
        page = browser.get(path).text
        assert " style=" not in page
        assert 'fill="#004488"' in page
        linked = 'href="/c/EIS/clientes/EIS-0002/sitio/2021-09/invoice.html"' in page
        assert linked == (path != f"{HOME}/sitio/")
    assert browser.get("/c/EIS/clientes/EIS-0002/sitio/2021-09/invoice.html").status_code == 200


def test_a_customers_view_shows_what_the_customer_sees_and_changes_nothing(portal: Running) -> None:
    browser = portal.signed_in("operator")
    answer = browser.post(f"{HOME}/ver", page="/c/EIS")
    assert answer.headers["location"] == HOME
    for path in (HOME, f"{HOME}/facturas", f"{HOME}/sitio/"):
        page = browser.get(path)
        assert page.status_code == 200
        assert "view-banner" in page.text, path
        assert "/bitacora" not in page.text
    for path in ("/c/EIS", "/c/EIS/usuarios", "/c/EIS/clientes/EIS-0003", "/cuenta"):
        assert browser.get(path).status_code == 403, path
    for path in ("/c/EIS/usuarios", f"{HOME}/ver", "/cuenta/clave"):
        assert browser.post(path, page=HOME).status_code == 403, path
    names = {(row.actor, row.acting_as) for row in portal.audit("VIEWED")}
    assert ("operator@eis.example", "EIS/EIS-0001") in names
    assert browser.get("/").headers["location"] == HOME
    assert browser.post("/vista/terminar", page=HOME).headers["location"] == "/c/EIS"
    assert browser.get("/c/EIS/usuarios").status_code == 200


def test_a_view_ends_with_the_right_it_rests_on(portal: Running) -> None:
    from eisenergy.store import people, sessions

    admin = Scope(client="EIS", role=Role.SYSTEM_ADMIN)
    grant = Grant(client="EIS", role=Role.CLIENT_ADMIN)
    found = person(portal.database, "short@eis.example", grant)
    with portal.database.signing_in() as connection:
        token = sessions.start(connection, found.user, START)
        sessions.view_as(connection, token, ("EIS", "EIS-0001"))
    browser = portal.browser()
    browser.client.cookies.set("eisenergy", token)
    assert browser.get(HOME).status_code == 200
    limited = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0003"}))
    people.invite(portal.database, admin, "short@eis.example", limited, by=BY, at=START)
    assert browser.get(HOME).status_code in (303, 403)


def test_names_are_texts_and_never_markup(portal: Running) -> None:
    from dataclasses import replace

    from store_cases import make_contract

    from eisenergy.store import masters

    evil = "<script>alert(1)</script><b onclick='x'>\"{{7*7}}"
    contract = make_contract(9)
    contract = replace(contract, customer=replace(contract.customer, name=evil))
    masters.save_contracts(portal.database, Scope.operator("EIS"), [contract])
    audit.record(portal.database, "EIS", audit.Actor(name=evil, address=evil), START, "TEST", evil)
    browser = portal.signed_in("operator")
    pages = [
        browser.get("/c/EIS"),
        browser.get("/c/EIS/clientes/EIS-0009"),
        browser.get("/c/EIS/bitacora"),
        browser.get("/c/EIS", params={"q": evil}),
        browser.get("/entrar", params={"next": evil}),
        browser.post("/c/EIS/usuarios", {"email": evil, "role": "CLIENT_ADMIN"}, page="/c/EIS"),
        browser.post("/c/EIS/usuarios", {"email": "a@b.example", "role": evil}, page="/c/EIS"),
    ]
    for page in pages:
        scripts = re.findall(r"<script[^>]*>", page.text)
        assert all(re.fullmatch(r'<script src="/assets/portal/[a-z]+[.]js" defer>', one) for one in scripts), scripts
        assert "<b onclick" not in page.text
    assert "&lt;script&gt;" in pages[0].text
    assert "{{7*7}}" in pages[0].text


@pytest.mark.parametrize("search", ["%", "_", "' OR 1=1 --", "\\", "eis-0002", "x" * 500, "\x00"])
def test_a_search_is_a_text(portal: Running, search: str) -> None:
    page = portal.signed_in("operator").get("/c/EIS", params={"q": search})
    assert page.status_code == 200
    found = {code for code in ("EIS-0001", "EIS-0002", "EIS-0003") if f'/clientes/{code}"' in page.text}
    every = {"EIS-0001", "EIS-0002", "EIS-0003"}
    assert found == ({"EIS-0002"} if search == "eis-0002" else every if search == "\x00" else set())


@pytest.mark.parametrize("query", ["desde=-1", "desde=99999999999999999999", "desde=%D9%A1", "desde=a", "antes=1e9"])
def test_odd_numbers_in_addresses_fail_nothing(portal: Running, query: str) -> None:
    browser = portal.signed_in("operator")
    assert browser.get(f"/c/EIS?{query}").status_code == 200
    assert browser.get(f"/c/EIS/bitacora?{query}").status_code == 200


def test_operators_invite_and_take_back(portal: Running) -> None:
    browser = portal.signed_in("operator")
    form = {"email": "New@EIS.example", "role": "CUSTOMER_MANAGER", "customers": "EIS-0001, EIS-0002"}
    page = browser.post("/c/EIS/usuarios", form, page="/c/EIS").text
    assert f"{portal.url}/enlace/" in page  # no mail server: the operator hands it over
    assert "new@eis.example" in page
    for bad in (
        {"email": "new2@eis.example", "role": "CUSTOMER_USER", "customers": "EIS-0099"},
        {"email": "new2@eis.example", "role": "CUSTOMER_USER", "customers": ""},
        {"email": "new2@eis.example", "role": "SYSTEM_ADMIN", "customers": ""},
        {"email": "new2@eis.example", "role": "CLIENT_ADMIN", "customers": "EIS-0001"},
    ):
        assert browser.post("/c/EIS/usuarios", bad, page="/c/EIS").status_code == 422, bad
    assert "new2@eis.example" not in browser.get("/c/EIS/usuarios").text
    me = portal.people["operator"].user
    for deed in ("quitar", "desactivar"):
        answer = browser.post(f"/c/EIS/usuarios/{me}/{deed}", page="/c/EIS")
        assert "No puede quitarse" in answer.text
    myself = {"email": "Operator@eis.example ", "role": "CUSTOMER_USER", "customers": "EIS-0001"}
    assert "No puede quitarse" in browser.post("/c/EIS/usuarios", myself, page="/c/EIS").text
    assert browser.post("/c/EIS/usuarios/none/quitar", page="/c/EIS").status_code == 404
    grants = [row for row in portal.audit("GRANT") if row.subject == "new@eis.example"]
    assert grants[0].actor == "operator@eis.example"
    assert grants[0].new == {"client": "EIS", "role": "CUSTOMER_MANAGER", "customers": ["EIS-0001", "EIS-0002"]}


def test_the_log_shows_its_own_sellers_lines_alone(portal: Running) -> None:
    for client in ("EIS", "LUZ"):
        audit.record(portal.database, client, BY, START, "TEST", f"line of {client}")
    page = portal.signed_in("operator").get("/c/EIS/bitacora").text
    assert "line of EIS" in page
    assert "line of LUZ" not in page


def test_spanish_first_and_english_by_switch(portal: Running) -> None:
    browser = portal.signed_in("customer")
    page = browser.get(HOME).text
    assert '<html lang="es">' in page
    assert "Su última factura" in page
    browser.post("/idioma", {"language": "en", "next": HOME}, page=HOME)
    page = browser.get(HOME).text
    assert '<html lang="en">' in page
    assert "Your last invoice" in page
    elsewhere = portal.signed_in("customer")
    assert '<html lang="en">' in elsewhere.get(HOME).text  # the account remembers
    browser.post("/idioma", {"language": "es", "next": HOME}, page=HOME)


_ES, _EN = TEXTS["es"], TEXTS["en"]


def test_both_languages_say_everything() -> None:
    import string

    assert set(_ES) == set(_EN)
    for key, text in _ES.items():
        fields = [{name for _, name, _, _ in string.Formatter().parse(words) if name} for words in (text, _EN[key])]
        assert fields[0] == fields[1], key


def test_every_text_that_a_template_asks_for_is_there() -> None:
    import re

    folder = Path(__file__).parents[2] / "reports" / "portal" / "templates"
    asked = {key for path in folder.glob("*.j2") for key in re.findall(r"\bt\('([^']+)'", path.read_text("utf-8"))}
    assert {key for key in asked if not key.endswith(".")} <= set(_ES)
    for path in folder.glob("*.j2"):
        text = path.read_text("utf-8")
        assert not re.search(
            r"<script(?! src=\"/assets/portal/[a-z-]+\.js\" defer></script>)|<style|\sstyle=|\son[a-z]+=|\|\s*safe",
            text,
        ), path.name
        assert text.count('method="post"') == text.count("{{ hidden() }}") + text.count(
            'name="csrf" value="{{ csrf }}"'
        ) - (path.name == "layout.html.j2"), path.name


def test_somebody_with_several_places_chooses(portal: Running) -> None:
    page = portal.signed_in("manager").get("/").text
    assert f'href="{HOME}"' in page
    assert 'href="/c/EIS/clientes/EIS-0002"' in page
    assert "EIS-0003" not in page
    assert portal.signed_in("customer").get("/").headers["location"] == HOME
    assert portal.signed_in("operator").get("/").headers["location"] == "/c/EIS"
    assert 'href="/c/LUZ"' in portal.signed_in("admin").get("/").text
    assert "no tiene permisos" in portal.signed_in("stranger").get("/").text


def test_accounts_come_in_pages(portal: Running) -> None:
    for n in range(60):
        right = Grant(client="LUZ", role=Role.CUSTOMER_USER, customers=frozenset({f"EIS-000{1 + n % 3}"}))
        person(portal.database, f"page-{n:02d}@pages.example", right, password=None)
    scope = Scope.operator("LUZ")
    every = people.users(portal.database, scope)
    addresses = [user.email for user in every]
    assert addresses == sorted(addresses)
    assert len(addresses) > 60
    assert people.users(portal.database, scope, limit=7) == every[:7]
    assert people.users(portal.database, scope, after=addresses[6], limit=5) == every[7:12]
    some = people.users(portal.database, scope, search="EIS-0002")
    assert some == tuple(user for user in every if "EIS-0002" in (user.grants[0].customers or ()))
    assert people.users(portal.database, scope, search="PAGE-0_") == ()
    browser = portal.signed_in("neighbour")
    first = browser.get("/c/LUZ/usuarios").text
    after = re.search(r'href="(/c/LUZ/usuarios\?q=&amp;desde=[^"]+)"', first)
    assert after is not None
    second = browser.get(after[1].replace("&amp;", "&")).text
    assert addresses[49] in first
    assert addresses[50] not in first
    assert addresses[50] in second
    assert addresses[49] not in second.split("<main")[1]
    assert "Ninguna cuenta coincide" in browser.get("/c/LUZ/usuarios?q=nobody%25").text
