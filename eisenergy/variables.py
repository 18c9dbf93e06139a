"""The variables of the environment that are settings: their names, and the forms of those that are addresses."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Final
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


def web_address(given: str | None, name: str) -> str | None:
    """Check a web address and return it without a slash at its end; nothing is none.

    :param name: what it was given as, for the message
    :raises BadSetting: when it is none
    """
    if not given:
        return None
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise BadSetting(f"{name}={given!r}: expected an address such as https://portal.example")
    return given.rstrip("/")


def place(given: str) -> str | None:
    """Check the place in nginx that serves the sites; nothing is none. :raises BadSetting: when it is no place"""
    if given and not re.fullmatch(r"(/[A-Za-z0-9_-]+)+", given):
        raise BadSetting(f"{PREFIX}ACCEL={given!r}: expected a place such as /_sites")
    return given or None


def brokers(given: str) -> str | None:
    """Check the addresses of Kafka's brokers and return them as they were given; nothing is none. :raises BadSetting: naming the form"""
    for one in given.split(",") if given else ():
        if not re.fullmatch(r"\s*([\w.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}\s*", one):
            raise BadSetting(
                f"{PREFIX}KAFKA={given!r}: expected brokers such as kafka1.example:9092,kafka2.example:9092"
            )
    return given or None


def networks(given: str) -> tuple[str, ...]:
    """Return the private networks that webhooks may reach. :raises BadSetting: when one is none"""
    try:
        return tuple(str(ip_network(one.strip())) for one in given.split(",")) if given else ()
    except ValueError as problem:
        raise BadSetting(
            f"{PREFIX}WEBHOOK_NETWORKS={given!r}: expected networks such as 10.20.0.0/16 ({problem})"
        ) from None


def listening(given: str) -> tuple[str, int] | None:
    """Return host and port that counts and times are read at; nothing is none. :raises BadSetting: naming the form"""
    if not given:
        return None
    host, colon, port = given.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise BadSetting(f"{PREFIX}METRICS={given!r}: expected host:port, such as 127.0.0.1:9100")
    return host.strip("[]"), int(port)
