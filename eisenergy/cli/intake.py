"""The command that takes meter files in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eisenergy.cli.context import Json, guarded, only_imported, settings_of, workspace_of
from eisenergy.cli.output import Exit, emit, progress, say, show_findings, table
from eisenergy.findings import Severity
from eisenergy.run import heap, intake
from eisenergy.store.compaction import scattered

_MANY_FILES = 128  # of a month, from which on it is said that they could be fewer


@guarded
def ingest(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of files.", metavar="PATH...")],
    json: Json = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every finding, notes included.")] = False,
) -> None:
    """Take meter files in: readings into the lake, a distributor's report beside them.

    The same file twice changes nothing; a corrected file supersedes the readings it corrects, and the old ones stay on record.
    A file that is refused leaves nothing behind, and the others are taken in. A folder of thousands of files is read by as many
    processes as EISENERGY_WORKERS says and written in one go; after an interruption the same command does what is left.
    """
    found = intake.gather(paths)
    heap.keep()
    workers = settings_of(context).workers if only_imported(context) else 1
    # Forked first: whoever has queried, or holds a connection, may not fork any more.
    with intake.spared(found, workers) as spare, workspace_of(context) as (workspace, scope):
        with progress("Reading files", len(found)) as step:
            report = intake.ingest(workspace, scope, found, step=step, spare=spare)
        many = {month: files for month, files in scattered(workspace.lake, scope).items() if files >= _MANY_FILES}
    refused = [file for file in report.files if file.status == "refused"]
    findings = [finding for file in report.files for finding in file.findings if file.status != "known"]
    if json:
        emit(
            {
                "files": [
                    {
                        "file": str(file.path),
                        "status": file.status,
                        "kind": file.kind,
                        "meters": list(file.meters),
                        "rows": file.rows,
                        "findings": list(file.findings),
                    }
                    for file in report.files
                ],
                "added": report.added,
                "superseded": report.superseded,
                "unchanged": report.unchanged,
                "version": report.version,
            }
        )
    else:
        if len(report.files) <= 20 or refused:
            listed = report.files if len(report.files) <= 20 else refused
            table(
                "Files",
                ["file", "status", "kind", "meters", "rows", "notes"],
                [
                    [file.path.name, file.status, file.kind, ", ".join(file.meters), file.rows, len(file.findings)]
                    for file in listed
                ],
                right=["rows", "notes"],
            )
        show_findings(findings, least=Severity.INFO if verbose or len(report.files) == 1 else Severity.WARNING)
        counts = {
            status: sum(file.status == status for file in report.files)
            for status in ("loaded", "known", "reported", "refused")
        }
        say(
            f"{len(report.files)} files: {counts['loaded']} loaded, {counts['known']} known already, {counts['reported']} "
            f"distributor's reports, {counts['refused']} refused. Intervals: {report.added:,} new, {report.superseded:,} "
            f"corrected, {report.unchanged:,} unchanged."
        )
        for month, files in many.items():
            say(f"The readings of {month} lie in {files:,} files: `eisenergy lake compact` makes them faster to read.")
    if refused:
        raise typer.Exit(Exit.PARTLY)
