"""Publish a month: which sites are wanted, whether they are stale, and the fan-out over processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from eisenergy.accounts import Scope
from eisenergy.cli import documents
from eisenergy.cli.output import TOLD, err, out, progress, say, say_more
from eisenergy.desk.workspace import Workspace
from eisenergy.period import BillingMonth
from eisenergy.publish.renderer import choose
from eisenergy.run import batches, cluster, failures, pool
from eisenergy.run.chosen import chosen_contracts
from eisenergy.run.cluster import Cluster
from eisenergy.run.orders import MayNotFork, forks
from eisenergy.run.remembered import keep_history
from eisenergy.store import masters, outbox, portfolio
from eisenergy.store.outbox import New
from eisenergy.store.portfolio import Shown

TOLD_TOGETHER: Final = 100
"""Sites whose events are written together."""
WORK: Final = "eisenergy.cli.making:make"
HOOKS: Final = {"begin": "eisenergy.cli.making:begin", "warm": "eisenergy.cli.making:warm"}
"""What a batch's child does first, and its parent: here, and on every worker of a cluster."""
DRAFTING: Final = {**HOOKS, "warm": "eisenergy.cli.making:warm_to_bill"}
"""The same where documents show drafts: some of them are drafted once more, with what is compiled."""


@contextmanager
def workers_elsewhere(workspace: Workspace) -> Iterator[Cluster | None]:
    """Connect to the workers of the scheduler that the settings name; ``None`` when this machine does the work.

    :raises ClusterUnusable: when they cannot do it; so a command asks before it does anything
    """
    settings = workspace.settings
    if settings.scheduler is None:
        yield None
        return
    programs = ("quarto",) if choose(settings) == "quarto" else ()
    with cluster.reached(workspace, settings.scheduler, programs=programs) as found:
        err.print(f"{settings.scheduler}: {found.threads} threads of workers", markup=False, highlight=False)
        yield found


def publish_month(
    workspace: Workspace,
    scope: Scope,
    month: BillingMonth,
    customers: Collection[str] | None,
    force: bool,
    elsewhere: Cluster | None = None,
    counted: Callable[[str, int], AbstractContextManager[Callable[[str], None]]] = progress,
) -> list[documents.Made]:
    """Make the sites of a month, those of some customers or of all, and the operator's; failures are among the results.

    :param elsewhere: workers that make them; ``None``: this machine
    :param counted: what counts the sites that are done, given a title and how many there are
    """
    settings = workspace.settings
    client = masters.client(workspace.database, scope)
    renderer = choose(settings)
    wanted = {contract.customer for contract in chosen_contracts(workspace, scope, customers)}
    shown_now = portfolio.shown(workspace.database, scope, month)
    facts = _facts(workspace, shown_now)
    sources = documents.sources_of(settings.root)
    tasks = [
        documents.Task(
            client=client.code,
            customer=code,
            month=str(month),
            facts=fact,
            sources=sources,
            renderer=renderer,
            locale=client.locale,
            force=force,
        )
        for code, fact in sorted(facts.items())
        if code in wanted
    ]
    everything = hashlib.sha256("".join(facts[code] for code in sorted(facts)).encode()).hexdigest()
    waiting = " ".join(portfolio.waiting(workspace.database, scope, month))
    overview = documents.Task(
        client=client.code,
        customer=None,
        month=str(month),
        facts=f"{everything} {workspace.lake.version()} {waiting}",
        sources=sources,
        renderer=renderer,
        locale=client.locale,
        force=force,
    )
    made: list[documents.Made] = []
    left: list[documents.Task] = []
    for task in [*tasks, overview]:
        if (kept := documents.kept(settings, task)) is not None:
            made.append(kept)
        else:
            left.append(task)
    if left and left[-1] is not overview:
        left.append(overview)  # it links sites that may be made now; whether it is stale shows when they are there
        made.pop()
    if left:
        shown = {task.customer for task in left}  # the operator's page shows all customers' months
        keep_history(workspace, scope, month, customers=None if None in shown else {c for c in shown if c is not None})
    told: list[New] = []
    with counted(f"Publishing {month} with {renderer}", len(left)) as step:
        for task, result in _each(workspace, left, elsewhere, drafts=any(one.drafts for one in shown_now.values())):
            one = result if isinstance(result, documents.Made) else documents.lost(settings, task, result)
            folder = documents.folder_of(settings, task)
            if one.failure is None:
                failures.clear(folder)
            else:
                page = failures.write(settings, folder, task.subject, task.month, one.failure)
                one = replace(one, page=page)
            made.append(one)
            if one.fresh and one.failure is None and task.customer is not None:
                told.append(New(type=outbox.PUBLISHED, customer=task.customer, data=_published(task)))
            if len(told) >= TOLD_TOGETHER:
                _tell(workspace, scope, told)
            step(task.subject)
        _tell(workspace, scope, told)
    return sorted(made, key=lambda one: one.task.customer or "")


def _published(task: documents.Task) -> dict[str, str | None]:
    return {"customer": task.customer, "month": task.month}


def _tell(workspace: Workspace, scope: Scope, told: list[New]) -> None:
    """Write the events of sites that are in their places: files know no transaction, so they come after."""
    with workspace.database.session(scope) as connection:
        outbox.write(connection, scope.client, told, datetime.now(UTC))
    told.clear()


def _each(
    workspace: Workspace, everything: Sequence[documents.Task], elsewhere: Cluster | None, *, drafts: bool = False
) -> Iterator[tuple[documents.Task, documents.Made | BaseException]]:
    """Make the sites: by a cluster's workers, in forked children where settings and machine allow it, otherwise with kernels.

    The operator's comes after the customers': it links those that are there.
    """
    settings, environment = workspace.settings, workspace.environment()
    tasks = [task for task in everything if task.customer is not None]
    overview = [task for task in everything if task.customer is None]
    if not everything:
        return
    hooks = DRAFTING if drafts else HOOKS
    books = sorted({path for task in everything for path in documents.notebooks(settings, task)})
    if elsewhere is not None:
        yield from elsewhere.each(WORK, tasks, notebooks=books, group=lambda task: task.client, then=overview, **hooks)
        return
    workers = min(settings.workers, max(len(tasks), 1))
    if forks(settings.notebook_engine):
        limits = batches.Limits(
            workers=workers,
            size=settings.batch,
            seconds=settings.notebook_timeout,
            memory=settings.child_memory << 20,
        )
        try:
            yield from batches.each(
                WORK,
                tasks,
                limits=limits,
                notebooks=books,
                environment=environment,
                group=lambda task: task.client,
                then=overview,
                **hooks,
            )
        except MayNotFork as problem:
            err.print(f"every notebook gets a kernel of its own: {problem}", markup=False, highlight=False)
        else:
            return
    from eisenergy.cli import making

    with pool.local(workers, environment) as executor:
        for wave in (tasks, overview):
            yield from pool.each(executor, making.make, wave)


def _facts(workspace: Workspace, everybody: Mapping[str, Shown]) -> dict[str, str]:
    """Customer -> hash of the invoices and drafts its documents show, for everybody who has one in the month."""
    version = workspace.lake.version()
    result = {}
    for code, shown in everybody.items():
        if shown.this_month or shown.drafts:
            drafts = (f"draft {input_hash} {version}" for input_hash in shown.drafts)
            result[code] = hashlib.sha256("\n".join((*shown.invoices, *drafts)).encode()).hexdigest()
    return result


def show_made(made: Iterable[documents.Made]) -> None:
    """Say how many sites were made, and which were not."""
    results = list(made)
    fresh = sum(one.fresh and one.error is None for one in results)
    kept = sum(not one.fresh for one in results)
    say(f"sites: {fresh:,} made, {kept:,} up to date")
    failed = [one for one in results if one.error is not None]
    for one in failed[:TOLD]:
        out.print(f"[bold red]not published[/] {one.task.subject}: ", end="")
        out.print(one.error, markup=False, highlight=False, soft_wrap=True)
        out.print(f"  in full: {one.page}", markup=False, highlight=False, soft_wrap=True)
    say_more(failed, "sites not published")


def made_json(made: documents.Made) -> dict[str, Any]:
    """Return what came of a site as JSON types."""
    return {
        "subject": made.task.subject,
        "error": made.error,
        "failure_page": None if made.page is None else str(made.page),
        "made": made.fresh,
        "seconds": round(made.seconds, 2),
        "paths": [str(path) for path in made.paths],
    }
