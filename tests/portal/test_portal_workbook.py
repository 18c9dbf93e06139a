"""The check of a workbook in the portal: sent, checked by a worker, shown under the portal's policy; and what is no workbook."""

from __future__ import annotations

import io
import re
import threading
import uuid
import zipfile
from collections.abc import Iterator

import httpx2
import pytest
from openpyxl import Workbook, load_workbook
from portal_cases import Browser, Clock, Running, person, serving
from store_cases import make_client

from eisenergy.accounts import Role, Scope
from eisenergy.cli.context import explains_itself
from eisenergy.cli.working import ALL_KINDS
from eisenergy.config import Settings
from eisenergy.desk.workspace import Workspace
from eisenergy.portal.headers import POLICY
from eisenergy.store import jobs, masters
from eisenergy.store.database import Database
from eisenergy.store.grants import Grant
from eisenergy.store.lake import Lake
from eisenergy.work import workbooks
from eisenergy.work.running import Runner

EIS = Scope.operator("EIS")
PAGE = "/c/EIS/excel"
ODD = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def portal(settings: Settings, database: Database) -> Iterator[Running]:
    for client in ("EIS", "LUZ"):
        masters.save_client(database, Scope.operator(client), make_client(client, name=f"Vende {client}"))
    with serving(settings, database, Clock()) as running:
        running.people = {
            "operator": person(database, "operator@eis.example", Grant(client="EIS", role=Role.CLIENT_ADMIN)),
            "neighbour": person(database, "neighbour@luz.example", Grant(client="LUZ", role=Role.CLIENT_ADMIN)),
        }
        yield running


@pytest.fixture(scope="module")
def operator(portal: Running) -> Browser:
    return portal.signed_in("operator")


def book() -> bytes:
    """A workbook that was never calculated, with texts that would be HTML."""
    made = Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.title = "Hoja <b>1"
    sheet["A1"], sheet["B1"] = "Energia kWh", ODD
    sheet["A2"], sheet["A3"], sheet["A4"] = 1.5, 2.5, "=A2+A3"
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def send(browser: Browser, *files: tuple[str, bytes]) -> httpx2.Response:
    return browser.post(PAGE, page=PAGE, files=[("files", file) for file in files])


def work(settings: Settings, database: Database, lake: Lake, address: str) -> jobs.Job:
    """Do the job as a worker does."""
    runner = Runner(
        workspace=Workspace(settings=settings, database=database, lake=lake),
        kinds=ALL_KINDS,
        explains=explains_itself,
        stopping=threading.Event(),
    )
    job = uuid.UUID(address.rsplit("/", 1)[-1])
    runner.run("EIS", job, 0)
    return jobs.find(database, EIS, job)


def test_a_workbook_is_checked_and_shown(
    portal: Running, operator: Browser, settings: Settings, database: Database, lake: Lake
) -> None:
    answer = send(operator, ("../../mi <b>libro.xlsx", book()))
    assert answer.status_code == 303, answer.text
    address = answer.headers["location"]
    page = operator.get(address).text
    assert f"/c/EIS/trabajos/{address.rsplit('/', 1)[-1]}/avance" in page
    for rest in ("/hojas", "/copia"):
        assert operator.get(address + rest).status_code == 404  # not yet
    done = work(settings, database, lake, address)
    assert (done.state, done.result["formulas"], done.result["passed"]) == ("done", 1, False), done
    page = operator.get(address).text
    assert "Hay diferencias" in page
    assert "Hoja &lt;b&gt;1!A4" in page
    assert "<b>1" not in page
    grid = operator.get(f"{address}/hojas")
    assert grid.headers["content-security-policy"] == POLICY
    assert ODD not in grid.text
    # nothing that the policy would keep from working: no style, no script but shipped files, no policy of its own
    assert re.findall(r"<script(?![^>]*application/json)[^>]*>", grid.text) == [
        '<script src="/assets/page/workbook-grid.js">'
    ]
    assert "<style" not in grid.text
    assert " style=" not in grid.text
    assert "http-equiv" not in grid.text
    for name in ("css", "js"):
        assert operator.get(f"/assets/page/workbook-grid.{name}").status_code == 200
    copy = operator.get(f"{address}/copia")
    assert "attachment" in copy.headers["content-disposition"]
    marked = load_workbook(io.BytesIO(copy.content))
    assert marked["Hoja <b>1"]["A4"].value == "=A2+A3"
    assert marked["Hoja <b>1"]["A4"].comment is not None
    assert address in operator.get(PAGE).text
    seen = [line.subject for line in portal.audit("SEEN")]
    assert any(subject.startswith("annotated copy of") for subject in seen)
    # another seller's operator, by way of the own client and of the other's
    neighbour = portal.signed_in("neighbour")
    assert neighbour.get(address).status_code == 403
    for rest in ("", "/hojas", "/copia"):
        assert neighbour.get(address.replace("/EIS/", "/LUZ/") + rest).status_code == 404
    assert operator.get(f"{PAGE}/{uuid.uuid4()}").status_code == 404
    assert operator.get(f"{PAGE}/x").status_code == 404


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("libro.xls", book(), "se espera un libro .xlsx o .xlsm"),
        ("libro.xlsx", b"\xd0\xcf\x11\xe0 old", "no es un libro de Excel"),
        ("libro.xlsx", b"", "no es un libro de Excel"),
        ("libro.csv", b"a;b", "se espera un libro"),
        ("<img src=x>.xlsx", b"PK", "no es un libro de Excel"),
    ],
)
def test_what_is_no_workbook_is_not_taken(
    operator: Browser, database: Database, name: str, content: bytes, said: str
) -> None:
    before = len(jobs.listed(database, EIS))
    answer = send(operator, (name, content))
    assert answer.status_code == 422
    assert said in answer.text
    assert "<img" not in answer.text
    assert len(jobs.listed(database, EIS)) == before


def test_a_zip_that_is_no_workbook_is_refused_by_the_check(
    operator: Browser, settings: Settings, database: Database, lake: Lake
) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("xl/workbook.xml", "<x" * 100)
    address = send(operator, ("libro.xlsx", out.getvalue())).headers["location"]
    job = work(settings, database, lake, address)
    assert (job.state, job.problem["code"]) == ("refused", "refused"), job
    page = operator.get(address)
    assert page.status_code == 200
    assert "No se hizo" in page.text
    assert operator.get(f"{address}/hojas").status_code == 404


def test_nothing_sent_is_said(operator: Browser) -> None:
    assert operator.post(PAGE, page=PAGE).status_code == 422


@pytest.mark.long
def test_the_reference_workbook_comes_to_what_a_spreadsheet_program_calculated(
    operator: Browser, settings: Settings, database: Database, lake: Lake
) -> None:
    name = "Ejemplo de procesamiento de descargas de medidores.xlsx"
    address = send(operator, (name, (settings.samples / name).read_bytes())).headers["location"]
    job = work(settings, database, lake, address)
    assert job.result["passed"], job
    page = operator.get(address).text
    assert page.count("12,989.48") == 2
    assert "26,073" in page
    assert (workbooks.folder_of(settings, "EIS", job.id) / "copia.xlsx").stat().st_size > 0
