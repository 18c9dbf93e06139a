"""The month of September 2021 from a browser, on the services of Compose started by hand: files in, invoices out, a customer's phone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from by_hand import HOST, POSTGRES, Services, started
from portal_cases import PASSWORD
from pypdf import PdfReader
from screens import Screens, Window

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data" / "samples"
FILES = (
    "Datos de clientes para facturación.xlsx",
    "Bloques horarios.xlsx",
    "Tarifas EIS-TOU.xlsx",
    "Ejemplo de procesamiento de descargas de medidores.xlsx",
    "5741444.csv",
    "CAESS_EISPOWER (10).xls",
)
MASTERS = 3
TOTAL = "12,989.48"
"""What the analyst's workbook says in B26: the steel works' September."""
SLOW = 240_000.0
"""Milliseconds that a job of the story may take on a busy machine."""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, require: Callable[[str], None]) -> Iterator[Services]:
    for program in ("chromium", "nginx", "openssl"):
        require(program)
    if not POSTGRES.is_dir() or (os.geteuid() == 0 and shutil.which("runuser") is None):
        require("postgresql")
    with started(tmp_path_factory.mktemp("story")) as found:
        command(found, "client", "import", str(ROOT / "params" / "clients" / "EIS.yaml"))
        yield found


def command(services: Services, *words: str) -> str:
    """The operator's shell on the server."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EISENERGY_")}
    done = subprocess.run(
        [Path(sys.executable).with_name("eisenergy"), *words],
        env=environment | services.environment | {"COLUMNS": "400"}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def invited(services: Services, email: str, *words: str) -> str:
    """The path of the link that a new account is opened with."""
    found = re.search(rf"https://{HOST}(/enlace/\S+)", command(services, "users", "invite", email, *words))
    assert found is not None
    return found[1]


def enter(window: Window, services: Services, link: str, email: str) -> None:
    """Set a password by the link, sign in with it."""
    window.open(services.url + link)
    window.page.get_by_label("Contraseña nueva").fill(PASSWORD)
    window.page.get_by_label("Repita la contraseña").fill(PASSWORD)
    window.page.get_by_role("button", name="Guardar la contraseña").click()
    window.page.get_by_text("Su contraseña quedó guardada").wait_for()
    window.page.get_by_label("Correo").fill(email)
    window.page.get_by_label("Contraseña", exact=True).fill(PASSWORD)
    window.page.get_by_role("button", name="Entrar", exact=True).click()
    window.page.wait_for_url("**/c/EIS**")


def send(window: Window, services: Services, names: tuple[str, ...]) -> None:
    """Drop files, wait until they were read, import them, wait until they are in."""
    page = window.page
    window.open(f"{services.url}/c/EIS/cargas")
    page.get_by_label("Suelte aquí").set_input_files([SAMPLES / name for name in names])
    page.get_by_role("button", name="Enviar").click()
    for name in names:
        page.get_by_role("row").filter(has_text=name).get_by_text("Listo para importar").wait_for(timeout=SLOW)
    page.get_by_role("button", name=f"Importar los {len(names)} archivos listos").click()
    for name in names:
        page.get_by_role("row").filter(has_text=name).get_by_text("Importado").wait_for(timeout=SLOW)


def test_files_become_an_invoice_on_a_phone(services: Services, served_screens: Screens) -> None:
    operator, customer, other = "operador@eispower.example", "pagos@acerosateos.example", "caja@otro.example"
    with served_screens.window("desk") as window:
        enter(window, services, invited(services, operator, "--role", "CLIENT_ADMIN"), operator)
        send(window, services, FILES[:MASTERS])
        send(window, services, FILES[MASTERS:])
        window.look("story-files")
        bill(window, services)
    for email, code in ((customer, "EIS-0001"), (other, "EIS-0002")):
        link = invited(services, email, "--role", "CUSTOMER_USER", "--customer", code)
        with served_screens.window("phone") as window:
            enter(window, services, link, email)
            if code == "EIS-0001":
                take(window, services)
            else:
                refused(window, services)


def bill(window: Window, services: Services) -> None:
    """Draft, look, issue, publish."""
    page = window.page
    window.open(f"{services.url}/c/EIS/facturacion/2021-09")
    page.get_by_role("button", name="Generar facturas").click()
    drafted = page.get_by_role("row").filter(has_text="EIS-0001").filter(has_text=TOTAL)
    drafted.wait_for(timeout=SLOW)
    window.look("story-drafts")
    page.get_by_role("link", name=re.compile("^Emitir todas")).click()
    page.get_by_text("Emitir").first.wait_for()
    window.look("story-issue")
    page.get_by_role("button", name=re.compile("^Emitir")).click()
    page.get_by_role("button", name="Publicar").wait_for(timeout=SLOW)
    page.get_by_role("button", name="Publicar").click()
    page.get_by_text("sitios nuevos").wait_for(timeout=SLOW)
    window.look("story-published")
    window.open(f"{services.url}/c/EIS/avisos")  # and other programs would have been told
    told = page.inner_text("main")
    assert "Factura emitida" in told
    assert "Informe publicado" in told


def take(window: Window, services: Services) -> None:
    """The customer's own: charts, and the PDF that the invoice is."""
    page = window.page
    assert TOTAL in page.inner_text("main")
    window.look("story-home")
    window.open(f"{services.url}/c/EIS/clientes/EIS-0001/consumo?desde=2021-09-01&hasta=2021-09-30")
    assert page.locator("figure.chart svg:visible").count() >= 3
    window.look("story-usage")
    window.open(f"{services.url}/c/EIS/clientes/EIS-0001/facturas")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("PDF")).first.click()
    text = "".join(sheet.extract_text() for sheet in PdfReader(download.value.path()).pages)
    assert "FAC-00000" in text
    assert TOTAL in text
    window.look("story-invoices")


def refused(window: Window, services: Services) -> None:
    """What is another customer's answers 403, pages and documents alike."""
    for path in ("", "/facturas", "/consumo", "/facturas/FAC-000001.pdf", "/sitio/2021-09/invoice.pdf"):
        asked = "async path => { const answer = await fetch(path); return [answer.status, await answer.text()]; }"
        status, text = window.page.evaluate(asked, f"/c/EIS/clientes/EIS-0001{path}")
        assert status == 403, path
        assert TOTAL not in text
    window.complaints.clear()  # the browser reports the status
    assert window.open(f"{services.url}/c/EIS/clientes/EIS-0001") == 403
    window.complaints.clear()  # the browser reports the status
    window.look("story-refused")
