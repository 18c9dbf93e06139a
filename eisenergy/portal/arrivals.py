"""Which meters have new readings: one connection of this process listens to the database for everybody who watches."""

from __future__ import annotations

import json
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
import sqlalchemy.exc
from psycopg import sql

from eisenergy.accounts import Scope
from eisenergy.desk.live import Live
from eisenergy.store import outbox
from eisenergy.store.database import Database

LOOK: Final = 0.5
"""Seconds between two looks at whether anybody still watches."""
AGAIN: Final = 1.0
"""Seconds before a connection that broke is made anew."""
MOST: Final = 20_000
"""Contracts whose energies are kept."""
_log: Final = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Watch:
    """Somebody who watches one client.

    :param wake: called from another thread when something changed
    :param meters: those with new readings since it was last looked
    :param everything: masters may be others now, or news were missed: everything is to be looked at anew
    """

    client: str
    wake: Callable[[], None]
    meters: set[str] = field(default_factory=set)
    everything: bool = False


class Arrivals:
    """What arrives, told to everybody who watches; and energies that several of them ask for, made once.

    The thread that listens begins with the first watch and ends after the last.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._watches: set[Watch] = set()
        self._thread: threading.Thread | None = None
        self._listening = threading.Event()
        self._changes: dict[tuple[str, str], int] = {}
        self._all = 0
        self._kept: dict[tuple[str, str], tuple[object, Live]] = {}

    def add(self, watch: Watch, seconds: float = 5.0) -> None:
        """Begin to tell; from the end of this call on nothing is missed. :param seconds: to wait for the database at most"""
        with self._lock:
            self._watches.add(watch)
            if self._thread is None:
                self._listening.clear()
                self._thread = threading.Thread(target=self._listen, name="arrivals", daemon=True)
                self._thread.start()
        if not self._listening.wait(seconds):
            watch.everything = True

    def remove(self, watch: Watch) -> None:
        """Tell no more."""
        with self._lock:
            self._watches.discard(watch)

    def taken(self, watch: Watch) -> tuple[set[str], bool]:
        """Return what changed since it was last asked: meters, and whether everything is to be looked at."""
        with self._lock:
            found = watch.meters, watch.everything
            watch.meters, watch.everything = set(), False
        return found

    def state(self, client: str, meter: str, more: object) -> object:
        """Name the state of a meter's readings, before they are read."""
        with self._lock:
            return (self._all, self._changes.get((client, meter), 0), more)

    def kept(self, client: str, contract: str, state: object) -> Live | None:
        """Return the energies of a contract that were made of this very state."""
        found = self._kept.get((client, contract))
        return found[1] if found is not None and found[0] == state else None

    def keep(self, client: str, made: Live, state: object) -> None:
        """Keep energies that were made of a state."""
        with self._lock:
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[client, made.contract] = (state, made)

    def _listen(self) -> None:
        while True:
            try:
                self._connected()
                return
            except (psycopg.Error, sqlalchemy.exc.SQLAlchemyError) as problem:
                _log.warning(
                    "the database cannot be listened to, tried again in %s s: %s", AGAIN, type(problem).__name__
                )
                if self._over():
                    return
            time.sleep(AGAIN)

    def _connected(self) -> None:
        engine = self._database.engine
        _, given = engine.dialect.create_connect_args(engine.url)
        with psycopg.connect(**given, autocommit=True) as connection:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(outbox.CHANNEL)))
            self._told(None, (), everything=True)  # what came while nobody listened
            self._listening.set()
            while not self._over():
                for notice in connection.notifies(timeout=LOOK):
                    self._heard(json.loads(notice.payload))

    def _over(self) -> bool:
        with self._lock:
            if self._watches:
                return False
            self._thread = None
            self._kept.clear()
            self._changes.clear()
            self._all += 1
            return True

    def _heard(self, told: dict[str, Any]) -> None:
        client = str(told["client"])
        with self._lock:
            if not any(watch.client == client for watch in self._watches):
                self._kept = {key: one for key, one in self._kept.items() if key[0] != client}
                return
        events = outbox.between(self._database, Scope.operator(client), int(told["first"]), int(told["last"]))
        meters = {str(m) for one in events if one.type == outbox.INGESTED for m in one.data["meters"]}
        masters = any(one.type in (outbox.CUSTOMER, outbox.TARIFF, outbox.CALENDAR) for one in events)
        if meters or masters:
            self._told(client, meters, everything=masters)

    def _told(self, client: str | None, meters: Iterable[str], *, everything: bool) -> None:
        with self._lock:
            self._all += everything
            for meter in meters:
                self._changes[str(client), meter] = self._changes.get((str(client), meter), 0) + 1
            concerned = [watch for watch in self._watches if client in (None, watch.client)]
            for watch in concerned:
                watch.meters |= set(meters)
                watch.everything |= everything
        for watch in concerned:
            watch.wake()


_of: weakref.WeakKeyDictionary[Database, Arrivals] = weakref.WeakKeyDictionary()
_making: Final = threading.Lock()


def arrivals_of(database: Database) -> Arrivals:
    """Return what listens to a database; there is one in a process."""
    with _making:
        if database not in _of:
            _of[database] = Arrivals(database)
        return _of[database]
