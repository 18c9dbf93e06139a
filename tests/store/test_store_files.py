from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from store_cases import EIS, OTHER

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.config import Settings
from eisenergy.findings import info, warning
from eisenergy.store import files
from eisenergy.store.database import Database
from eisenergy.store.files import ReportRow, SourceFile

SHA = hashlib.sha256(b"5741444;0,01\r\n").hexdigest()
AT = datetime(2021, 10, 2, 8, 30, 15, 123456, tzinfo=UTC)
LIMITED = Scope(client="EIS", role=Role.CLIENT_ADMIN, customers=frozenset({"EIS-0001"}))


def entry(name: str, **changes: object) -> SourceFile:
    values: dict[str, object] = {
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "name": name,
        "bytes": 14,
        "kind": "readings",
        "status": "loaded",
        "received_at": AT,
        "lake_version": 3,
        "meters": ("5741444", "5614086"),
        "start": datetime(2021, 9, 1, 6, tzinfo=UTC),
        "end": datetime(2021, 10, 1, 6, tzinfo=UTC),
        "rows": 2862,
        "findings": (warning("missing-slots", "5741444", "18 missing.", slots=18),),
    }
    return SourceFile(**{**values, **changes})  # type: ignore[arg-type]


def test_an_original_is_kept_by_its_hash_and_never_touched_again(settings: Settings, tmp_path: Path) -> None:
    source = tmp_path / "5741444.csv"
    source.write_bytes(b"5741444;0,01\r\n")
    assert files.archive(settings, EIS, source) == SHA == files.sha256_of(source)
    kept = files.original(settings, EIS, SHA)
    assert kept == settings.home / "inbox" / "EIS" / SHA[:2] / SHA
    assert kept.read_bytes() == b"5741444;0,01\r\n"
    before = kept.stat()
    assert files.archive(settings, EIS, source) == SHA
    source.write_bytes(b"changed later")
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert kept.read_bytes() == b"5741444;0,01\r\n"
    assert kept.stat().st_mode & 0o222 == 0
    assert list((settings.home / "inbox").rglob(".part-*")) == []
    files.copy_original(settings, EIS, SHA, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == b"5741444;0,01\r\n"


def test_what_is_not_settled_when_it_ends_is_forgotten(settings: Settings) -> None:
    with files.Originals(settings, EIS) as originals:
        sha256, size = originals.keep_stream(io.BytesIO(b"kept by nobody"))
        assert len(list((settings.home / "inbox").rglob(".part-*"))) == 1
    assert list((settings.home / "inbox").rglob(".part-*")) == []
    assert not files.archived(settings, EIS, sha256, size)


def test_a_copy_that_is_not_whole_is_made_again(settings: Settings, tmp_path: Path) -> None:
    source = tmp_path / "b.csv"
    source.write_bytes(b"whole")
    kept = files.original(settings, EIS, files.archive(settings, EIS, source))
    kept.chmod(0o644)
    kept.write_bytes(b"who")
    files.archive(settings, EIS, source)
    assert kept.read_bytes() == b"whole"


def test_originals_are_each_tenants_own(settings: Settings, tmp_path: Path) -> None:
    source = tmp_path / "c.csv"
    source.write_bytes(b"c")
    sha256 = files.archive(settings, EIS, source)
    with pytest.raises(FileNotFoundError, match="never taken in"):
        files.original(settings, OTHER, sha256)
    with pytest.raises(OutOfScope):
        files.original(settings, LIMITED, sha256)
    for scope in (LIMITED, Scope.customer("EIS", "EIS-0001"), Scope.operator("../EIS"), Scope.operator("..")):
        with pytest.raises(OutOfScope):
            files.archive(settings, scope, source)
    with pytest.raises(FileNotFoundError, match="not a sha256"):
        files.original(settings, EIS, "../../../etc/passwd")


def test_the_register_gives_back_what_it_was_told(database: Database) -> None:
    file = entry("5741444.csv")
    assert files.registered(database, EIS, file.sha256) is None
    assert files.register(database, EIS, file) == file
    assert files.registered(database, EIS, file.sha256) == file
    assert files.registered(database, OTHER, file.sha256) is None


def test_the_register_keeps_any_text_and_what_is_not_there(database: Database) -> None:
    odd = "Año \"2021\", {mayo}; a\\b 'c' 100 % :name\n\u2028.csv"
    finding = info("odd", odd, odd, odd=odd, rows=[1, 2.5, None, True, {"a": [odd]}])
    whole = entry(odd, meters=(odd, "", "NULL", "null"), findings=(finding, finding), bytes=2**40, rows=2**33)
    bare = entry("bare.csv", status="refused", lake_version=None, meters=(), start=None, end=None, rows=0, findings=())
    files.register_all(database, EIS, [whole, bare])
    assert files.registered(database, EIS, whole.sha256) == whole
    assert files.registered(database, EIS, bare.sha256) == bare
    assert files.sizes_among(database, EIS, [2**40, 2**40 + 1]) == {2**40}
    assert files.sizes_among(database, OTHER, [2**40]) == set()
    assert files.sizes_among(database, EIS, []) == set()
    with pytest.raises(UnicodeEncodeError):
        files.register_all(database, EIS, [entry("\udcff.csv")])


def test_a_loaded_file_stays_loaded_and_a_refused_one_may_come_again(database: Database) -> None:
    loaded = entry("loaded.csv")
    files.register(database, EIS, loaded)
    assert files.register(database, EIS, replace(loaded, name="renamed.csv", lake_version=9)) == loaded
    refused = entry("refused.csv", status="refused", lake_version=None, meters=(), start=None, end=None, rows=0)
    assert files.register(database, EIS, refused) == refused
    mended = entry("refused.csv", received_at=AT + timedelta(days=1))
    assert files.register(database, EIS, mended) == mended


def test_the_register_is_in_order_of_arrival_and_the_operators_alone(database: Database) -> None:
    for day in (5, 4):
        files.register(database, EIS, entry(f"late {day}.csv", received_at=AT + timedelta(days=day)))
    names = [file.name for file in files.sources(database, EIS)]
    assert names[-2:] == ["late 4.csv", "late 5.csv"]
    assert files.sources(database, LIMITED) == ()
    assert files.sources(database, OTHER) == ()
    for scope in (LIMITED, Scope.customer("EIS", "EIS-0001")):
        with pytest.raises(OutOfScope):
            files.register(database, scope, entry("x"))


def test_a_distributors_report_is_kept_once_and_the_newest_row_counts(database: Database) -> None:
    first, second = entry("CAESS (1).xls", kind="distributor"), entry("CAESS (2).xls", kind="distributor")
    september = (date(2021, 9, 1), date(2021, 10, 1))

    def row(file: SourceFile, number: int, meter: str, kwh: str | None) -> ReportRow:
        return ReportRow(
            sha256=file.sha256,
            row=number,
            meter=meter,
            start=september[0],
            end=september[1],
            kwh=None if kwh is None else Decimal(kwh),
            document={"NIC": "77"},
        )

    for file in (first, second):
        files.register(database, EIS, file)
    rows = [row(first, 6, "5741444", "10.5"), row(first, 7, "5614086", None)]
    assert files.save_report(database, EIS, rows) == 2
    assert files.save_report(database, EIS, rows) == 0
    corrected = row(second, 6, "5741444", "11.25")
    assert files.save_report(database, EIS, [corrected]) == 1
    assert files.report_rows(database, EIS, *september) == (rows[1], corrected)
    assert files.report_rows(database, EIS, date(2021, 10, 1), date(2021, 11, 1)) == ()
    assert files.report_rows(database, Scope.customer("EIS", "EIS-0001"), *september) == ()
    with pytest.raises(OutOfScope):
        files.save_report(database, LIMITED, rows)
