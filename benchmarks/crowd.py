"""Many signed-in customers at once, each asking for its own pages without pause: a bounded load over loopback, by plain sockets.

Needs nothing beyond the standard library. Every answer is looked at: its status, and whether it is the asker's own.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Visitor:
    """One signed-in customer.

    :param token: of its session
    :param pages: name -> address of its own pages, asked for in turn; names are the same for everybody
    :param mark: a pattern of what names a customer
    :param own: what that pattern may find in a page, and must find in every one
    :param files: path -> sha256 of the file that belongs there
    """

    token: str
    pages: Mapping[str, str]
    mark: str
    own: str
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Crowd:
    """What came of it.

    :param errors: what was not as it must be, the first of each kind and how often
    :param seconds: page -> time of each answer [s]
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    took: float = 0.0

    @property
    def answers(self) -> int:
        """How many answers came."""
        return sum(map(len, self.seconds.values()))

    def wrong(self, what: str) -> None:
        """Note something that is not as it must be."""
        self.errors[what] = self.errors.get(what, 0) + 1


def visit(url: str, visitors: Sequence[Visitor], seconds: float, *, rounds: int = 0) -> Crowd:
    """Let everybody ask at once.

    :param seconds: after which nobody asks again; what was asked for is waited for
    :param rounds: everybody asks for so many pages at least, however long it takes
    """
    crowd = Crowd()
    began = time.perf_counter()
    asyncio.run(_all(url, visitors, seconds, rounds, crowd))
    crowd.took = time.perf_counter() - began
    return crowd


async def _all(url: str, visitors: Sequence[Visitor], seconds: float, rounds: int, crowd: Crowd) -> None:
    until = time.perf_counter() + seconds
    await asyncio.gather(*(_one(url, n, visitor, until, rounds, crowd) for n, visitor in enumerate(visitors)))


async def _one(url: str, number: int, visitor: Visitor, until: float, rounds: int, crowd: Crowd) -> None:
    parts = urlsplit(url)
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    pages = list(visitor.pages.items())
    turn = number  # they do not all begin with the same page
    while time.perf_counter() < until or turn - number < rounds:
        name, path = pages[turn % len(pages)]
        turn += 1
        began = time.perf_counter()
        try:
            if streams is None:
                streams = await asyncio.open_connection(parts.hostname, parts.port)
            status, headers, body = await asyncio.wait_for(_ask(streams, parts.netloc, path, visitor.token), 60)
        except (OSError, EOFError, TimeoutError, ValueError) as problem:
            crowd.wrong(f"{type(problem).__name__}: {problem}"[:120])
            if streams is not None:
                streams[1].close()
            streams = None
            continue
        crowd.seconds.setdefault(name, []).append(time.perf_counter() - began)
        for wrong in _wrong(visitor, path, status, body):
            crowd.wrong(wrong)
        if headers.get("connection") == "close":
            streams[1].close()
            streams = None
    if streams is not None:
        streams[1].close()


def _wrong(visitor: Visitor, path: str, status: int, body: bytes) -> list[str]:
    """What is wrong with an answer."""
    if status != 200:
        return [f"status {status}"]
    if path in visitor.files:
        return [] if hashlib.sha256(body).hexdigest() == visitor.files[path] else ["another file than its own"]
    named = set(re.findall(visitor.mark, body.decode("utf-8", "replace")))
    if named - {visitor.own}:
        return ["another's page"]
    return [] if named else ["a page that names nobody"]


async def _ask(
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], host: str, path: str, token: str
) -> tuple[int, dict[str, str], bytes]:
    """Send a request and read the answer, over a connection that stays open."""
    reader, writer = streams
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: eisenergy={token}\r\n\r\n".encode("ascii"))
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *rest = head.split("\r\n")
    headers: dict[str, Any] = {}
    for line in rest:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding") == "chunked":
        pieces = []
        while size := int((await reader.readline()).strip() or b"0", 16):
            pieces.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readexactly(2)
        body = b"".join(pieces)
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(first.split(" ")[1]), headers, body
