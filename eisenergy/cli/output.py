"""What a command prints: tables for people, JSON for programs, progress on standard error, and how it ends."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from eisenergy.findings import Finding, Severity

out = Console(soft_wrap=False)
err = Console(stderr=True)


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    """Everything asked for was done."""
    PARTLY = 1
    """Something was refused, parked or failed; everything else was done. The report says what."""
    USAGE = 2
    """The command line cannot be read."""
    NOTHING = 3
    """Nothing was done: a setting, a month or the workspace is not right."""


EPILOG = (
    "Exit codes: 0 done, 1 something was refused, parked or failed (the rest was done), 2 command line, 3 nothing done."
)


class Step(Protocol):
    """Called once per finished piece of work, with what was done."""

    def __call__(self, what: str = "", /) -> None:
        """Advance by one."""


LINE_SECONDS: Final = 30.0
"""How often progress is told in a log."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f}/s")


@contextmanager
def progress(title: str, total: int) -> Iterator[Step]:
    """Show how far the work is, its rate and the time left on standard error: a bar on a terminal, now and then a line in a log."""
    began = told = time.monotonic()
    done = 0
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}", style="dim", markup=False),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as bar:
        task = bar.add_task(title, total=total, what="")

        def step(what: str = "", /) -> None:
            nonlocal done, told
            done += 1
            bar.update(task, advance=1, what=what)
            now = time.monotonic()
            if not err.is_terminal and now - told >= LINE_SECONDS:
                told = now
                err.print(f"{title}: {far(done, total, now - began)}", markup=False, highlight=False, soft_wrap=True)

        yield step


def far(done: int, total: int, seconds: float) -> str:
    """Say how far work is: how many of how many, how many a second, and the time left at that rate.

    :param seconds: since it began
    """
    rate = done / seconds
    left = timedelta(seconds=round((total - done) / rate))
    return f"{done:,} of {total:,}, {rate:,.1f}/s, {left} left"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Print a table; columns named in ``right`` are set flush right. Piped, rows keep one line each.

    Cells are texts from files and masters: a header such as ``Energía [kWh]`` is shown as it is, not taken for markup.
    """
    grid = Table(title=escape(title), title_justify="left", header_style="bold")
    for column in columns:
        grid.add_column(column, justify="right" if column in right else "left", no_wrap=column in right)
    for row in rows:
        grid.add_row(*(Text("" if value is None else str(value)) for value in row))
    if out.is_terminal:
        out.print(grid)
    else:
        Console(file=sys.stdout, width=200, no_color=True).print(grid)


def say(text: str) -> None:
    """Print a line for people. What comes from outside goes through ``rich.markup.escape`` first."""
    out.print(text, highlight=False, soft_wrap=True)


LISTED: Final = 500
"""Rows that a table has at most; a program asks for JSON."""

TOLD: Final = 25
"""Customers of whom a command tells one by one what happened."""


def say_more(found: Sized, what: str, most: int = TOLD) -> None:
    """Say how many there are beyond those that were shown; nothing when all were."""
    if len(found) > most:
        say(f"and {len(found) - most:,} more {what}; --json lists them all")


def names(found: Sequence[str], most: int = TOLD) -> str:
    """Return names in a row, those beyond the first as a number."""
    return ", ".join(found[:most]) + (f" and {len(found) - most:,} more" if len(found) > most else "")


def emit(report: dict[str, Any]) -> None:
    """Print a report as JSON on standard output."""
    sys.stdout.write(json.dumps(report, default=_plain, ensure_ascii=False, indent=2) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, Decimal | Path):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Finding):
        return value.to_dict()
    raise TypeError(f"{type(value).__name__} has no JSON form")


STYLE = {Severity.INFO: "dim", Severity.WARNING: "yellow", Severity.BLOCKING: "bold red"}


def show_findings(findings: Sequence[Finding], *, least: Severity = Severity.INFO) -> None:
    """Print findings, the gravest first; those below ``least`` are counted only."""
    order = [Severity.BLOCKING, Severity.WARNING, Severity.INFO]
    shown = [finding for finding in findings if order.index(finding.severity) <= order.index(least)]
    for finding in sorted(shown, key=lambda finding: order.index(finding.severity)):
        style = STYLE[finding.severity]
        out.print(f"[{style}]{finding.severity.value:>8}[/] ", end="")
        said = finding.message.startswith(finding.subject)
        text = finding.message if said else f"{finding.subject}: {finding.message}"
        out.print(text, markup=False, highlight=False, soft_wrap=True)
    if hidden := len(findings) - len(shown):
        say(f"[dim]{hidden} more of lesser weight; --verbose shows them[/]")


def fail(message: str, code: Exit = Exit.NOTHING) -> NoReturn:
    """End the command with a message on standard error."""
    err.print("[bold red]error:[/] ", end="")
    err.print(message, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)
