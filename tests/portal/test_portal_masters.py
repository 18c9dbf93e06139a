"""Operators' pages of tariffs, calendars and customers: forms checked field by field, proposals, edits that meet others."""

from __future__ import annotations

import html
import re
import uuid
from dataclasses import replace
from datetime import date
from decimal import Decimal

import httpx2
import pytest
from portal_cases import BY, Browser, Running, mark
from sqlalchemy import text
from store_cases import make_contract

from eisenergy.accounts import Scope
from eisenergy.desk import proposing
from eisenergy.desk.workspace import Workspace
from eisenergy.period import BillingMonth
from eisenergy.store import contract_list, jobs, masters, proposals
from eisenergy.store.lake import Lake

EIS = Scope.operator("EIS")
FORM = "/c/EIS/tarifas/EIS-TOU/nueva"
HOURS = "/c/EIS/calendarios/EIS/nueva"
RECORD = "/c/EIS/clientes/EIS-0001/ficha"


@pytest.fixture
def operator(portal: Running) -> Browser:
    return portal.signed_in("operator")


def fields(page: str) -> dict[str, str]:
    """The fields of the last form of a page, as a browser would send them."""
    form = page[page.rindex('<form class="span-12 sheets"') :]
    form = form[: form.index("</form>")]
    found = {}
    for tag in re.findall(r"<input[^>]*>", form):
        known = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        if known.get("type") == "checkbox" and " checked" not in tag:
            continue
        found[known["name"]] = html.unescape(known.get("value", ""))
    for name, body in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>([^<]*)</textarea>', form):
        found[name] = html.unescape(body)
    for name, body in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form, re.DOTALL):
        found[name] = html.unescape(re.search(r"<option selected>([^<]*)", body)[1])
    return found


def faults(answer: httpx2.Response) -> dict[str, str]:
    """What is said beside which field."""
    return {
        name: html.unescape(said)
        for name, said in re.findall(r'<span class="fault" id="fault-([^"]*)">([^<]*)</span>', answer.text)
    }


def send(browser: Browser, path: str, **changes: str) -> httpx2.Response:
    given = fields(browser.get(path).text) | {key.replace("__", "-"): value for key, value in changes.items()}
    return browser.client.post(path, data=given, headers={"Origin": browser.running.url})


def settle(portal: Running, address: str) -> proposals.Proposal:
    """Do the work of a proposal's job."""
    id = uuid.UUID(address.rsplit("/", 1)[-1])
    lake = Lake.open(portal.context.settings, portal.database)
    workspace = Workspace(settings=portal.context.settings, database=portal.database, lake=lake)
    found = proposals.find(portal.database, EIS, id)
    proposing.compare(workspace, EIS, found, lambda _: None, lambda _: None)
    with portal.database.session(EIS) as connection:  # as the worker does
        connection.execute(text("UPDATE eisenergy.jobs SET state = 'done' WHERE id = :id"), {"id": found.job})
    return proposals.find(portal.database, EIS, id)


def test_the_tariffs_are_a_dated_table(operator: Browser) -> None:
    page = operator.get("/c/EIS/tarifas").text
    assert page.index("Desde el 15/07/2021") < page.index("Desde el 01/01/2021")
    assert "hasta el 14/07/2021" in page
    newest = page[page.index("Desde el 15/07/2021") : page.index("Desde el 01/01/2021")]
    assert "vigente hoy" in newest
    assert "0.122" in newest
    assert "7.612" in newest
    assert "máxima del mes, al precio de Valle" in page


def test_the_form_begins_with_the_newest_version(operator: Browser) -> None:
    found = fields(operator.get(FORM).text)
    assert found["rate-energy-2"] == "0.122"
    assert found["rate-demand-0"] == "7.612"
    assert found["value-vat_rate"] == "0.13"
    assert found["start"] == ""
    assert operator.get("/c/EIS/tarifas/NO/nueva").status_code == 404


def test_what_is_wrong_stands_beside_its_field_in_spanish(operator: Browser, portal: Running) -> None:
    before = masters.tariff(portal.database, EIS, "EIS-TOU")
    answer = send(
        operator, FORM, start="2021-10-01", rate__energy__0="-1", rate__energy__1="0,12", rate__energy__2="", rate__demand__0="NaN",
        rate__demand__1="1e3", value__vat_rate="13", rate__cost_neg__0="0.1",
    )  # fmt: skip
    assert answer.status_code == 422
    number, share = "No es un número", "No es una fracción"
    said = faults(answer)
    assert {name: said[name].split(":")[0] for name in said} == {
        "rate-energy-0": number,
        "rate-energy-1": number,
        "rate-energy-2": "Falta el valor",
        "rate-demand-0": number,
        "rate-demand-1": number,
        "value-vat_rate": share,
    }
    assert 'value="0,12"' in answer.text, "what was typed stays"
    # the rest of a kind that is begun; found by the check that a month's bills go through
    assert set(faults(send(operator, FORM, start="2021-10-01", rate__cost_neg__0="0.1"))) == {
        "rate-cost_neg-1",
        "rate-cost_neg-2",
    }
    for start in ("", "2021-02-30", "1999-01-01", "3000-01-01", "01/10/2021", "2021-10-01'--"):
        assert set(faults(send(operator, FORM, start=start, rate__energy__0="0.2"))) == {"start"}, start
    assert "Nada cambia" in faults(send(operator, FORM, start="2021-10-01"))["start"]
    taken = send(operator, FORM, start="2021-07-15", rate__energy__0="0.2")
    assert "Ya hay una versión" in faults(taken)["start"]
    assert 'name="correct"' in taken.text
    assert masters.tariff(portal.database, EIS, "EIS-TOU") == before


def test_a_version_is_looked_at_saved_once_and_then_in_force(operator: Browser, portal: Running) -> None:
    database = portal.database
    before = masters.tariff(database, EIS, "EIS-TOU")
    first = send(operator, FORM, start="2021-09-01", rate__energy__2="0.2").headers["location"]
    second = send(operator, FORM, start="2021-10-01", rate__energy__2="0.3").headers["location"]
    waits = operator.get(first)
    assert "Espera su turno" in waits.text
    assert "Guardar</button>" not in waits.text
    early = operator.post(f"{first}/guardar", page=first)
    assert (early.status_code, "Aún no se sabe" in early.text) == (409, True)
    for address in (first, second):
        settle(portal, address)
    page = operator.get(first).text
    assert "no cambian" in page.lower()
    assert "septiembre de 2021 (3)" in page
    assert masters.tariff(database, EIS, "EIS-TOU") == before, "nothing is saved before somebody says so"
    assert operator.post(f"{first}/guardar", page=first).headers["location"] == first
    assert operator.post(f"{first}/guardar", page=first).headers["location"] == first, "pressed twice"
    after = masters.tariff(database, EIS, "EIS-TOU")
    assert after.rate("energy", "PUNTA", date(2021, 9, 1))[1].value == Decimal("0.2")
    assert after.rate("energy", "PUNTA", date(2021, 8, 31))[1].value == Decimal("0.122")
    (line,) = portal.audit("TARIFF")
    assert (line.actor, line.subject) == ("operator@eis.example", "EIS-TOU")
    assert (line.old["values"]["energy PUNTA"], line.new["values"]["energy PUNTA"]) == ("0.122", "0.2")
    assert "Guardada por operator@eis.example" in operator.get(first).text
    stale = operator.get(second).text
    assert "ya no se puede guardar" in stale
    assert "Guardar</button>" not in stale
    refused = operator.post(f"{second}/guardar", page=second)
    assert (refused.status_code, "ya no se puede guardar" in refused.text) == (409, True)
    assert masters.tariff(database, EIS, "EIS-TOU") == after


def test_a_form_that_somebody_overtook(operator: Browser, portal: Running) -> None:
    given = fields(operator.get(FORM).text) | {"start": "2022-01-01", "rate-energy-0": "0.5"}
    given.pop("csrf")
    masters.save_tariff(portal.database, EIS, replace(masters.tariff(portal.database, EIS, "EIS-TOU"), version="other"))
    answer = operator.post(FORM, given, page=FORM)
    assert answer.status_code == 409
    assert "alguien guardó otra versión" in answer.text
    assert 'value="0.5"' in answer.text
    for base in ("", "x", "-1", "9" * 30, "1;DROP"):
        assert operator.post(FORM, given | {"base": base}, page=FORM).status_code == 409


def test_another_sellers_proposal_is_not_there(operator: Browser, portal: Running) -> None:
    before = portal.refusals()
    for path in (
        f"/c/EIS/propuestas/{portal.proposed['LUZ']}",
        "/c/EIS/propuestas/x",
        f"/c/EIS/propuestas/{uuid.uuid4()}",
    ):
        assert operator.get(path).status_code == 404
    assert operator.post(f"/c/EIS/propuestas/{portal.proposed['LUZ']}/guardar").status_code == 404
    assert portal.refusals() == before + 4


def test_a_calendar_by_its_form(operator: Browser, portal: Running) -> None:
    page = operator.get("/c/EIS/calendarios")
    assert page.text.count("<svg") >= 4, "each calendar for telephones and wide screens"
    assert "#BB5566" in page.text, "PUNTA in the reports' colour"
    found = fields(operator.get(HOURS).text)
    assert (found["from-2"], found["to-2"], found["block-2"]) == ("18:00", "23:00", "PUNTA")
    assert found["holidays"] == "2021-09-15"
    cases = {
        ("to__2", "22:00"): ("hours", "Falta el bloque de 22:00 a 23:00 (laborables)"),
        ("to__1", "19:00"): ("hours", "Las 18:00 (laborables) están dos veces, en RESTO y en PUNTA"),
        ("from__2", "18h"): ("from-2", "Se esperaba una hora como 05:00"),
        ("to__2", "25:00"): ("to-2", "a lo más 24:00"),
        ("block__2", ""): ("block-2", "Escriba el nombre"),
        ("season__2", "seca"): ("hours", "La temporada seca no está"),
        ("seasons", "13-45 seca"): ("seasons", "mes y día"),
        ("seasons", "02-30 seca"): ("hours", "empieza un día que no existe"),
        ("holidays", "2021-02-30 X"): ("holidays", "que exista"),
        ("holidays", "15/09/2021"): ("holidays", "que exista"),
    }
    for (name, value), (field, said) in cases.items():
        answer = send(operator, HOURS, **{name: value})
        assert answer.status_code == 422, (name, value)
        assert said in faults(answer)[field], (name, value, faults(answer))
    odd = send(operator, HOURS, from__2="18:07", to__1="18:07")
    assert "intervalo de 15 minutos" in faults(odd)["hours"]
    nothing = {f"{name}__{n}": "" for n in range(6) for name in ("from", "to", "block")}
    assert set(faults(send(operator, HOURS, **nothing))) == {"hours"}
    more = send(operator, HOURS, more="1")
    assert (more.status_code, "from-6" in fields(more.text)) == (200, True)
    address = send(operator, HOURS, from__2="19:00", to__1="19:00", holidays="2021-12-25 Navidad").headers["location"]
    settle(portal, address)
    page = operator.get(address).text
    assert re.search(r"18:00–19:00</td>.*Resto|18:00–19:00.*?Punta.*?Resto", page, re.DOTALL)
    assert "Feriados nuevos: 25/12/2021." in page
    assert "Feriados que se quitan: 15/09/2021." in page
    assert "septiembre de 2021 (3)" in page
    assert operator.post(f"{address}/guardar", page=address).status_code == 303
    calendar = masters.calendar(portal.database, EIS, "EIS")
    assert [block for _, _, block in calendar.day_blocks(date(2021, 9, 1))] == ["VALLE", "RESTO", "PUNTA", "VALLE"]
    assert calendar.holidays == {date(2021, 12, 25)}
    (line,) = portal.audit("CALENDAR")
    assert line.old["hours"][2]["from"] == "18:00"
    assert line.new["hours"][2]["from"] == "19:00"


def test_a_workbook_of_hours_is_kept_for_the_job_that_reads_it(operator: Browser, portal: Running) -> None:
    page = "/c/EIS/calendarios"
    path = f"{page}/EIS/archivo"
    content = (portal.context.settings.samples / "Bloques horarios.xlsx").read_bytes()
    for name, body in (("x.pdf", content), ("x.xlsx", b""), ("x.xlsx", b"x" * (3 << 20))):
        answer = operator.post(path, page=page, files=[("files", (name, body))])
        assert (answer.status_code, "HoraInicial" in answer.text) == (422, True), name
    assert operator.post(path, page=page).status_code == 422
    address = operator.post(path, page=page, files=[("files", ("../Bloques horarios.xlsx", content))]).headers[
        "location"
    ]
    proposal = proposals.find(portal.database, EIS, uuid.UUID(address.rsplit("/", 1)[-1]))
    assert proposal.document is None
    assert proposal.origin["name"] == "Bloques horarios.xlsx"
    assert operator.get(address).status_code == 200
    assert operator.post(f"{address}/guardar", page=address).status_code == 409
    assert jobs.find(portal.database, EIS, proposal.job).kind == "whatif"


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("", 3),
        ("eis-0002", 1),
        ("mark-eis", 3),
        ("MÁRK EIS-0003", 1),
        ("m2", 1),
        ("0001 m1", 1),
        ("%", 0),
        ("_", 0),
        ("' OR 1=1 --", 0),
        ("\\", 0),
        ("LUZ", 0),
    ],
)
def test_customers_are_found(operator: Browser, search: str, expected: int) -> None:
    page = operator.get("/c/EIS/clientes", params={"q": search}).text
    assert page.count("/ficha?contrato=") == expected


def test_accents_and_capitals_do_not_matter(operator: Browser, portal: Running) -> None:
    contract = replace(make_contract(9), meter=replace(make_contract(9).meter, serial="ÑANDÚ-9"))
    contract = replace(contract, customer=replace(contract.customer, name="Panadería Santa LUCÍA, S.A."))
    masters.save_contracts(portal.database, EIS, [contract])
    for search in ("panaderia lucia", "PANADERÍA", "lucía santa", "nandu", "ñandu-9"):
        assert "Santa LUCÍA" in operator.get("/c/EIS/clientes", params={"q": search}).text, search
    words = "Panadería Ñandú ß İ ﬁ Ⅳ Å"
    with portal.database.session(EIS) as connection:
        theirs = connection.execute(text("SELECT eisenergy.folded(:words)"), {"words": words}).scalar_one()
    assert contract_list.folded(words) == theirs
    assert operator.get("/c/EIS/clientes", params={"q": "x", "desde": "9" * 40}).status_code == 200


def test_an_edit_is_checked_saved_and_told(operator: Browser, portal: Running) -> None:
    database = portal.database
    before = masters.contract(database, EIS, "EIS-0001")
    answer = send(
        operator, RECORD, name="", contracted_kw="6,5", retention="150", discount="-1", start="2021-02-30", meter="",
        tariff="EIS-TOU",
    )  # fmt: skip
    assert answer.status_code == 422
    assert set(faults(answer)) == {"name", "contracted_kw", "retention", "discount", "start", "meter"}
    assert "punto decimal" in faults(answer)["contracted_kw"]
    assert 'value="6,5"' in answer.text
    assert "No hay una tarifa" in faults(send(operator, RECORD, tariff="NADA"))["tariff"]
    twice = send(operator, RECORD, meter="M2")
    assert (twice.status_code, set(faults(twice))) == (409, {"meter"})
    assert masters.contract(database, EIS, "EIS-0001") == before
    given = {"phone": "2222-7777", "contracted_kw": "700.5", "end": "2026-12-31", "name": "<b>Acero & Cía</b>"}
    answer = send(operator, RECORD, **given)
    assert answer.status_code == 303, answer.text
    page = operator.get(answer.headers["location"]).text
    assert "Guardado." in page
    assert "&lt;b&gt;Acero &amp; Cía&lt;/b&gt;" in page
    after = masters.contract(database, EIS, "EIS-0001")
    assert (after.customer.phone, after.end) == ("2222-7777", date(2027, 1, 1))
    assert (after.contracted_kw.value, after.contracted_kw.origin) == (Decimal("700.5"), "portal, 2026-11-01")
    assert after.municipal_fee == before.municipal_fee, "what was not changed keeps its origin"
    assert after.notes == before.notes
    assert {one.code: one for one in masters.customers(database, EIS)}["EIS-0001"] == after.customer
    (line,) = portal.audit("CONTRACT")
    assert line.old["phone"] == before.customer.phone
    assert line.new == given
    history = page[page.rindex("Historial") :]
    assert "operator@eis.example" in history
    assert "2222-7777" in history
    assert "Primera versión" in history
    assert "por importación" in history
    assert send(operator, RECORD).status_code == 303, "nothing changed, nothing written"
    assert len(portal.audit("CONTRACT")) == 1


def test_two_who_edit_at_once(operator: Browser, portal: Running) -> None:
    path = "/c/EIS/clientes/EIS-0002/ficha"
    mine = fields(operator.get(path).text)
    mine.pop("csrf")
    other = portal.signed_in("admin")
    assert send(other, path, phone="1111-1111").status_code == 303
    answer = operator.post(path, mine | {"phone": "9999-9999"}, page=path)
    assert answer.status_code == 409
    assert "alguien cambió este contrato" in answer.text
    table = answer.text[answer.text.index("Ahora dice") :]
    assert "1111-1111" in table[:600]
    assert "9999-9999" in table[:600]
    assert masters.contract(portal.database, EIS, "EIS-0002").customer.phone == "1111-1111"
    contract = masters.contract(portal.database, EIS, "EIS-0002")
    with pytest.raises(contract_list.Changed) as found:  # both had looked before either saved
        contract_list.change(portal.database, EIS, contract, shown=mine["shown"], by=BY, at=portal.clock())
    assert found.value.now == contract
    again = fields(answer.text)
    again.pop("csrf")
    assert operator.post(path, again, page=path).status_code == 303
    assert masters.contract(portal.database, EIS, "EIS-0002").customer.phone == "9999-9999"
    assert operator.post(path, again | {"shown": ""}, page=path).status_code == 409


def test_a_customer_with_two_contracts(operator: Browser, portal: Running) -> None:
    first = masters.contract(portal.database, EIS, "EIS-0003")
    second = replace(first, number="EIS-0003-B", meter=replace(first.meter, serial="M33"))
    masters.save_contracts(portal.database, EIS, [first, second])
    path = "/c/EIS/clientes/EIS-0003/ficha"
    assert "contrato=EIS-0003-B" in operator.get(path).text
    send(operator, f"{path}?contrato=EIS-0003-B", email="nuevo@eis.example")
    found = masters.contracts(portal.database, EIS, customer="EIS-0003")
    assert {one.customer.email for one in found} == {"nuevo@eis.example"}, "one customer, described one way"
    assert operator.get(f"{path}?contrato=EIS-0001").status_code == 404
    assert operator.post(path, {"contract": "EIS-0001"}, page=path).status_code == 404
    assert operator.get("/c/EIS/clientes/NO/ficha").status_code == 404


def test_edits_are_the_sellers_own(portal: Running) -> None:
    contract = masters.contract(portal.database, EIS, "EIS-0001")
    for scope in (Scope.customer("EIS", "EIS-0001"), replace(EIS, customers=frozenset({"EIS-0001"}))):
        with pytest.raises(PermissionError):
            contract_list.change(
                portal.database, scope, contract, shown=contract_list.seen(contract), by=BY, at=portal.clock()
            )
        with pytest.raises(PermissionError):
            contract_list.history(portal.database, scope, "EIS-0001")
    count, lines = contract_list.lines(portal.database, Scope.operator("LUZ"))
    assert (count, {line.name for line in lines}) == (3, {mark("LUZ", line.contract) for line in lines})


def test_many_lines_come_in_pages_with_the_largest_differences_first(operator: Browser, portal: Running) -> None:
    database = portal.database
    address = send(operator, FORM, start="2023-01-01", rate__energy__2="0.9").headers["location"]
    proposal = settle(portal, address)
    lines = [
        proposals.Effect(
            contract=f"X-{n:03d}", customer="EIS-0001", name=f"Cliente {n}", month=BillingMonth(2021, 9),
            before=Decimal(100), after=Decimal(100 + n), dated=Decimal(100),
        )
        for n in range(60)
    ]  # fmt: skip
    proposals.begin(database, EIS, proposal.id)
    proposals.keep(database, EIS, proposal.id, lines)
    largest = [proposing._line(one) for one in reversed(lines[40:])]
    summary = proposal.summary | {"lines": 60, "largest": largest}
    proposals.settle(database, EIS, proposal.id, proposal.beside, summary)
    page = operator.get(address).text
    first, rest = page[page.index("Las mayores diferencias") :].split("Cliente por cliente")
    assert re.findall(r"X-\d\d\d</span>", first) == [f"X-{n:03d}</span>" for n in range(59, 39, -1)]
    assert "+USD\xa059.00" in first
    assert re.findall(r"X-\d\d\d</span>", rest) == [f"X-{n:03d}</span>" for n in range(50)]
    second = operator.get(f"{address}?desde=50").text
    assert "Las mayores diferencias" not in second
    assert re.findall(r"X-\d\d\d</span>", second) == [f"X-{n:03d}</span>" for n in range(50, 60)]
