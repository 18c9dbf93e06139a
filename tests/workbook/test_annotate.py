"""The annotated copy: what is wrong is shown at its cell, and nothing else of the analyst's file changes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import checked
import openpyxl
import pytest
import xlsxwriter
from small import METER, REFERENCE

from eisenergy.findings import info
from eisenergy.workbook import annotate as subject
from eisenergy.workbook import comments
from eisenergy.workbook.annotate import NotAnnotated, annotate
from eisenergy.workbook.book import open_book
from eisenergy.workbook.model import CheckResult, Place, Verdict
from eisenergy.workbook.parts import Parts

TEXT = '=cmd|"calc"!A1 <b>]]> & _x0041_ \x07 Señora'


def made(path: Path) -> Path:
    """A workbook with what makes a copy difficult: comments of its own, names of one sheet, a second sheet that is chosen."""
    with xlsxwriter.Workbook(str(path)) as book:
        first, second = book.add_worksheet("Uno"), book.add_worksheet("D'os & más")
        bold = book.add_format({"bold": True, "num_format": "#,##0.00", "bg_color": "#DDEEFF"})
        for row in range(9):
            first.write_number(row, 0, row + 0.5)
            first.write_formula(row, 1, f"=A{row + 1}*2", bold, row * 2 + 1.0)
        first.write_datetime("D1", datetime(2021, 9, 1), book.add_format({"num_format": "yyyy-mm-dd"}))  # noqa: DTZ001
        first.write_comment("B2", "mía", {"author": "Ana"})
        first.write_comment("A1", "otra")
        first.set_row(6, None, None, {"hidden": True})
        first.data_validation("A1", {"validate": "decimal", "criteria": ">", "value": 0})
        first.add_table("F1:G3", {"columns": [{"header": "x"}, {"header": "y"}]})
        second.write_formula("A1", "=SUM(Uno!B1:B9)", None, 81.0)
        second.print_area("A1:B2")
        second.activate()
        book.define_name("Tasa", "='Uno'!$A$1")
    return path


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    return made(tmp_path / "libro.xlsx")


def judged(workbook: Path, changes: dict[str, dict[str, Any]], *findings: Any) -> CheckResult:
    return checked.result(open_book(workbook), changes, findings)


WRONG: dict[str, dict[str, Any]] = {
    "Uno!B2": {"verdict": Verdict.DIFFERENT, "ours": 3.5},
    "Uno!B3": {"verdict": Verdict.DIFFERENT, "ours": 5.5, "inputs": ("A3",), "role": "slot.kwh"},
    "Uno!B5": {"stale": True, "evaluated": 9.75},
    "D'os & más!A1": {"verdict": Verdict.DIFFERENT, "ours": 80.0, "follows": (Place("Uno", 3, 2),)},
}


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def same_but_for_marks(original: Path, copy: Path) -> None:
    """Formulas, saved values, formats, hidden rows, names and validations of every sheet."""
    for data_only in (False, True):
        one, other = (
            openpyxl.load_workbook(original, data_only=data_only),
            openpyxl.load_workbook(copy, data_only=data_only),
        )
        assert other.sheetnames[1:] == one.sheetnames
        assert list(other.defined_names) == list(one.defined_names)
        for sheet in one.worksheets:
            twin = other[sheet.title]
            assert twin.print_area == sheet.print_area
            assert [str(rule.sqref) for rule in twin.data_validations.dataValidation] == [
                str(rule.sqref) for rule in sheet.data_validations.dataValidation
            ]
            assert list(twin.tables) == list(sheet.tables)
            assert twin.dimensions == sheet.dimensions
            for row in sheet.iter_rows():
                for cell in row:
                    other_cell = twin[cell.coordinate]
                    assert (other_cell.value, other_cell.number_format) == (cell.value, cell.number_format)
                    assert repr(other_cell.font) == repr(cell.font)
                    assert other_cell.data_type == cell.data_type
                assert twin.row_dimensions[row[0].row].hidden == sheet.row_dimensions[row[0].row].hidden


def test_the_cells_concerned_are_coloured_and_commented(workbook: Path, tmp_path: Path) -> None:
    before = workbook.read_bytes()
    out = tmp_path / "copia.xlsx"
    found = checked.finding("Uno", "A9", TEXT)
    done = annotate(judged(workbook, WRONG, found), workbook, out)
    assert workbook.read_bytes() == before
    assert done == {"coloured": 5, "commented": 4}
    same_but_for_marks(workbook, out)
    book = openpyxl.load_workbook(out)
    marks = {
        (sheet.title, cell.coordinate): cell.fill.fgColor.rgb
        for sheet in book.worksheets[1:]
        for row in sheet.iter_rows()
        for cell in row
        if cell.fill.fill_type == "solid" and cell.fill.fgColor.rgb != "FFDDEEFF"
    }
    assert marks == {
        ("Uno", "B2"): "FFF8B9AE",
        ("Uno", "B3"): "FFF8B9AE",
        ("Uno", "B5"): "FFFFD58A",
        ("Uno", "A9"): "FFFFD58A",
        ("D'os & más", "A1"): "FFF8B9AE",
    }
    texts = {
        (sheet.title, cell.coordinate): cell.comment.text
        for sheet in book.worksheets
        for row in sheet.iter_rows()
        for cell in row
        if cell.comment
    }
    assert set(texts) == {*marks, ("Uno", "A1")}
    assert texts["Uno", "B2"] == "mía"
    assert texts["Uno", "A1"] == "otra"
    assert "It holds 5; the library computes 5.5 (difference −0.5)." in texts["Uno", "B3"]
    assert "It reads A3." in texts["Uno", "B3"]
    assert "its formula gives 9.75" in texts["Uno", "B5"]
    assert "may only follow from Uno!B3" in texts["D'os & más", "A1"]
    assert "Señora" in texts["Uno", "A9"]
    assert book["Uno"]["B3"].comment.author == "eisenergy"


def test_the_first_sheet_sums_up_in_texts_that_no_program_takes_for_formulas(workbook: Path, tmp_path: Path) -> None:
    out = tmp_path / "copia.xlsx"
    annotate(judged(workbook, WRONG, checked.finding("Uno", "A9", TEXT)), workbook, out)
    sheet = openpyxl.load_workbook(out).worksheets[0]
    assert sheet.title == "eisenergy"
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s", "n"}
    texts = [str(cell.value) for cell in cells]
    assert any("Not passed: 3 different, 1 stale; 7 of 10 formula cells are equal." in text for text in texts)
    assert any("libro.xlsx" in text for text in texts)
    # openpyxl takes the _x0041_ of an inline text for a letter, or leaves it coded: either way it is not Excel's reading
    assert any("]]> & " in text and "Señora" in text and "\x07" not in text for text in texts)
    assert b"_x005F_x0041_" in next(data for data in parts_of(out).values() if b"inlineStr" in data)
    assert any("keep their own comment" in text and "Uno!B2" in text for text in texts)
    row = next(cell.row for cell in cells if cell.value == "D'os & más")
    assert [sheet.cell(row, column).value for column in range(2, 11)] == [1, 0, 1, 0, 0, 0, 0, 0, 0]
    targets = {cell.hyperlink.location for cell in cells if cell.hyperlink}
    assert {"'Uno'!B2", "'Uno'!B3", "'Uno'!A9", "'D''os & más'!A1"} <= targets


def test_only_the_parts_concerned_change(workbook: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "copia.xlsx", tmp_path / "otra.xlsx"
    annotate(judged(workbook, {"Uno!B3": WRONG["Uno!B3"]}), workbook, out)
    annotate(judged(workbook, {"Uno!B3": WRONG["Uno!B3"]}), workbook, again)
    assert out.read_bytes() == again.read_bytes()
    before, after = parts_of(workbook), parts_of(out)
    assert before.keys() <= after.keys()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {
        "[Content_Types].xml",
        "xl/workbook.xml",
        "xl/_rels/workbook.xml.rels",
        "xl/styles.xml",
        "xl/worksheets/sheet1.xml",
        "xl/worksheets/sheet2.xml",  # it was the chosen one
        "xl/comments1.xml",
        "xl/drawings/vmlDrawing1.vml",
    }
    one, other = before["xl/worksheets/sheet1.xml"], after["xl/worksheets/sheet1.xml"]
    assert len(other) - len(one) <= 2


def test_exactly_one_sheet_is_chosen_and_names_stay_with_their_sheets(workbook: Path, tmp_path: Path) -> None:
    out = tmp_path / "copia.xlsx"
    annotate(judged(workbook, WRONG), workbook, out)
    book = openpyxl.load_workbook(out)
    assert [bool(sheet.sheet_view.tabSelected) for sheet in book.worksheets] == [True, False, False]
    assert book.active.title == "eisenergy"
    assert book["D'os & más"].print_area == "'D''os & más'!$A$1:$B$2"


@pytest.mark.long
def test_the_reference_workbook_stays_whole(tmp_path: Path) -> None:
    before = REFERENCE.read_bytes()
    result = checked.result(open_book(REFERENCE), {f"{METER}!K700": {"verdict": Verdict.DIFFERENT, "ours": 1.0}})
    out = tmp_path / "copia.xlsx"
    annotate(result, REFERENCE, out)
    assert REFERENCE.read_bytes() == before
    one, other = open_book(REFERENCE), open_book(out)
    for name, grid in one.grids.items():
        assert other.grids[name].formulas == grid.formulas
        assert other.grids[name].values == grid.values


def test_a_copy_can_be_annotated_again(workbook: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "uno.xlsx", tmp_path / "dos.xlsx"
    annotate(judged(workbook, {"Uno!B3": WRONG["Uno!B3"]}), workbook, first)
    annotate(judged(first, {"Uno!B3": WRONG["Uno!B3"], "Uno!B4": WRONG["Uno!B3"]}), first, second)
    book = openpyxl.load_workbook(second)
    assert book.sheetnames == ["eisenergy 2", "eisenergy", "Uno", "D'os & más"]
    assert book["Uno"]["B4"].comment.text.startswith("eisenergy")
    assert book["Uno"]["B2"].comment.text == "mía"


def test_what_must_not_be_written_is_refused(workbook: Path, tmp_path: Path) -> None:
    result = judged(workbook, WRONG)
    before = workbook.read_bytes()
    link, twin = tmp_path / "enlace.xlsx", tmp_path / "gemelo.xlsx"
    link.symlink_to(workbook)
    os.link(workbook, twin)
    for out in (workbook, tmp_path / "." / "libro.xlsx", link, twin):
        with pytest.raises(NotAnnotated, match="is the workbook itself"):
            annotate(result, workbook, out)
    with pytest.raises(NotAnnotated, match=r"expected \.xlsx"):
        annotate(result, workbook, tmp_path / "copia.xlsm")
    with pytest.raises(NotAnnotated, match="no such folder"):
        annotate(result, workbook, tmp_path / "nada" / "copia.xlsx")
    with pytest.raises(NotAnnotated, match="changed meanwhile"):
        annotate(replace(result, sha256="0" * 64), workbook, tmp_path / "copia.xlsx")
    assert workbook.read_bytes() == before
    assert not (tmp_path / "copia.xlsx").exists()


def test_comments_have_a_limit_that_is_said(workbook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MOST_COMMENTS", 2)
    changes = {f"Uno!B{row}": WRONG["Uno!B3"] for row in range(3, 9)}
    out = tmp_path / "copia.xlsx"
    assert annotate(judged(workbook, changes), workbook, out) == {"coloured": 6, "commented": 2}
    sheet = openpyxl.load_workbook(out).worksheets[0]
    assert any(
        "4 of the coloured cells have no comment" in str(cell.value) for row in sheet.iter_rows() for cell in row
    )


def test_a_finding_of_no_weight_is_told_and_not_coloured(workbook: Path, tmp_path: Path) -> None:
    note = info("hidden-row", "libro.xlsx", "Row 7 is hidden.", sheet="Uno", cell="A7")
    out = tmp_path / "copia.xlsx"
    assert annotate(judged(workbook, {}, note), workbook, out) == {"coloured": 0, "commented": 1}
    cell = openpyxl.load_workbook(out)["Uno"]["A7"]
    assert cell.comment.text == "eisenergy\nRow 7 is hidden."
    assert cell.fill.fill_type is None


def test_many_comments_get_boxes_of_their_own(workbook: Path) -> None:
    parts = Parts(workbook)
    comments.add(parts, "xl/worksheets/sheet2.xml", {(row, 1): f"número {row}" for row in range(1, 1501)})
    drawing = next(name for name in parts.names() if name.endswith("vmlDrawing2.vml"))
    own = [one.attributes["id"] for one in parts.elements(drawing, {"shape"})]
    other = [one.attributes["id"] for one in parts.elements("xl/drawings/vmlDrawing1.vml", {"shape"})]
    assert len(own) == len(set(own)) == 1500
    assert not set(own) & set(other)
    assert parts.elements(drawing, {"idmap"})[0].attributes["data"] == "2,3"


@pytest.mark.parametrize("change", ["prefixed", "unnamed"])
def test_other_ways_to_write_a_sheet(workbook: Path, tmp_path: Path, change: str) -> None:
    """Prefixes on every tag, as the Open XML SDK writes; rows and cells without their names, which the format allows."""
    parts = Parts(workbook)
    name = "xl/worksheets/sheet1.xml"
    text = parts.read(name).decode()
    if change == "prefixed":
        text = text.replace("<", "<x:").replace("<x:/", "</x:").replace("<x:?", "<?").replace(" xmlns=", " xmlns:x=")
    else:
        text = re.sub(r'<c r="[AB]\d+"', "<c", text)
        text = re.sub(r'<row r="\d+"', "<row", text)
    parts.put(name, text.encode())
    odd = tmp_path / "raro.xlsx"
    parts.write(odd)
    out = tmp_path / "copia.xlsx"
    annotate(judged(odd, {"Uno!B3": WRONG["Uno!B3"]}), odd, out)
    same_but_for_marks(odd, out)
    cell = openpyxl.load_workbook(out)["Uno"]["B3"]
    assert cell.fill.fgColor.rgb == "FFF8B9AE"
    assert cell.comment is not None


def test_libreoffice_opens_the_copy(require: Callable[[str], None], workbook: Path, tmp_path: Path) -> None:
    require("soffice")
    out = tmp_path / "copia.xlsx"
    annotate(judged(workbook, WRONG, checked.finding("Uno", "A9", TEXT)), workbook, out)
    folder = tmp_path / "office"
    subprocess.run(
        [
            shutil.which("soffice") or "soffice",
            f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}",
            "--headless",
            "--convert-to",
            "xlsx",
            "--outdir",
            str(folder),
            str(out),
        ],
        check=True,
        capture_output=True,
        timeout=180,
    )
    book, values = (
        openpyxl.load_workbook(folder / "copia.xlsx"),
        openpyxl.load_workbook(folder / "copia.xlsx", data_only=True),
    )
    assert book.sheetnames == ["eisenergy", "Uno", "D'os & más"]
    assert values["D'os & más"]["A1"].value == 81
    assert book["Uno"]["B3"].value == "=A3*2"
    assert book["Uno"]["B3"].fill.fgColor.rgb == "FFF8B9AE"
    assert "the library computes 5.5" in book["Uno"]["B3"].comment.text
    assert book["Uno"]["B2"].comment.text == "mía"
