"""What a job may be, apart from publishing, which the command line puts together. Each is safe to begin again at any moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from eisenergy.accounts import Scope
from eisenergy.desk.overview import operator_rows
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import Severity
from eisenergy.money import total
from eisenergy.period import BillingMonth
from eisenergy.run.chosen import chosen_contracts
from eisenergy.store import attempts, audit, masters, selection
from eisenergy.store.books import Head
from eisenergy.store.jobs import Job
from eisenergy.store.selection import Reviewed
from eisenergy.work.progress import Progress

LISTED: Final = 50
"""Customers, findings and files that a result tells one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One job being done.

    :param at: when it was begun, UTC
    """

    workspace: Workspace
    job: Job
    progress: Progress
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def scope(self) -> Scope:
        """The scope it works in."""
        return self.job.scope

    @property
    def month(self) -> BillingMonth:
        """The month it is about. :raises BadMonth: saying what was found"""
        return BillingMonth.parse(str(self.job.arguments.get("month", "")))

    @property
    def customers(self) -> list[str] | None:
        """Codes of the customers it is about; ``None``: all."""
        given = self.job.arguments.get("customers")
        return [str(code) for code in given] if given else None

    @contextmanager
    def counted(self, _: str, total: int) -> Iterator[Callable[[str], None]]:
        """Count pieces, as a use case asks for it; the commands have a bar in this place."""
        self.progress.begin(total)
        yield self.progress.step


Kind = Callable[[Work], Mapping[str, Any]]
"""Does a job and returns what came of it, JSON types."""


def bill(work: Work) -> Mapping[str, Any]:
    """Draft the bills of a month; arguments ``month`` and, where not for all, ``customers``."""
    from eisenergy.run import month as months  # here: what bills takes a while to load

    contracts = chosen_contracts(work.workspace, work.scope, work.customers)
    work.progress.begin(len(contracts))
    report = months.bill_month(work.workspace, work.scope, work.month, contracts=contracts, step=work.progress.step)
    totals = [entry.total for entry in report.entries]
    return {
        "drafts": len(report.entries),
        "total": str(sum(totals[1:], totals[0])) if totals else "0",
        "parked": [
            {
                "contract": one.contract,
                "why": next((f.message for f in one.findings if f.severity is Severity.BLOCKING), ""),
            }
            for one in report.parked[:LISTED]
        ],
        "parked_count": len(report.parked),
        "issued_before": len(report.issued),
        "not_in_force": len(report.not_in_force),
    }


def issue(work: Work, *, verify: bool = True) -> Mapping[str, Any]:
    """Number and post the drafts of a month; arguments ``month``, and where given ``customers`` and ``issued_on`` (a local date).

    With ``fingerprint`` only what somebody looked at, and only as it was seen: ``which`` of ``store.selection.WHICH``, and ``contracts`` with
    ``chosen``. What came of it is kept with the invoices: begun again, it does nothing twice.

    :raises DraftsChanged: where the drafts are not those that were looked at; nothing is issued
    """
    if work.job.result is not None:  # a worker made the invoices and died before it could say so
        return dict(work.job.result)
    client = masters.client(work.workspace.database, work.scope)
    given = work.job.arguments.get("issued_on")
    day = work.at.astimezone(ZoneInfo(client.timezone)).date() if given is None else date.fromisoformat(str(given))

    def noted(connection: Connection, posted: Sequence[Head]) -> None:
        if posted:
            first, last = posted[0].number, posted[-1].number
            told = {
                "job": str(work.job.id),
                "invoices": len(posted),
                "first": first,
                "last": last,
                "total": str(total(head.total for head in posted)),
            }
            audit.write(connection, work.scope.client, work.job.actor, work.at, "ISSUED", f"{work.month}", new=told)
        if work.job.kind == "issue":
            attempts.keep(connection, work.job, _issued(posted))

    from eisenergy.run import month as months

    report = months.issue_month(
        work.workspace,
        work.scope,
        work.month,
        issued_on=day,
        at=work.at,
        customers=work.customers,
        verify=verify,
        reviewed=_reviewed(work),
        noted=noted,
    )
    return {
        **_issued(report.heads),
        "already": len(report.heads_before),
        "stale": [finding.message for finding in report.stale[:LISTED]],
        "stale_count": len(report.stale),
    }


def _issued(posted: Sequence[Head]) -> dict[str, Any]:
    return {"issued": [head.number for head in posted[:LISTED]], "issued_count": len(posted)}


def _reviewed(work: Work) -> Reviewed | None:
    """What the job is to issue and nothing else; ``None``: every draft there is."""
    given = work.job.arguments
    if "fingerprint" not in given:
        return None
    chosen = [str(one) for one in given.get("contracts", ())]
    meant = selection.contracts(work.workspace.database, work.scope, work.month, str(given["which"]), chosen)
    return Reviewed(contracts=frozenset(meant), fingerprint=str(given["fingerprint"]))


def check(work: Work) -> Mapping[str, Any]:
    """Look at the readings of the running month: who has none, who has gaps or estimates, and what else was found; nothing is changed.

    Argument ``month`` where not yesterday's, where the seller is.
    """
    client = masters.client(work.workspace.database, work.scope)
    if work.job.arguments.get("month") is not None:
        month = work.month
    else:
        day = work.at.astimezone(ZoneInfo(client.timezone)).date() - timedelta(days=1)
        month = BillingMonth(day.year, day.month)
    rows = operator_rows(work.workspace, work.scope, client, month)
    found = [finding for row in rows for finding in row.findings]
    parked = [row for row in rows if row.parked is not None]
    return {
        "month": str(month),
        "contracts": len(rows),
        "without_readings": sum(row.kwh is None for row in rows),
        "missing": sum(row.missing for row in rows),
        "estimated": sum(row.estimated for row in rows),
        "parked": [{"contract": row.contract.number, "why": row.parked} for row in parked[:LISTED]],
        "parked_count": len(parked),
        "findings": dict(Counter(finding.code for finding in found)),
    }


KINDS: Final[Mapping[str, Kind]] = {"bill": bill, "issue": issue, "check": check}
"""Those about months; those about files are in :mod:`eisenergy.work.files`."""
