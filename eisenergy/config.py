"""Settings: read once from the environment, then passed down. Nothing else reads the environment.

What they are called there, and what an address among them has to look like, is in :mod:`eisenergy.variables`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eisenergy.variables import (
    KNOWN,
    PREFIX,
    BadSetting,
    brokers,
    listening,
    networks,
    place,
    scheduler_address,
    web_address,
)


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
                accel=place(text("ACCEL", "")),
                metrics=listening(text("METRICS", "")),
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
                kafka=brokers(text("KAFKA", "")),
                networks=networks(text("WEBHOOK_NETWORKS", "")),
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

    common = given("PASSWORDS")
    host, issuer = given("SMTP_HOST"), web_address(given("OIDC_ISSUER"), f"{PREFIX}OIDC_ISSUER")
    url = web_address(given("URL"), f"{PREFIX}URL")
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


@lru_cache(maxsize=8)
def _of_process(
    ours: tuple[tuple[str, str], ...], _root: Path, _folder: str, home: Path | None, client: str | None
) -> Settings:
    """The settings of a process in a folder of a project; each notebook asks for them."""
    return Settings.load(dict(ours), home=home, client=client)
