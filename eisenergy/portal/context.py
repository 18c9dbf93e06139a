"""What every request needs: settings, database, the address people use, a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from anyio import CapacityLimiter
from joserfc.jwk import OctKey

from eisenergy.config import Settings
from eisenergy.portal import passwords
from eisenergy.portal.workshop import Workshop
from eisenergy.store import sealing
from eisenergy.store.database import Database
from eisenergy.variables import BadSetting

THREADS: Final = 16
"""Pages that are made at a time; more threads would only wait for each other."""


def utc_now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, kw_only=True)
class Context:
    """One portal, running.

    :param url: address under which people reach it, without a slash at the end
    :param now: the clock; tests have their own
    """

    settings: Settings
    database: Database
    url: str
    now: Callable[[], datetime] = utc_now

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise BadSetting(
                f"EISENERGY_URL={self.url!r}: passwords would cross the network in the clear. Put a proxy with a certificate "
                "before the portal and name its address, such as https://portal.example."
            )

    @cached_property
    def key(self) -> OctKey:
        """What second factors are sealed with. :raises BadSetting: when there is none to use"""
        return sealing.key_of(self.settings)

    @cached_property
    def threads(self) -> CapacityLimiter:
        """Threads that serve pages; other requests wait for one.

        There are fewer than connections to the database, so that nobody waits for one while holding a thread. Files are sent by other
        threads: each piece of one would otherwise queue behind all pages.
        """
        return CapacityLimiter(THREADS)

    @cached_property
    def workshop(self) -> Workshop:
        """Where files are made that no request waits for."""
        return Workshop()

    @cached_property
    def common(self) -> frozenset[str]:
        """Passwords that nobody may choose. :raises BadSetting: when the list cannot be read"""
        path = self.settings.portal.passwords
        return frozenset() if path is None else passwords.listed(path)

    @property
    def secure(self) -> bool:
        """Whether cookies are for https alone."""
        return self.url.startswith("https://")

    @property
    def hosts(self) -> frozenset[str]:
        """Values of the Host header that are ours."""
        parts = urlsplit(self.url)
        if self.secure or parts.port is None:
            return frozenset({parts.netloc})
        return frozenset({parts.netloc, *(f"{name}:{parts.port}" for name in ("localhost", "127.0.0.1", "[::1]"))})
