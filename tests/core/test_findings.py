"""Findings are values: they survive JSON, and only a blocking one blocks."""

from __future__ import annotations

import json

from eisenergy.findings import Finding, Severity, blocked, blocking, info, warning


def test_a_finding_survives_json():
    finding = blocking("missing-slots", "5741444", "18 slots are missing. Send the log again.", slots=18)
    assert Finding.from_dict(json.loads(json.dumps(finding.to_dict()))) == finding
    assert finding.to_dict()["severity"] == "blocking"


def test_a_record_without_figures_is_read():
    record = {"code": "a", "severity": "info", "subject": "b", "message": "c"}
    assert Finding.from_dict(record) == info("a", "b", "c")


def test_only_a_blocking_finding_blocks():
    kinds = [info("a", "b", "c"), warning("a", "b", "c"), blocking("a", "b", "c")]
    assert [finding.severity for finding in kinds] == [Severity.INFO, Severity.WARNING, Severity.BLOCKING]
    assert [blocked([finding]) for finding in kinds] == [False, False, True]
    assert blocked(kinds)
    assert not blocked([])
