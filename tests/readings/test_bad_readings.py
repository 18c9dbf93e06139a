"""Bad files: every one gets an error or a finding that says where, what was found, what was expected and what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eisenergy.contents import UnreadableFile
from eisenergy.findings import Severity
from eisenergy.readings import Mapping, preview, read
from eisenergy.sheets import open_sheets

HEAD = ["Fecha;Hora;kWh"]
Slots = Callable[..., list[dt.datetime]]


@pytest.fixture
def day(slots: Slots) -> list[str]:
    """96 rows of 13 September 2021: 0,5 kWh, 1,5 kWh, and so on."""
    return [f"{slot:%d/%m/%Y;%H:%M};{n},5" for n, slot in enumerate(slots(96))]


def refused(path: Path, **settings: Any) -> str:
    with pytest.raises(UnreadableFile) as caught:
        read(path, client="EIS", **settings)
    return str(caught.value)


def found(path: Path, code: str, **settings: Any) -> Any:
    result = read(path, client="EIS", **settings)
    (one,) = [finding for finding in result.findings if finding.code == code]
    return one


# -- files that cannot be opened


def test_missing_and_empty(files: Any, tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "5741444.csv")
    assert "is a folder" in refused(tmp_path)
    assert "is empty" in refused(files.text("", name="1234567.csv"))
    assert "is empty" in refused(files.text(" \n\n", name="1234568.csv"))
    assert "is empty" in refused(files.text("", name="1234567.xlsx"))


def test_damaged_workbooks(files: Any, tmp_path: Path) -> None:
    whole = files.workbook.read_bytes()
    cut = tmp_path / "cut.xlsx"
    cut.write_bytes(whole[: len(whole) // 2])
    assert "cut off or damaged" in refused(cut)
    spoilt = tmp_path / "spoilt.xlsx"
    spoilt.write_bytes(whole[:60_000] + bytes(200) + whole[60_200:])
    assert "cannot be opened as a workbook" in refused(spoilt)
    short = tmp_path / "short.xls"
    short.write_bytes(files.report.read_bytes()[:3000])
    assert "Expected a" in refused(short) or "expected a" in refused(short)
    for path in (cut, spoilt, short):
        assert path.name in refused(path)
        with pytest.raises(UnreadableFile):
            open_sheets(path)
        with pytest.raises(UnreadableFile):
            preview(path)


def test_protected_workbook(tmp_path: Path) -> None:
    path = tmp_path / "carga.xlsx"
    directory = "EncryptionInfo".encode("utf-16-le") + bytes(64) + "EncryptedPackage".encode("utf-16-le")
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1024) + directory + bytes(1024))
    assert "protected by a password" in refused(path)
    assert "Save it without a password" in refused(path)


def test_another_kind_than_the_name_says(files: Any, day: list[str]) -> None:
    assert "is text, not a workbook" in refused(files.text(HEAD + day, name="5741444.xlsx"))
    with pytest.raises(UnreadableFile, match=r"rename it to \.csv"):
        open_sheets(files.text(HEAD + day, name="5741445.xlsx"))
    assert "web page" in refused(files.text("<html><table><tr><td>1</td></tr></table>", name="5741444.xls"))
    assert "is a PDF" in refused(files.text("%PDF-1.7 ...", name="5741444.csv"))
    picture = files.text("", name="5741446.csv")
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(1, 256)) * 4)
    assert "neither a spreadsheet nor text" in refused(picture)
    archive = files.folder / "descargas.xlsx"
    import zipfile

    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("5741444.csv", "Fecha;Hora;kWh")
    assert "without a workbook in it" in refused(archive)


# -- tables that cannot be read in one way


def test_no_readable_time(files: Any, day: list[str]) -> None:
    assert "no header row found" in refused(files.text(["Medidor;kWh", *["5741444;1,5"] * 4]))
    message = refused(files.text([*HEAD, *["ayer;temprano;1,5"] * 4]))
    assert "5741444.csv, row 2, column Fecha" in message
    assert "'ayer'" in message
    assert "there are no rows below the header" in refused(files.text(HEAD))


def test_one_unreadable_time_is_named(files: Any, day: list[str]) -> None:
    for wrong in ("xx/09/2021;02:30", "31/09/2021;02:30", "13/09/2021;25:30"):
        one = found(files.text(HEAD + day[:10] + [f"{wrong};1,5"] + day[11:]), "unreadable-time")
        assert one.severity is Severity.BLOCKING
        assert "row 12, column Fecha" in one.message
        assert wrong.replace(";", " ") in one.message
    at_the_end = found(files.text([*HEAD, *day, "31/09/2021;00:00;1,5"]), "unreadable-time")
    assert at_the_end.data["rows"] == [98]


def test_totals_below_are_left_out(files: Any, day: list[str]) -> None:
    path = files.text([*HEAD, *day, "", "Total;;4608,0", "Nota: revisado;;"])
    assert found(path, "rows-left-out").data["rows"] == [99, 100]
    assert read(path, client="EIS").frame["kwh_import"].sum() == 4608.0


def test_two_meters_in_one_table(files: Any, day: list[str]) -> None:
    restarted = HEAD + day + [row.replace(",5", ",7") for row in day]
    assert "looks like two" in refused(files.text(restarted))
    assert "row 98" in refused(files.text(restarted))
    named = ["Medidor;Fecha;Hora;kWh", *("5741444;" + row for row in day), "5741445;" + day[0]]
    assert "two meters in one table: '5741444', '5741445'" in refused(files.text(named))
    above = ["Medidor;5741444;", "Medidor;5741445;", *HEAD, *day]
    assert "two meters above one table" in refused(files.text(above, name="carga.csv"))


def test_serial_missing_or_in_dispute(files: Any, day: list[str]) -> None:
    assert "no meter serial found" in refused(files.text(HEAD + day, name="carga.csv"))
    assert "no meter serial found" in refused(files.text(HEAD + day, name="20210930.csv"))
    one = found(files.text(["Medidor;5741445;", *HEAD, *day]), "meter-disagrees")
    assert one.severity is Severity.BLOCKING
    assert "5741445" in one.message
    assert "5741444.csv" in one.message


def test_power_and_registers_are_no_energy(files: Any, day: list[str]) -> None:
    power = files.text(["Fecha;Hora;kW", *day])
    assert "'kW' is mean power, not energy" in refused(power)
    derived = read(power, client="EIS", mapping=Mapping(name="potencia", kwh_from="kw"))
    assert derived.frame["kwh_import"].sum() == 4608.0 / 4
    register = files.text(["Fecha;Hora;kWh acumulado", *day])
    assert "it is a register" in refused(register)
    differences = read(register, client="EIS", mapping=Mapping(name="registro", kwh_from="register_kwh"))
    assert differences.frame["kwh_import"].to_list() == [1.0] * 95


def test_a_plain_kwh_column_that_is_a_register_is_refused(files: Any, slots: Slots) -> None:
    rows = [f"{slot:%d/%m/%Y;%H:%M};{184220.5 + n * 0.4:.1f}" for n, slot in enumerate(slots(192))]
    assert "only grows: it is a register" in refused(files.text(HEAD + rows))


def test_dates_with_two_readings_show_both(files: Any, day: list[str]) -> None:
    path = files.text(HEAD + [row.replace("13/09", "03/04") for row in day])
    message = refused(path)
    assert "03 April 2021" in message
    assert "04 March 2021" in message
    starts = {
        order: read(path, client="EIS", mapping=Mapping(name=order, date_order=order)).frame["start"].min()
        for order in ("dmy", "mdy")
    }
    assert starts["dmy"] == dt.datetime(2021, 4, 3, 6, tzinfo=dt.UTC)
    assert starts["mdy"] == dt.datetime(2021, 3, 4, 6, tzinfo=dt.UTC)


def test_dates_in_two_orders(files: Any, day: list[str]) -> None:
    message = refused(files.text([*HEAD, *day, "09/14/2021;00:00;1,5"]))
    assert "'13/09/2021'" in message
    assert "'09/14/2021'" in message


def test_figures_with_two_readings_show_both(files: Any, day: list[str]) -> None:
    path = files.text(HEAD + [row[:17] + "1,234" for row in day])
    assert "'1,234' is 1.234 or 1234" in refused(path)
    thousands = read(path, client="EIS", mapping=Mapping(name="miles", decimal="."))
    assert thousands.frame["kwh_import"].to_list() == [1234.0] * 96


def test_decimal_comma_that_is_also_the_separator(files: Any, day: list[str]) -> None:
    message = refused(files.text([line.replace(";", ",") for line in HEAD + day]))
    assert "row 2" in message
    assert "more fields than the header's 3" in message


def test_other_intervals(files: Any, slots: Slots) -> None:
    hourly = files.text(HEAD + [f"{slot:%d/%m/%Y;%H:%M};2,0" for slot in slots(24, minutes=60)])
    assert "readings are of 60 minutes" in refused(hourly)
    shared = read(hourly, client="EIS", mapping=Mapping(name="horas", split=True))
    assert shared.frame["kwh_import"].to_list() == [0.5] * 96
    assert "split-evenly" in [one.code for one in shared.findings]
    odd = files.text(HEAD + [f"{slot:%d/%m/%Y;%H:%M};2,0" for slot in slots(24, minutes=7)])
    assert "7 minutes apart" in refused(odd)


# -- cells that are no readings


@pytest.mark.parametrize("wrong", ["abc", "NaN", "inf", "1,2,3", "12.5"])
def test_cell_that_is_no_figure(files: Any, day: list[str], wrong: str) -> None:
    path = files.text(HEAD + day[:10] + [f"13/09/2021;02:30;{wrong}"] + day[11:])
    one = found(path, "not-a-number")
    assert one.severity is Severity.BLOCKING
    assert "row 12, column kWh" in one.message
    assert repr(wrong) in one.message
    assert read(path, client="EIS").frame.height == 95


def test_negative_energy(files: Any, day: list[str]) -> None:
    path = files.text(HEAD + day[:10] + ["13/09/2021;02:30;-1,5"] + day[11:])
    one = found(path, "negative-kwh")
    assert one.severity is Severity.BLOCKING
    assert "row 12, column kWh" in one.message
    assert "-1.5" in one.message
    net = read(path, client="EIS", mapping=Mapping(name="neto", signed=True))
    assert [finding.code for finding in net.findings] == []
    assert net.frame["kwh_export"].sum() == 1.5
    assert net.frame["kwh_import"].sum() == 4608.0 - 10.5


def test_rows_that_disagree(files: Any, day: list[str]) -> None:
    one = found(files.text([*HEAD, *day[:10], "13/09/2021;02:15;7,5", *day[10:]]), "rows-disagree")
    assert one.severity is Severity.BLOCKING
    assert one.data["rows"] == [11, 12]
    assert one.data["values"] == [9.5, 7.5]


def test_empty_readings_are_missing(files: Any, day: list[str]) -> None:
    path = files.text([*HEAD, *day[:10], "13/09/2021;02:30;", "13/09/2021;02:45;-", *day[12:]])
    assert found(path, "empty-reading").data == {"count": 2, "first_row": 12}
    assert read(path, client="EIS").frame.height == 94


def test_register_that_disagrees(files: Any, slots: Slots) -> None:
    head = ["Fecha;Hora;kWh del int;kWh del"]
    rows = [
        f"{slot:%d/%m/%Y;%H:%M};1,5;{1000 + 1.5 * (n + 1):.1f}".replace(".", ",") for n, slot in enumerate(slots(96))
    ]
    assert "register-agrees" in [one.code for one in read(files.text(head + rows), client="EIS").findings]
    rows[40] = rows[40].replace(";1,5;", ";15,0;")
    one = found(files.text(head + rows), "register-disagrees")
    assert one.severity is Severity.WARNING
    assert (one.data["first_row"], one.data["interval_kwh"], one.data["register_kwh"]) == (42, 15.0, 1.5)


def test_clock_that_jumps(files: Any, day: list[str]) -> None:
    far = found(files.text(HEAD + day[:50] + [row.replace("2021", "2001") for row in day[50:]]), "clock-jump")
    assert far.severity is Severity.BLOCKING
    assert "row 52" in far.message
    assert "2001-09-13 12:30" in far.message
    back = found(files.text(HEAD + day[50:] + day[:50]), "clock-jump")
    assert back.severity is Severity.WARNING
    assert back.data["first_row"] == 48
    newest_first = read(files.text(HEAD + day[::-1]), client="EIS")
    assert [one.code for one in newest_first.findings] == []


def test_clock_set_back_meets_its_own_readings(files: Any, slots: Slots, day: list[str]) -> None:
    again = [f"{slot:%d/%m/%Y;%H:%M};99,5" for slot in slots(3, first="2021-09-13 05:00")]
    result = read(files.text([*HEAD, *day, *again]), client="EIS")
    (one,) = (one for one in result.findings if one.code == "rows-disagree")
    assert one.data["count"] == 3
    assert "rows 98 to 100 bring 3 intervals again that stand in rows 22 to 24" in one.message
    assert "clock-jump" in [one.code for one in result.findings]


def test_many_stamps_off_the_grid_are_a_warning(files: Any, slots: Slots) -> None:
    rows = [f"{slot:%d/%m/%Y;%H:%M}:07;1,5" for slot in slots(96)]
    one = found(files.text(HEAD + rows), "off-grid")
    assert one.severity is Severity.WARNING
    assert one.data["count"] == 96


# -- clock changes


def test_spring_hour_that_does_not_exist(files: Any, slots: Slots) -> None:
    rows = [f"{slot:%d/%m/%Y;%H:%M};1,5" for slot in slots(96, first="2021-03-14 00:00")]
    one = found(files.text(HEAD + rows), "time-does-not-exist", timezone="America/New_York")
    assert one.severity is Severity.BLOCKING
    assert "row 10" in one.message
    assert one.data["count"] == 4
    kept = rows[:8] + rows[12:]
    assert read(files.text(HEAD + kept), client="EIS", timezone="America/New_York").findings == ()


def test_spring_end_stamp_of_the_last_interval(files: Any, slots: Slots) -> None:
    """A meter that stamps ends writes 02:00 or 03:00 for the interval from 01:45; both name it."""
    for late in ("02:00", "03:00"):
        ends = [f"{slot:%d/%m/%Y;%H:%M}" for slot in slots(95, first="2021-03-14 00:15")] + ["14/03/2021;24:00"]
        ends = [end for end in ends if not "02:00" <= end[-5:] <= "03:00"]
        ends.insert(7, f"14/03/2021;{late}")
        result = read(files.text(HEAD + [f"{end};1,5" for end in ends]), client="EIS", timezone="America/New_York")
        starts = result.frame["start"]
        assert len(starts) == 92
        assert starts.diff().drop_nulls().unique().to_list() == [dt.timedelta(minutes=15)]


def test_autumn_hour_that_comes_twice(files: Any, slots: Slots) -> None:
    utc = [dt.datetime(2021, 11, 7, 4, tzinfo=dt.UTC) + dt.timedelta(minutes=15 * n) for n in range(100)]
    from zoneinfo import ZoneInfo

    rows = [f"{at.astimezone(ZoneInfo('America/New_York')):%d/%m/%Y;%H:%M};{n},5" for n, at in enumerate(utc)]
    rows = [row.replace("07/11", "07/11") for row in rows]
    mapping = Mapping(name="orden", date_order="dmy")
    result = read(files.text(HEAD + rows), client="EIS", timezone="America/New_York", mapping=mapping)
    assert result.frame["start"].to_list() == utc
    assert result.frame["kwh_import"].to_list() == [n + 0.5 for n in range(100)]
    assert result.findings == ()


# -- workbooks


def table(slots: list[dt.datetime]) -> list[list[Any]]:
    return [["Date", "Time", "kWh"], *([slot.date(), slot.time(), 1.5] for slot in slots)]


def test_formula_that_was_never_calculated(files: Any, slots: Slots) -> None:
    rows = table(slots(96))
    rows[5][2] = "=1+1"
    one = found(files.sheet(rows), "formula-without-value")
    assert one.severity is Severity.BLOCKING
    assert "sheet Nodo Ateos 5614086, cell C6" in one.message
    assert (
        "never calculated: expected a value. Open it in a spreadsheet program, save, and load it again" in one.message
    )
    for row in rows[1:]:
        row[2] = "=1+1"
    message = refused(files.sheet(rows))
    assert "cell C2" in message
    assert "never calculated" in message
    rows = table(slots(96))
    rows[5][0] = "=A5"
    assert "cell A6" in found(files.sheet(rows), "unreadable-time").message


def test_text_and_error_cells(files: Any, slots: Slots) -> None:
    rows = table(slots(96))
    rows[5][2] = "sin dato"
    assert "cell C6 (row 6, column kWh): found 'sin dato'" in found(files.sheet(rows), "not-a-number").message
    rows[5][2] = "1,5"
    assert read(files.sheet(rows), client="EIS").frame["kwh_import"].sum() == 144.0
    rows[5][2] = "#DIV/0!"  # openpyxl writes it as an error cell
    assert "found '#DIV/0!'" in found(files.sheet(rows), "not-a-number").message


def test_sheets_of_one_workbook(files: Any, slots: Slots) -> None:
    rows = table(slots(96))
    both = read(files.sheets({"Nodo A 5614086": rows, "Nodo B 5614087": rows, "Tarifas": [["x"]]}), client="EIS")
    assert both.meta.meters == ("5614086", "5614087")
    assert both.frame.group_by("meter").len().sort("meter").rows() == [("5614086", 96), ("5614087", 96)]
    assert [one.code for one in both.findings] == ["sheet-ignored"]
    assert "both hold meter" in refused(files.sheets({"Nodo A 5614086": rows, "Nodo B 5614086": rows}))
    assert "no sheet holds readings" in refused(files.sheets({"Tarifas": [["x"]], "Hoja1": []}))


def test_preview_never_refuses_what_can_be_opened(files: Any, day: list[str]) -> None:
    shown = preview(files.text(HEAD + [row.replace("13/09", "03/04") for row in day]))
    assert shown.meta is None
    assert [(one.code, one.severity) for one in shown.findings] == [("unreadable", Severity.BLOCKING)]
    assert "03 April 2021" in shown.findings[0].message
    assert shown.rows.height == 96
    assert [(one.header, one.taken_for) for one in shown.columns] == [
        ("Fecha", "date"),
        ("Hora", "time"),
        ("kWh", "kwh_import"),
    ]
    nothing = preview(files.text(["a;b", "1;2"]))
    assert nothing.rows.is_empty()
    assert "no header row found" in nothing.findings[0].message


def test_a_quote_that_is_never_closed(files: Any, day: list[str]) -> None:
    rows = [f"{row};OK" for row in day]
    rows[10] = rows[10].replace("OK", '"OK')
    message = refused(files.text(["Fecha;Hora;kWh;Estado", *rows]))
    assert "row 12: a quote opens there" in message
    rows[20] = rows[20].replace("OK", 'OK"')
    message = refused(files.text(["Fecha;Hora;kWh;Estado", *rows]))
    assert "row 12: a quote opens there and is not closed before row 22" in message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(files: Any, day: list[str], end: str) -> None:
    result = read(files.text(HEAD + day, end=end), client="EIS")
    assert result.frame["kwh_import"].sum() == 4608.0
    assert result.frame["source_row"].to_list() == list(range(2, 98))


def test_a_quote_inside_a_field(files: Any, day: list[str]) -> None:
    rows = [*day[:10], day[10].replace(":", '":'), *day[11:]]
    assert "row 12: found a quote without its pair" in refused(files.text(HEAD + rows))
