"""Processes that price, one fewer than there are processors: reading and summing, which is done here, takes longer.

They are started before the readings are read, import next to nothing, and end when the process that started them does: their
connection ends then. What they are sent is a batch and what they answer are drafts as they are stored, so that
this process only passes them on. Few contracts, or one processor, are priced in this process.
"""

from __future__ import annotations

import gc
import pickle
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Final

from eisenergy.billing.batch import Batch, Entry, Refused, price
from eisenergy.run.processes import Process, processors
from eisenergy.store import packing

WORTH: Final = 300
"""Contracts from which on processes are worth their start."""

AHEAD: Final = 4
"""Batches under way per process before the next is read."""


class PricerDied(RuntimeError):
    """A process that priced ended; nothing of its batch is kept. The same command does the month again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a batch.

    :param drafts: without their documents, which are in ``rows``
    :param rows: the drafts as they are stored
    """

    drafts: tuple[Entry, ...]
    rows: packing.Rows
    refused: tuple[Refused, ...]


def answer(batch: Batch) -> Answer:
    """Price a batch."""
    found = list(price(batch))
    drafts = [one for one in found if isinstance(one, Entry)]
    return Answer(
        drafts=tuple(replace(one, document="") for one in drafts),
        rows=packing.rows(drafts),
        refused=tuple(one for one in found if isinstance(one, Refused)),
    )


class Pricers:
    """Processes that price batches; a context manager.

    :param count: how many; 0: batches are priced in this process
    """

    def __init__(self, count: int) -> None:
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._pending: deque[Future[Answer]] = deque()
        self._processes = [Process(__name__, {}) for _ in range(count)]
        self._threads = ThreadPoolExecutor(max(1, count))  # each sends a batch and waits for its answer
        self._most = AHEAD * count
        for process in self._processes:
            self._idle.put(process.connection)

    @classmethod
    def fitting(cls, contracts: int) -> Pricers:
        """Start as many as the contracts are worth on this machine."""
        return cls(processors() - 1 if contracts >= WORTH else 0)

    def put(self, batch: Batch) -> Iterator[Answer]:
        """Take a batch, and yield the answers that are there; waits for some when many are under way."""
        if not self._processes:
            yield answer(batch)
            return
        self._pending.append(self._threads.submit(self._ask, batch))
        while self._pending and (self._pending[0].done() or len(self._pending) > self._most):
            yield self._pending.popleft().result()

    def rest(self) -> Iterator[Answer]:
        """Yield the answers that are still to come."""
        while self._pending:
            yield self._pending.popleft().result()

    def _ask(self, batch: Batch) -> Answer:
        connection = self._idle.get()
        try:
            connection.send_bytes(pickle.dumps(batch, protocol=5))
            found: Answer = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError) as problem:
            self._idle.put(connection)  # the next one fails there, too, instead of waiting for ever
            raise PricerDied(
                "a process that priced has ended before its answer; nothing was kept. Run the same command again."
            ) from problem
        self._idle.put(connection)
        return found

    def __enter__(self) -> Pricers:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        for future in self._pending:
            future.cancel()
        if failed is not None:
            for process in self._processes:
                process.kill()
        self._threads.shutdown()
        for process in self._processes:
            process.end()


def main(arguments: Sequence[str]) -> int:
    """Price what comes until nobody is there any more."""
    boss = Connection(int(arguments[0]))
    gc.disable()  # bills have no cycles, and looking for them among ten thousand documents takes as long as making these
    with suppress(EOFError, ConnectionError):
        while True:
            batch: Batch = pickle.loads(boss.recv_bytes())
            boss.send_bytes(pickle.dumps(answer(batch), protocol=5))
    return 0
