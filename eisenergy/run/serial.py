"""A process that does tasks one after the other, with a kernel per notebook: what :mod:`eisenergy.run.nursery` is where nothing forks.

``python -m eisenergy.run.start eisenergy.run.serial DESCRIPTOR`` takes the same orders and answers ``done``, ``raised`` and ``end``. A worker of a
cluster uses it, since a process of its own has the settings of those it works for, and such a worker may not have a pool of
processes. Of an order it looks at ``work``, ``batches`` and ``then`` alone: a kernel has the time limit of its notebook, and no
limit of memory; when this process dies, whoever ordered sees its connection end.
"""

from __future__ import annotations

import gc
import importlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from eisenergy.run.orders import Order


def main(arguments: Sequence[str]) -> int:
    """Take orders and do them, until nobody gives any."""
    boss = Connection(int(arguments[0]))
    gc.enable()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        while True:
            _do(boss.recv(), boss)
    except (EOFError, ConnectionError):
        return 0


def _do(order: Order, boss: Connection) -> None:
    module, _, name = order.work.partition(":")
    work: Callable[[Any], Any] = getattr(importlib.import_module(module), name)
    for batch in (*order.batches, *order.then):
        for number, task in batch:
            try:
                said = ("done", number, work(task))
            except Exception as problem:
                said = ("raised", number, f"{type(problem).__name__}: {problem}")
            boss.send(said)
    boss.send(("end", 0, None))


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone; its kernels look after themselves."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
