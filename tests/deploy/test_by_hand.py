"""What ``deploy/`` says, done by hand: nginx, portal and PostgreSQL as Compose starts them."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from by_hand import DEPLOY, HOST, Services
from portal_cases import PASSWORD
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

PDF = "/c/EIS/clientes/EIS-0001/sitio/2021-09/invoice.pdf"


@contextmanager
def signed_in(services: Services, email: str) -> Iterator[httpx2.Client]:
    with services.wire() as client:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/entrar").text)
        assert found is not None
        form = {"csrf": found[1], "email": email, "password": PASSWORD, "next": ""}
        answer = client.post("/entrar", data=form)
        assert answer.status_code == 303, answer.text
        yield client


def test_people_come_by_https_and_by_nothing_else(services: Services) -> None:
    plain = httpx2.get(f"http://127.0.0.1:{services.http_port}/entrar?next=/cuenta", headers={"Host": HOST})
    assert (plain.status_code, plain.headers["location"]) == (308, f"https://{HOST}/entrar?next=/cuenta")
    with services.wire() as client:
        answer = client.get("/entrar")
        assert answer.status_code == 200
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
        assert all(
            cookie.startswith("__Host-") and "Secure" in cookie for cookie in answer.headers.get_list("set-cookie")
        )
        assert len(re.findall(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])) == 1
        for private in ("/healthz", "/readyz", "/metrics", "/_sites/EIS/EIS-0001/2021-09/invoice.pdf"):
            assert client.get(private).status_code == 404, private


def test_nginx_sends_the_document_to_whom_it_belongs(services: Services) -> None:
    with signed_in(services, "customer@eis.example") as client:
        own = client.get(PDF)
        assert own.content == (services.home / "sites/EIS/EIS-0001/2021-09/invoice.pdf").read_bytes()
        assert own.headers["Content-Type"] == "application/pdf"
        assert "ETag" in own.headers  # nginx sent it: the portal's empty answer has none
        assert "X-Accel-Redirect" not in own.headers
        assert own.headers["Cache-Control"] == "no-store"
        page = client.get("/c/EIS/clientes/EIS-0001")
        for name in ("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy"):
            assert own.headers.get_list(name) == page.headers.get_list(name), name
        assert client.get(PDF.replace("0001", "0002")).status_code == 403
    with services.wire() as nobody:
        assert nobody.get(PDF).status_code == 303


def test_energies_come_live_through_nginx_to_whom_they_belong(services: Services) -> None:
    """The websocket is upgraded on the way; a stranger to the seller and a page of another origin stay outside."""
    context = ssl.create_default_context(cafile=services.certificate)
    address = f"wss://{HOST}/v1/metrics/stream?client=EIS"

    def opened(client: httpx2.Client, origin: str = services.url, query: str = "") -> ClientConnection:
        wire = socket.create_connection(("127.0.0.1", services.port), timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        return connect(
            address + query, sock=wire, ssl=context, server_hostname=HOST, origin=origin, proxy=None,
            additional_headers={"Cookie": cookies},
        )  # fmt: skip

    with signed_in(services, "customer@eis.example") as client:
        with opened(client) as stream:
            told = json.loads(stream.recv(timeout=30))
        assert told["client"] == "EIS"
        assert {one["customer"] for one in told["customers"]} == {"EIS-0001"}
        for origin, query in (("https://elsewhere.example", ""), (services.url, "&customer=EIS-0002")):
            with pytest.raises(InvalidStatus) as refused:
                opened(client, origin, query)
            assert refused.value.response.status_code == 403
    with services.wire() as nobody, pytest.raises(InvalidStatus) as refused:
        opened(nobody)
    assert refused.value.response.status_code == 401


def test_the_log_knows_the_visitor_and_standard_error_does_not(services: Services) -> None:
    with signed_in(services, "operator@eis.example") as client:
        log = client.get("/c/EIS/bitacora").text
    assert "127.0.0.1" in log
    until = time.monotonic() + 20  # the line is written once the answer is out
    while '"route": "/c/{client}/bitacora"' not in (lines := (services.home.parent / "portal.log").read_text()):
        assert time.monotonic() < until, lines
        time.sleep(0.05)
    assert "operator@" not in lines


def test_prometheus_reads_the_counts_at_their_own_address(services: Services) -> None:
    text = httpx2.get(f"http://127.0.0.1:{services.metrics_port}/metrics").text
    assert 'eisenergy_requests_total{method="GET",route="/entrar",status="200"}' in text
    assert "process_resident_memory_bytes" in text


def test_an_upload_beyond_the_limit_is_refused_before_it_is_read(services: Services) -> None:
    context = ssl.create_default_context(cafile=services.certificate)
    with (
        socket.create_connection(("127.0.0.1", services.port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as wire,
    ):
        wire.sendall(f"POST /entrar HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {300 * 2**20}\r\n\r\n".encode())
        assert wire.recv(100).startswith(b"HTTP/1.1 413 ")


def test_compose_understands_the_file(require: Callable[[str], None], tmp_path: Path) -> None:
    command = ["docker", "compose"]
    if (
        subprocess.run([*command, "version"], capture_output=True, check=False).returncode != 0
        if shutil.which("docker")
        else True
    ):
        require("docker-compose")
        command = ["docker-compose"]
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    subprocess.run([tmp_path / "deploy/prepare.sh", HOST], check=True, capture_output=True)
    told = subprocess.run(
        [*command, "-f", tmp_path / "deploy/compose.yaml", "config"],
        capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin:/usr/local/bin", "PORTAL_HOST": HOST},
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert f"EISENERGY_URL: https://{HOST}" in told.stdout
    without = subprocess.run(
        [*command, "-f", tmp_path / "deploy/compose.yaml", "config"],
        capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin:/usr/local/bin"},
    )  # fmt: skip
    assert without.returncode != 0
    assert "name the host people use" in without.stderr


def test_helm_understands_the_chart(require: Callable[[str], None]) -> None:
    require("helm")
    chart = DEPLOY / "helm" / "eisenergy"
    subprocess.run(["helm", "lint", chart], check=True, capture_output=True)
    told = subprocess.run(["helm", "template", "x", chart], check=True, capture_output=True, text=True).stdout
    assert "EISENERGY_URL" in told


def test_secrets_are_made_once(tmp_path: Path) -> None:
    for _ in range(2):
        subprocess.run([DEPLOY / "prepare.sh", HOST, tmp_path / "s"], check=True, capture_output=True)
        texts = {path.name: path.read_text() for path in sorted((tmp_path / "s").iterdir())}
        if _ == 0:
            first = texts
    assert texts == first
    assert sorted(texts) == ["owner_password", "pgpass", "portal.crt", "portal.key", "postgres_password"]
    assert texts["pgpass"] == f"*:*:eisenergy:eisenergy_owner:{texts['owner_password']}\n"
    assert all((path.stat().st_mode & 0o077) == 0 for path in (tmp_path / "s").iterdir())
