"""`eisenergy users` and `eisenergy serve` as a person starts them."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import httpx2
import pytest
import uvicorn
from portal_cases import BY, PASSWORD, START, furnish
from typer.testing import CliRunner, Result

from eisenergy.accounts import Scope
from eisenergy.cli import app, serving
from eisenergy.config import PortalSettings, Settings
from eisenergy.store import api_tokens, audit, jobs
from eisenergy.store.database import Database
from eisenergy.variables import BadSetting

EIS = Scope.operator("EIS")


@pytest.fixture(scope="module")
def environment(settings: Settings, database: Database) -> dict[str, str]:
    furnish(settings, database)
    found = {name: value for name, value in os.environ.items() if not name.startswith("EISENERGY_")}
    return found | settings.environment() | {"PYTHONUNBUFFERED": "1"}


def run(environment: dict[str, str], *words: str) -> Result:
    """In this process: what these commands do is asked, and the portal itself is started as a program below."""
    return CliRunner().invoke(app, words, env=environment)


@pytest.fixture
def served(environment: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """The portal's address and what the command said. A request that never comes to its end does not keep the portal."""
    impatient = "from eisenergy.cli import main, serving; assert serving.ENDING > 5; serving.ENDING = 1; main()"
    with subprocess.Popen(
        [sys.executable, "-c", impatient, "serve", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        url = re.match(r"http://127\.0\.0\.1:\d+", lines[0])
        assert url is not None, lines
        if not run(environment, "users", "list").stdout.count("@"):
            lines.append(process.stdout.readline())
        yield url[0], lines
        host, port = url[0].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as half:
            kind = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100"
            half.sendall(
                f"POST /entrar HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {url[0]}\r\n{kind}\r\n\r\nemail=".encode()
            )
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=60)
            finally:
                process.kill()
        assert process.returncode in (0, 130, -signal.SIGINT)


def test_the_first_operator(environment: dict[str, str], served: tuple[str, list[str]], database: Database) -> None:
    url, said = served
    assert "eisenergy users invite EMAIL --role CLIENT_ADMIN" in said[1]
    ended = run(environment, "users", "invite", "ana@eis.example", "--role", "CLIENT_ADMIN", "--json")
    assert ended.exit_code == 0, ended.stderr
    path = json.loads(ended.stdout)["link"].removeprefix("http://127.0.0.1:8000")
    with httpx2.Client(base_url=url, headers={"Origin": url}, verify=False, timeout=60) as browser:

        def send(where: str, page: str, **fields: str) -> httpx2.Response:
            token = re.search(r'name="csrf" value="(\w{64})"', browser.get(page).text)
            assert token is not None
            return browser.post(where, data={"csrf": token[1], **fields})

        assert send(path, path, password=PASSWORD, again=PASSWORD).status_code == 200
        answer = send("/entrar", "/entrar", email="ana@eis.example", password=PASSWORD)
        assert answer.headers["location"] == "/"
        assert "Vende EIS" in browser.get("/c/EIS").text
        job = defer(database)
        ended = run(environment, "users", "revoke", "ana@eis.example")
        assert ended.exit_code == 0, ended.stderr
        assert browser.get("/c/EIS").status_code == 303
    # the worker that came with it has worked meanwhile
    last = time.monotonic() + 60
    while jobs.find(database, EIS, job).open:
        assert time.monotonic() < last
        time.sleep(0.1)
    assert jobs.find(database, EIS, job).state == "done"


def defer(database: Database) -> uuid.UUID:
    with database.session(EIS) as connection:
        return jobs.defer(connection, EIS, "check", "", {"month": "2021-09"}, by=BY, user=None, at=START)


@pytest.mark.long
def test_accounts_on_the_command_line(environment: dict[str, str]) -> None:
    invite = ("users", "invite", "Eva@EIS.example", "--role", "CUSTOMER_USER", "--customer")
    ended = run(environment, *invite, "EIS-0002")
    assert ended.exit_code == 0, ended.stderr
    assert "/enlace/" in ended.stdout
    assert "no customer EIS-0099" in run(environment, *invite, "EIS-0099").stderr
    listed = json.loads(run(environment, "users", "list", "--json").stdout)["users"]
    grant = {"client": "EIS", "role": "CUSTOMER_USER", "customers": ["EIS-0002"]}
    assert {"email": "eva@eis.example", "grants": [grant], "disabled": False} in listed
    for words in (("disable", "eva@eis.example"), ("enable", "eva@eis.example"), ("link", "eva@eis.example")):
        ended = run(environment, "users", *words)
        assert ended.exit_code == 0, ended.stderr
        assert "eva@eis.example" in ended.stdout
    ended = run(environment, "users", "revoke", "nobody@eis.example")
    assert ended.exit_code == 3
    assert "list them with `eisenergy users list`" in ended.stderr


def test_tokens_on_the_command_line(environment: dict[str, str], database: Database) -> None:
    """Made, listed without what they are, limited, ended; and never more than their owner's right."""
    for email, more in (
        ("erp@eis.example", ("CLIENT_ADMIN",)),
        ("one@eis.example", ("CUSTOMER_USER", "-c", "EIS-0002")),
    ):
        assert run(environment, "users", "invite", email, "--role", *more).exit_code == 0
    words = ("users", "token", "create", "erp@eis.example", "--name", "ERP", "--json")
    made = json.loads(run(environment, *words).stdout)
    narrow = json.loads(run(environment, *words, "-c", "EIS-0002").stdout)["token"]
    at = datetime.now(UTC)
    bearer = api_tokens.find(database, made["token"], at)
    assert bearer is not None
    assert (bearer.scope, made["client"]) == (EIS, "EIS")
    limited = api_tokens.find(database, narrow, at)
    assert limited is not None
    assert limited.scope == Scope.customer("EIS", "EIS-0002")
    listed = run(environment, "users", "token", "list", "--json").stdout
    assert made["token"] not in listed
    (row,) = [one for one in json.loads(listed)["tokens"] if one["customers"] is None]
    assert (row["email"], row["state"], row["used"][:10]) == ("erp@eis.example", "active", f"{at:%Y-%m-%d}")
    more = run(environment, "users", "token", "create", "one@eis.example", "--name", "x", "-c", "EIS-0001")
    assert more.exit_code == 3
    assert "no more at client EIS than its owner" in more.stderr
    assert "ERP has ended" in run(environment, "users", "token", "revoke", row["id"]).stdout
    assert api_tokens.find(database, made["token"], at) is None
    for wrong in (row["id"], str(uuid.uuid4()), "x"):
        ended = run(environment, "users", "token", "revoke", wrong)
        assert ended.exit_code == 3
        assert "list them with `eisenergy users token list`" in ended.stderr


def test_the_network_is_not_served_without_its_address(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_, **__: pytest.fail("it is served"))
    ended = run(environment, "serve", "--host", "0.0.0.0", "--port", "0")
    assert ended.exit_code == 3
    assert "set EISENERGY_URL" in ended.stderr
    plain = run(environment | {"EISENERGY_URL": "http://portal.example"}, "serve", "--port", "0")
    assert plain.exit_code == 3
    assert "in the clear" in plain.stderr


def test_a_proxy_is_named_with_the_address_it_stands_for(settings: Settings) -> None:
    """Else every visitor seems to come from the proxy, and a few wrong passwords hold up everybody."""
    behind = replace(settings, portal=PortalSettings(url="https://portal.example"))
    with pytest.raises(BadSetting, match="set EISENERGY_PROXY"):
        serving._url(behind, "127.0.0.1", 8000)
    named = replace(settings, portal=PortalSettings(url="https://portal.example", proxy="127.0.0.1"))
    assert serving._url(named, "127.0.0.1", 8000) == "https://portal.example"
    here = replace(settings, portal=PortalSettings(url="http://localhost:8000"))
    assert serving._url(here, "127.0.0.1", 8000) == "http://localhost:8000"


@pytest.mark.long
def test_lines_of_the_log_that_are_nobodys_have_a_reader(environment: dict[str, str], database: Database) -> None:
    for client in ("EIS", audit.NOBODYS):
        audit.record(database, client, BY, START, "TEST", f"line of {client}")
    listed = json.loads(run(environment, "users", "log", "--nobodys", "--json").stdout)["log"]
    assert [entry["subject"] for entry in listed if entry["action"] == "TEST"] == ["line of *"]
    ended = run(environment, "users", "log", "--count", "1")
    assert "line of EIS" in ended.stdout


def test_answers_do_not_wait_to_be_filled_up() -> None:
    """Nagle's algorithm holds a short packet back until the one before is acknowledged, which browsers do 40 ms later."""

    async def without_delay(listener: socket.socket) -> int:
        taken: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        class Taken(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                wire = transport.get_extra_info("socket")
                taken.set_result(wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                transport.close()

        server = await asyncio.get_running_loop().create_server(Taken, sock=listener)
        with socket.create_connection(listener.getsockname()):
            found = await taken
        server.close()
        return found

    assert asyncio.run(without_delay(serving._listening("127.0.0.1", 0))) != 0


def test_what_is_loaded_is_no_garbage_to_look_for(
    environment: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    monkeypatch.setattr(
        uvicorn.Server, "run", lambda *_, **__: found.extend((gc.get_freeze_count(), len(gc.get_objects())))
    )
    try:
        answer = CliRunner().invoke(app, ["serve", "--port", "0", "--no-worker"], env=environment)
        assert answer.exit_code == 0, answer.output
    finally:
        gc.unfreeze()
    kept, looked_through = found
    assert kept > 50_000
    assert looked_through < 5_000
