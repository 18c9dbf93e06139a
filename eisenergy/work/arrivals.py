"""What a file that came in is, what it looks like before it is imported, and its import: each kind by the use case that is there for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from eisenergy.accounts import Client
from eisenergy.contents import UnreadableFile
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import Finding, blocked, blocking, warning
from eisenergy.masters import calendars, customers
from eisenergy.readings import Format, load_mappings
from eisenergy.readings.preview import Preview, preview
from eisenergy.store import files, masters, uploads
from eisenergy.tariffs import load as tariffs
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import CalendarError, DayCalendar
from eisenergy.work import headless
from eisenergy.work.kinds import LISTED, Work

T = TypeVar("T")
READINGS, REPORT, CUSTOMERS, TARIFF, CALENDAR = "readings", "report", "customers", "tariff", "calendar"
CALENDAR_NAME: Final = "eis-bloques"
"""Under which tariffs refer to an uploaded calendar."""
ROWS: Final = 200
LONGEST: Final = 200
"""Characters of a cell that are shown."""
_HIDDEN: Final = frozenset({"client", "source", "extra"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a file looks like.

    :param kind: see ``eisenergy.store.uploads.Upload``; ``None`` for one that is nothing we know
    :param shown: its preview, JSON types
    :param content: what was read, for masters
    """

    kind: str | None
    shown: dict[str, Any]
    findings: tuple[Finding, ...]
    content: Any = None

    @property
    def importable(self) -> bool:
        """Whether an import may take anything of it.

        A faulty row of a list stops that row alone.
        """
        return self.kind is not None and (self.kind == CUSTOMERS or not blocked(self.findings))

    def to_json(self) -> dict[str, Any]:
        """Return the preview as it is kept."""
        order = {"blocking": 0, "warning": 1, "info": 2}
        listed = sorted((finding.to_dict() for finding in self.findings), key=lambda one: order[one["severity"]])
        for one in listed:
            one.pop("data")
        return {**self.shown, "findings": listed[:LISTED], "more_findings": max(len(listed) - LISTED, 0)}


def look(work: Work, path: Path) -> Look:
    """Say what a file is and show what an import would make of it; also for one that an import would refuse."""
    try:
        seen = _previewed(work, path)
    except UnreadableFile as problem:
        return Look(kind=None, shown={}, findings=(blocking("unreadable", path.name, str(problem)),))
    if (
        seen.meta is None
        and seen.format is Format.SPREADSHEET
        and (master := _master(work.workspace, path)) is not None
    ):
        return master
    client = masters.client(work.workspace.database, work.scope)
    kind = REPORT if seen.format is Format.DISTRIBUTOR else READINGS
    findings = seen.findings
    if kind == READINGS and seen.meta is not None:
        known = masters.meters(work.workspace.database, work.scope)
        findings += tuple(
            # It stops the import, but a list that is imported together with the file may name the meter.
            warning(
                "unknown-meter",
                meter,
                f"{path.name}: meter {meter} belongs to no customer of {client.code}. Upload the customer list that names it "
                "and import both, or that one first.",
            )
            for meter in seen.meta.meters
            if meter not in known
        )
    shown = _shown(seen, client)
    if kind == READINGS and not shown["columns"]:
        shown |= headless.guessed(path, ROWS)
    return Look(kind=kind, shown=shown, findings=findings)


def _previewed(work: Work, path: Path) -> Preview:
    client = masters.client(work.workspace.database, work.scope)
    own = uploads.mappings(work.workspace.database, work.scope)
    shared = load_mappings(work.workspace.settings.params / "mappings")
    return preview(path, client=client.code, timezone=client.timezone, mapping=(*own, *shared), rows=ROWS)


def _shown(seen: Preview, client: Client) -> dict[str, Any]:
    zone = ZoneInfo(client.timezone)
    names = [
        name for name in seen.rows.columns if name not in _HIDDEN and seen.rows[name].null_count() < len(seen.rows)
    ]
    return {
        "head": names,
        "rows": [[_text(value, zone) for value in row] for row in seen.rows.select(names).iter_rows()],
        "columns": [
            {
                "sheet": column.sheet,
                "position": column.position,
                "header": column.header,
                "taken_for": column.taken_for,
                "why": column.why,
            }
            for column in seen.columns
        ],
        "tables": [
            {
                "sheet": one.sheet,
                "header_row": one.header_row,
                "meter": one.meter,
                **{
                    name: {"value": str(getattr(one, name).value), "why": getattr(one, name).why}
                    for name in ("decimal", "date_order", "stamp", "interval", "timezone")
                },
            }
            for one in (() if seen.meta is None else seen.meta.tables)
        ],
    }


def _text(value: object, zone: ZoneInfo) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(zone) if value.tzinfo else value:%Y-%m-%d %H:%M}"
    return str(value).replace("\x00", "")[:LONGEST]


def _master(workspace: Workspace, path: Path) -> Look | None:
    """What a workbook is that holds no readings; ``None`` when it is no list, price sheet or calendar either."""
    if (listed := _tried(lambda: customers.read(path))) is not None:
        rows = [
            [one.number, one.customer.name, one.meter.serial, one.tariff, str(one.start)] for one in listed.contracts
        ]
        shown = {"head": ["contract", "customer", "meter", "tariff", "start"], "rows": rows[:ROWS], "count": len(rows)}
        return Look(kind=CUSTOMERS, shown=shown, findings=listed.findings, content=listed)
    if (rates := _tried(lambda: tariffs.read_spreadsheet(path))) is not None:
        return _tariff(workspace, path, rates)
    hours = _tried(lambda: calendars.read_spreadsheet(path, CALENDAR_NAME))
    if hours is not None:
        return Look(kind=CALENDAR, shown=_hours(hours), findings=(), content=hours)
    return None


def _tried(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (UnreadableFile, CalendarError):
        return None


def _tariff(workspace: Workspace, path: Path, rates: Tariff) -> Look:
    """A price sheet holds rates; calendar, rules and taxes are the project's of the same name."""
    folder = workspace.settings.params
    rules = folder / "tariffs" / f"{rates.name}.yaml"
    whole = None
    findings: tuple[Finding, ...] = ()
    if rules.is_file() and rules.parent == folder / "tariffs":
        whole = tariffs.combine(tariffs.read_yaml(rules, schemas=folder / "schemas"), rates)
    else:
        said = (
            f"{path.name} holds the rates of tariff {rates.name}, of which no rules are known: expected one of "
            f"{', '.join(sorted(one.stem for one in rules.parent.glob('*.yaml')))}. Name the sheet after it, or let the system's "
            "administrator write its rules."
        )
        findings = (blocking("no-rules", rates.name, said),)
    head = ["what", "block", "from", "until", "value", "unit"]
    rows = [["" if row[key] is None else str(row[key]) for key in head] for row in tariffs.rows(rates)]
    return Look(
        kind=TARIFF, shown={"head": head, "rows": rows[:ROWS], "name": rates.name}, findings=findings, content=whole
    )


def _hours(calendar: DayCalendar) -> dict[str, Any]:
    rows = [[_clock(row.start_minute), _clock(row.end_minute), row.block] for row in calendar.rows]
    return {"head": ["from", "until", "block"], "rows": rows[:ROWS], "name": calendar.name}


def _clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02d}"


def save_master(workspace: Workspace, work: Work, seen: Look) -> dict[str, Any]:
    """Import a list of customers, a tariff or a calendar; what is there already changes nothing."""
    database, scope = workspace.database, work.scope
    if seen.kind == CUSTOMERS:
        saved = masters.save_contracts(database, scope, seen.content.contracts)
    elif seen.kind == TARIFF:
        saved = masters.save_tariff(database, scope, seen.content)
    else:
        saved = masters.save_calendar(database, scope, seen.content)
    return {"added": saved.added, "changed": saved.changed, "unchanged": saved.unchanged}


def imported_before(work: Work, sha256: str) -> datetime | None:
    """When a file with these bytes was taken in, ``None`` when it was not."""
    entry = files.registered_among(work.workspace.database, work.scope, [sha256]).get(sha256)
    return entry.received_at if entry is not None and entry.status == "loaded" else None


def outcome_of(status: str, findings: Sequence[Finding], **more: Any) -> dict[str, Any]:
    """Return what an import of one file came to, JSON types."""
    listed = [
        {"severity": one.severity.value, "message": one.message, "subject": one.subject} for one in findings[:LISTED]
    ]
    return {"status": status, "findings": listed, "more_findings": max(len(findings) - LISTED, 0), **more}
