"""A month in the portal: drafts, review, issue, each once; against the command line on a second workspace and the reference workbook."""

from __future__ import annotations

import html
import io
import json
import re
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from portal_cases import Browser, Clock, Running, person, serving
from pypdf import PdfReader
from sqlalchemy import text
from store_cases import make_client
from typer.testing import CliRunner

from eisenergy.accounts import Role, Scope
from eisenergy.cli import app
from eisenergy.cli.context import explains_itself
from eisenergy.cli.working import ALL_KINDS
from eisenergy.config import Settings
from eisenergy.desk.workspace import Workspace
from eisenergy.masters import calendars, clients, customers
from eisenergy.period import BillingMonth
from eisenergy.run import intake
from eisenergy.store import attempts, books, jobs, masters, month_jobs, selection, server
from eisenergy.store.database import Database, provision
from eisenergy.store.grants import Grant
from eisenergy.store.lake import Lake
from eisenergy.tariffs import load as tariffs
from eisenergy.work.running import Runner

EIS = Scope.operator("EIS")
SEPTEMBER = BillingMonth(2021, 9)
AUGUST = BillingMonth(2021, 8)
HOME = "/c/EIS/facturacion"
PAGE = f"{HOME}/2021-09"
READINGS = ("Ejemplo de procesamiento de descargas de medidores.xlsx", "5741444.csv")
REFERENCE = Decimal("12989.48")
"""The amount to pay in the workbook that a spreadsheet program calculated."""


@dataclass
class Desk:
    """An operator before the portal, and a worker that does what was asked for when it is told to."""

    running: Running
    browser: Browser
    workspace: Workspace

    def get(self, path: str = PAGE, status: int = 200) -> str:
        answer = self.browser.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:3000])
        return answer.text

    def post(self, path: str, data: dict[str, str] | None = None, **options: str) -> httpx2.Response:
        self.running.clock.turn(timedelta(seconds=1))  # of two jobs the later one is the newer
        return self.browser.post(path, data, page=PAGE, **options)

    def work(self) -> list[jobs.Job]:
        """Do all jobs that wait, the oldest first, as a worker does."""
        database = self.running.database
        runner = Runner(workspace=self.workspace, kinds=ALL_KINDS, explains=explains_itself, stopping=threading.Event())
        waiting = jobs.listed(database, EIS, state=jobs.WAITING)
        for job in reversed(waiting):
            runner.run("EIS", job.id, 0)
        return [jobs.find(database, EIS, job.id) for job in reversed(waiting)]

    def seen(self, which: str = "all", *chosen: str) -> dict[str, str]:
        """What the form of the page that asks for a confirmation holds."""
        page = self.get(f"{PAGE}/emitir?que={which}" + "".join(f"&c={one}" for one in chosen))
        found = re.search(r'name="fingerprint" value="([0-9a-f]{64})"', page)
        assert found is not None, page
        held = re.search(r'<textarea hidden name="contracts"[^>]*>([^<]*)</textarea>', page)
        return {"which": which, "fingerprint": found[1], "contracts": held[1] if held else ""}


def furnish(settings: Settings, workspace: Workspace) -> None:
    """The seller's masters, and September's readings of two of its eight customers."""
    database, schemas = workspace.database, settings.params / "schemas"
    masters.save_client(database, EIS, clients.load(settings.params / "clients" / "EIS.yaml", schemas=schemas))
    hours = calendars.read_spreadsheet(settings.samples / "Bloques horarios.xlsx", "eis-bloques")
    masters.save_calendar(database, EIS, hours)
    rules = tariffs.read_yaml(settings.params / "tariffs" / "EIS-TOU.yaml", schemas=schemas)
    rates = tariffs.read_spreadsheet(settings.samples / "Tarifas EIS-TOU.xlsx")
    masters.save_tariff(database, EIS, tariffs.combine(rules, rates))
    listed = customers.read(settings.samples / "Datos de clientes para facturación.xlsx")
    masters.save_contracts(database, EIS, listed.contracts)
    intake.ingest(workspace, EIS, [settings.samples / name for name in READINGS])


@pytest.fixture(scope="module")
def desk(settings: Settings, database: Database, lake: Lake) -> Iterator[Desk]:
    workspace = Workspace(settings=settings, database=database, lake=lake)
    furnish(settings, workspace)
    masters.save_client(database, Scope.operator("LUZ"), make_client("LUZ", name="Vende LUZ"))
    with serving(settings, database, Clock()) as running:
        operator = Grant(client="EIS", role=Role.CLIENT_ADMIN)
        running.people = {
            "operator": person(database, "operator@eis.example", operator),
            "second": person(database, "second@eis.example", operator),
        }
        yield Desk(running, running.signed_in("operator"), workspace)


@pytest.fixture
def drafted(desk: Desk) -> Desk:
    """Drafts of everybody that can be billed."""
    desk.post(f"{PAGE}/generar")
    desk.work()
    return desk


@pytest.fixture
def issued(desk: Desk) -> Desk:
    """The month issued: by the tests before, or now, where only the long ones are run."""
    if not invoices(desk):
        desk.post(f"{PAGE}/generar")
        desk.work()
        assert desk.post(f"{PAGE}/emitir", desk.seen()).status_code == 303
        desk.work()
    return desk


def invoices(desk: Desk) -> dict[str, str]:
    return {head.contract: head.number for head in books.heads(desk.running.database, EIS, SEPTEMBER)}


def test_drafts_are_made_and_reviewed(desk: Desk) -> None:
    assert "2021-09" in desk.get(HOME)
    assert desk.browser.get(f"{HOME}?mes=2021-09").headers["location"] == PAGE
    assert "Presione «Generar facturas»" in desk.get()
    answer = desk.post(f"{PAGE}/generar")
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    page = desk.get()
    assert f"/c/EIS/trabajos/{_newest(desk).id}/avance" in page
    assert "generar" not in page.replace("Generar", "")  # nothing is asked for beside what is under way
    desk.post(f"{PAGE}/generar")
    done = desk.work()
    assert [(job.kind, job.state, job.result["drafts"], job.result["parked_count"]) for job in done] == [
        ("bill", "done", 2, 6)
    ]
    page = desk.get()
    assert "12,989.48" in page
    drafts = {draft.bill.contract.number: draft for draft in books.drafts(desk.running.database, EIS, SEPTEMBER)}
    assert drafts["EIS-0001"].bill.total == REFERENCE
    assert f"{sum(draft.bill.total for draft in drafts.values()):,.2f}" in page  # over all of them
    stages = re.findall(r'<span class="value">([^<]*)</span>', page[page.index('class="stages"') :])[:4]
    assert stages == ["2", "2", "0", "—"]
    waiting = desk.get(f"{PAGE}?ver=waiting")
    assert re.findall(r"/contrato/(EIS-\d+)", waiting) == [f"EIS-000{n}" for n in range(3, 9)]
    assert waiting.count("no reading in [2021-09-01, 2021-10-01). Ingest the meter") == 6


def _newest(desk: Desk) -> jobs.Job:
    return month_jobs.newest(desk.running.database, EIS, SEPTEMBER)[0]


@dataclass
class Second:
    """A second workspace with the same files, on which the commands are given."""

    settings: Settings

    def call(self, *words: str) -> dict[str, Any]:
        said = CliRunner().invoke(app, [*words, "--json"], env=dict(self.settings.environment()))
        assert said.exit_code in (0, 1), said.output
        # The portal of this process may log the request before meanwhile.
        told = re.search(r"^\{.*", said.stdout, re.MULTILINE | re.DOTALL)
        assert told is not None, said.stdout
        found: dict[str, Any] = json.loads(told[0])
        return found


@pytest.fixture(scope="module")
def second(postgres: server.Server, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Second:
    home = tmp_path_factory.mktemp("second")
    url = provision(postgres, "portal_billing_second")
    found = replace(settings, home=home, database_url=url, lake=str(home / "lake"))
    with Database.open(found) as database:
        furnish(found, Workspace(settings=found, database=database, lake=Lake.open(found, database)))
    return Second(found)


def test_a_drafts_page_has_its_eleven_lines_and_where_each_rate_came_from(drafted: Desk) -> None:
    for draft in books.drafts(drafted.running.database, EIS, SEPTEMBER):
        assert len(draft.bill.lines) == 11
        page = drafted.get(f"{PAGE}/contrato/{draft.bill.contract.number}")
        for line in draft.bill.lines:
            assert f">{line.amount:,.2f}<".replace("-", "−") in page
            for part in line.parts:
                assert html.escape(part.origin) in page


def test_lists_are_sorted_filtered_and_cut(drafted: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from eisenergy.portal.pages import billing

    def order(query: str) -> list[str]:
        return re.findall(r"/contrato/(EIS-\d+)", drafted.get(f"{PAGE}?{query}"))

    assert order("orden=-total") == ["EIS-0001", "EIS-0002"]
    assert order("orden=total") == ["EIS-0002", "EIS-0001"]
    assert order("q=0002") == ["EIS-0002"]
    assert order("q=%25") == order("q=_0002") == []
    assert order("q=' OR 1=1 --") == []
    for odd in ("orden=drop", "orden=-", "ver=everything", "desde=-5", "desde=x", "q=%00", "desde=99999999999"):
        drafted.get(f"{PAGE}?{odd}")
    monkeypatch.setattr(billing, "PAGE", 1)
    assert order("") == ["EIS-0001"]
    assert order("desde=1") == ["EIS-0002"]
    assert order("desde=9999999") == []
    for odd in ("-1", "x", "%D9%A1", "10000000", "1e0"):
        assert order(f"desde={odd}") == ["EIS-0001"], "no number of seven digits at most: from the beginning"
    assert "13,0" not in drafted.get(f"{PAGE}?ver=warned&q=none")
    for path in ("2021-13", "1999-01", "abc", "0000-00"):
        drafted.get(f"{HOME}/{path}", 404)
    assert drafted.browser.get(f"{HOME}?mes=x").status_code == 422
    drafted.get(f"{PAGE}/contrato/none", 404)
    drafted.get(f"{PAGE}/fallo/EIS-0001", 404)
    assert drafted.post(f"{PAGE}/generar", {"contract": "EIS-9999"}).status_code == 404


def test_the_month_before_is_compared_with(drafted: Desk) -> None:
    """A draft of August with a known total, written beside: the differences are then known, too."""
    database = drafted.running.database
    draft = books.draft(database, EIS, "EIS-0001", SEPTEMBER)
    assert draft is not None
    books.save_drafts(database, EIS, AUGUST, [draft])
    with database.session(EIS) as connection:
        connection.execute(text("UPDATE eisenergy.drafts SET total = 10000 WHERE month = '2021-08'"))
    try:
        page = drafted.get()
        assert "+2,989.48" in page
        assert "+29.9 %" in page
        assert "0 de 8 contratos" in drafted.get(f"{HOME}/2021-08")  # of one alone there is a draft
        page = drafted.get(f"{PAGE}/contrato/EIS-0001")
        assert "+2,989.48" in page
        assert re.findall(r"/contrato/(EIS-\d+)", drafted.get(f"{PAGE}?orden=-share"))[0] == "EIS-0001"
    finally:
        with database.session(EIS) as connection:
            connection.execute(text("DELETE FROM eisenergy.drafts WHERE month = '2021-08'"))


def test_what_changed_since_it_was_reviewed_is_not_issued(drafted: Desk) -> None:
    seen = drafted.seen()
    _change(drafted, "EIS-0002")
    answer = drafted.post(f"{PAGE}/emitir", seen)
    assert answer.status_code == 409
    assert "ya no son los que usted revis" in answer.text
    # changed between the form and the worker
    seen = drafted.seen()
    assert drafted.post(f"{PAGE}/emitir", seen).status_code == 303
    _change(drafted, "EIS-0002")
    (job,) = drafted.work()
    assert (job.state, job.problem["code"]) == ("refused", "refused")
    assert "are not those that were reviewed" in job.problem["text"]
    assert invoices(drafted) == {}
    page = drafted.get()
    assert "are not those that were reviewed" in page
    assert re.findall(r"/contrato/(EIS-\d+)", page) == ["EIS-0001", "EIS-0002"]  # the list is there again


def _change(desk: Desk, contract: str) -> None:
    with desk.running.database.session(EIS) as connection:
        connection.execute(
            text("UPDATE eisenergy.drafts SET input_hash = md5(input_hash) WHERE contract = :c"), {"c": contract}
        )


def test_a_form_that_says_nothing_issues_nothing(drafted: Desk) -> None:
    for form in ({}, {"which": "all"}, {"which": "all", "fingerprint": "x" * 64}, {"fingerprint": "0" * 64}):
        answer = drafted.post(f"{PAGE}/emitir", form)
        assert answer.status_code in (409, 422), form
    assert drafted.work() == []
    assert "elija al menos uno" in drafted.get(f"{PAGE}/emitir?que=chosen")
    assert "elija al menos uno" in drafted.get(f"{PAGE}/emitir?que=chosen&c=EIS-0003&c=%00&c=<b>")


def test_of_two_who_issue_at_once_one_does(drafted: Desk) -> None:
    """Two operators, each with two presses; and afterwards the same form once more. Every invoice is there once."""
    page = drafted.get(f"{PAGE}/emitir?que=all")
    total = sum(draft.bill.total for draft in books.drafts(drafted.running.database, EIS, SEPTEMBER))
    assert f"{total:,.2f}" in page
    assert re.search(r"<td>2</td>", page)
    seen = drafted.seen()
    tabs = [drafted.running.signed_in(who) for who in ("operator", "operator", "second", "second")]
    tokens = [tab.token(PAGE) for tab in tabs]
    gate, answers = threading.Barrier(len(tabs)), []

    def press(tab: Browser, token: str) -> None:
        gate.wait()
        headers = {"Origin": drafted.running.url}
        answers.append(tab.client.post(f"{PAGE}/emitir", data={**seen, "csrf": token}, headers=headers))

    threads = [threading.Thread(target=press, args=pair) for pair in zip(tabs, tokens, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [303, 409, 409, 409]
    assert all("Ninguna se emite dos veces" in answer.text for answer in answers if answer.status_code == 409)
    done = drafted.work()
    assert [(job.kind, job.state, job.result["issued_count"]) for job in done] == [("issue", "done", 2)]
    assert invoices(drafted) == {"EIS-0001": "FAC-000001", "EIS-0002": "FAC-000002"}
    replayed = drafted.post(f"{PAGE}/emitir", seen)
    assert replayed.status_code == 409
    assert "Ninguna se emite dos veces" in replayed.text
    assert drafted.work() == []
    page = drafted.get(f"{PAGE}?ver=issued")
    assert "FAC-000001" in page
    assert "12,989.48" in page
    assert "12,989.48" in drafted.get(f"{PAGE}/contrato/EIS-0001")
    issued = drafted.running.audit("ISSUED")
    assert [(line.new["invoices"], line.new["first"], line.new["last"]) for line in issued] == [
        (2, "FAC-000001", "FAC-000002")
    ]
    assert issued[0].actor in ("operator@eis.example", "second@eis.example")
    overview = drafted.get("/c/EIS")
    assert f"{total:,.2f}" in overview
    assert 'id="all-energy"' in overview


def test_a_worker_that_dies_after_issuing_issues_nothing_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """August's draft is September's under another name; the worker dies between the invoices and its last word."""
    database = desk.running.database
    invoice = books.billed(database, EIS, "EIS-0001", SEPTEMBER)
    assert invoice is not None
    books.save_drafts(database, EIS, AUGUST, [books.Draft(bill=invoice.bill, input_hash=invoice.input_hash)])
    meant = selection.select(database, EIS, AUGUST, selection.ALL)
    arguments = {"which": "all", "fingerprint": meant.fingerprint}
    with database.session(EIS) as connection:
        by = desk.running.audit()[0]
        actor = jobs.Actor(name=by.actor, address="test")
        job, made = month_jobs.ask(
            connection, EIS, "issue", AUGUST, arguments, by=actor, user=None, at=desk.running.clock()
        )
    assert made
    monkeypatch.setattr("eisenergy.run.month.Past.doubtful", lambda *_: [])  # it is made up
    with monkeypatch.context() as patch:
        patch.setattr(attempts, "end", _dies)
        with pytest.raises(KeyboardInterrupt):
            desk.work()
    assert jobs.find(database, EIS, job.id).state == "running"
    runner = Runner(workspace=desk.workspace, kinds=ALL_KINDS, explains=explains_itself, stopping=threading.Event())
    assert runner.run("EIS", job.id, 1) == "done"
    found = jobs.find(database, EIS, job.id)
    assert (found.result["issued_count"], found.deaths) == (1, 1)
    assert len(books.heads(database, EIS, AUGUST)) == 1


def _dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_waiting_contract_is_billed_again_alone(desk: Desk) -> None:
    assert desk.post(f"{PAGE}/generar", {"contract": "EIS-0003"}).status_code == 303
    (job,) = desk.work()
    assert job.arguments["customers"] == ["EIS-0003"]
    assert (job.result["drafts"], job.result["parked_count"]) == (0, 1)
    assert uuid.UUID(str(job.id))
    page = desk.get(f"{PAGE}/contrato/EIS-0003")
    assert "En espera" in page


@pytest.mark.long
def test_drafts_and_invoices_are_those_of_the_command_line_on_a_second_workspace(issued: Desk, second: Second) -> None:
    drafts = second.call("bill", "2021-09")["drafts"]
    ours = books.invoices(issued.running.database, EIS, month=SEPTEMBER)
    assert [(one["contract"], one["input_hash"], one["lines"]) for one in drafts] == [
        (
            invoice.bill.contract.number,
            invoice.input_hash,
            {line.code.value: str(line.amount) for line in invoice.bill.lines},
        )
        for invoice in ours
    ]
    assert drafts[0]["lines"]["total"] == str(REFERENCE)
    theirs = second.call("issue", "2021-09")["issued"]
    assert [(one["number"], one["contract"], one["total"], one["input_hash"]) for one in theirs] == [
        (invoice.number, invoice.bill.contract.number, str(invoice.bill.total), invoice.input_hash) for invoice in ours
    ]


@pytest.mark.long
def test_documents_are_published_and_what_fails_is_told(issued: Desk, second: Second, settings: Settings) -> None:
    """First every notebook has too little time, then enough: the pages tell why, and the PDF holds what the workbook says."""
    desk = issued
    if not second.call("invoices", "list", "--month", "2021-09")["invoices"]:
        second.call("bill", "2021-09")
        second.call("issue", "2021-09")
    hurried = replace(settings, notebook_timeout=0.01)
    patient, desk.workspace = desk.workspace, replace(desk.workspace, settings=hurried)
    try:
        assert desk.post(f"{PAGE}/publicar").status_code == 303
        (job,) = desk.work()
        assert (job.kind, job.state, job.result["made"], job.result["failed_count"]) == ("publish", "done", 0, 3), job
    finally:
        desk.workspace = patient
    page = desk.get()
    assert f"{PAGE}/fallo/EIS-0001" in page
    assert f"{PAGE}/fallo/operator" in page
    for subject in ("EIS-0001", "operator"):
        told = desk.get(f"{PAGE}/fallo/{subject}")
        assert "<h2>Why</h2>" in told
        assert "<style" not in told
    desk.post(f"{PAGE}/publicar")
    (job,) = desk.work()
    assert (job.result["made"], job.result["failed_count"]) == (3, 0), job
    page = desk.get()
    assert "3 sitios" in page
    assert "fallo/" not in page
    desk.get(f"{PAGE}/fallo/EIS-0001", 404)
    pdf = desk.browser.get("/c/EIS/clientes/EIS-0001/facturas/FAC-000001.pdf")
    assert "12,989.48" in "".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(pdf.content)).pages)
    assert "2021-09" in desk.get(HOME)
    second.call("publish", "2021-09")
    folders = [one.sites / "EIS" for one in (settings, second.settings)]
    names = [sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) for folder in folders]
    assert names[0] == names[1]
    assert "EIS-0001/2021-09/invoice.json" in names[0]
    for customer in ("EIS-0001", "EIS-0002"):
        told = [(folder / customer / "2021-09" / "invoice.json").read_text() for folder in folders]
        assert told[0] == told[1]
