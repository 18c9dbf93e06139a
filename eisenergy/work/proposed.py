"""The job that says what a proposed version of a tariff or a calendar would change."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eisenergy.desk import proposing
from eisenergy.store import files, proposals
from eisenergy.store.proposals import Proposal
from eisenergy.work.kinds import Work


def whatif(work: Work) -> Mapping[str, Any]:
    """Read a proposal's file where it has one, and price the last months with it; argument ``proposal``."""
    database, scope = work.workspace.database, work.scope
    proposal = proposals.find(database, scope, uuid.UUID(str(work.job.arguments["proposal"])))
    if proposal.document is None:
        proposal = _read(work, proposal)
    summary = proposing.compare(work.workspace, scope, proposal, work.progress.begin, work.progress.step)
    return {"lines": summary["lines"], "without": summary["without"]}


def _read(work: Work, proposal: Proposal) -> Proposal:
    settings, origin = work.workspace.settings, proposal.origin
    assert origin is not None
    with tempfile.TemporaryDirectory(prefix=".work-", dir=settings.home) as folder:
        path = Path(folder) / str(origin["name"])
        files.copy_original(settings, work.scope, str(origin["sha256"]), path)
        return proposing.read_calendar(work.workspace.database, work.scope, proposal, path, work.at.date())
