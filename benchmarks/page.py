"""The page of the results: one file that needs no network, ratios first.

Bars start at 1, which is ours, on a logarithmic axis: to the right whoever needs more, to the left whoever needs less.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import report

TITLES: Final = {
    "kernel": "Sums per block",
    "month_read": "Reading a month",
    "bill": "Bill and issue",
    "documents": "Documents",
    "intake": "Taking files in",
    "growth": "Growth",
    "portal": "The portal",
}
WHO: Final = {
    "ours": "ours",
    "peer": "run beside it",
    "bound": "physical bound",
    "constant": "measured elsewhere",
}
STYLE: Final = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def write(folder: Path = report.RESULTS) -> Path:
    """Make the page from the results that are there."""
    found = {entry["case"]: entry for entry in report.load(folder)}
    path = folder / "index.html"
    path.write_text(render([found[name] for name in TITLES if name in found]), encoding="utf-8")
    return path


def render(results: Sequence[dict[str, Any]]) -> str:
    """Return the page.

    :param results: documents of :class:`benchmarks.report.Result`
    """
    body = "".join(_case(result) for result in results)
    links = "".join(f'<a href="#{entry["case"]}">{TITLES[entry["case"]]}</a>' for entry in results)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>eisenergy beside its peers</title><style>{STYLE}</style></head><body><main>"
        "<header><h1>eisenergy beside its peers</h1>"
        "<p>How many times our cost others need for the same work, measured in one run on one machine. "
        "Before anything is timed, both sides are checked to compute the same.</p>"
        f'<nav aria-label="cases">{links}</nav></header>{_headlines(results)}{_aims(results)}{body}{_machines(results)}'
        "</main></body></html>\n"
    )


def _headlines(results: Iterable[dict[str, Any]]) -> str:
    """The first peer of each case's first group that compares: how many times ours it needs."""
    tiles = []
    for result in results:
        for group in result["groups"]:
            peer = next((cost for cost in group["costs"] if cost["who"] == "peer"), None)
            if peer is not None:
                tiles.append(
                    f'<a class="tile" href="#{result["case"]}"><span>{TITLES[result["case"]]}</span>'
                    f"<strong>{_times(peer['ratio'])}</strong><span>{_text(peer['name'])}, against {_text(group['costs'][0]['name'])}</span></a>"
                )
                break
    return f'<section class="tiles" aria-label="at a glance">{"".join(tiles)}</section>' if tiles else ""


def _aims(results: Iterable[dict[str, Any]]) -> str:
    rows = []
    for result in results:
        for aim in result["aims"]:
            verdict, mark = ("reached", "yes") if aim["met"] else ("not reached", "no")
            if aim["reason"]:
                verdict, mark = f"not judged: {aim['reason']}", "open"
            sign = "at least" if aim["sign"] == ">=" else "at most"
            rows.append(
                f'<tr><td><a href="#{result["case"]}">{TITLES[result["case"]]}</a></td><td>{_text(aim["text"])}</td>'
                f'<td class="n">{_figure(aim["found"])} {_text(aim["unit"])}</td>'
                f'<td class="n"><span class="only-narrow">aim: </span>{sign} {_figure(aim["wanted"])}</td><td class="{mark}">{_text(verdict)}</td></tr>'
            )
    if not rows:
        return ""
    return (
        '<section><h2>Aims</h2><div class="scroll"><table class="aims"><thead><tr><th>Case</th><th>What</th><th class="n">Found</th>'
        f'<th class="n">Aim</th><th>Verdict</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div></section>'
    )


def _case(result: dict[str, Any]) -> str:
    groups = "".join(_group(group) for group in result["groups"])
    plots = _plots(result["series"]) if result["series"] else ""
    checks = "".join(f"<li>equal: {_text(check)}</li>" for check in result["checks"])
    notes = "".join(f"<li>{_text(note)}</li>" for note in result["notes"])
    size = ", ".join(f"{name.replace('_', ' ')} {_figure(value)}" for name, value in result["size"].items())
    quick = (
        '<p class="no">A quick run: it shows that the case works, and measures nothing of worth.</p>'
        if result["quick"]
        else ""
    )
    return (
        f'<section id="{result["case"]}"><h2>{TITLES[result["case"]]}</h2><p>{_text(result["question"][:1].upper() + result["question"][1:])}</p>{quick}'
        f'<p class="muted">{_text(size)}; load of the machine at the start {result["machine"]["load_at_start"]}; {_text(result["at"])}</p>'
        f"{plots}{groups}<ul>{checks}{notes}</ul></section>"
    )


def _group(group: dict[str, Any]) -> str:
    """A row per cost: the name, a bar from 1, the ratio, and the cost itself."""
    ratios = [cost["ratio"] for cost in group["costs"] if cost["ratio"] > 0]
    low = min(-1, math.floor(math.log10(max(min(ratios), 1e-4))))
    high = max(1, math.ceil(math.log10(max(ratios))))

    def place(ratio: float) -> float:
        return 100 * (min(max(math.log10(max(ratio, 1e-9)), low), high) - low) / (high - low)

    one = place(1)
    ticks = "".join(
        f'<i style="left:{place(10.0**power):.2f}%"><b>{_tick(power)}</b></i>' for power in range(low, high + 1)
    )
    rows = []
    for cost in group["costs"]:
        at = place(cost["ratio"])
        left, width = min(one, at), max(abs(at - one), 0.6)
        rows.append(
            f'<div class="row {cost["who"]}"><div class="name">{_text(cost["name"])}<small>{WHO[cost["who"]]}'
            f"{': ' + _text(cost['note']) if cost['note'] else ''}</small></div>"
            f'<div class="track"><span class="one" style="left:{one:.2f}%"></span>'
            f'<span class="bar" style="left:{left:.2f}%;width:{width:.2f}%"></span></div>'
            f'<div class="value"><strong>{_times(cost["ratio"])}</strong><small>{_figure(cost["cost"])} {_text(group["unit"])}</small></div></div>'
        )
    return (
        f'<h3>{_text(group["title"])}</h3><div class="bars">{"".join(rows)}'
        f'<div class="row axis" aria-hidden="true"><div class="name"></div><div class="track">{ticks}</div><div class="value"></div></div></div>'
    )


def _plots(series: Sequence[dict[str, Any]]) -> str:
    """CPU time and memory over the number of customers, both axes logarithmic, with what linear growth would be."""
    plots = [
        _plot(
            "CPU time of bill + issue [s]",
            [(entry["customers"], entry["bill_cpu_seconds"] + entry["issue_cpu_seconds"]) for entry in series],
        ),
        _plot("Peak memory [MB]", [(entry["customers"], entry["peak_bytes"] / 2**20) for entry in series]),
    ]
    if all("documents_cpu_seconds_from_sample" in entry for entry in series):
        points = [(entry["customers"], entry["documents_cpu_seconds_from_sample"]) for entry in series]
        plots.append(_plot("CPU time of the documents [s], from the sample", points))
    return f'<div class="plots">{"".join(plots)}</div>'


def _plot(title: str, points: Sequence[tuple[float, float]]) -> str:
    width, height, left, right, top, bottom = 360, 260, 58, 16, 16, 40
    x0, x1 = (math.log10(max(value, 1)) for value in (points[0][0], points[-1][0]))
    if x1 <= x0:
        x0, x1 = x0 - 0.5, x1 + 0.5
    linear = [(points[-1][0], points[-1][1]), (points[0][0], points[-1][1] * points[0][0] / points[-1][0])]
    lows = [math.log10(max(value, 1e-9)) for _, value in [*points, *linear]]
    y0, y1 = math.floor(min(lows)), math.ceil(max(lows))
    y1 = max(y1, y0 + 1)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        x = left + (width - left - right) * (math.log10(point[0]) - x0) / (x1 - x0)
        y = height - bottom - (height - top - bottom) * (math.log10(max(point[1], 1e-9)) - y0) / (y1 - y0)
        return round(x, 1), round(y, 1)

    def path(some: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x},{y}" for x, y in map(at, some))

    grid = "".join(
        f'<line class="grid" x1="{left}" x2="{width - right}" y1="{at((1, 10.0**power))[1]}" y2="{at((1, 10.0**power))[1]}"/>'
        f'<text class="tick" x="{left - 8}" y="{at((1, 10.0**power))[1] + 4}" text-anchor="end">{_figure(10.0**power)}</text>'
        for power in range(y0, y1 + 1)
    )
    names = "".join(
        f'<text class="tick" x="{at((x, 1))[0]}" y="{height - bottom + 18}" text-anchor="middle">{_figure(x)}</text>'
        for x, _ in points
    )
    dots = "".join(
        f'<circle class="dot" cx="{at(point)[0]}" cy="{at(point)[1]}" r="4"><title>{_figure(point[0])} customers: {_figure(point[1])}</title></circle>'
        for point in points
    )
    spoken = "; ".join(f"{_figure(x)} customers: {_figure(y)}" for x, y in points)
    return (
        f'<figure><figcaption>{_text(title)}</figcaption><svg viewBox="0 0 {width} {height}" role="img" aria-label="{_text(title)}. {spoken}">'
        f'{grid}{names}<text class="tick" x="{(left + width - right) / 2}" y="{height - 4}" text-anchor="middle">customers</text>'
        f'<polyline class="linear" points="{path(linear)}"/><polyline class="line" points="{path(points)}"/>{dots}</svg>'
        '<p class="muted">dashed: in proportion to the largest size</p></figure>'
    )


def _machines(results: Sequence[dict[str, Any]]) -> str:
    rows = []
    for result in results:
        facts = result["machine"]
        rows.append(
            f"<tr><td>{TITLES[result['case']]}</td><td>{_text(result['at'])}</td><td>{_text(facts['processor'])}</td>"
            f'<td class="n">{facts["cores"]} of {facts["cores_of_machine"]}</td><td class="n">{facts["memory_bytes"] / 2**30:.0f} GB</td>'
            f'<td class="n">{facts["load_at_start"]}</td></tr>'
        )
    versions = results[-1]["machine"]["versions"] if results else {}
    listed = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    python = f"Python {results[-1]['machine']['python']}, " if results else ""
    return (
        '<section><h2>The machine</h2><div class="scroll"><table><thead><tr><th>Case</th><th>Measured</th><th>Processor</th>'
        '<th class="n">Cores</th><th class="n">Memory</th><th class="n">Load at the start</th></tr></thead>'
        f'<tbody>{"".join(rows)}</tbody></table></div><p class="muted">{_text(python + listed)}</p></section>'
    )


def _times(ratio: float) -> str:
    if ratio >= 100:
        return f"{ratio:,.0f}×"
    return f"{ratio:.1f}×" if ratio >= 10 else f"{ratio:.2g}×" if ratio < 1 else f"{ratio:.2f}×"


def _tick(power: int) -> str:
    return f"{10**power:,}×" if power >= 0 else f"{10.0**power:g}×"


def _figure(value: Any) -> str:
    if not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _text(value: str) -> str:
    return html.escape(str(value))
