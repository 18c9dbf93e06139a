"""The command that does jobs in the background, and the kinds of job that need the commands' own parts."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from eisenergy.cli.context import explains_itself, guarded, settings_of
from eisenergy.cli.keeping import END
from eisenergy.cli.output import say
from eisenergy.cli.publishing import publish_month, workers_elsewhere
from eisenergy.desk.workspace import Workspace, opened
from eisenergy.portal import logs
from eisenergy.work import due, telling, workbooks
from eisenergy.work.files import ALL
from eisenergy.work.kinds import LISTED, Kind, Work
from eisenergy.work.kinds import bill as bill_kind
from eisenergy.work.kinds import issue as issue_kind
from eisenergy.work.watching import Watched

_log: Final = logging.getLogger(__name__)
CLOCK: Final = timedelta(seconds=30)
"""Time between two looks at the cron lines, which name minutes."""
SWEEP: Final = timedelta(hours=1)
"""Time between two looks at events that are old."""


def publish_kind(work: Work) -> Mapping[str, Any]:
    """Publish the sites of a month; arguments ``month``, and where given ``customers`` and ``force``."""
    force = bool(work.job.arguments.get("force"))
    with workers_elsewhere(work.workspace) as elsewhere:
        made = publish_month(
            work.workspace, work.scope, work.month, work.customers, force, elsewhere, counted=work.counted
        )
    failed = [one for one in made if one.error is not None]
    return {
        "made": sum(one.fresh and one.error is None for one in made),
        "kept": sum(not one.fresh for one in made),
        "failed": [{"subject": one.task.subject, "why": one.error} for one in failed[:LISTED]],
        "failed_count": len(failed),
    }


def month_kind(work: Work) -> Mapping[str, Any]:
    """Bill, issue and publish a month, as `eisenergy run` does; arguments as those of the three, ``issue`` and ``publish`` to leave one out."""
    done: dict[str, Any] = {"bill": bill_kind(work)}
    if work.job.arguments.get("issue", True):
        done["issue"] = issue_kind(work, verify=False)
    if work.job.arguments.get("publish", True):
        done["publish"] = publish_kind(work)
    return done


ALL_KINDS: Final[Mapping[str, Kind]] = {**ALL, **workbooks.KINDS, "publish": publish_kind, "month": month_kind}


@guarded
def worker(
    context: typer.Context,
    at_once: Annotated[
        int, typer.Option("--jobs", help="Jobs done side by side; those that change one client come in turn.", min=1)
    ] = 2,
    heartbeat: Annotated[
        float,
        typer.Option(
            help="Seconds between two signs of life. A worker that is silent three times as long is dead, and its jobs are taken up by another.",
            min=0.2,
        ),
    ] = 10.0,
    child: Annotated[bool, typer.Option("--child", hidden=True, help="End when standard input closes.")] = False,
) -> None:
    """Do jobs in the background: uploads, months, publishing, what a cron line or a watched folder asks for.

    Several may run, also on other machines that share the workspace's folder, the database and the readings. `eisenergy serve`
    starts one of its own. Ends with Ctrl+C or SIGTERM: jobs stop at their next piece and are taken up by the next worker.
    """
    settings = settings_of(context)
    logs.begin(settings.portal.log)
    lines = due.lines(settings)
    stopping = threading.Event()
    with opened(settings) as workspace:
        for line in lines:
            say(escape(f"{line.setting}: {line}"))
        if settings.work.watch is not None:
            say(escape(f"EISENERGY_WATCH: {settings.work.watch}"))
        say("working   (end with Ctrl+C)")
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: _end(stopping))
        if child:
            threading.Thread(target=_until_closed, args=(stopping,), daemon=True).start()
        _run(workspace, stopping, lines, at_once, heartbeat)


def _run(
    workspace: Workspace, stopping: threading.Event, lines: tuple[due.Line, ...], at_once: int, heartbeat: float
) -> None:
    from eisenergy.work import worker as working
    from eisenergy.work.running import Runner

    pace = working.Pace(heartbeat=heartbeat, mind=min(5.0, heartbeat))
    runner = Runner(workspace=workspace, kinds=ALL_KINDS, explains=explains_itself, stopping=stopping)
    working.run(runner, at_once=at_once, pace=pace, minding=_minding(workspace, lines))


def _minding(workspace: Workspace, lines: tuple[due.Line, ...]) -> Callable[[datetime], object]:
    folder = workspace.settings.work.watch
    watched = None if folder is None else Watched(workspace, folder)

    looked: datetime | None = None
    swept: datetime | None = None

    def minding(at: datetime) -> None:
        nonlocal looked, swept
        if watched is not None:
            watched.look(at)
        telling.mind(workspace.database, workspace.settings, at)
        if looked is not None and at - looked < CLOCK:
            return
        looked = at
        for _ in due.defer_due(workspace.database, lines, workspace.settings.client, at):
            pass
        if swept is None or at - swept >= SWEEP:
            telling.sweep(workspace.database, workspace.settings, at)
            swept = at

    return minding


def _end(stopping: threading.Event) -> None:
    """End at the next piece of each job; after :data:`END` seconds, or when told twice, at once."""
    if stopping.is_set():
        os._exit(1)
    stopping.set()
    late = threading.Timer(END, os._exit, args=(1,))
    late.daemon = True
    late.start()


def _until_closed(stopping: threading.Event) -> None:
    """Wait for the end of whoever started this process: its end of the pipe closes however it ends."""
    sys.stdin.buffer.read()
    if not stopping.is_set():
        _end(stopping)
