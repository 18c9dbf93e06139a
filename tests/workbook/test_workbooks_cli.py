"""The commands for workbooks: exit codes, what is printed, what is written, and what is left alone."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import checked
import openpyxl
import pytest
import xlsxwriter
from small import METER, REFERENCE
from typer.testing import CliRunner, Result

from eisenergy.cli import app, workbooks
from eisenergy.workbook.book import open_book
from eisenergy.workbook.model import CheckResult, Place, Verdict

Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run the command with a workspace that must not come into being."""

    def run(*words: str | Path) -> Result:
        home = tmp_path / "home"
        result = CliRunner().invoke(app, [str(word) for word in words], env={"EISENERGY_HOME": str(home)})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        assert not home.exists()
        return result

    return run


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    path = tmp_path / "libro [bold].xlsx"
    with xlsxwriter.Workbook(str(path)) as made:
        sheet = made.add_worksheet("Uno")
        for row in range(60):
            sheet.write_number(row, 0, row + 0.5)
            sheet.write_formula(row, 1, f"=A{row + 1}*2", None, row * 2 + 1.0)
        sheet.write_formula("D1", "=SUM(B1:B60)", None, 3600.0)
    return path


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, workbook: Path) -> Callable[..., CheckResult]:
    """Let the check say what a test wants it to say."""

    def say(changes: dict[str, dict[str, Any]], *findings: Any) -> CheckResult:
        book = open_book(workbook)
        result = checked.result(book, changes, findings, total="Uno!D1")
        told = (book, result)
        monkeypatch.setattr(workbooks, "judge", lambda *_, progress, **__: [progress("") for _ in range(5)] and told)
        return result

    return say


@pytest.mark.long
def test_the_reference_workbook_passes_and_everything_is_written(command: Command, tmp_path: Path) -> None:
    """In ``make test``, README's line is this command (``tests/demo``), and ``test_check`` says what the check finds."""
    before = hashlib.sha256(REFERENCE.read_bytes()).hexdigest()
    page, copy = tmp_path / "check.html", tmp_path / "copia.xlsx"
    ended = command("check", REFERENCE, "--json", "--html", page, "--annotate", copy)
    assert ended.exit_code == 0, ended.output
    report = json.loads(ended.stdout)
    assert report["passed"]
    assert report["formulas"] == 26_073
    assert report["counts"] == {
        "equal": 26_073,
        "different": 0,
        "no cached value": 0,
        "an Excel error value": 0,
        "not ours": 0,
        "not understood": 0,
    }
    assert {sheet["name"]: sheet["formulas"] for sheet in report["sheets"]} == {
        METER: 25_959,
        "Bloques horarios": 0,
        "Hora-Bloque": 24,
        "Tarifas": 90,
    }
    assert (report["total"]["cell"], report["total"]["found"], report["total"]["ours"]) == ("B26", 12989.48, 12989.48)
    assert report["cells"] == []
    assert report["sha256"] == before == hashlib.sha256(REFERENCE.read_bytes()).hexdigest()
    assert page.read_text(encoding="utf-8").endswith("</html>\n")
    written = openpyxl.load_workbook(copy, read_only=True)
    assert written.sheetnames[:2] == ["eisenergy", METER]
    written.close()


def test_what_is_wrong_is_told_and_what_is_not_shown_is_counted(
    command: Command, judged: Callable[..., CheckResult], workbook: Path
) -> None:
    wrong = {"verdict": Verdict.DIFFERENT, "ours": 2.25, "inputs": ("A1",), "role": "slot.kwh", "block": "[PUNTA]"}
    changes: dict[str, dict[str, Any]] = {f"Uno!B{row}": wrong for row in range(1, 46)}
    changes["Uno!B1"] = {**wrong, "follows": (Place("Uno", 2, 2),)}
    changes["Uno!B5"] = {"stale": True, "evaluated": 7.0}
    changes["Uno!D1"] = {"verdict": Verdict.DIFFERENT, "ours": 3500.5}
    judged(changes, checked.finding("Uno", "A9", "Found the text [12.5] in Uno!A9. Type the number."))
    ended = command("check", workbook)
    assert ended.exit_code == 1
    said = ended.stdout
    assert "libro [bold].xlsx" in said
    for word in ("equal", "different", "no value", "Excel error", "not ours", "not understood", "stale", "findings"):
        assert word in said
    assert [figure.strip() for figure in said.split("│ Uno")[1].split("│")[1:10]] == [
        "61",
        "16",
        "45",
        "0",
        "0",
        "0",
        "0",
        "1",
        "1",
    ]
    assert len(re.findall(r"^[≠↻] Uno!", said, re.MULTILINE)) == 40
    assert "6 more cells are not shown; --json lists all, --html OUT and --annotate OUT.xlsx show all" in said
    assert said.index("≠ Uno!B2 ") < said.index("≠ Uno!B3 ")
    assert not re.search("^≠ Uno!B1 ", said, re.MULTILINE)  # it may only follow from another, so it comes last
    rows = [
        [part.strip() for part in line.split("│")[1:-1]] for line in said.splitlines() if line.startswith("│ ≠ Uno!B6")
    ]
    assert rows == [["≠ Uno!B6:B45", "40 cells: different (slot.kwh)", "+86.75 in B45"]]
    assert "different (slot.kwh [PUNTA]): in the file 3, ours 2.25, difference +0.75" in said
    assert "reads A1" in said
    assert "computed from 2.95 kWh of 2021-09-01 at 0.098321 USD/kWh" in said
    assert "↻ Uno!B5 stale: in the file 9, ours 9, its formula gives 7" in said
    assert "Found the text [12.5] in Uno!A9. Type the number." in said
    assert "amount to pay (Uno!D1): in the file 3,600.00, ours 3,500.50, difference +99.5" in said
    assert "Not passed: 45 different, 1 stale, 1" not in said
    assert "Not passed: 45 different, 1 stale; 16 of 61 formula cells are equal." in said
    assert "formualizer" in said


def test_json_is_one_document_with_every_cell_that_is_not_equal(
    command: Command, judged: Callable[..., CheckResult], workbook: Path, tmp_path: Path
) -> None:
    changes: dict[str, dict[str, Any]] = {
        f"Uno!B{row}": {"verdict": Verdict.DIFFERENT, "ours": 2.25} for row in range(1, 46)
    }
    changes["Uno!B60"] = {"verdict": Verdict.NOT_OURS, "ours": None}
    judged(changes)
    page = tmp_path / "check.html"
    ended = command("check", workbook, "--json", "--html", page)
    assert ended.exit_code == 1
    report = json.loads(ended.stdout)
    assert report["html"] == str(page)
    assert report["annotated"] is None
    assert len(report["cells"]) == 46
    first = report["cells"][0]
    assert (first["cell"], first["found"], first["ours"], first["difference"]) == ("B1", 1.0, 2.25, -1.25)
    assert first["formula"] == "=A1*2"
    assert sum(report["counts"].values()) == report["formulas"] == 61


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"Uno!B1": {"verdict": Verdict.NOT_OURS, "ours": None}}, 0),
        ({"Uno!B1": {"verdict": Verdict.NOT_UNDERSTOOD, "ours": None, "feeds_total": False}}, 0),
        ({"Uno!B1": {"verdict": Verdict.NOT_UNDERSTOOD, "ours": None, "feeds_total": True}}, 1),
        ({"Uno!B1": {"verdict": Verdict.DIFFERENT, "ours": 9.0}}, 1),
        ({"Uno!B1": {"verdict": Verdict.ERROR}}, 1),
        ({"Uno!B1": {"verdict": Verdict.NO_VALUE}}, 1),
        ({"Uno!B1": {"stale": True, "evaluated": 9.0}}, 1),
    ],
)
def test_the_exit_code_is_zero_only_when_all_is_well(
    command: Command, judged: Callable[..., CheckResult], workbook: Path, changes: dict[str, dict[str, Any]], code: int
) -> None:
    result = judged(changes)
    assert result.passed == (code == 0)
    ended = command("check", workbook)
    assert ended.exit_code == code
    assert ("Passed:" in ended.stdout) == (code == 0)


def test_a_file_that_cannot_be_read_ends_with_three(command: Command, tmp_path: Path) -> None:
    text, old, cut = tmp_path / "a.xlsx", tmp_path / "b.xls", tmp_path / "c.xlsx"
    text.write_text("kWh;kW")
    old.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    cut.write_bytes(REFERENCE.read_bytes()[:5000])
    for path in (text, old, cut, tmp_path / "nada.xlsx", tmp_path):
        ended = command("check", path)
        assert ended.exit_code == 3, ended.output
        assert "error:" in ended.stderr
        assert ended.stdout == ""


def test_nothing_is_written_over_the_workbook(
    command: Command, monkeypatch: pytest.MonkeyPatch, workbook: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(workbooks, "judge", lambda *_, **__: pytest.fail("the work began"))
    before = workbook.read_bytes()
    for words, said in (
        (("--annotate", workbook), "is the workbook itself"),
        (("--html", workbook), "is the workbook itself"),
        (("--annotate", tmp_path / "copia.xlsm"), "expected .xlsx"),
        (("--html", tmp_path / "x.xlsx", "--annotate", tmp_path / "x.xlsx"), "two names"),
        (("--html", tmp_path / "no" / "x.html"), "no such folder"),
        (("--annotate", tmp_path / "no" / "x.xlsx"), "no such folder"),
        (("--timezone", "Europe/Nowhere"), "no time zone has this name"),
    ):
        ended = command("check", workbook, *words)
        assert ended.exit_code == 3
        assert said in " ".join(ended.stderr.split())
    assert workbook.read_bytes() == before


def test_an_export_says_what_is_wrong_with_its_name_before_it_opens_anything(command: Command, tmp_path: Path) -> None:
    ended = command("export", "FAC-000001", "--xlsx", tmp_path / "factura.pdf")
    assert ended.exit_code == 3
    assert "ends in .xlsx" in ended.stderr
    ended = command("export", "FAC-000001", "--xlsx", tmp_path / "no" / "factura.xlsx")
    assert ended.exit_code == 3
    assert "no such folder" in ended.stderr


def test_help_says_the_exit_codes(command: Command) -> None:
    said = " ".join(command("check", "--help").output.split())
    for code in ("0 ", "1 ", "3 "):
        assert code in said.split("Exit codes:")[1]
