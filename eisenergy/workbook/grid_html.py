"""A checked workbook as one page: its sheets drawn as grids, every cell with both values and the derivation.

The file holds everything it shows. It loads nothing, and its own policy forbids it to; texts from the workbook can be neither HTML
nor script.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import Any, Final

from eisenergy.workbook.book import Book
from eisenergy.workbook.grid_data import LETTERS, pack
from eisenergy.workbook.model import CheckResult, Verdict
from eisenergy.workbook.overview import MEANING, SYMBOLS, SheetCounts, State, amount_to_pay, by_sheet, states
from eisenergy.workbook.problems import Problem, problems
from eisenergy.workbook.wording import amount, evaluation, headline

ASSETS: Final = Path(__file__).resolve().parents[2] / "reports" / "assets"
LISTED: Final = 400
"""Problems that the page's list shows at most; the grids show all."""


def page(result: CheckResult, book: Book, *, assets: str | None = None) -> str:
    """Return the page.

    :param book: the workbook that was checked
    :param assets: address of a folder that serves style sheet and script; ``None``: the page holds both, and a policy that allows these alone
    """
    style = (ASSETS / "workbook-grid.css").read_text(encoding="utf-8")
    script = (ASSETS / "workbook-grid.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    look = {
        letter: {"name": kind.value, "symbol": SYMBOLS[kind], "meaning": MEANING[kind]}
        for kind, letter in LETTERS.items()
    }
    name = html.escape(result.file)
    if assets is None:
        head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        looks, draws = f"<style>{style}</style>", f"<script>{script}</script>"
    else:
        head, looks = "", f'<link rel="stylesheet" href="{assets}/workbook-grid.css">'
        draws = f'<script src="{assets}/workbook-grid.js"></script>'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{head}<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: checked cell by cell</title>
{looks}
</head>
<body>
<a class="skip" href="#grid">Go to the grid</a>
<header><h1>{name}</h1><p>checked cell by cell by eisenergy</p></header>
{_verdict(result)}
{_chips(result)}
<main>
{_sheets(result, book)}
<aside>
<section class="box" id="card" aria-live="polite" aria-label="The chosen cell"></section>
{_problems(result, book)}
</aside>
</main>
<section class="counted box" tabindex="0" aria-label="Counts by sheet">{_counts(result)}</section>
<div id="tip" hidden></div>
<script type="application/json" id="look">{_json(look)}</script>
<script type="application/json" id="workbook">{_json(pack(result, book))}</script>
{draws}
</body>
</html>
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(data: Any) -> str:
    """Write JSON that no text in it can break out of."""
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return written.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _verdict(result: CheckResult) -> str:
    to_pay = amount_to_pay(result)
    told = ""
    if to_pay is not None:
        told = (
            f"<p>Amount to pay ({html.escape(str(to_pay.place))}): in the file <b>{html.escape(amount(to_pay.found))}</b>, "
            f"ours <b>{html.escape('not computed' if to_pay.ours is None else amount(to_pay.ours))}</b></p>"
        )
    return (
        f'<div class="verdict{" passed" if result.passed else ""}"><p><b>{html.escape(headline(result))}</b></p>{told}'
        f'<p class="quiet">{html.escape(evaluation(result))} {result.seconds:.1f} s. '
        f"sha256 {html.escape(result.sha256[:12])}</p></div>"
    )


def _chips(result: CheckResult) -> str:
    """Return the counts; each leads from one such cell to the next."""
    shown = list(states(result).values())
    figures: dict[State, int] = {State(verdict.value): count for verdict, count in result.counts.items()}
    figures |= {State.STALE: result.stale, State.FINDING: len(result.findings)}
    order = [State.EQUAL, State.DIFFERENT, State.STALE, State.FINDING, *(State(verdict.value) for verdict in Verdict)]
    chips = []
    for kind in dict.fromkeys(order):
        label = "findings" if kind is State.FINDING and figures[kind] != 1 else kind.value
        off = "" if kind in shown else " disabled"
        chips.append(
            f'<li><button type="button" data-state="{LETTERS[kind]}" aria-pressed="false" title="{MEANING[kind]}"{off}>'
            f'<i class="{LETTERS[kind]}" aria-hidden="true">{SYMBOLS[kind]}</i><b>{figures[kind]:,}</b> {label}</button></li>'
        )
    return f'<ul class="chips" aria-label="Counts; choose one to go from cell to cell">{"".join(chips)}</ul>'


def _sheets(result: CheckResult, book: Book) -> str:
    tabs = []
    bad = (State.DIFFERENT, State.STALE, State.NO_VALUE, State.ERROR, State.NOT_UNDERSTOOD, State.FINDING)
    wrong = [place.sheet for place, kind in states(result).items() if kind in bad]
    for number, name in enumerate(book.grids):
        count = wrong.count(name)
        mark = f'<span class="wrong" title="cells to look at">{count:,}</span>' if count else ""
        tabs.append(
            f'<button type="button" role="tab" aria-controls="grid" aria-selected="false" '
            f'tabindex="{0 if number == 0 else -1}">{html.escape(name)}{mark}</button>'
        )
    return f"""<section id="sheets" aria-label="The workbook">
<div class="bar"><button type="button" id="previous">‹ Previous</button><button type="button" id="next">Next<span class="more"> problem</span> ›</button>
<span id="step" aria-live="polite"></span>
<form id="find"><label for="address">Cell</label><input id="address" placeholder="B17" autocomplete="off" spellcheck="false"></form></div>
<div class="tabs" role="tablist" aria-label="Sheets">{"".join(tabs)}</div>
<div class="field"><div id="grid" role="grid" tabindex="0"><div id="canvas" role="presentation"><div id="heads" aria-hidden="true"></div></div></div>
<div class="strip"><canvas id="map" aria-hidden="true"></canvas><div id="viewport"></div></div></div>
</section>"""


def _problems(result: CheckResult, book: Book) -> str:
    found = problems(result)
    order = {name: number for number, name in enumerate(book.grids)}
    rows = "".join(_problem(problem, order) for problem in found[:LISTED])
    if left := len(found) - LISTED:
        rest = (
            f'<p class="quiet">{left:,} more are not listed; “Next problem” leads to them all.</p>' if left > 0 else ""
        )
    body = f"<ol>{rows}</ol>{rest}" if found else '<p class="quiet">Nothing to look at.</p>'
    still = '<p class="still quiet">The grids need a browser with JavaScript; the list and the counts do not.</p>'
    return f'<section class="box" id="problems"><h2>What to look at ({len(found):,})</h2>{body}{still}</section>'


def _problem(problem: Problem, order: dict[str, int]) -> str:
    letter = LETTERS[problem.state]
    title = html.escape(problem.title)
    if problem.first is not None and problem.first.sheet in order:
        to = f"{order[problem.first.sheet]} {problem.first.row} {problem.first.column}"
        title = f'<button type="button" data-cell="{to}">{title}</button>'
    else:
        title = f"<strong>{title}</strong>"
    return (
        f'<li><i class="{letter}" title="{problem.state.value}">{SYMBOLS[problem.state]}</i>{title}'
        f"<p>{html.escape(problem.text)}</p></li>"
    )


def _counts(result: CheckResult) -> str:
    columns = ["formulas", *(verdict.value for verdict in Verdict), "stale", "findings"]
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    return (
        f'<table class="counts"><thead><tr><th scope="col">Sheet</th>{head}</tr></thead>'
        f"<tbody>{''.join(_counts_row(sheet) for sheet in by_sheet(result))}</tbody></table>"
    )


def _counts_row(sheet: SheetCounts) -> str:
    figures = [sheet.formulas, *sheet.counts.values(), sheet.stale, sheet.findings]
    cells = "".join(f"<td{'' if figure else ' class=zero'}>{figure:,}</td>" for figure in figures)
    return f'<tr><th scope="row">{html.escape(sheet.name)}</th>{cells}</tr>'
