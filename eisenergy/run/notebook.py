"""One notebook, one customer, one month: Papermill, strictly.

Papermill only warns about a misspelt parameter and then runs with the default, so another customer's page would be
written under this one's name. Here the notebook's own parameters cell is the schema: a job that names a parameter the
notebook does not have, or leaves one out, fails before a kernel starts.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
_LONG: Final = 200
"""Bytes from which a text is worth another way."""
_SPACE: Final = 0x20
"""The first sign that is no control sign."""


class BadParameters(ValueError):
    """A job whose parameters are not those of its notebook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A notebook to execute.

    :param notebook: the notebook as it stands in ``notebooks/``
    :param output: where the executed one goes; written whole or not at all
    :param parameters: name -> text, exactly those of the notebook's parameters cell
    :param subject: whom it is about, for messages: a customer's code
    :param timeout: seconds for the whole notebook
    """

    notebook: Path
    output: Path
    parameters: Mapping[str, str]
    subject: str
    timeout: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a notebook has no output.

    :param notebook: its name, ``None`` when none is to blame: publishing failed, for example
    :param cell: the cell's number in the executed notebook, from 0; ``None`` when no cell is to blame
    :param source: the cell
    :param why: a sentence
    :param details: the traceback, or the last words of what died
    :param alone: the command that runs it alone, in the project's folder
    """

    notebook: str | None
    cell: int | None
    source: str
    why: str
    details: str
    alone: str

    def __str__(self) -> str:
        cell = "" if self.cell is None else f", cell {self.cell}"
        where = "" if self.notebook is None else f"{self.notebook}{cell}: "
        alone = f" Run it alone: {self.alone}" if self.alone else ""
        return f"{where}{self.why.rstrip('.')}.{alone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """How a job ended.

    :param failure: ``None`` when every cell ran
    :param seconds: wall clock time
    :param document: the executed notebook, where it was executed in this process; nobody may change it
    """

    job: Job
    failure: Failure | None
    seconds: float
    document: Any = field(default=None, repr=False, compare=False)

    @property
    def error(self) -> str | None:
        """Which cell failed, why, and how to run it alone; ``None`` when every cell ran."""
        return None if self.failure is None else str(self.failure)


def check_parameters(notebook: Path, parameters: Mapping[str, str]) -> None:
    """Compare a job's parameters with the notebook's parameters cell.

    :raises BadParameters: for an unknown or missing name, or a value that is not text
    :raises FileNotFoundError: when there is no such notebook
    """
    if not notebook.is_file():
        raise FileNotFoundError(f"{notebook}: no such notebook")
    known = _parameters(notebook, notebook.stat().st_mtime_ns)
    if not known:
        raise BadParameters(f"{notebook.name} has no cell tagged 'parameters': tag the cell that sets its defaults")
    if unknown := sorted(set(parameters) - known):
        raise BadParameters(
            f"{notebook.name} has no parameter {', '.join(unknown)}; its parameters cell names {', '.join(sorted(known))}"
        )
    if missing := sorted(known - set(parameters)):
        raise BadParameters(
            f"{notebook.name} needs a value for {', '.join(missing)}: a default would be somebody else's"
        )
    for name, value in parameters.items():
        if not isinstance(value, str):
            raise BadParameters(
                f"parameter {name} of {notebook.name} is {type(value).__name__}: expected text such as an id or an ISO date"
            )


def warm(notebook: Path) -> None:
    """Read the parameters of a notebook that will be executed here, or in processes that are forked from this one."""
    _parameters(notebook, notebook.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _parameters(notebook: Path, _stamp: int) -> frozenset[str]:
    """The names in a notebook's parameters cell; it is read once per process."""
    from papermill.inspection import inspect_notebook

    return frozenset(inspect_notebook(str(notebook)))


def execute(job: Job, *, watch: Callable[[int, str], None] | None = None) -> RunRecord:
    """Execute a notebook in a kernel of its own, or in this process.

    The kernel's connection file and sockets lie in a folder of their own: kernels that share one take each other's
    sockets. The executed notebook appears under ``job.output`` only when it is complete.

    :param watch: when given, the notebook is executed in this process by :mod:`eisenergy.run.engine`, and this is called
        before each cell with its number and source; the time limit is then the caller's business
    :raises BadParameters: before anything is started
    """
    check_parameters(job.notebook, job.parameters)
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from eisenergy.run import engine

    job.output.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    failure: Failure | None = None
    document = None
    with tempfile.TemporaryDirectory(prefix="eisenergy-kernel-") if watch is None else nullcontext("") as folder:
        partial = job.output.with_name(f".{job.output.stem}.{os.getpid()}.ipynb")
        try:
            if watch is not None:
                book = engine.execute(job.notebook, job.parameters, watch)
            else:
                book = papermill.execute_notebook(
                    str(job.notebook),
                    None,
                    parameters=dict(job.parameters),
                    kernel_name=engine.KERNEL,
                    progress_bar=False,
                    **_kernel_options(Path(folder), started + job.timeout),
                )
            engine.fix_injected_id(book)
            # Papermill notes where it read; in a document for a customer that is this machine's business only.
            book.metadata["papermill"] |= {"input_path": job.notebook.name, "output_path": job.output.name}
            partial.write_bytes(_bytes(book))
            os.replace(partial, job.output)
            document = book if watch is not None else None
        except PapermillExecutionError as problem:
            failure = Failure(
                notebook=job.notebook.name,
                cell=problem.cell_index,
                source=problem.source,
                why=f"{problem.ename}: {problem.evalue}",
                details=_plain("\n".join(problem.traceback)),
                alone=alone(job),
            )
        except Exception as problem:  # a dead kernel or a timeout is this customer's failure, not the run's
            failure = Failure(
                notebook=job.notebook.name,
                cell=None,
                source="",
                why=f"{type(problem).__name__}: {problem}. {_last_words(folder)}".strip(". "),
                details="",
                alone=alone(job),
            )
        finally:
            partial.unlink(missing_ok=True)
    return RunRecord(job=job, failure=failure, seconds=time.monotonic() - started, document=document)


def _kernel_options(folder: Path, deadline: float) -> dict[str, Any]:
    """What stock Papermill is told: a kernel with a folder of its own, and each cell the time that is left."""
    return {
        "timeout_func": lambda _: max(1, round(deadline - time.monotonic())),
        "kernel_manager_class": manager_class(),
        "config": kernel_config(folder),
    }


def _bytes(book: Any) -> bytes:
    """A notebook as JSON, a line per cell; nbformat made and checked its cells and outputs.

    ``nbformat.write`` would check them again and lay every line of every drawing on a line of its own, in 20 ms.
    """
    rest = {name: value for name, value in book.items() if name != "cells"}
    return b'{"cells": [\n%b\n],\n%b\n' % (b",\n".join(map(_cell, book["cells"])), _json(rest)[1:])


def _cell(cell: Mapping[str, Any]) -> bytes:
    """A cell as ``json.dumps`` writes it; what it shows, pages and drawings, is most of a notebook."""
    outputs = cell.get("outputs")
    if not outputs or max(cell) != "source" or sorted(cell)[-2:] != ["outputs", "source"]:
        return _json(cell)
    before = _json({name: value for name, value in cell.items() if name not in ("outputs", "source")})
    return b'%b, "outputs": [%b], "source": %b}' % (
        before[:-1],
        b", ".join(map(_output, outputs)),
        _json(cell["source"]),
    )


def _output(output: Mapping[str, Any]) -> bytes:
    data = output.get("data")
    if not data or min(output) != "data" or len(output) < 2 or not all(type(shown) is str for shown in data.values()):
        return _json(output)
    rest = _json({name: value for name, value in output.items() if name != "data"})
    shown = b", ".join(b"%b: %b" % (_json(kind), _quoted(text)) for kind, text in sorted(data.items()))
    return b'{"data": {%b}, %b' % (shown, rest[1:])


def _quoted(text: str) -> bytes:
    """A long text as JSON in UTF-8; the encoder looks at every sign twice, this searches for the few that matter."""
    import numpy as np

    raw = text.encode()
    if len(raw) < _LONG:
        return _json(text)
    made = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return _json(text) if np.frombuffer(made, np.uint8).min() < _SPACE else b'"%b"' % made


def _json(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


def _plain(text: str) -> str:
    """Without the colours a terminal shows."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _last_words(folder: str) -> str:
    """The end of what a kernel that died said."""
    log = Path(folder, "kernel.log")
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    return f"The kernel said: {' / '.join(lines[-3:])}" if lines else ""


def alone(job: Job) -> str:
    """Return the command with which a person runs a job by hand."""
    given = " ".join(f"-p {name} {shlex.quote(value)}" for name, value in job.parameters.items())
    return f"papermill {shlex.quote(str(job.notebook))} out.ipynb {given}"


def manager_class() -> type[Any]:
    """Return the kernel manager that jobs use."""
    from jupyter_client.manager import AsyncKernelManager

    class JobKernelManager(AsyncKernelManager):
        """A kernel whose own chatter goes to a file: on a terminal it would stand between the progress and the report."""

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            with Path(self.connection_file).with_name("kernel.log").open("ab") as log:
                await super().start_kernel(stderr=log, **options)

    return JobKernelManager


def kernel_config(folder: Path) -> Any:
    """Traitlets configuration that gives a kernel its own connection file and, where there are any, Unix sockets."""
    from traitlets.config import Config

    config = Config()
    config.KernelManager.connection_file = str(folder / "kernel.json")
    if sys.platform != "win32":
        config.KernelManager.transport = "ipc"
        config.KernelManager.ip = str(folder / "k")
    return config
