"""What a benchmark reports: groups of costs in which everybody is compared with us, aims with what was found, and checks that passed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from benchmarks import machine

RESULTS: Final = Path(__file__).parent / "results"
OURS: Final = "ours"
PEER: Final = "peer"
BOUND: Final = "bound"
CONSTANT: Final = "constant"

Who = Literal["ours", "peer", "bound", "constant"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What somebody needs for the same work; lower is better.

    :param who: ``ours``; ``peer``: run beside it in this run; ``bound``: what physics allows; ``constant``: measured
        elsewhere, not in this run
    """

    who: Who
    name: str
    cost: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """One piece of work, and what everybody needs for it. The first cost is ours, and every ratio is to it.

    :param unit: of the costs, for example ``CPU ms per customer``
    """

    title: str
    unit: str
    costs: tuple[Cost, ...]

    def ratio(self, cost: Cost) -> float:
        """How many times ours it is."""
        return cost.cost / self.costs[0].cost if self.costs[0].cost else float("nan")


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure that was to be reached.

    :param sign: ``>=`` or ``<=``
    :param reason: why it cannot be judged here, for example a sample that is too small; empty: it can
    """

    text: str
    wanted: float
    found: float
    sign: Literal[">=", "<="] = ">="
    unit: str = "times"
    reason: str = ""

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return self.found >= self.wanted if self.sign == ">=" else self.found <= self.wanted


@dataclass(slots=True)
class Result:
    """What one case found.

    :param size: what was measured, in numbers
    :param checks: what was compared and found equal; a benchmark whose check fails ends with an error
    :param figures: everything else that was measured
    :param series: for growth: one entry per size
    """

    case: str
    question: str
    size: dict[str, Any]
    groups: list[Group] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    series: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    quick: bool = False
    machine: dict[str, Any] = field(default_factory=machine.facts)
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def busy(self) -> str:
        """Say that others used the machine, where they did: wall times then are theirs, too. Empty: they did not."""
        load, cores = self.machine["load_at_start"], self.machine["cores_of_machine"]
        if not load or load <= cores / 4:
            return ""
        return (
            f"the machine was busy: load {load} on {cores} cores when this began. Wall times, and shares of the memory's bandwidth, "
            "are worse than on an idle one; CPU times bear it better"
        )

    def document(self) -> dict[str, Any]:
        """The result as JSON types, ratios worked out."""
        document = asdict(self)
        for group, plain in zip(self.groups, document["groups"], strict=True):
            for cost, entry in zip(group.costs, plain["costs"], strict=True):
                entry["ratio"] = group.ratio(cost)
        for aim, plain in zip(self.aims, document["aims"], strict=True):
            plain["met"] = aim.met
        return document


def save(result: Result, folder: Path = RESULTS) -> Path:
    """Write a result beside the others."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.case}.json"
    path.write_text(json.dumps(result.document(), indent=1) + "\n", encoding="utf-8")
    return path


def load(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Return the results that are there."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return [entry for entry in found if "case" in entry]


def text(result: Result) -> str:
    """A result as a person reads it: ratios first."""
    facts = result.machine
    lines = [
        "",
        f"== {result.case}: {result.question}",
        f"   {facts['processor']}, {facts['cores']} of {facts['cores_of_machine']} cores, "
        f"{facts['memory_bytes'] / 2**30:.0f} GB, load {facts['load_at_start']} at the start; {_pairs(result.size)}",
    ]
    for group in result.groups:
        lines.append(f"   {group.title} [{group.unit}]")
        lines += [
            f"   {group.ratio(cost):>10,.2f} x  {cost.who:<8} {cost.name:<52} {_figure(cost.cost):>12}"
            + (f"  {cost.note}" if cost.note else "")
            for cost in group.costs
        ]
    for entry in result.series:
        lines.append("   " + _pairs(entry))
    for aim in result.aims:
        verdict = f"not judged: {aim.reason}" if aim.reason else "reached" if aim.met else "NOT REACHED"
        lines.append(
            f"   {verdict:<12} {aim.text}: {_figure(aim.found)} {aim.unit}, aim {aim.sign} {_figure(aim.wanted)}"
        )
    lines += [f"   equal        {check}" for check in result.checks]
    lines += [f"   {note}" for note in result.notes]
    return "\n".join(lines)


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {_figure(value) if isinstance(value, int | float) else value}"
        for name, value in values.items()
    )


def _figure(value: float) -> str:
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.4g}"


def equal(what: str, pairs: Iterable[tuple[str, Any, Any]]) -> str:
    """Compare ours with a peer's.

    :param pairs: (name, ours, theirs)
    :returns: the sentence for :attr:`Result.checks`
    :raises AssertionError: naming the first that differ
    """
    compared = list(pairs)
    different = [(name, a, b) for name, a, b in compared if a != b]
    if different:
        shown = "; ".join(f"{name}: ours {a}, theirs {b}" for name, a, b in different[:5])
        raise AssertionError(f"{what}: {len(different)} of {len(compared)} differ: {shown}")
    if not compared:
        raise AssertionError(f"{what}: nothing was compared")
    return f"{what}: all {len(compared):,}"


def total(costs: Sequence[float]) -> float:
    """The sum of costs, for peers that are made of several tools."""
    return float(sum(costs))
