"""What every command has: settings, the scope it works in, and errors that end it with a sentence."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, Final, NoReturn, ParamSpec, TypeVar

import psycopg
import sqlalchemy.exc
import typer

from eisenergy import unpacked
from eisenergy.accounts import Scope
from eisenergy.cli.output import emit, err, fail
from eisenergy.config import Settings
from eisenergy.desk.workspace import Workspace, opened
from eisenergy.period import BillingMonth
from eisenergy.variables import scheduler_address

P = ParamSpec("P")
R = TypeVar("R")

KNOWN: Final = frozenset(
    (
        "eisenergy.accounts.OutOfScope",
        "eisenergy.blockruns.OffGrid",
        "eisenergy.contents.UnreadableFile",
        "eisenergy.desk.exporting.NotReproducible",
        "eisenergy.desk.opening.NoSuchCustomer",
        "eisenergy.desk.opening.NotBilled",
        "eisenergy.period.BadMonth",
        "eisenergy.period.NotInForce",
        "eisenergy.period.Overlap",
        "eisenergy.publish.site.PublishFailed",
        "eisenergy.readings.mapping.BadMapping",
        "eisenergy.run.chosen.UnknownCustomer",
        "eisenergy.run.intake.NothingToIngest",
        "eisenergy.run.intake.WorkerDied",
        "eisenergy.run.notebook.BadParameters",
        "eisenergy.run.scheduler.ClusterUnusable",
        "eisenergy.samples.plan.BadMasters",
        "eisenergy.store.appended.NotStored",
        "eisenergy.store.books.NoInvoice",
        "eisenergy.store.database.DatabaseUnusable",
        "eisenergy.store.grants.BadAccount",
        "eisenergy.store.lake.LakeBusy",
        "eisenergy.store.masters.Conflict",
        "eisenergy.store.people.NoUser",
        "eisenergy.store.selection.DraftsChanged",
        "eisenergy.store.server.ServerFailed",
        "eisenergy.store.subscriptions.BadSubscription",
        "eisenergy.store.subscriptions.NoSubscription",
        "eisenergy.timeofuse.CalendarError",
        "eisenergy.variables.BadSetting",
        "eisenergy.work.reaching.NotAllowed",
        "eisenergy.workbook.annotate.NotAnnotated",
        "eisenergy.workbook.export.NotExportable",
    )
)
"""Errors whose message says what was found, where, what was expected and what to do: they end a command without a traceback. Named, not
imported: a command loads what it needs and no more."""

_GONE: Final = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, psycopg.OperationalError)

Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON on standard output.")]
Month = Annotated[str, typer.Argument(help="Billing month, for example 2021-09.", metavar="MONTH")]
Customers = Annotated[
    list[str] | None,
    typer.Option("--customer", "-c", help="Only this customer or contract, for example EIS-0001. May be repeated."),
]


def explains_itself(problem: Exception) -> bool:
    """Say whether an error is one of :data:`KNOWN`, or a kind of one."""
    return any(f"{kind.__module__}.{kind.__qualname__}" in KNOWN for kind in type(problem).__mro__)


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Turn errors that explain themselves into a message on standard error, with ``--json`` also a report, and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        def refused(message: str) -> NoReturn:
            if kwargs.get("json"):
                emit({"error": message})
            fail(message)

        try:
            return command(*args, **kwargs)
        except Exception as problem:
            if explains_itself(problem):
                refused(str(problem))
            if isinstance(problem, _GONE):
                said = str(getattr(problem, "orig", problem)).strip().splitlines()
                refused(
                    f"the database went away: {said[0] if said else type(problem).__name__}. See that it runs, and run the same "
                    "command again: what is done is kept."
                )
            if isinstance(problem, OSError) and problem.strerror is not None:
                where = f"{problem.filename}: " if problem.filename else ""
                refused(f"{where}{problem.strerror}. Mend that, and run the same command again: what is done is kept.")
            raise
        except KeyboardInterrupt:
            err.print("interrupted; run the same command again to do what is left")
            raise typer.Exit(130) from None

    return run


def settings_of(context: typer.Context) -> Settings:
    """Return the settings that the command line and the environment give."""
    options: dict[str, Any] = context.find_root().obj or {}
    settings = Settings.load(home=options.get("home"), client=options.get("client"))
    unpacked.limit(settings.unpacked)
    return settings


def only_imported(context: typer.Context) -> bool:
    """Say whether the command is what its process was started for: then nothing but imports has run in it."""
    return bool((context.find_root().obj or {}).get("own"))


@contextmanager
def workspace_of(context: typer.Context, scheduler: str | None = None) -> Iterator[tuple[Workspace, Scope]]:
    """Open the workspace, with the scope of the client's operators.

    :param scheduler: overrides ``EISENERGY_SCHEDULER``
    """
    settings = settings_of(context)
    if scheduler is not None:
        settings = replace(settings, scheduler=scheduler_address(scheduler, "--scheduler"))
    with opened(settings) as workspace:
        yield workspace, Scope.operator(settings.client)


def month_of(text: str) -> BillingMonth:
    """Read a billing month. :raises BadMonth: saying what was found and what is expected."""
    return BillingMonth.parse(text)
