"""Settings: read once from the environment, then passed down. Nothing else reads the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

PREFIX: Final = "EISENERGY_"
KNOWN: Final = {
    "HOME": "workspace folder: everything that is written lies in it (default: ./data)",
    "PARAMS": "folder of the dated parameters (default: ./params)",
    "SAMPLES": "folder of the shipped sample files (default: ./data/samples)",
    "DATABASE_URL": "PostgreSQL to use; without it a server of our own runs under HOME/pg",
    "LAKE": "folder or object-store address of the readings (default: HOME/lake)",
    "CLIENT": "the tenant commands work for (default: EIS)",
    "WORKERS": "processes for notebooks and documents (default: the machine's cores)",
    "RENDERER": "auto, embedded or quarto (default: auto: Quarto where it is on the PATH)",
    "NOTEBOOK_TIMEOUT": "seconds one notebook may take (default: 300)",
    "NOTEBOOK_ENGINE": "auto, fork or kernel (default: auto: forked children where the system forks, else a kernel each)",
    "BATCH": "customers one forked child serves; 1: a process per customer (default: 25)",
    "CHILD_MEMORY": "megabytes a forked child may take beyond what it starts with (default: 2048)",
    "UNPACKED": "megabytes a workbook may take unpacked; what says or holds more is refused (default: 256)",
    "URL": "address under which people reach the portal (default: where `eisenergy serve` listens)",
    "PROXY": "address of the proxy whose X-Forwarded-For is believed (default: nobody's)",
    "SECRET_KEY": "32 random bytes in base64 that second factors are sealed with (default: HOME/secret.key, made when missing)",
    "PASSWORDS": "file of common passwords that nobody may choose, one a line (default: none)",
    "SMTP_HOST": "mail server for links (default: none, links are shown to whoever makes them)",
    "SMTP_PORT": "its port (default: 587)",
    "SMTP_TLS": "starttls, tls or none (default: starttls)",
    "SMTP_USER": "account at the mail server",
    "SMTP_PASSWORD": "password of that account",
    "SMTP_FROM": "sender of mails (default: the portal at the mail server)",
    "OIDC_ISSUER": "OpenID Connect provider to sign in with (default: none)",
    "OIDC_CLIENT_ID": "our name at the provider",
    "OIDC_CLIENT_SECRET": "our secret at the provider",
    "OIDC_LABEL": "what the button says (default: OpenID)",
    "MONTHLY": "cron line of the monthly run: minute hour day month weekday, where the seller is, and a client's code behind "
    "them where it is for one alone; several with ; between them (default: none)",
    "DAILY": "cron line of the daily check of the readings (default: none)",
    "WATCH": "folder with a folder per client: files that lie still there are stored and ingested (default: none)",
    "UPLOAD_FILES": "files that one upload may have (default: 50)",
    "UPLOAD_MEGABYTES": "megabytes that one upload may have (default: 200)",
    "KAFKA": "brokers that every event is sent to, host:port with commas between them (default: none)",
    "WEBHOOK_NETWORKS": "private networks that webhooks may reach, such as 10.20.0.0/16, with commas between them; plain http only to "
    "127.0.0.0/8 or ::1/128 where they are named (default: none, public addresses and https alone)",
    "EVENTS_DAYS": "days for which delivered events are kept (default: 30)",
    "SCHEDULER": "tcp://host:port of a dask scheduler whose workers make the documents (default: this machine does)",
    "ACCEL": "place in nginx that serves HOME/sites for X-Accel-Redirect, such as /_sites (default: the portal sends files itself)",
    "METRICS": "host:port at which Prometheus reads counts and times (default: nowhere)",
    "API_RATE": "requests a minute that one token of the interface may make at each portal process (default: 600)",
    "LOG": "text or json: the form of the portal's lines on standard error (default: text)",
    "REQUIRE_ALL": "tests only: a missing program is a failure, not a skip",
}


def project_root(start: Path) -> Path:
    """Return the nearest folder, from ``start`` upwards, that holds ``_quarto.yml`` and ``params``; else ``start``.

    So a notebook that JupyterLab starts in ``notebooks/`` finds the same workspace as a command at the top.
    """
    for folder in (start, *start.parents):
        if (folder / "_quarto.yml").is_file() and (folder / "params").is_dir():
            return folder
    return start


def environment_now() -> Mapping[Any, Any]:
    """Return the process's environment as Python holds it, for reading: ``os.environ`` encodes or decodes at every look."""
    held = vars(os.environ).get("_data")
    return held if isinstance(held, dict) else {os.environ.encodekey(name): value for name, value in os.environ.items()}


def _named_ours() -> tuple[tuple[str, str], ...]:
    """Names and values of the environment that are, or should be, settings."""
    held, beginning = environment_now(), os.environ.encodekey(PREFIX)
    names = [os.environ.decodekey(name) for name in held if name.startswith(beginning)]
    return tuple((name, os.environ[name]) for name in names)


class BadSetting(ValueError):
    """A setting that is unknown or cannot be read."""


def scheduler_address(given: str | None, name: str) -> str | None:
    """Check the address of a scheduler; nothing is no scheduler.

    :param name: what it was given as, for the message
    :raises BadSetting: when it is none
    """
    if not given:
        return None
    if not re.fullmatch(r"(tcp|tls)://([\w.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}", given):
        raise BadSetting(f"{name}={given!r}: expected the address of a dask scheduler, such as tcp://10.0.0.5:8786")
    return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The mail server that links are sent through.

    :param tls: ``starttls``, ``tls`` or ``none``
    """

    host: str
    port: int
    tls: str
    user: str | None
    password: str | None = field(repr=False)
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenId:
    """The provider that people may sign in with."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSettings:
    """What only the portal needs; processes that work on notebooks are not told.

    :param url: address under which people reach it, without a slash at the end; ``None``: where it listens
    :param proxy: address whose ``X-Forwarded-For`` is believed
    :param accel: place in nginx that serves the sites' files once the portal has said so
    :param metrics: host and port at which Prometheus reads
    :param log: ``text`` or ``json``
    :param secret_key: what second factors are sealed with, in base64; ``None``: the workspace's file
    :param passwords: list of those nobody may choose, one a line
    :param api_rate: requests a minute of one token of the interface, at each portal process
    """

    url: str | None = None
    proxy: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    passwords: Path | None = None
    mail: Mail | None = None
    openid: OpenId | None = None
    accel: str | None = None
    metrics: tuple[str, int] | None = None
    log: str = "text"
    api_rate: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSettings:
    """What workers and uploads need.

    :param monthly: cron lines of the monthly run, ``;`` between them; empty: none
    :param daily: likewise of the daily check
    :param watch: folder with a folder per client
    :param upload_files: files of one upload
    :param upload_bytes: of one upload [bytes]
    :param kafka: brokers as they were given, ``host:port`` with commas between them
    :param networks: private networks that webhooks may reach
    :param events_days: for which delivered events are kept
    """

    monthly: str = ""
    daily: str = ""
    watch: Path | None = None
    upload_files: int = 50
    upload_bytes: int = 200 << 20
    kafka: str | None = None
    networks: tuple[str, ...] = ()
    events_days: int = 30

    def environment(self) -> dict[str, str]:
        """The same settings as environment variables."""
        result = {
            PREFIX + "MONTHLY": self.monthly,
            PREFIX + "DAILY": self.daily,
            PREFIX + "WATCH": "" if self.watch is None else str(self.watch),
            PREFIX + "UPLOAD_FILES": str(self.upload_files),
            PREFIX + "UPLOAD_MEGABYTES": str(self.upload_bytes >> 20),
            PREFIX + "KAFKA": self.kafka or "",
            PREFIX + "WEBHOOK_NETWORKS": ",".join(self.networks),
            PREFIX + "EVENTS_DAYS": str(self.events_days),
        }
        return {name: value for name, value in result.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says, checked.

    :param root: the project: ``notebooks/``, ``reports/`` and ``_quarto.yml`` lie in it
    :param home: the workspace
    :param lake: folder or address of the readings
    """

    root: Path
    home: Path
    params: Path
    samples: Path
    database_url: str | None
    lake: str
    client: str
    workers: int
    renderer: str
    notebook_timeout: int
    notebook_engine: str = "auto"
    batch: int = 25
    child_memory: int = 2048
    unpacked: int = 256
    portal: PortalSettings = field(default_factory=PortalSettings)
    scheduler: str | None = None
    work: WorkSettings = field(default_factory=WorkSettings)

    @classmethod
    def load(
        cls, environ: Mapping[str, str] | None = None, *, home: Path | None = None, client: str | None = None
    ) -> Settings:
        """Read the settings. What is given counts from the working directory, what is not given from the project's root.

        :param environ: defaults to the process's environment
        :param home: overrides ``EISENERGY_HOME``
        :param client: overrides ``EISENERGY_CLIENT``
        :raises BadSetting: for an unknown ``EISENERGY_`` name or a value that cannot be read
        """
        if environ is None:
            return _of_process(_named_ours(), project_root(Path.cwd()), os.getcwd(), home, client)
        env = environ
        for name in env:
            if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in KNOWN:
                raise BadSetting(f"{name} is not a setting. Known are: {', '.join(PREFIX + known for known in KNOWN)}.")

        def text(name: str, default: str) -> str:
            return env.get(PREFIX + name) or default

        def number(name: str, default: int) -> int:
            value = text(name, str(default))
            if not value.isdigit() or int(value) < 1:
                raise BadSetting(f"{PREFIX}{name}={value!r}: expected a whole number from 1")
            return int(value)

        def one_of(name: str, *known: str) -> str:
            value = text(name, known[0])
            if value not in known:
                raise BadSetting(f"{PREFIX}{name}={value!r}: expected {', '.join(known[:-1])} or {known[-1]}")
            return value

        root = project_root(Path.cwd())

        def folder(name: str, default: str) -> Path:
            given = env.get(PREFIX + name)
            return Path(given).absolute() if given else root / default

        workspace = folder("HOME", "data") if home is None else home.absolute()
        return cls(
            root=root,
            home=workspace,
            params=folder("PARAMS", "params"),
            samples=folder("SAMPLES", "data/samples"),
            database_url=env.get(PREFIX + "DATABASE_URL") or None,
            lake=text("LAKE", str(workspace / "lake")),
            client=client or text("CLIENT", "EIS"),
            workers=number("WORKERS", os.cpu_count() or 1),
            renderer=one_of("RENDERER", "auto", "embedded", "quarto"),
            notebook_timeout=number("NOTEBOOK_TIMEOUT", 300),
            notebook_engine=one_of("NOTEBOOK_ENGINE", "auto", "fork", "kernel"),
            batch=number("BATCH", 25),
            child_memory=number("CHILD_MEMORY", 2048),
            unpacked=number("UNPACKED", 256),
            portal=replace(
                _portal(env, number("SMTP_PORT", 587), one_of("SMTP_TLS", "starttls", "tls", "none")),
                accel=_place(text("ACCEL", "")),
                metrics=_listening(text("METRICS", "")),
                log=one_of("LOG", "text", "json"),
                api_rate=number("API_RATE", 600),
            ),
            scheduler=scheduler_address(env.get(PREFIX + "SCHEDULER"), f"{PREFIX}SCHEDULER"),
            work=WorkSettings(
                monthly=text("MONTHLY", ""),
                daily=text("DAILY", ""),
                watch=Path(env[PREFIX + "WATCH"]).absolute() if env.get(PREFIX + "WATCH") else None,
                upload_files=number("UPLOAD_FILES", 50),
                upload_bytes=number("UPLOAD_MEGABYTES", 200) << 20,
                kafka=_brokers(text("KAFKA", "")),
                networks=_networks(text("WEBHOOK_NETWORKS", "")),
                events_days=number("EVENTS_DAYS", 30),
            ),
        )

    @property
    def inbox(self) -> Path:
        """Where original files are kept, by the sha256 of their bytes."""
        return self.home / "inbox"

    @property
    def sites(self) -> Path:
        """Where published sites lie: ``sites/CLIENT/CUSTOMER/`` and ``sites/CLIENT/_operator/``."""
        return self.home / "sites"

    @property
    def workbooks(self) -> Path:
        """Where live workbooks of invoices are kept once somebody asked for them: ``workbooks/CLIENT/CUSTOMER/``; each can be made again."""
        return self.home / "workbooks"

    @property
    def runs(self) -> Path:
        """Where executed notebooks lie: ``runs/CLIENT/MONTH/CUSTOMER/``."""
        return self.home / "runs"

    def environment(self) -> dict[str, str]:
        """The same settings as environment variables, for a process started from here; without the portal's and its secrets."""
        result = {
            PREFIX + "HOME": str(self.home),
            PREFIX + "PARAMS": str(self.params),
            PREFIX + "SAMPLES": str(self.samples),
            PREFIX + "LAKE": self.lake,
            PREFIX + "CLIENT": self.client,
            PREFIX + "WORKERS": str(self.workers),
            PREFIX + "RENDERER": self.renderer,
            PREFIX + "NOTEBOOK_TIMEOUT": str(self.notebook_timeout),
            PREFIX + "NOTEBOOK_ENGINE": self.notebook_engine,
            PREFIX + "BATCH": str(self.batch),
            PREFIX + "CHILD_MEMORY": str(self.child_memory),
            PREFIX + "UNPACKED": str(self.unpacked),
        }
        if self.database_url:
            result[PREFIX + "DATABASE_URL"] = self.database_url
        if self.scheduler:
            result[PREFIX + "SCHEDULER"] = self.scheduler
        return result


def _portal(env: Mapping[str, str], port: int, tls: str) -> PortalSettings:
    def given(name: str) -> str | None:
        return env.get(PREFIX + name) or None

    def address(name: str) -> str | None:
        value = given(name)
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
                raise BadSetting(f"{PREFIX}{name}={value!r}: expected an address such as https://portal.example")
        return None if value is None else value.rstrip("/")

    common = given("PASSWORDS")
    host, issuer = given("SMTP_HOST"), address("OIDC_ISSUER")
    url = address("URL")
    if url is not None and urlsplit(url).path:
        raise BadSetting(f"{PREFIX}URL={url!r}: expected scheme and host alone, such as https://portal.example")
    mail = openid = None
    if host is not None:
        mail = Mail(
            host=host,
            port=port,
            tls=tls,
            user=given("SMTP_USER"),
            password=given("SMTP_PASSWORD"),
            sender=given("SMTP_FROM") or f"eisenergy@{host}",
        )
    if issuer is not None:
        client_id, secret = given("OIDC_CLIENT_ID"), given("OIDC_CLIENT_SECRET")
        if client_id is None or secret is None:
            raise BadSetting(
                f"{PREFIX}OIDC_ISSUER is set: expected {PREFIX}OIDC_CLIENT_ID and _CLIENT_SECRET beside it"
            )
        openid = OpenId(issuer=issuer, client_id=client_id, client_secret=secret, label=given("OIDC_LABEL") or "OpenID")
    return PortalSettings(
        url=url,
        proxy=given("PROXY"),
        secret_key=given("SECRET_KEY"),
        passwords=Path(common).absolute() if common else None,
        mail=mail,
        openid=openid,
    )


def _place(given: str) -> str | None:
    if given and not re.fullmatch(r"(/[A-Za-z0-9_-]+)+", given):
        raise BadSetting(f"{PREFIX}ACCEL={given!r}: expected a place such as /_sites")
    return given or None


def _brokers(given: str) -> str | None:
    for one in given.split(",") if given else ():
        if not re.fullmatch(r"\s*([\w.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}\s*", one):
            raise BadSetting(
                f"{PREFIX}KAFKA={given!r}: expected brokers such as kafka1.example:9092,kafka2.example:9092"
            )
    return given or None


def _networks(given: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(one.strip())) for one in given.split(",")) if given else ()
    except ValueError as problem:
        raise BadSetting(
            f"{PREFIX}WEBHOOK_NETWORKS={given!r}: expected networks such as 10.20.0.0/16 ({problem})"
        ) from None


def _listening(given: str) -> tuple[str, int] | None:
    if not given:
        return None
    host, colon, port = given.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise BadSetting(f"{PREFIX}METRICS={given!r}: expected host:port, such as 127.0.0.1:9100")
    return host.strip("[]"), int(port)


@lru_cache(maxsize=8)
def _of_process(
    ours: tuple[tuple[str, str], ...], _root: Path, _folder: str, home: Path | None, client: str | None
) -> Settings:
    """The settings of a process in a folder of a project; each notebook asks for them."""
    return Settings.load(dict(ours), home=home, client=client)
