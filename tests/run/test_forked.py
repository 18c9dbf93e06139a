"""Processes forked from one that imported: they answer, fail in their place, and a death is told instead of waited for."""

from __future__ import annotations

import math
import os
from concurrent.futures.process import BrokenProcessPool

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
