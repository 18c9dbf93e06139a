"""Commands for workbooks: one that checks an analyst's, one that writes an invoice's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from eisenergy.cli.context import Json, guarded, workspace_of
from eisenergy.cli.output import Exit, emit, fail, progress, say, show_findings, table
from eisenergy.desk.exporting import export_invoice
from eisenergy.workbook import annotate, grid_html
from eisenergy.workbook.check import STEPS
from eisenergy.workbook.check import opened as judge
from eisenergy.workbook.local_times import known
from eisenergy.workbook.model import CellCheck, CheckResult, Value, Verdict
from eisenergy.workbook.overview import SYMBOLS, State, amount_to_pay, by_sheet, gravest_first, state, wrong
from eisenergy.workbook.problems import Problem, problems
from eisenergy.workbook.wording import amount, difference, evaluation, headline, plain, shown

SHOWN: Final = 40
"""Cells, and findings, that a terminal is shown at most."""

EPILOG: Final = (
    "Exit codes: 0 nothing is different, stale, an error or without a value, and nothing that feeds the total is not understood; "
    "1 something is; 2 command line; 3 the file cannot be read."
)

_SHORT: Final = {Verdict.NO_VALUE: "no value", Verdict.ERROR: "Excel error"}


@guarded
def check(
    workbook: Annotated[Path, typer.Argument(help="The analyst's workbook, .xlsx or .xlsm.", metavar="WORKBOOK")],
    tariff: Annotated[
        Path | None,
        typer.Option(help="Bill by this price sheet or YAML tariff; the workbook's own rates are compared."),
    ] = None,
    statement: Annotated[
        Path | None,
        typer.Option(help="What headers and labels do not say. Default: params/workbooks/NAME.yaml."),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(help="Zone of its local times, such as Europe/Madrid. Default: as it states, else El Salvador's."),
    ] = None,
    json: Json = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the sheets as grids into one page that needs no network.")
    ] = None,
    annotated: Annotated[
        Path | None,
        typer.Option(
            "--annotate", help="Write a copy of the workbook with colours and comments on the cells concerned."
        ),
    ] = None,
) -> None:
    """Compare every formula of a workbook with what eisenergy computes from the same input cells, and compute it once more.

    Every formula cell ends as one of six: equal, different, no cached value, an Excel error value, not ours, not understood.
    The workbook itself stays as it is. Needs no workspace.
    """
    _allowed(workbook, html, annotated)
    if timezone is not None and not known(timezone):
        fail(f"--timezone {timezone}: no time zone has this name. Give an IANA name, for example America/El_Salvador.")
    extra = (html is not None) + (annotated is not None)
    with progress(f"Checking {workbook.name}", len(STEPS) + extra) as step:
        book, result = judge(workbook, tariff=tariff, statement=statement, timezone=timezone, progress=step)
        if html is not None:
            step("drawing the sheets")
            _write(html, grid_html.page(result, book))
        marked = None
        if annotated is not None:
            step("annotating the copy")
            marked = annotate.annotate(result, workbook, annotated)
    if json:
        emit({**report(result), "html": html, "annotated": annotated})
    else:
        show(result, html, annotated)
        if html is not None:
            say(f"the sheets as grids       {escape(str(html))}")
        if marked is not None:
            say(
                f"the annotated copy        {escape(str(annotated))} ({marked['coloured']:,} cells coloured, "
                f"{marked['commented']:,} comments)"
            )
    if not result.passed:
        raise typer.Exit(Exit.PARTLY)


@guarded
def export(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="The invoice, for example FAC-000001.", metavar="NUMBER")],
    xlsx: Annotated[Path, typer.Option("--xlsx", help="Where to write the workbook, for example FAC-000001.xlsx.")],
    json: Json = False,
) -> None:
    """Write an issued invoice as a live workbook: readings, rates, calendar and customer as inputs, everything else as formulas.

    A spreadsheet program that calculates it again shows the invoice to the cent, and `eisenergy check` passes it.
    """
    if xlsx.suffix.lower() != ".xlsx":
        fail(f"{xlsx}: expected a name that ends in .xlsx")
    if not xlsx.resolve().parent.is_dir():
        fail(f"{xlsx.parent}: there is no such folder. Make it first.")
    with workspace_of(context) as (workspace, scope):
        written = export_invoice(workspace, scope, number, xlsx)
    if json:
        emit({"number": number, "file": written, "bytes": written.stat().st_size})
    else:
        say(f"{number}: {escape(str(written))}, {written.stat().st_size:,} bytes")


def _allowed(workbook: Path, html: Path | None, annotated: Path | None) -> None:
    """Refuse before the work what could not be written after it."""
    if annotated is not None:
        annotate.allowed(workbook, annotated)
    if html is not None:
        if html.resolve() == workbook.resolve() or (html.exists() and workbook.exists() and html.samefile(workbook)):
            fail(f"{html}: is the workbook itself, which stays as it is. Give the page another name.")
        if annotated is not None and html.resolve() == annotated.resolve():
            fail(f"{html}: is named for the page and for the copy. Give them two names.")
        if not html.resolve().parent.is_dir():
            fail(f"{html.parent}: there is no such folder. Make it first.")


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def show(result: CheckResult, html: Path | None, annotated: Path | None) -> None:
    """Print a result for people."""
    verdicts = [_SHORT.get(verdict, verdict.value) for verdict in Verdict]
    sheets = by_sheet(result)
    rows: list[list[object]] = [
        [sheet.name, *_figures([sheet.formulas, *sheet.counts.values(), sheet.stale, sheet.findings])]
        for sheet in sheets
    ]
    whole = [len(result.cells), *result.counts.values(), result.stale, len(result.findings)]
    columns = ["sheet", "formulas", *verdicts, "stale", "findings"]
    table(result.file, columns, [*rows, ["all", *_figures(whole)]], right=columns[1:])
    _show_runs([problem for problem in problems(result) if problem.state is not State.FINDING], html, annotated)
    _show_cells(wrong(result), html, annotated)
    findings = gravest_first(result.findings)
    show_findings(findings[:SHOWN])
    if len(findings) > SHOWN:
        say(f"{len(findings) - SHOWN:,} more findings are not shown; {_rest(html, annotated)}")
    to_pay = amount_to_pay(result)
    if to_pay is not None:
        ours = "not computed" if to_pay.ours is None else amount(to_pay.ours)
        calculated = "" if to_pay.calculated is None else f" (calculated here {escape(amount(to_pay.calculated))})"
        same = to_pay.verdict is Verdict.EQUAL or not to_pay.difference
        apart = "" if same else f", difference {difference(to_pay.difference or 0.0)}"
        say(
            f"amount to pay ({escape(str(to_pay.place))}): in the file [bold]{escape(amount(to_pay.found))}[/]{calculated}, "
            f"ours [bold]{escape(ours)}[/]{apart}"
        )
    say(f"[bold {'green' if result.passed else 'red'}]{escape(headline(result))}[/]")
    say(f"[dim]{escape(evaluation(result))} {result.seconds:.1f} s[/]")


def _figures(figures: Sequence[int]) -> list[str]:
    return [f"{figure:,}" for figure in figures]


def _show_runs(runs: Sequence[Problem], html: Path | None, annotated: Path | None) -> None:
    """Print neighbours that are wrong in one way as one row, where there are such."""
    if all(run.cells == 1 for run in runs):
        return
    rows = [[f"{SYMBOLS[run.state]} {run.where}", run.what, run.largest] for run in runs[:SHOWN]]
    table("What to look at, the causes first", ["where", "what", "largest difference"], rows)
    if len(runs) > SHOWN:
        say(f"{len(runs) - SHOWN:,} more rows are not shown; {_rest(html, annotated)}")


def _show_cells(cells: Sequence[CellCheck], html: Path | None, annotated: Path | None) -> None:
    if not cells:
        return
    say("")
    for cell in cells[:SHOWN]:
        kind = state(cell)
        about = " ".join(filter(None, (cell.role, cell.block)))
        values = f"in the file {shown(cell.found)}"
        if cell.ours is not None or kind is State.DIFFERENT:
            values += f", ours {shown(cell.ours)}"
        if cell.calculated is not None:
            values += f", calculated here {shown(cell.calculated)}"
        if cell.difference:
            values += f", difference {difference(cell.difference)}"
        if cell.stale:
            values += f", its formula gives {shown(cell.evaluated)}"
        say(
            f"[bold red]{SYMBOLS[kind]} {escape(str(cell.place))}[/] {kind.value}{escape(f' ({about})' if about else '')}: {escape(values)}"
        )
        say(f"    [dim]{escape(cell.formula)}[/]")
        if cell.inputs:
            say(f"    reads {escape(', '.join(cell.inputs))}")
        if cell.derivation:
            say(f"    ours: {escape(cell.derivation)}" if cell.ours is not None else f"    {escape(cell.derivation)}")
        if cell.follows:
            more = f" and {len(cell.follows) - 5:,} more" if len(cell.follows) > 5 else ""
            say(f"    may follow from {escape(', '.join(str(one) for one in cell.follows[:5]))}{more}")
    if len(cells) > SHOWN:
        say(f"[bold]{len(cells) - SHOWN:,} more cells are not shown; {_rest(html, annotated)}[/]")
    say("")


def _rest(html: Path | None, annotated: Path | None) -> str:
    """Say where all of them are."""
    if html is not None or annotated is not None:
        return f"all are in {escape(str(html or annotated))}"
    return "--json lists all, --html OUT and --annotate OUT.xlsx show all"


def report(result: CheckResult) -> dict[str, Any]:
    """Return a result as JSON types: all but the cells that are equal, which are counted only."""
    to_pay = amount_to_pay(result)
    return {
        "file": result.file,
        "sha256": result.sha256,
        "passed": result.passed,
        "headline": headline(result),
        "formulas": len(result.cells),
        "counts": {verdict.value: count for verdict, count in result.counts.items()},
        "stale": result.stale,
        "total": None if to_pay is None else _cell(to_pay),
        "sheets": [
            {
                "name": sheet.name,
                "formulas": sheet.formulas,
                "counts": {verdict.value: count for verdict, count in sheet.counts.items()},
                "stale": sheet.stale,
                "findings": sheet.findings,
            }
            for sheet in by_sheet(result)
        ],
        "findings": list(result.findings),
        "cells": [_cell(cell) for cell in result.cells if state(cell) is not State.EQUAL],
        "evaluators": list(result.evaluators),
        "seconds": round(result.seconds, 2),
        "notes": dict(result.notes),
    }


def _cell(cell: CellCheck) -> dict[str, Any]:
    return {
        "sheet": cell.place.sheet,
        "cell": cell.place.name,
        "verdict": cell.verdict.value,
        "stale": cell.stale,
        "role": cell.role,
        "block": cell.block,
        "formula": cell.formula,
        "found": _json(cell.found),
        "ours": _json(cell.ours),
        "difference": cell.difference,
        "evaluated": _json(cell.evaluated),
        "calculated": _json(cell.calculated),
        "agrees": cell.agrees,
        "derivation": cell.derivation,
        "inputs": list(cell.inputs),
        "follows": [str(one) for one in cell.follows],
        "feeds_total": cell.feeds_total,
    }


def _json(value: Value) -> str | int | float | bool | None:
    return plain(value) if isinstance(value, datetime | date | time) else value
