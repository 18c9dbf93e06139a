"""Slows the guessing of passwords and codes without locking the owner out.

Three counts: an account from one place, an account from anywhere, a place at any account. Each failure beyond the free ones doubles the
wait, up to a bound; a try during the wait is neither looked at nor counted. A device on which the owner signed in before is a place of
its own and is not held up by what others do to the account.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Final

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from eisenergy.store import tables
from eisenergy.store.database import Database

FREE: Final = {"pair": 3, "account": 20, "address": 30, "provider": 30}
"""Failures that cost no wait."""
BOUND: Final = {
    "pair": timedelta(minutes=15),
    "account": timedelta(minutes=5),
    "address": timedelta(minutes=5),
    "provider": timedelta(minutes=5),
}
FORGIVEN: Final = timedelta(hours=1)
"""After each hour a count has one failure less, so that a busy place's do not add up for ever."""
FORGOTTEN: Final = timedelta(days=1)
"""A count that nobody added to for so long begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A try that counts as failed until :func:`succeeded`.

    :param keys: the counts it was added to
    :param wait: how long to wait before a try is looked at; zero: this one may be
    """

    keys: tuple[tuple[str, str], ...]
    wait: timedelta


def delay(kind: str, failures: int) -> timedelta:
    """Return the wait after so many failures: none while they are free, then 2 s, 4 s, 8 s ..., up to the bound."""
    beyond = failures - FREE[kind]
    if beyond <= 0:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(beyond, 20)), BOUND[kind])


def begin(database: Database, account: str, address: str, at: datetime, *, device: str | None = None) -> Attempt:
    """Count a try before it is looked at, so that many at once are counted, too.

    :param account: what is guessed at
    :param device: hash of a trusted device of the account's owner
    """
    address = place_of(address)
    pair = f"{account} device {device}" if device else f"{account} from {address}"
    keys = [("pair", _key(pair))]
    if device is None:
        keys += [("account", _key(account)), ("address", _key(address))]
    return _begin(database, sorted(keys), at)


def begin_at_provider(database: Database, address: str, at: datetime) -> Attempt:
    """Count an answer that somebody claims to bring from the OpenID provider, as :func:`begin` does.

    No account is known yet, and many people share one place.
    """
    return _begin(database, [("provider", _key(place_of(address)))], at)


def _begin(database: Database, keys: list[tuple[str, str]], at: datetime) -> Attempt:
    table = tables.guesses
    with database.signing_in() as connection:
        counts: dict[tuple[str, str], tuple[int, datetime]] = {}
        opens = at
        for kind, key in keys:
            connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 2))"), {"key": f"{kind} {key}"}
            )
            row = connection.execute(select(table).where(table.c.kind == kind, table.c.key == key)).first()
            if row is not None and row.last_at > at - FORGOTTEN:
                counts[kind, key] = _left(row.failures, row.last_at, at)
                opens = max(opens, row.open_at)
        if opens > at:
            return Attempt(keys=tuple(keys), wait=opens - at)
        connection.execute(delete(table).where(table.c.last_at < at - FORGOTTEN))
        for kind, key in keys:
            failures, since = counts.get((kind, key), (0, at))
            values = {"failures": failures + 1, "last_at": since, "open_at": at + delay(kind, failures + 1)}
            query = upsert(table).values({"kind": kind, "key": key, **values})
            connection.execute(query.on_conflict_do_update(index_elements=["kind", "key"], set_=values))
    return Attempt(keys=tuple(keys), wait=timedelta(0))


def _left(failures: int, since: datetime, at: datetime) -> tuple[int, datetime]:
    """Return what is left of a count, and from when on it is forgiven further: a try, right or wrong, does not put that off."""
    hours = (at - since) // FORGIVEN
    return (failures - hours, since + hours * FORGIVEN) if hours < failures else (0, at)


def succeeded(database: Database, attempt: Attempt, at: datetime) -> None:
    """Take a try back that was right: the account's count from this place ends, the others are one less."""
    table = tables.guesses
    with database.signing_in() as connection:
        for kind, key in attempt.keys:
            here = (table.c.kind == kind) & (table.c.key == key)
            connection.execute(delete(table).where(here, (table.c.failures <= 1) | (table.c.kind == "pair")))
            connection.execute(update(table).where(here).values(failures=table.c.failures - 1, open_at=at))


def place_of(address: str) -> str:
    """Return what counts as one place: an IPv4 address, or the /64 that one IPv6 subscriber has to choose from."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def _key(what: str) -> str:
    return hashlib.sha256(what.encode()).hexdigest()
