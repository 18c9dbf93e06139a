"""Health, counts, log lines and files that nginx sends: what those who run the portal see of it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace

import httpx2
import pytest
import structlog
from portal_cases import Running
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from eisenergy.config import Settings
from eisenergy.portal import logs
from eisenergy.portal.app import guarded
from eisenergy.portal.context import Context
from eisenergy.portal.observe import Meters
from eisenergy.store.database import Database
from eisenergy.variables import BadSetting

PDF = "/c/EIS/clientes/EIS-0001/sitio/2021-09/invoice.pdf"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged as JSON meanwhile; logging is as before afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("eisenergy")
    before = (list(root.handlers), root.level, ours.level)
    stream = io.StringIO()
    logs.begin("json", stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def wire(portal: Running, context: Context | None = None, meters: Meters | None = None) -> httpx2.AsyncClient:
    app = guarded(context or portal.context, meters)
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app, raise_app_exceptions=False), base_url=portal.url, follow_redirects=False
    )


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_health_is_told_under_any_name_and_pages_are_not(portal: Running) -> None:
    async with wire(portal) as client:
        for path, told in (("/healthz", {"status": "ok"}), ("/readyz", {"status": "ok", "database": "ok"})):
            answer = await client.get(path, headers={"Host": "10.2.3.4:8000"})
            assert (answer.status_code, answer.json()) == (200, told)
        assert (await client.get("/entrar", headers={"Host": "10.2.3.4:8000"})).status_code == 421


@pytest.mark.anyio
async def test_it_lives_without_a_database_and_is_not_ready(portal: Running) -> None:
    gone = Database("postgresql+psycopg://eisenergy_app@127.0.0.1:9/none?connect_timeout=2")
    try:
        async with wire(portal, replace(portal.context, database=gone)) as client:
            assert (await client.get("/healthz")).status_code == 200
            answer = await client.get("/readyz")
            assert answer.status_code == 503
            assert answer.json() == {"status": "unavailable", "database": "does not answer"}
    finally:
        gone.close()


@pytest.mark.anyio
async def test_requests_are_counted_by_pattern_and_nobody_is_named(portal: Running) -> None:
    meters = Meters(portal.database)
    async with wire(portal, meters=meters) as client:
        client.cookies.set("eisenergy", portal.session_of("customer"))
        assert (await client.get("/c/EIS/clientes/EIS-0001")).status_code == 200
        assert (await client.get("/c/EIS/clientes/EIS-0002")).status_code == 403
        for path in ("/nothing/1", "/nothing/2"):
            assert (await client.request("BREW", path)).status_code == 404
    text = generate_latest(meters.registry).decode()
    counted = {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "eisenergy_requests_total"
    }
    pattern = "/c/{client}/clientes/{customer}"
    assert counted == {("GET", pattern, "200"): 1, ("GET", pattern, "403"): 1, ("none", "none", "404"): 2}
    assert "eisenergy_requests_in_progress 0.0" in text
    assert "EIS-000" not in text
    assert "nothing/" not in text


@pytest.mark.anyio
async def test_a_line_tells_of_a_request_and_of_nobody(portal: Running, lines: io.StringIO) -> None:
    async with wire(portal) as client:
        client.cookies.set("eisenergy", portal.session_of("customer"))
        answer = await client.get("/c/EIS/clientes/EIS-0001?secret=no", headers={"X-Request-ID": "abcdefgh-1"})
        other = await client.get("/entrar", headers={"X-Request-ID": 'bad"} {'})
        await client.get("/healthz")
    assert answer.headers["X-Request-ID"] == "abcdefgh-1"
    assert other.headers["X-Request-ID"] != 'bad"} {'
    first, second = (json.loads(line) for line in lines.getvalue().splitlines())
    assert first["request"] == "abcdefgh-1"
    assert (first["event"], first["method"], first["status"]) == ("request", "GET", 200)
    assert first["route"] == "/c/{client}/clientes/{customer}"
    assert first["bytes"] == len(answer.content)
    assert second["request"] == other.headers["X-Request-ID"]
    for personal in ("EIS-0001", "127.0.0.1", "example", "secret", "Mark-"):
        assert personal not in lines.getvalue()


def test_lines_for_people_have_no_colours_and_tracebacks_no_values(lines: io.StringIO) -> None:
    logs.begin("text", stream=lines)
    password = "open sesame"
    try:
        raise ValueError(f"a fault of {len(password)}")
    except ValueError:
        logging.getLogger("eisenergy.portal").exception("failed %s", "here")
    told = lines.getvalue()
    assert "failed here" in told
    assert "ValueError: a fault of 11" in told
    assert "open sesame" not in told
    assert "\x1b" not in told


@pytest.mark.anyio
async def test_nginx_is_told_which_file_to_send_and_only_after_the_rule(portal: Running) -> None:
    settings = portal.context.settings
    behind = replace(settings, portal=replace(settings.portal, accel="/_sites"))
    async with wire(portal, replace(portal.context, settings=behind)) as client:
        assert "X-Accel-Redirect" not in (await client.get(PDF)).headers
        client.cookies.set("eisenergy", portal.session_of("customer"))
        answer = await client.get(PDF)
        assert answer.headers["X-Accel-Redirect"] == "/_sites/EIS/EIS-0001/2021-09/invoice.pdf"
        assert answer.headers["Content-Type"] == "application/pdf"
        assert not answer.content
        refused = await client.get(PDF.replace("0001", "0002"))
        assert refused.status_code == 403
        assert "X-Accel-Redirect" not in refused.headers
        # pages get the portal's bar, so the portal sends them; its own style sheets lie elsewhere
        assert "X-Accel-Redirect" not in (await client.get(PDF.replace("invoice.pdf", "invoice.html"))).headers
        assert (await client.get("/assets/portal/portal.css")).content


@pytest.mark.parametrize(
    ("name", "value"), [("ACCEL", "_sites"), ("ACCEL", "/a/../b"), ("METRICS", "9100"), ("METRICS", "x:99999"), ("LOG", "xml")]
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"EISENERGY_{name}="):
        Settings.load({f"EISENERGY_{name}": value})


def test_where_prometheus_reads(tmp_path: object) -> None:
    assert Settings.load({"EISENERGY_METRICS": "[::1]:9100"}).portal.metrics == ("::1", 9100)
    assert Settings.load({}).portal.metrics is None


@pytest.mark.anyio
async def test_a_stream_is_told_by_its_pattern_and_counted_while_it_is_open(
    portal: Running, lines: io.StringIO
) -> None:
    meters, sent = Meters(portal.database), []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)
        told = generate_latest(meters.registry).decode()
        assert f"eisenergy_streams_open {float('websocket.accept' in [one['type'] for one in sent])}" in told

    async def receive() -> dict[str, object]:
        accepted = any(message["type"] == "websocket.accept" for message in sent)
        return {"type": "websocket.disconnect", "code": 1001} if accepted else {"type": "websocket.connect"}

    host = portal.url.partition("//")[2].encode()
    scope = {
        "type": "websocket", "path": "/v1/metrics/stream", "query_string": b"client=EIS&customer=EIS-0001", "scheme": "ws",
        "server": ("127.0.0.1", 80), "client": ("10.9.8.7", 1), "subprotocols": [], "extensions": {"websocket.http.response": {}},
        "headers": [(b"host", host), (b"origin", portal.url.encode())],
    }  # fmt: skip
    await guarded(portal.context, meters)(dict(scope), receive, send)
    assert sent[0]["status"] == 401
    assert dict(sent[0]["headers"])[b"cache-control"] == b"no-store"
    sent.clear()
    cookie = (b"cookie", f"eisenergy={portal.session_of('customer')}".encode())
    await guarded(portal.context, meters)({**scope, "headers": [*scope["headers"], cookie]}, receive, send)
    assert sent[0]["type"] == "websocket.accept"
    assert "eisenergy_streams_open 0.0" in generate_latest(meters.registry).decode()
    told = [json.loads(line) for line in lines.getvalue().splitlines() if '"stream"' in line]
    assert [(one["event"], one["route"], one["status"]) for one in told] == [
        ("stream", "/v1/metrics/stream", 401),
        ("stream", "/v1/metrics/stream", 101),
    ]
    assert "EIS" not in json.dumps(told)
    assert "10.9.8.7" not in json.dumps(told)
