"""Make one customer's documents: execute its notebooks, publish its site. A task for the pool, or for a forked child.

What is made, and when it is stale, is said in :mod:`eisenergy.cli.documents`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from eisenergy.accounts import Client, Contract
from eisenergy.billing.model import Bill
from eisenergy.cli.documents import STAMP, Made, Task, beside, between, failed, folder_of, jobs, kept, size_of, stamp_of
from eisenergy.config import Settings
from eisenergy.desk import together
from eisenergy.ledger.invoices import Invoice
from eisenergy.masters import codec
from eisenergy.period import BillingMonth
from eisenergy.publish import embedded, site
from eisenergy.publish.folders import QUARTO
from eisenergy.publish.navigation import front_matter, read_site, remember
from eisenergy.publish.place import locked
from eisenergy.run import engine
from eisenergy.run.notebook import Job, RunRecord, execute
from eisenergy.run.notebook import warm as parameters_of
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar

LOCK: Final = ".lock"
RECORDS: Final = (Client, Contract, Tariff, DayCalendar, Bill, Invoice)
"""What a desk is read from."""


def warm(notebooks: Iterable[Path]) -> None:
    """Read what every child would read again: the notebooks, the page's template, the site's description."""
    import numpy.ma  # noqa: F401  Polars asks NumPy for it at its first look at an array

    embedded.warm()
    read_site(QUARTO)
    for kind in RECORDS:
        codec.prepare(kind)
    for notebook in notebooks:
        engine.warm(notebook)
        parameters_of(notebook)
        front_matter(notebook)


def warm_to_bill(notebooks: Iterable[Path]) -> None:
    """Read what every child would read again, where some have to draft a bill: what is compiled, too."""
    import eisenergy.desk.batch
    import eisenergy.kernels  # noqa: F401

    warm(notebooks)


def begin(tasks: Sequence[Task]) -> None:
    """Say whose documents this process will make: their desks are read together.

    :param tasks: of one client
    """
    together.forget()
    customers = [task.customer for task in tasks if task.customer is not None]
    if customers:  # a single one's, too: each of its notebooks opens it
        together.announce(tasks[0].client, customers, tasks[0].month)


def make(task: Task, run: Callable[[Job], RunRecord] = execute) -> Made:
    """Execute the notebooks of a task and publish its site; an error is its result, and stops nobody else.

    :param run: what executes a notebook: in a kernel of its own, or in a forked child
    """
    started = time.monotonic()
    settings = Settings.load()
    with locked(folder_of(settings, task) / LOCK):  # another worker may be at it, one that was thought dead
        return kept(settings, task) or _made(settings, task, run, started)


def _made(settings: Settings, task: Task, run: Callable[[Job], RunRecord], started: float) -> Made:
    folder = folder_of(settings, task)
    stamp = folder / STAMP
    stamp.unlink(missing_ok=True)
    for left in folder.glob(".*.ipynb"):  # a killed run's
        left.unlink(missing_ok=True)
    executed: dict[str, Path] = {}
    for job in jobs(settings, task):
        record = run(job)
        if record.failure is not None:
            return failed(task, record.failure, started)
        executed[job.output.stem] = job.output
        if record.document is not None:
            remember(job.output, record.document)
    neighbours = beside(settings, task)
    try:
        month = BillingMonth.parse(task.month)
        if task.customer is None:
            published = site.publish_operator(settings, executed, task.client, month, task.renderer, locale=task.locale)
        else:
            published = site.publish_customer(
                settings, executed, task.client, task.customer, month, task.renderer, locale=task.locale
            )
    except site.PublishFailed as problem:
        return failed(task, between(task, str(problem)), started)
    partial = stamp.with_suffix(".part")
    partial.write_text(
        json.dumps(
            {
                "stamp": stamp_of(task),
                "sizes": {str(path): size_of(path) for path in published.paths},
                "beside": neighbours,
            }
        ),
        encoding="utf-8",
    )
    partial.replace(stamp)
    return Made(task=task, failure=None, fresh=True, paths=published.paths, seconds=time.monotonic() - started)
