"""What every command has: settings, the scope it works in, and errors that end it with a sentence."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import psycopg
import sqlalchemy.exc
import typer

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.cli.output import emit, err, fail
from eisenergy.config import BadSetting, Settings, scheduler_address
from eisenergy.desk.exporting import NotReproducible
from eisenergy.desk.opening import NoSuchCustomer, NotBilled
from eisenergy.desk.workspace import Workspace, opened
from eisenergy.period import BadMonth, BillingMonth, NotInForce, Overlap
from eisenergy.publish.site import PublishFailed
from eisenergy.readings import BadMapping
from eisenergy.run.cluster import ClusterUnusable
from eisenergy.run.intake import NothingToIngest, WorkerDied
from eisenergy.run.month import UnknownCustomer
from eisenergy.run.notebook import BadParameters
from eisenergy.samples import BadMasters
from eisenergy.sheets import UnreadableFile
from eisenergy.store.books import NoInvoice
from eisenergy.store.database import DatabaseUnusable
from eisenergy.store.lake import LakeBusy
from eisenergy.store.masters import Conflict, NotStored
from eisenergy.store.people import BadAccount, NoUser
from eisenergy.store.server import ServerFailed
from eisenergy.timeofuse import CalendarError
from eisenergy.workbook.annotate import NotAnnotated
from eisenergy.workbook.export import NotExportable

P = ParamSpec("P")
R = TypeVar("R")

KNOWN = (
    BadAccount,
    BadMapping,
    BadMasters,
    BadMonth,
    BadParameters,
    BadSetting,
    CalendarError,
    ClusterUnusable,
    Conflict,
    DatabaseUnusable,
    LakeBusy,
    NoInvoice,
    NoSuchCustomer,
    NoUser,
    NotBilled,
    NotAnnotated,
    NotExportable,
    NotReproducible,
    NothingToIngest,
    NotInForce,
    NotStored,
    OutOfScope,
    Overlap,
    PublishFailed,
    ServerFailed,
    UnknownCustomer,
    UnreadableFile,
    WorkerDied,
)
"""Errors whose message says what was found, where, what was expected and what to do: they end a command without a traceback."""

Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON on standard output.")]
Month = Annotated[str, typer.Argument(help="Billing month, for example 2021-09.", metavar="MONTH")]
Customers = Annotated[
    list[str] | None,
    typer.Option("--customer", "-c", help="Only this customer or contract, for example EIS-0001. May be repeated."),
]


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
        except KNOWN as problem:
            refused(str(problem))
        except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, psycopg.OperationalError) as problem:
            said = str(getattr(problem, "orig", problem)).strip().splitlines()
            refused(
                f"the database went away: {said[0] if said else type(problem).__name__}. See that it runs, and run the same "
                "command again: what is done is kept."
            )
        except OSError as problem:
            if problem.strerror is None:
                raise
            where = f"{problem.filename}: " if problem.filename else ""
            refused(f"{where}{problem.strerror}. Mend that, and run the same command again: what is done is kept.")
        except KeyboardInterrupt:
            err.print("interrupted; run the same command again to do what is left")
            raise typer.Exit(130) from None

    return run


def settings_of(context: typer.Context) -> Settings:
    """Return the settings that the command line and the environment give."""
    options: dict[str, Any] = context.find_root().obj or {}
    return Settings.load(home=options.get("home"), client=options.get("client"))


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
