"""The services of ``deploy/compose.yaml``, started by hand: the same commands, environment, scripts and nginx file, without containers."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

import httpx2
from ruamel.yaml import YAML

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
HOST: Final = "portal.example"
POSTGRES: Final = Path("/usr/lib/postgresql")
"""Where Debian's package puts PostgreSQL, a folder for each major version."""
_WORD: Final = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")
_PATIENCE: Final = 120.0


def compose(environ: Mapping[str, str]) -> dict[str, Any]:
    """The file as Compose reads it: merged, and its ``${...}`` filled in."""

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [filled(one) for one in value]
        if not isinstance(value, str):
            return value
        return _WORD.sub(
            lambda found: environ.get(found[1]) or (found[3] if found[2] == "-" else environ[found[1]]), value
        )

    return filled(YAML(typ="safe").load(DEPLOY / "compose.yaml"))


@dataclass(frozen=True)
class Services:
    """What was started.

    :param url: as people know it; it is reached at ``port`` of this machine
    :param environment: of the portal
    """

    url: str
    port: int
    http_port: int
    metrics_port: int
    portal_port: int
    certificate: Path
    home: Path
    environment: dict[str, str]

    def wire(self) -> httpx2.Client:
        """A client that finds the portal's name at this machine, and looks at its certificate."""
        headers = {"Host": HOST, "Origin": self.url}
        client = httpx2.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            verify=ssl.create_default_context(cafile=self.certificate),
            headers=headers,
            timeout=60,
        )
        client.event_hooks = {"request": [lambda request: request.extensions.update(sni_hostname=HOST)]}
        return client


@contextmanager
def started(folder: Path, services: tuple[str, ...] = ("database", "portal", "worker", "nginx")) -> Iterator[Services]:
    """Start services of the file on loopback, those named; they end with the block.

    :param folder: an empty one; other accounts may enter it
    """
    with ExitStack() as stack:
        ports = dict(zip(("database", "portal", "http", "https", "metrics"), free_ports(5), strict=True))
        secrets, home = folder / "secrets", folder / "data"
        home.mkdir()
        subprocess.run([DEPLOY / "prepare.sh", HOST, secrets], check=True, capture_output=True)
        here = {
            "database:5432": f"127.0.0.1:{ports['database']}",
            "portal:8000": f"127.0.0.1:{ports['portal']}",
            "0.0.0.0:9100": f"127.0.0.1:{ports['metrics']}",
            "172.30.41.0/24": "127.0.0.1",
            "0.0.0.0": "127.0.0.1",
            "8000": str(ports["portal"]),
            "/data": str(home),
            "/run/secrets": str(secrets),
            "/sites": str(home / "sites"),
            "443": str(ports["https"]),
            "80": str(ports["http"]),
        }
        file = compose({"PORTAL_HOST": HOST})["services"]
        environments = {
            name: {key: _here(value, here) for key, value in one.get("environment", {}).items()}
            for name, one in file.items()
        }
        found = Services(
            url=f"https://{HOST}",
            port=ports["https"],
            http_port=ports["http"],
            metrics_port=ports["metrics"],
            portal_port=ports["portal"],
            certificate=secrets / "portal.crt",
            home=home,
            environment=environments["portal"],
        )
        if "database" in services:
            stack.enter_context(_database(folder, ports["database"], secrets))
        for name in ("portal", "worker"):
            if name in services:
                command = [_here(word, here) for word in file[name]["command"]]
                stack.enter_context(_eisenergy(name, command, environments[name], folder))
        if "portal" in services:
            _wait(f"http://127.0.0.1:{ports['portal']}/readyz")
        if "nginx" in services:
            stack.enter_context(_nginx(folder, environments["nginx"]))
            _listens(ports["https"])
        yield found


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _here(value: str, here: Mapping[str, str]) -> str:
    """A value of the file, with this machine's places for the containers'."""
    for name, place in here.items():
        if value == name:
            return place
    for name in ("database:5432", "portal:8000"):
        value = value.replace(name, here[name])
    return re.sub(r"^(/data|/run/secrets)(?=/)", lambda found: here[found[1]], value)


@contextmanager
def _database(folder: Path, port: int, secrets: Path) -> Iterator[None]:
    """Debian's PostgreSQL, which refuses to be root's."""
    programs = max(POSTGRES.iterdir(), key=lambda path: int(path.name)) / "bin"
    data, password = folder / "pgdata", folder / "administrator"
    shutil.copy(secrets / "postgres_password", password)
    data.mkdir()
    as_postgres: list[str] = []
    if os.geteuid() == 0:
        as_postgres = ["runuser", "-u", "postgres", "--"]
        for path in (data, password):
            shutil.chown(path, "postgres")
    arguments = [programs / "initdb", "-D", data, "-A", "scram-sha-256", "-U", "postgres", f"--pwfile={password}"]
    subprocess.run([*as_postgres, *arguments], check=True, capture_output=True)
    options = f"-p {port} -k {data} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = [*as_postgres, programs / "pg_ctl", "-D", data, "-w"]
    subprocess.run([*control, "-o", options, "-l", data / "log", "start"], check=True, capture_output=True)
    try:
        environment = {
            **os.environ,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(port),
            "PGPASSWORD": password.read_text().strip(),
            "OWNER_PASSWORD_FILE": str(secrets / "owner_password"),
        }
        subprocess.run([DEPLOY / "postgres" / "roles.sh"], env=environment, check=True, capture_output=True)
        yield
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True)


@contextmanager
def _eisenergy(name: str, command: list[str], environment: dict[str, str], folder: Path) -> Iterator[None]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith("EISENERGY_")}
    program = Path(sys.executable).with_name("eisenergy")
    with (
        (folder / f"{name}.log").open("wb") as log,
        subprocess.Popen([program, *command], env={**plain, **environment}, stdout=log, stderr=log) as process,
    ):
        try:
            yield
            assert process.poll() is None, (folder / f"{name}.log").read_text()
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            finally:
                process.kill()  # else the block's own end would wait for ever


@contextmanager
def _nginx(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Debian's nginx with our file, filled in as nginx's image does."""
    place = folder / "nginx"
    place.mkdir()
    text = (DEPLOY / "nginx" / "portal.conf.template").read_text(encoding="utf-8")
    for name, value in environment.items():
        text = text.replace("${" + name + "}", value)
    assert "${" not in text
    text = re.sub(r"listen (\d+)", r"listen 127.0.0.1:\1", text)
    (place / "portal.conf").write_text(text, encoding="utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    frame = Template(
        "worker_processes 1; daemon off; pid $place/pid; error_log $place/error.log;\n"
        "events { worker_connections 512; }\n"
        "http { include /etc/nginx/mime.types; access_log $place/access.log; $temporary include $place/portal.conf; }\n"
    ).substitute(place=place, temporary=" ".join(f"{kind}_temp_path {place}/{kind};" for kind in kinds))
    (place / "nginx.conf").write_text(frame, encoding="utf-8")
    with subprocess.Popen(["nginx", "-p", place, "-c", place / "nginx.conf"], stderr=subprocess.PIPE) as process:
        try:
            yield
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
        finally:
            process.terminate()


def _wait(url: str) -> None:
    last: object = None
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            last = httpx2.get(url, timeout=5)
            if last.status_code == 200:
                return
        except httpx2.HTTPError as problem:
            last = problem
        time.sleep(0.1)
    raise AssertionError(f"{url}: {last}")


def _listens(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens at {port}")
