"""A part of a month's contracts in a process of its own: two processes read more than one, whose threads wait for each other.

It is started before anything is read and takes a second to load what reads. It opens the same workspace as the application's role and with
the same scope, and takes the state of the readings, tariffs and calendars from this process: all drafts of a run are made from the same.
Nothing is written there; what it answers is written here, with the rest or not at all.
"""

from __future__ import annotations

import gc
import os
import pickle
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from eisenergy.accounts import Scope
from eisenergy.period import BillingMonth
from eisenergy.run.processes import Process, processors
from eisenergy.store.roster import Listed
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar

if TYPE_CHECKING:
    from eisenergy.desk.workspace import Workspace
    from eisenergy.run.part import Done
    from eisenergy.run.past import Past

WORTH: Final = 4000
"""Contracts from which on a process is worth its start."""

PROCESSORS: Final = 4
"""Processors from which on there is one for it."""

SHARE: Final = 0.4
"""Of the contracts; it begins a second later than this process."""


class PartDied(RuntimeError):
    """A process that drafted a part ended before it was done; nothing is kept. The same command does the month again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to draft, and from which state.

    :param tariffs: name -> tariff and calendar, as far as they are stored
    """

    scope: Scope
    month: BillingMonth
    contracts: tuple[Listed, ...]
    lake_version: int
    tariffs: Mapping[str, tuple[Tariff, DayCalendar]]


class Apart:
    """The process, where there is one; a context manager."""

    def __init__(self, process: Process | None) -> None:
        self._process = process
        self._found: SimpleQueue[bytes | None] = SimpleQueue()
        self._listener: threading.Thread | None = None
        self._ended = True

    @classmethod
    def fitting(cls, workspace: Workspace, contracts: int) -> Apart:
        """Start one where the contracts and this machine are worth it."""
        worth = contracts >= WORTH and processors() >= PROCESSORS
        return cls(Process(__name__, workspace.environment()) if worth else None)

    def given(self, past: Past, scope: Scope, contracts: Sequence[Listed]) -> Sequence[Listed]:
        """Give it its share, and return what is left to do here."""
        if self._process is None:
            return contracts
        ordered = sorted(contracts, key=lambda one: one.meter)
        kept = len(ordered) - int(len(ordered) * SHARE)
        order = Order(
            scope=scope,
            month=past.month,
            contracts=tuple(ordered[kept:]),
            lake_version=past.common.lake_version,
            tariffs=past.common.tariffs({one.tariff for one in ordered}),
        )
        self._ended = False
        self._listener = threading.Thread(target=self._listen, args=(self._process.connection, order), daemon=True)
        self._listener.start()
        return ordered[:kept]

    def done(self) -> Iterator[Done]:
        """Yield what has come. :raises PartDied: when nothing more will come, though it should"""
        with suppress(Empty):
            while not self._ended:
                yield from self._opened(self._found.get_nowait())

    def rest(self) -> Iterator[Done]:
        """Yield what is still to come. :raises PartDied: see :meth:`done`"""
        while not self._ended:
            yield from self._opened(self._found.get())

    def _opened(self, data: bytes | None) -> Iterator[Done]:
        if data is None:
            raise PartDied(
                "a process that drafted a part of the month has ended before it was done; nothing was kept. Run the same command again."
            )
        found: Done | None = pickle.loads(data)
        if found is None:
            self._ended = True
        else:
            yield found

    def _listen(self, connection: Connection, order: Order) -> None:
        with suppress(EOFError, OSError):
            connection.send_bytes(pickle.dumps(order, protocol=5))
            while True:
                self._found.put(connection.recv_bytes())
        self._found.put(None)

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if self._process is not None:
            if failed is not None:
                self._process.kill()
            if self._listener is not None:  # what it reads from is closed behind it
                self._listener.join()
            self._process.end()


def main(arguments: Sequence[str]) -> int:
    """Draft the part that comes. What that takes is loaded while the other process still asks what there is to draft."""
    from eisenergy.config import Settings
    from eisenergy.desk.workspace import opened
    from eisenergy.quality import cleankernel as cleankernel
    from eisenergy.run.part import drafted
    from eisenergy.run.past import Past
    from eisenergy.run.pricers import Pricers

    boss = Connection(int(arguments[0]))
    gc.disable()  # see :mod:`eisenergy.run.pricers`
    with suppress(EOFError, ConnectionError), opened(Settings.load()) as workspace:
        order: Order = pickle.loads(boss.recv_bytes())
        past = Past.read(workspace, order.scope, order.month)
        past = replace(past, common=past.common.instead(order.lake_version, order.tariffs))
        with Pricers(0) as pricers:
            for done in drafted(past, order.contracts, pricers):
                boss.send_bytes(pickle.dumps(done, protocol=5))
        boss.send_bytes(pickle.dumps(None))
    os._exit(0)  # whatever threads there are have nothing left to do
