"""Drafts of a month on their way into the books: written while the next are priced, over several connections, all or none."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from psycopg import Cursor
from sqlalchemy import Connection, text

from eisenergy.accounts import Scope
from eisenergy.billing.batch import Entry
from eisenergy.period import BillingMonth
from eisenergy.store import packing
from eisenergy.store.arrays import Documents, Texts
from eisenergy.store.database import Database

CONNECTIONS: Final = 2
"""Connections that drafts of a run are written over."""

AHEAD: Final = 16
"""Puts that may wait for a connection: it takes its time to read a bill, and whoever sums and prices need not wait for that."""


class _Writer:
    """A connection and the thread that writes to it."""

    def __init__(self, connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        self.cursor: Cursor[Any] = driver.cursor()
        self.thread = ThreadPoolExecutor(1)  # one: the connection is one
        self.waiting: deque[Future[None]] = deque()

    def idle(self) -> bool:
        """Whether nothing waits. :raises psycopg.Error: when something could not be written"""
        while self.waiting and self.waiting[0].done():
            self.waiting.popleft().result()
        return not self.waiting

    def wait(self, most: int) -> None:
        """Wait until so few puts are left. :raises psycopg.Error: when one could not be written"""
        while len(self.waiting) > most:
            self.waiting.popleft().result()


class Drafting:
    """Drafts on their way into the books: all of them are kept when the ``with`` of :func:`drafting` ends, or none."""

    def __init__(self, scope: Scope, key: Mapping[str, str], connect: Callable[[], Connection]) -> None:
        self._scope, self._key, self._connect = scope, key, connect
        self._writers = [_Writer(connect())]
        self._contracts: set[str] = set()

    def put(self, entries: Sequence[Entry], packed: packing.Rows | None = None) -> None:
        """Take some drafts; waits where too many are on their way.

        :param packed: the same as arrays, where they are made already
        :raises OutOfScope: for a customer outside the scope
        :raises ValueError: for a contract that was put before; two connections would wait for each other
        :raises psycopg.Error: when the connection broke at these or at drafts put before, or the books refused them
        """
        contracts = {one.contract for one in entries}
        for one in entries:
            self._scope.check(one.customer)
        if len(contracts) < len(entries) or not contracts.isdisjoint(self._contracts):
            twice = sorted(contracts & self._contracts) or sorted(contracts)
            raise ValueError(f"a run drafts a contract once; put twice: one of {', '.join(twice[:5])}")
        if not entries:
            return
        self._contracts |= contracts
        writer = self._free()
        rows = packing.rows(entries) if packed is None else packed
        writer.waiting.append(writer.thread.submit(self._write, writer.cursor, rows))

    def _free(self) -> _Writer:
        """The writer with the least to do; another one, where all have something and there may be more."""
        idle = [writer for writer in self._writers if writer.idle()]
        if idle:
            return idle[0]
        if len(self._writers) < CONNECTIONS:
            self._writers.append(_Writer(self._connect()))
            return self._writers[-1]
        chosen = min(self._writers, key=lambda writer: len(writer.waiting))
        chosen.wait(AHEAD - 1)
        return chosen

    def _write(self, cursor: Cursor[Any], rows: packing.Rows) -> None:
        arrays = {
            name: (Documents if name in packing.DOCUMENTS else Texts)(values)
            for name, values in zip(packing.COLUMNS, rows.arrays, strict=True)
        }
        cursor.execute(_PUT, {**self._key, **arrays})

    def finish(self) -> None:
        """Wait until the server has taken what was put, and take it off the parked. :raises psycopg.Error: when it did not."""
        for writer in self._writers:
            writer.wait(0)
        self._writers[0].cursor.execute(_UNPARK, {**self._key, "contracts": Texts.of(self._contracts)})

    def end(self) -> None:
        """Write nothing more; what is being written is written to its end, since the connection is needed to give up."""
        for writer in self._writers:
            writer.thread.shutdown(cancel_futures=True)
            writer.cursor.close()


_COLUMNS: Final = ("client", "month", *packing.COLUMNS)
_CASTS: Final = {"kwh": "numeric", "total": "numeric", "lake_version": "bigint"}

# The arrays come in order of the contracts. An issue of the month waits meanwhile, or this for it: see exclusively().
_PUT: Final = f"""
    INSERT INTO eisenergy.drafts ({", ".join(_COLUMNS)})
    SELECT %(client)s, %(month)s, {", ".join(f"CAST(n.{c} AS {_CASTS[c]})" if c in _CASTS else f"n.{c}" for c in packing.COLUMNS)}
    FROM unnest({", ".join(f"%({c})s" for c in packing.COLUMNS)}) AS n({", ".join(packing.COLUMNS)})
    WHERE NOT EXISTS (
        SELECT FROM eisenergy.invoices i WHERE i.client = %(client)s AND i.month = %(month)s AND i.contract = n.contract
    )
    ON CONFLICT (client, contract, month) DO UPDATE SET {", ".join(f"{c} = EXCLUDED.{c}" for c in packing.COLUMNS[1:])}
"""
_UNPARK: Final = (
    "DELETE FROM eisenergy.parked WHERE client = %(client)s AND month = %(month)s AND contract = ANY (%(contracts)s)"
)


@contextmanager
def drafting(database: Database, scope: Scope, month: BillingMonth) -> Iterator[Drafting]:
    """Keep drafts of a month, all or none; each replaces the contract's earlier draft and takes it off the parked.

    Drafts of a contract whose invoice is issued are left out. What is put is written by the server while the next is worked out, over
    two connections where one is busy: reading and packing a bill takes the server as long as summing and pricing it. They are
    committed one after the other when everything is written. A crash between these two moments leaves drafts that are right,
    each for itself; the same command makes the others.

    :raises OutOfScope: for a role that only reads
    """
    scope.check_writes()
    with database.session(scope) as first, ExitStack() as others:
        exclusively(first, scope, month)
        connections = itertools.chain(
            [first], (others.enter_context(database.session(scope)) for _ in itertools.count())
        )
        desk = Drafting(scope, {"client": scope.client, "month": str(month)}, lambda: next(connections))
        try:
            yield desk
            desk.finish()
        finally:
            desk.end()


def exclusively(connection: Connection, scope: Scope, month: BillingMonth) -> None:
    """Let this transaction alone write drafts of a month, or issue them; another waits until it ends.

    Drafts come in the order in which they are priced, an issue takes them in order of their contracts: two that wait for each
    other's rows would be ended by the server.
    """
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 3))")
    connection.execute(lock, {"key": f"{scope.client} {month}"})
