"""Jobs about an analyst's workbook: it is checked cell by cell; the grids and the annotated copy lie ready for who asked.

What came of a check lies in ``checks/CLIENT/JOB`` of the workspace: the grids as a page, the copy, and what both say in JSON.
"""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eisenergy.config import Settings
from eisenergy.store import files
from eisenergy.work.kinds import Kind, Work

if TYPE_CHECKING:  # what checks is loaded by the job alone: the portal, which imports this module, has no use for it
    from eisenergy.workbook.model import CheckResult
    from eisenergy.workbook.problems import Problem

WORKBOOK: Final = "workbook"
"""The kind of these jobs."""
ENDINGS: Final = (".xlsx", ".xlsm")
GRID, COPY, REPORT = "hojas.html", "copia", "report.json"
"""Names of the files; the copy has the workbook's own ending."""
LISTED: Final = 300
"""Causes that a report tells; the grids and the copy tell them all."""
ASSETS: Final = "/assets/page"
"""Where the grids' style sheet and script are served."""


def folder_of(settings: Settings, client: str, job: uuid.UUID) -> Path:
    """Return where what came of a check lies."""
    return settings.home / "checks" / client / str(job)


def check_workbook(work: Work) -> Mapping[str, Any]:
    """Check a workbook; arguments ``sha256`` of the original and its ``name``.

    :raises UnreadableFile: for what is no workbook
    """
    from eisenergy.workbook import annotate, grid_html
    from eisenergy.workbook.check import STEPS, opened
    from eisenergy.workbook.model import Verdict
    from eisenergy.workbook.wording import headline

    settings, name = work.workspace.settings, str(work.job.arguments["name"])
    work.progress.begin(len(STEPS) + 2)
    out = folder_of(settings, work.scope.client, work.job.id)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".work-", dir=settings.home) as folder:
        path = Path(folder) / name
        files.copy_original(settings, work.scope, str(work.job.arguments["sha256"]), path)
        book, result = opened(path, progress=work.progress.step)
        work.progress.step("drawing the sheets")
        _write(out / GRID, grid_html.page(result, book, assets=ASSETS))
        work.progress.step("annotating the copy")
        copy = Path(folder) / f"copy-{name}"
        marked = annotate.annotate(result, path, copy)
        os.replace(copy, out / f"{COPY}{path.suffix.lower()}")
    _write(out / REPORT, json.dumps(report(result), ensure_ascii=False))
    return {
        "passed": result.passed,
        "headline": headline(result),
        "formulas": len(result.cells),
        "different": result.counts[Verdict.DIFFERENT],
        "coloured": marked["coloured"],
    }


def report(result: CheckResult) -> dict[str, Any]:
    """Return what a page tells of a result, JSON types: counts, and what to look at grouped by what caused it."""
    from eisenergy.workbook.model import Verdict
    from eisenergy.workbook.overview import amount_to_pay, by_sheet
    from eisenergy.workbook.problems import problems
    from eisenergy.workbook.wording import amount, evaluation, headline

    to_pay = amount_to_pay(result)
    causes = problems(result)
    return {
        "file": result.file,
        "passed": result.passed,
        "headline": headline(result),
        "evaluation": evaluation(result),
        "seconds": round(result.seconds, 1),
        "formulas": len(result.cells),
        "counts": {verdict.value: count for verdict, count in result.counts.items()},
        "stale": result.stale,
        "findings": len(result.findings),
        "total": None
        if to_pay is None
        else {
            "place": str(to_pay.place),
            "found": amount(to_pay.found),
            "ours": None if to_pay.ours is None else amount(to_pay.ours),
            "equal": to_pay.verdict is Verdict.EQUAL,
        },
        "sheets": [
            {
                "name": sheet.name,
                "formulas": sheet.formulas,
                "equal": sheet.counts[Verdict.EQUAL],
                "different": sheet.counts[Verdict.DIFFERENT],
                "stale": sheet.stale,
                "findings": sheet.findings,
            }
            for sheet in by_sheet(result)
        ],
        "causes": [_cause(one) for one in causes[:LISTED]],
        "causes_count": len(causes),
    }


def _cause(one: Problem) -> dict[str, Any]:
    return {"state": one.state.value, "where": one.where, "what": one.what, "largest": one.largest, "text": one.text}


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


KINDS: Final[Mapping[str, Kind]] = {WORKBOOK: check_workbook}
