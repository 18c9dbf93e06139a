"""Processes forked from one that imported: they answer, fail in their place, and a death is told instead of waited for."""

from __future__ import annotations

import math
import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from eisenergy.run import forked


def test_forked_processes_answer_and_what_cannot_be_sent_or_dies_is_told() -> None:
    with forked.workers(2, {"EISENERGY_CLIENT": "FORK"}, ("math",)) as workers:
        assert [workers.submit(math.factorial, n).result(60) for n in (3, 4)] == [6, 24]
        assert workers.submit(os.getenv, "EISENERGY_CLIENT").result(60) == "FORK"
        for _ in range(4):  # more often than there are processes
            with pytest.raises(Exception, match="pickle"):
                workers.submit(lambda: 1).result(60)
        with pytest.raises(ValueError, match="factorial"):
            workers.submit(math.factorial, -1).result(60)
        for _ in range(4):
            with pytest.raises(BrokenProcessPool):
                workers.submit(os._exit, 1).result(60)


def _ignored(pid: int | None) -> int:
    """The signals that a process ignores, a bit each."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("SigIgn:")), 16)


def test_a_spare_process_forks_as_many_as_are_wanted_and_ends_when_none_are() -> None:
    with forked.spared(3) as spare:
        with spare.begin(2, {"EISENERGY_CLIENT": "SPARE"}, ("math",)) as workers:
            assert [workers.submit(math.factorial, n).result(60) for n in (3, 4)] == [6, 24]
            assert workers.submit(os.getenv, "EISENERGY_CLIENT").result(60) == "SPARE"
            assert workers.submit(os.getenv, "POLARS_MAX_THREADS").result(60) == "1"
            parents = {workers.submit(os.getppid).result(60) for _ in range(4)}
            assert parents == {spare.process.pid}
        assert spare.process.exitcode == 0
    with forked.spared(3) as spare:
        while not _ignored(spare.process.pid) & 1 << signal.SIGINT - 1:
            time.sleep(0.01)
        # As a terminal does to all: the command says what is to be said.
        os.kill(spare.process.pid or 0, signal.SIGINT)
        assert spare.process.is_alive()
    assert spare.process.exitcode == 0, "nobody asked it, and it ended by itself"
