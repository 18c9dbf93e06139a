"""Work for children: which notebook to execute with which values, and ways to go wrong."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eisenergy.run.notebook import Job, RunRecord


@dataclass(frozen=True, kw_only=True)
class Task:
    notebook: Path
    output: Path
    given: dict[str, str] = field(default_factory=lambda: {"client": "EIS", "customer": "x"})


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a task came to, and the process that did it."""

    error: str | None
    pid: int


def execute(task: Task, run: Callable[[Job], RunRecord]) -> Done:
    job = Job(notebook=task.notebook, output=task.output, parameters=task.given, subject="somebody", timeout=60)
    return Done(error=run(job).error, pid=os.getpid())


def misbehave(task: str, run: Callable[[Job], RunRecord]) -> int:
    if task == "raise":
        raise ValueError("no")
    if task == "die":
        os.write(2, b"out of luck\n")
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "exit":
        os._exit(7)
    if task == "exit well":
        os._exit(0)
    if task == "kill the parent":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return os.getpid()


def wait(task: str, run: Callable[[Job], RunRecord]) -> None:
    """Leave a note of who works here, and work for long."""
    Path(task, f"{os.getpid()}").touch()
    time.sleep(60)


@dataclass(frozen=True, kw_only=True)
class Weight:
    """The memory of a child and of the parent that forked it, when a task has ended [pages]."""

    error: str | None
    pid: int
    child: int
    parent: int


def weigh(task: Task, run: Callable[[Job], RunRecord]) -> Weight:
    done = execute(task, run)
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in (os.getpid(), os.getppid())]
    return Weight(error=done.error, pid=done.pid, child=pages[0], parent=pages[1])


def announce(tasks: Sequence[Task]) -> None:
    """Read the desks of a batch together, as a month's publication does."""
    from eisenergy.desk import together  # here: most parents need none of it, and start in a third of the time

    together.announce("EIS", {task.given["customer"] for task in tasks}, "2021-09")


def warm(_: Sequence[Path]) -> None:
    """Load what bills months that nobody kept, as a publication that shows drafts does before it forks."""
    import eisenergy.desk.batch
    import eisenergy.kernels  # noqa: F401
