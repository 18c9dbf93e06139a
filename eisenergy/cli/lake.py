"""Commands for the table of readings."""

from __future__ import annotations

import typer

from eisenergy.cli.context import Json, guarded, workspace_of
from eisenergy.cli.output import EPILOG, emit, say, table
from eisenergy.store import compaction, sweeping

lake_app = typer.Typer(help="The table of readings.", no_args_is_help=True)


@lake_app.command("compact", epilog=EPILOG)
@guarded
def compact(context: typer.Context, json: Json = False) -> None:
    """Put months that lie in many files in order: sorted by meter and time, in few files. No reading changes.

    Every `ingest` adds files and never rewrites one, so that a late file costs nothing. After some hundred loads a month lies in
    many small files, and reading it takes longer. Run this then, at night for example; a month that is in order is left as it is. Earlier
    states stay readable, so the old files stay: the space they take is not given back. What killed loads left behind, files that no
    version ever named and readings that waited for them, is removed when it is a day old. Others may read and ingest meanwhile.
    """
    with workspace_of(context) as (workspace, scope):
        done = compaction.compact(workspace.lake, scope)
        swept = sweeping.sweep(workspace.lake, scope)
        beside = sweeping.sweep_beside(workspace.settings, scope)
    if json:
        emit(
            {
                "months": [
                    {"month": one.month, "rows": one.rows, "before": one.before, "after": one.after} for one in done
                ]
            }
        )
    elif not done:
        say("Every month is in order; nothing was done.")
    else:
        table(
            "Months put in order",
            ["UTC month", "rows", "files before", "files after"],
            [[one.month, f"{one.rows:,}", one.before, one.after] for one in done],
            right=["rows", "files before", "files after"],
        )
    if (files := swept.files + beside.files) and not json:
        say(f"{files:,} files that killed loads left behind were removed ({swept.bytes + beside.bytes:,} bytes).")
