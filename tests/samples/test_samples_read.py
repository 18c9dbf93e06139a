"""Every file of the demonstration, read: each sum of the manifest, and each blemish noticed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from eisenergy import readings
from eisenergy.findings import Severity

SHAPES = (
    "analyst", "log", "workbook", "register-first log", "cp1252", "iso", "english", "several months",
)  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_readings_are_what_the_manifest_says(written: Any, shape: str) -> None:
    entries: dict[str, list[dict[str, Any]]] = {}
    for entry in written.manifest["readings"]:
        entries.setdefault(entry["file"], []).append(entry)
    names = [entry["file"] for entry in written.manifest["files"] if entry["shape"] == shape]
    assert names
    for name in names:
        result = readings.read(written.folder / name, client="EIS")
        assert set(result.frame["meter"]) == {entries[name][0]["meter"]}, name
        local = result.frame.with_columns(
            month=pl.col("start").dt.convert_time_zone("America/El_Salvador").dt.strftime("%Y-%m")
        )
        assert set(local["month"]) == {entry["month"] for entry in entries[name]}, name
        for entry in entries[name]:
            place = f"{name} {entry['month']}"
            rows = local.filter(pl.col("month") == entry["month"])
            assert rows.height == entry["slots"], place
            for field in ("kwh_import", "kwh_export", "kvarh", "forecast_kwh"):
                if entry[field] is None:
                    assert rows[field].null_count() == rows.height, f"{place} {field}"
                else:
                    assert rows[field].sum() == pytest.approx(float(entry[field]), abs=1e-6), f"{place} {field}"
            if entry["register_kwh"] is None:
                assert rows["register_kwh"].null_count() == rows.height, place
            else:
                assert rows["register_kwh"].max() == float(entry["register_kwh"]), place
        found = {finding.code: finding for finding in result.findings}
        assert [finding for finding in result.findings if finding.severity is Severity.BLOCKING] == []
        assert ("repeated-rows" in found) == any(entry["repeated"] for entry in entries[name]), name
        assert ("off-grid" in found) == any(entry["off_grid"] for entry in entries[name]), name


def test_the_gap_is_where_the_manifest_says(written: Any) -> None:
    holes = [(entry, hole) for entry in written.manifest["readings"] for hole in entry["missing"]]
    assert len(holes) == 8
    for entry, hole in holes:
        frame = readings.read(written.folder / entry["file"], client="EIS").frame
        starts = frame["start"].dt.convert_time_zone("America/El_Salvador").dt.replace_time_zone(None).to_list()
        begin, until = datetime.fromisoformat(hole["from"]), datetime.fromisoformat(hole["until"])
        assert not [start for start in starts if begin <= start < until], entry
        assert begin - timedelta(minutes=15) in starts, entry
        assert until in starts or until.day == 1, entry
