"""One notebook, one customer, one month: Papermill, strictly.

Papermill only warns about a misspelt parameter and then runs with the default, so another customer's page would be
written under this one's name. Here the notebook's own parameters cell is the schema: a job that names a parameter the
notebook does not have, or leaves one out, fails before a kernel starts.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KERNEL = "python3"


class BadParameters(ValueError):
    """A job whose parameters are not those of its notebook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A notebook to execute.

    :param notebook: the notebook as it stands in ``notebooks/``
    :param output: where the executed one goes; written whole or not at all
    :param parameters: name -> text, exactly those of the notebook's parameters cell
    :param subject: whom it is about, for messages: a customer's code
    :param timeout: seconds for each cell
    """

    notebook: Path
    output: Path
    parameters: Mapping[str, str]
    subject: str
    timeout: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """How a job ended.

    :param error: ``None`` when every cell ran; otherwise which cell failed, why, and how to run it alone
    :param seconds: wall clock time
    """

    job: Job
    error: str | None
    seconds: float


def check_parameters(notebook: Path, parameters: Mapping[str, str]) -> None:
    """Compare a job's parameters with the notebook's parameters cell.

    :raises BadParameters: for an unknown or missing name, or a value that is not text
    :raises FileNotFoundError: when there is no such notebook
    """
    from papermill.inspection import inspect_notebook

    if not notebook.is_file():
        raise FileNotFoundError(f"{notebook}: no such notebook")
    known = set(inspect_notebook(str(notebook)))
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


def execute(job: Job) -> RunRecord:
    """Execute a notebook in a kernel of its own.

    The kernel's connection file and sockets lie in a folder of their own: kernels that share one take each other's
    sockets. The executed notebook appears under ``job.output`` only when it is complete.

    :raises BadParameters: before anything is started
    """
    check_parameters(job.notebook, job.parameters)
    import papermill
    from papermill.exceptions import PapermillExecutionError

    job.output.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    error: str | None = None
    with tempfile.TemporaryDirectory(prefix="eisenergy-kernel-") as folder:
        partial = job.output.with_name(f".{job.output.stem}.{os.getpid()}.ipynb")
        try:
            papermill.execute_notebook(
                str(job.notebook),
                str(partial),
                parameters=dict(job.parameters),
                kernel_name=KERNEL,
                progress_bar=False,
                request_save_on_cell_execute=False,
                execution_timeout=job.timeout,
                kernel_manager_class=manager_class(),
                config=kernel_config(Path(folder)),
            )
            _forget_paths(partial, job)
            os.replace(partial, job.output)
        except PapermillExecutionError as failure:
            error = f"{job.notebook.name}, cell {failure.cell_index}: {failure.ename}: {failure.evalue}. {_alone(job)}"
        except Exception as failure:  # a dead kernel or a timeout is this customer's failure, not the run's
            error = (
                f"{job.notebook.name}: {type(failure).__name__}: {failure}. {_last_words(Path(folder))}{_alone(job)}"
            )
        finally:
            partial.unlink(missing_ok=True)
    return RunRecord(job=job, error=error, seconds=time.monotonic() - started)


def _forget_paths(executed: Path, job: Job) -> None:
    """Papermill notes where it read and wrote; in a document for a customer that is this machine's business only."""
    import nbformat

    book = nbformat.read(executed, as_version=4)  # type: ignore[no-untyped-call]
    book.metadata["papermill"] |= {"input_path": job.notebook.name, "output_path": job.output.name}
    nbformat.write(book, executed)  # type: ignore[no-untyped-call]


def _last_words(folder: Path) -> str:
    """The end of what a kernel that died said."""
    log = folder / "kernel.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    return f"The kernel said: {' / '.join(lines[-3:])}. " if lines else ""


def _alone(job: Job) -> str:
    """How a person runs the job by hand."""
    given = " ".join(f"-p {name} {value}" for name, value in job.parameters.items())
    return f"Run it alone: papermill {job.notebook} out.ipynb {given}"


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
