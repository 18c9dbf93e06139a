"""Bad files of readings: what a person is told, by the reader, the preview and the month's check."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import bad_files as bad
import pytest

from eisenergy import readings
from eisenergy.contents import UnreadableFile
from eisenergy.findings import Finding, Severity
from eisenergy.period import BillingMonth
from eisenergy.quality.checks import check

ZONE = "America/El_Salvador"
SEPTEMBER = BillingMonth.parse("2021-09").period
STARTS = bad.september()


def blocking(path: Path, meter: str = "5741444", contracted_kw: float = 90.0) -> dict[str, Finding]:
    """The blocking findings of reading a file and of checking its month, the first of each code."""
    result = readings.read(path, client="EIS")
    found = [
        *result.findings,
        *check(result.frame, meter=meter, period=SEPTEMBER, timezone=ZONE, contracted_kw=contracted_kw),
    ]
    return {one.code: one for one in reversed(found) if one.severity is Severity.BLOCKING}


def refused(path: Path) -> str:
    """The sentence with which a file is refused; looking at it before says the same."""
    with pytest.raises(UnreadableFile) as caught:
        readings.read(path, client="EIS")
    message = str(caught.value)
    assert path.name in message
    assert "xpected" in message
    return message


def says(message: str, *parts: str) -> None:
    missing = [part for part in parts if part not in message]
    assert not missing, f"{message!r} does not say {missing}"


def seen(path: Path) -> list[str]:
    """What a look before the import says: its blocking findings, or the refusal."""
    try:
        looked = readings.preview(path, client="EIS")
    except UnreadableFile as error:
        return [str(error)]
    return [one.message for one in looked.findings if one.severity is Severity.BLOCKING]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """The same log without a fault: nothing in it blocks, so each test below sees its own fault alone."""
    path = bad.log(tmp_path / "5741444.csv", STARTS)
    assert blocking(path) == {}
    return path


def test_a_cut_workbook(tmp_path: Path, masters: Path) -> None:
    path = bad.cut(tmp_path / bad.STEEL, masters / bad.STEEL, 0.6)
    message = refused(path)
    says(message, "cut off or damaged", "Download it again")
    assert seen(path) == [message]


def test_a_workbook_with_a_broken_sheet_names_the_sheet(tmp_path: Path, masters: Path) -> None:
    path = bad.damaged_sheet(tmp_path / bad.STEEL, masters)
    message = refused(path)
    says(message, "sheet Nodo Ateos 5614086", "Download it again")
    assert seen(path) == [message]


@pytest.mark.parametrize("keep", [0.1, 0.4, 0.7, 0.95])
def test_a_cut_legacy_workbook(tmp_path: Path, masters: Path, keep: float) -> None:
    assert refused(bad.cut(tmp_path / bad.REPORT, masters / bad.REPORT, keep))


def test_a_workbook_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "5741444.xlsx"
    path.write_bytes(b"PK\x03\x04 not an archive at all")
    says(refused(path), "cut off or damaged")
    path.write_text("Fecha;Hora;kWh\n01/09/2021;00:15;4,5\n", encoding="utf-8")
    says(refused(path), "is text, not a workbook", "rename it to .csv")
    path.write_bytes(b"")
    says(refused(path), "empty")
    path.write_text("<html><table><tr><td>kWh</td></tr></table></html>", encoding="utf-8")
    says(refused(path), "web page")


def test_a_password(tmp_path: Path, masters: Path) -> None:
    for path in (
        bad.encrypted_workbook(tmp_path / "5614086.xlsx"),
        bad.encrypted_legacy(tmp_path / "informe.xls", masters),
    ):
        message = refused(path)
        says(message, "protected by a password", "without a password")
        assert seen(path) == [message]


def test_a_table_with_no_readable_time(tmp_path: Path) -> None:
    path = tmp_path / "5741444.csv"
    path.write_text("Fecha;Hora;kWh\n" + "ayer;pronto;1,5\n" * 20, encoding="utf-8")
    says(refused(path), "row 2", "column Fecha", "'ayer'", "01/09/2021 00:15", "Check the date and time columns")
    path.write_text("kWh;kW\n" + "1,5;6\n" * 20, encoding="utf-8")
    says(refused(path), "no header row", "'kWh;kW'", "date or timestamp column")


def test_two_meters_in_one_table(tmp_path: Path, masters: Path) -> None:
    path = tmp_path / "descarga.csv"
    rows = [f"574144{4 + n % 2};2021-09-01;{n // 2:02d}:00;1,5" for n in range(20)]
    path.write_text("\n".join(["Medidor;Fecha;Hora;kWh", *rows]), encoding="utf-8")
    says(refused(path), "two meters", "'5741444', '5741445'", "Part them")
    # without a serial column the stamps start again
    bad.log(tmp_path / "5741444.csv", [*STARTS, *STARTS], lambda n: 5000 + n)
    says(refused(tmp_path / "5741444.csv"), "row 2883", "the stamps start again", "one meter per sheet or file")


def test_two_meters_claimed_by_one_sheet(tmp_path: Path) -> None:
    assert blocking(bad.analyst(tmp_path / bad.STEEL, {}), "5614086", 650) == {}
    path = bad.analyst(tmp_path / bad.STEEL, {"B3": "5741444"})
    finding = blocking(path, "5614086", 650)["meter-disagrees"]
    says(finding.message, bad.STEEL, "sheet Nodo Ateos 5614086", "5614086", "5741444", "Correct the wrong one")


def test_no_serial_anywhere(tmp_path: Path) -> None:
    path = bad.table(tmp_path / "septiembre.csv", STARTS[:96])
    says(refused(path), "no meter serial found", "Nodo Ateos 5614086", "5741444.csv", "Rename the file")


def test_a_clock_that_jumps_far_away(good: Path) -> None:
    bad.log(good, [*STARTS[:500], *(start.replace(year=2031) for start in STARTS[500:600]), *STARTS[600:]])
    says(
        blocking(good)["clock-jump"].message,
        "5741444.csv, row 503",
        "from 2021-09-06 04:45 to 2031-09-06 05:00",
        "Check the meter's clock",
    )


def test_a_clock_that_goes_back(good: Path) -> None:
    bad.log(good, [*STARTS[:500], *(start - timedelta(hours=3) for start in STARTS[500:])])
    says(
        blocking(good)["rows-disagree"].message,
        "5741444.csv, row 503",
        "stand in rows 491 to 502",
        "kwh_import is 5.5 there and 5.3 here",
        "Remove the wrong row",
    )


def test_a_clock_that_is_set_forward(good: Path) -> None:
    # the register did not move over the hours that the stamps leave out
    bad.log(good, [*STARTS[:500], *(start + timedelta(hours=5) for start in STARTS[500:-20])])
    says(
        blocking(good)["clock-jump"].message,
        "no reading from 2021-09-06 05:00 to 2021-09-06 10:00",
        "set forward",
        "Correct the meter's clock",
    )


def test_a_gap_over_which_the_register_moves_does_not_block(good: Path) -> None:
    skipped = range(500, 520)
    bad.log(good, STARTS)
    lines = good.read_bytes().split(b"\r\n")
    good.write_bytes(b"\r\n".join(line for n, line in enumerate(lines, start=-2) if n not in skipped))
    assert readings.read(good, client="EIS").frame.height == 2860
    assert blocking(good) == {}


def test_negative_energy(good: Path) -> None:
    bad.table(good, STARTS, lambda n: "-5.000" if n in (100, 101) else "5.000")
    found = blocking(good)["negative-kwh"]
    says(found.message, "5741444.csv, row 102, column kwh", "-5", "2 such row(s)", "Expected zero or more")
    assert [message for message in seen(good) if "-5" in message]


@pytest.mark.parametrize(
    ("wh", "row", "count"),
    [
        (lambda n: 5_000_000 + n % 7 * 100_000, 0, 2880),
        (lambda n: 5_000_000 if n == 500 else 5_000 + n % 7 * 100, 503, 1),
    ],
)
def test_a_thousand_times_too_large(good: Path, wh: Callable[[int], int], row: int, count: int) -> None:
    bad.log(good, STARTS, wh)
    found = blocking(good)["too-large"]
    says(
        found.message,
        "meter 5741444",
        f"{count} intervals",
        "contracted power (90 kW)",
        "Wh taken for kWh",
        "correct the file or its mapping",
    )
    if row:
        says(found.message, f"row {row} of file", "2021-09-06 05:00")
        assert found.data["source_row"] == row


def test_a_thousand_times_too_small_is_noticed(good: Path) -> None:
    bad.log(good, STARTS, lambda n: 5 + n % 3)
    result = readings.read(good, client="EIS")
    history = readings.read(
        bad.log(good.with_name("5741444 (1).csv"), [start - timedelta(days=31) for start in STARTS]), client="EIS"
    )
    found = check(result.frame, meter="5741444", period=SEPTEMBER, timezone=ZONE, history=history.frame)
    assert [one.code for one in found if one.severity is not Severity.INFO]


def test_a_formula_that_was_never_calculated(tmp_path: Path) -> None:
    path = bad.uncalculated(tmp_path / bad.STEEL, "C40")
    found = blocking(path, "5614086", 650)
    assert set(found) == {"formula-without-value"}
    says(
        found["formula-without-value"].message,
        bad.STEEL,
        "sheet Nodo Ateos 5614086",
        "cell C40",
        "row 40",
        "column kWh",
        "never calculated",
        "Open it in a spreadsheet program, save, and load it again",
    )


def test_text_where_a_figure_belongs(tmp_path: Path, good: Path) -> None:
    good.write_bytes(good.read_bytes().replace(b";5,500;", b";cinco;", 1))
    says(
        blocking(good)["not-a-number"].message,
        "5741444.csv, row 8, column kWh del int",
        "'cinco'",
        "Correct the cell",
    )


def test_dates_with_two_readings_show_both(good: Path) -> None:
    bad.table(good, STARTS[:96])
    good.write_text(good.read_text(encoding="utf-8").replace("2021-09-01", "01/09/2021"), encoding="utf-8")
    says(refused(good), "'01/09/2021'", "01 September 2021", "09 January 2021", "date_order")


def test_thirty_minutes_are_no_fifteen(good: Path) -> None:
    bad.table(good, STARTS[::2])
    says(refused(good), "30 minutes", "Expected 15 minutes", "split: even")


def test_a_bad_file_leaves_nothing_behind(tmp_path: Path, masters: Path) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    bad.encrypted_workbook(folder / "5614086.xlsx")
    shutil.copy(masters / bad.LOG, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    refused(folder / "5614086.xlsx")
    assert readings.read(folder / bad.LOG, client="EIS").frame.height == 2862
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
