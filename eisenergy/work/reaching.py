"""Requests to addresses that operators name: out to the public network alone, to no other place than was looked at, and not for long.

A name is resolved here, every address it stands for is looked at, and the connection is made to one of these very addresses, so that a
name that stands for another one a moment later leads nowhere. Redirects are not followed, proxies are not asked.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
SECONDS: Final = 10.0
"""For a whole request, from its first byte to the answer's end."""
LARGEST_ANSWER: Final = 16 * 1024
"""Bytes that are read of an answer; its status is what counts."""
LONGEST: Final = 2000
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 in IPv6 (RFC 6052)."""


class NotAllowed(ValueError):
    """An address that must not be reached; says why and what is expected."""


class NotReached(ConnectionError):
    """Nobody answered there, or not in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    reason: str


def checked(url: str, networks: Sequence[str]) -> SplitResult:
    """Take an address apart that requests may be sent to; its name is not resolved.

    :param networks: private ones that may be reached
    :raises NotAllowed: for another scheme than https (http to this machine where that is allowed), a password, an address that is not public
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotAllowed(
            f"{url[:100]!r} is no address: expected one such as https://events.example/eisenergy"
        ) from None
    host = parts.hostname or ""
    if not host or not url.isascii() or not url.isprintable() or " " in url or len(url) > LONGEST or port == 0:
        raise NotAllowed(f"{url[:100]!r} is no address: expected one such as https://events.example/eisenergy")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise NotAllowed(
            f"{host}: the address holds a name, a password or a fragment: expected one without, requests are signed"
        )
    literal = _literal(host)
    if literal is None and re.fullmatch(r"(.*[.])?(\d+|0x[0-9a-f]*)[.]?", host):
        raise NotAllowed(
            f"{host}: an address is written with four numbers between 0 and 255: expected a name, or one such"
        )
    if literal is not None and not allowed(literal, networks):
        raise NotAllowed(_refused(host, literal))
    if parts.scheme == "https":
        return parts
    here = literal.is_loopback if literal is not None else host == "localhost"
    loopback = any(ipaddress.ip_network(one).is_loopback for one in networks)
    if parts.scheme != "http" or not here or not loopback:
        raise NotAllowed(
            f"{parts.scheme}://{host}: what is sent would cross the network in the clear: expected https (plain http goes to this "
            "machine alone, where EISENERGY_WEBHOOK_NETWORKS names 127.0.0.0/8)"
        )
    return parts


def allowed(address: Address, networks: Sequence[str]) -> bool:
    """Whether an address may be reached: a public one, or one of the networks named. IPv4 inside of IPv6 counts as what it is."""
    inner = _inner(address)
    if any(inner in network for network in map(ipaddress.ip_network, networks) if network.version == inner.version):
        return True
    site = (
        isinstance(inner, ipaddress.IPv6Address) and inner.is_site_local
    )  # withdrawn (RFC 3879), and "global" all the same
    return inner.is_global and not inner.is_multicast and not inner.is_reserved and not site


def _inner(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address):
        if address in _TRANSLATED:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)
    return address


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refused(host: str, address: Address) -> str:
    return f"{host} is {address}, which is no public address: expected one that is, or its network in EISENERGY_WEBHOOK_NETWORKS"


def addresses(host: str, port: int, networks: Sequence[str]) -> list[Address]:
    """Resolve a name. :raises NotAllowed: when any of its addresses must not be reached  :raises NotReached: when it has none"""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        raise NotReached(f"{host}: no such name ({getattr(problem, 'strerror', None) or problem})") from None
    result = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for one in result:
        if not allowed(one, networks):
            raise NotAllowed(_refused(host, one))
    return list(dict.fromkeys(result))


class _Connection(http.client.HTTPConnection):
    """A connection to one of the addresses looked at, whatever the name stands for by now."""

    def __init__(self, parts: SplitResult, networks: Sequence[str], seconds: float) -> None:
        self._secure = parts.scheme == "https"
        port = parts.port or (443 if self._secure else 80)
        super().__init__(str(parts.hostname), port, timeout=seconds)
        self._networks = networks
        self._seconds = seconds

    def connect(self) -> None:
        problem: OSError | None = None
        until = time.monotonic() + self._seconds
        for address in addresses(self.host, self.port, self._networks):
            left = until - time.monotonic()
            if left <= 0:  # a name may stand for many addresses where nobody answers
                break
            try:
                plain = socket.create_connection((str(address), self.port), timeout=left)
            except OSError as failure:
                problem = failure
                continue
            plain.settimeout(self._seconds)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = plain
            if self._secure:
                # Kept before the handshake: what cuts a request off must find the socket that a slow one is waiting on.
                self.sock = ssl.create_default_context().wrap_socket(
                    plain, server_hostname=self.host, do_handshake_on_connect=False
                )
                self.sock.do_handshake()
            return
        raise NotReached(f"{self.host}: {getattr(problem, 'strerror', None) or problem or 'nobody answers'}")


class Reached:
    """An address that requests are sent to, one after the other; a context manager.

    :param url: see :func:`checked`
    :raises NotAllowed: see there
    """

    def __init__(self, url: str, networks: Sequence[str], *, seconds: float = SECONDS) -> None:
        self._parts = checked(url, networks)
        self._networks = networks
        self._seconds = seconds
        self._connection: _Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a request and read the answer's head.

        :raises NotAllowed: when the name stands for an address that must not be reached
        :raises NotReached: when nobody answers, or not in time
        """
        kept = self._connection is not None
        try:
            return self._post(body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            if not kept:
                raise NotReached(f"{self._parts.hostname}: closed the connection without an answer") from None
        except NotReached:
            raise
        except (OSError, http.client.HTTPException) as problem:
            raise NotReached(self._said(problem)) from None
        finally:
            if self._connection is not None and self._connection.sock is None:
                self._connection = None
        try:  # a connection that was kept, and that the other side has closed by now
            return self._post(body, headers)
        except NotReached:
            raise
        except (OSError, http.client.HTTPException) as problem:
            raise NotReached(self._said(problem)) from None

    def _said(self, problem: Exception) -> str:
        said = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
        return f"{self._parts.hostname}: {said}"

    def _post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        path = self._parts.path or "/"
        if self._parts.query:
            path += f"?{self._parts.query}"
        connection = self._connection or _Connection(self._parts, self._networks, self._seconds)
        self._connection = connection
        late = threading.Event()
        # A timeout of the socket begins anew with every byte that trickles in.
        watch = threading.Timer(self._seconds, _cut, (connection, late))
        watch.daemon = True
        watch.start()
        done = False
        try:
            if connection.sock is None:
                connection.connect()
                if late.is_set():  # nobody else is going to cut what begins only now
                    raise TimeoutError
            connection.request("POST", path, body, dict(headers))
            response = connection.getresponse()
            with closing(response):
                rest = response.read(LARGEST_ANSWER + 1)
            done = len(rest) <= LARGEST_ANSWER and response.isclosed() and not response.will_close
            return Answer(response.status, response.reason[:100])
        except (OSError, http.client.HTTPException):
            if late.is_set():
                raise NotReached(f"{connection.host}: no answer within {self._seconds:g} s") from None
            raise
        finally:
            watch.cancel()
            if not done:
                self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _cut(connection: _Connection, late: threading.Event) -> None:
    late.set()
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
