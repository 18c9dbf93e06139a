"""What passes between a command and the parent that forks for it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eisenergy.variables import BadSetting

ONE_THREAD: Final = {
    **dict.fromkeys(("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    **dict.fromkeys(("MKL_NUM_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS"), "1"),
    "_RJEM_MALLOC_CONF": "background_thread:false",  # the allocator of Polars and deltalake would start some on import
}
"""Variables that give every library one thread: the processes themselves fill the machine. Set before anything is imported."""

Numbered = tuple[int, Any]
"""A task with its place in the order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be done.

    :param work: ``module:function``; called with a task and with what executes a notebook in the child
    :param notebooks: notebooks the work executes; their imports are made once, before any child
    :param batches: numbered tasks; one child each
    :param then: more of them, begun when all of ``batches`` have ended
    :param workers: children at a time
    :param begin: ``module:function``; called in a new child with the tasks it is about to do, one after the other
    :param warm: ``module:function``; called before any child with ``notebooks``, to read what all children need. It may neither
        query nor draw nor start a thread
    :param seconds: for one notebook, and for what follows it until the next; then the child is killed
    :param memory: bytes a child may take beyond what it starts with
    """

    work: str
    notebooks: tuple[Path, ...]
    batches: tuple[tuple[Numbered, ...], ...]
    then: tuple[tuple[Numbered, ...], ...]
    workers: int
    seconds: float
    memory: int
    begin: str = ""
    warm: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """How a task's child died.

    :param why: a sentence
    :param notebook: what it was executing, ``None`` between notebooks
    :param cell: the cell's number in the executed notebook, from 0
    :param source: the cell
    :param said: the end of what the child wrote to its standard error
    """

    why: str
    notebook: str | None = None
    cell: int | None = None
    source: str = ""
    said: str = ""


class MayNotFork(RuntimeError):
    """This process would leave its children half of something: says of what."""


def can_fork() -> bool:
    """Whether this system forks as it starts processes: Linux does; Windows cannot, macOS may not."""
    return sys.platform.startswith("linux") and hasattr(os, "fork")


def forks(engine: str) -> bool:
    """Whether notebooks are executed in forked children.

    :param engine: the setting: ``auto``, ``fork`` or ``kernel``
    :raises BadSetting: for ``fork`` where the system does not
    """
    if engine == "fork" and not can_fork():
        raise BadSetting(f"EISENERGY_NOTEBOOK_ENGINE=fork, but {sys.platform} does not fork: expected auto or kernel")
    return engine != "kernel" and can_fork()
