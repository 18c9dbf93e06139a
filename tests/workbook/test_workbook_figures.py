"""What the notebook shows of a checked workbook: frames and pictures that agree with the result."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import checked
import pytest
from small import METER, book
from small import reference as read_once

from eisenergy.config import Settings
from eisenergy.desk import checking
from eisenergy.desk.checking import CheckedWorkbook
from eisenergy.publish import workbook_charts, workbook_tables
from eisenergy.publish.workbook_columns import header, letters, moments
from eisenergy.workbook.model import Place, Verdict
from eisenergy.workbook.overview import State

CSS = Path(__file__).parents[2] / "reports" / "assets" / "workbook-grid.css"


@pytest.fixture(scope="module")
def wrong() -> CheckedWorkbook:
    """The reference workbook with a rate typed wrong in the evening of 7 September, and what follows from it."""
    reference = read_once()
    changes: dict[str, dict[str, Any]] = {}
    for row in range(700, 710):
        rate = reference.value((METER, row, 10))
        cost = reference.value((METER, row, 11))
        assert isinstance(rate, float)
        assert isinstance(cost, float)
        changes[f"{METER}!J{row}"] = {"verdict": Verdict.DIFFERENT, "ours": rate * 2}
        changes[f"{METER}!K{row}"] = {
            "verdict": Verdict.DIFFERENT,
            "ours": cost * 2,
            "follows": (Place(METER, row, 10),),
        }
    changes[f"{METER}!M1500"] = {"stale": True, "evaluated": 9.0}
    changes[f"{METER}!B26"] = {"verdict": Verdict.DIFFERENT, "ours": 13000.0, "follows": (Place(METER, 700, 10),)}
    found = checked.finding(METER, "C1200", "A text.")
    result = checked.result(reference, changes, [found], total=f"{METER}!B26")
    return CheckedWorkbook(book=reference, result=result)


@pytest.fixture(scope="module")
def right() -> CheckedWorkbook:
    small = book({"Hoja": {"A1": "Valor", "A2": 1, "B1": "Doble", "B2": ("=A2*2", 2)}})
    return CheckedWorkbook(book=small, result=checked.result(small))


def test_counts_hold_every_sheet_and_their_sum(wrong: CheckedWorkbook) -> None:
    frame = workbook_tables.counts(wrong)
    assert frame.columns == [
        "sheet",
        "formulas",
        "equal",
        "different",
        "no cached value",
        "an Excel error value",
        "not ours",
        "not understood",
        "stale",
        "findings",
    ]
    rows = {row[0]: row[1:] for row in frame.iter_rows()}
    assert rows[METER] == (25_959, 25_938, 21, 0, 0, 0, 0, 1, 1)
    assert rows["Bloques horarios"] == (0,) * 9
    assert rows["all"] == (26_073, 26_052, 21, 0, 0, 0, 0, 1, 1)


def test_lines_and_outcome_say_the_total(wrong: CheckedWorkbook) -> None:
    assert workbook_tables.lines(wrong).rows() == [(f"{METER}!B26", "total", "12,989.48", "13,000.00", "−10.52")]
    said = workbook_tables.outcome(wrong)
    assert "Not passed: 21 different, 1 stale; 26,052 of 26,073 formula cells are equal." in said
    assert "26,073 of 26,073 formulas computed again by formualizer 0.13.0: 1 stale." in said
    assert "1.2" not in said.replace("1.25", "")  # seconds differ from run to run


def test_causes_come_before_what_follows_and_neighbours_are_one_row(wrong: CheckedWorkbook) -> None:
    rows = workbook_tables.problems(wrong).select("where", "cells").rows()
    assert rows == [
        (f"{METER}!J700:J709", 10),
        (f"{METER}!M1500", 1),
        (f"{METER}!B26", 1),
        (f"{METER}!K700:K709", 10),
        (f"{METER}!C1200", 1),
    ]
    assert workbook_tables.different(wrong).height == 22


def test_every_column_has_its_header_and_its_largest_difference(wrong: CheckedWorkbook) -> None:
    rows = {row["column"]: row for row in workbook_tables.columns(wrong).iter_rows(named=True)}
    assert len(rows) == 18
    rate = rows[f"{METER}!J"]
    assert (rate["header"], rate["role"], rate["formulas"], rate["different"]) == (
        "Tarifa kWh",
        "slot.energy_rate",
        2880,
        10,
    )
    cost = rows[f"{METER}!K"]
    assert re.fullmatch(r"K70\d", cost["at"])
    place = Place(METER, int(cost["at"][1:]), 11)
    largest = max(
        abs(cell.difference or 0)
        for cell in wrong.result.cells
        if cell.place.column == 11 and cell.place.sheet == METER
    )
    own = next(cell for cell in wrong.result.cells if cell.place == place)
    assert abs(own.difference or 0) == largest
    assert rows[f"{METER}!G"]["largest difference"] == ""


def test_the_picture_shows_day_and_column(wrong: CheckedWorkbook) -> None:
    figure = workbook_charts.over_time(wrong)
    values = figure.spec["layer"][0]["data"]["values"]
    assert len(values) == 9 * 30
    bad = {(one["when"], one["column"]): one["wrong"] for one in values if one["wrong"]}
    # 7 September has its slots in rows 607 to 702: rows 700 to 702, and seven of the eighth
    assert bad == {
        ("2021-09-07", "J  Tarifa kWh"): 3,
        ("2021-09-08", "J  Tarifa kWh"): 7,
        ("2021-09-07", "K  Costo energia"): 3,
        ("2021-09-08", "K  Costo energia"): 7,
        ("2021-09-16", "M  Ajuste perdidas"): 1,
    }
    assert "21 of 25,920 cells" in figure.summary
    assert "between 2021-09-07 and 2021-09-16" in figure.summary
    assert figure.svg().startswith("<svg")
    assert dict(zip(figure.data.columns, figure.data.rows[2], strict=True))["to look at"] == "10"


def test_the_bars_say_what_is_wrong_first(wrong: CheckedWorkbook) -> None:
    figure = workbook_charts.by_column(wrong)
    told = {one["column"]: one["text"] for one in figure.spec["layer"][1]["data"]["values"]}
    assert told["J  Tarifa kWh"] == "10 different, 2,870 equal"
    assert told["M  Ajuste perdidas"] == "1 stale, 2,879 equal"
    assert told["Tarifas!G  Demanda VALLE"] == "30 equal"
    assert figure.summary.startswith("4 of 18 columns")


def test_a_workbook_without_dates_or_without_anything_is_drawn_too(right: CheckedWorkbook) -> None:
    empty = book({"Hoja": {"A1": 1}})
    for one in (right, CheckedWorkbook(book=empty, result=checked.result(empty))):
        for figure in (workbook_charts.over_time(one), workbook_charts.by_column(one)):
            assert figure.svg().startswith("<svg")
        for table in (
            workbook_tables.problems,
            workbook_tables.findings,
            workbook_tables.different,
            workbook_tables.lines,
        ):
            assert table(one).height == 0
    assert workbook_tables.counts(right).rows()[-1][:3] == ("all", 1, 1)


def test_many_days_become_months_and_no_days_become_rows() -> None:
    start = datetime(2024, 1, 15)  # noqa: DTZ001
    cells: dict[str, Any] = {f"B{row}": start + timedelta(days=row) for row in range(1, 400)}
    long = book({"Horas": cells, "Sin": {"A1": 1, "A150": 2}})
    days = moments(long, "Horas", range(1, 400))
    assert days[1] == "2024-01"
    assert len(set(days.values())) == 14
    assert moments(long, "Horas", range(1, 40))[1] == "2024-01-16"
    assert moments(long, "Sin", (1, 150)) == {1: "rows 0+", 150: "rows 100+"}
    assert letters(28) == "AB"
    assert header(long, "Sin", 1) == ""


def test_a_value_typed_over_a_formula_is_no_header() -> None:
    block: dict[str, Any] = {"A1": "Block", "B1": "Costo"}
    block |= {f"A{row}": ("=VLOOKUP(1,2,3)", "VALLE") for row in range(2, 8)}
    block |= {f"B{row}": ("=1+1", 2) for row in range(2, 8)}
    typed = book({"Uno": block | {"A3": "PUNTA", "B3": 0.5}})
    assert (header(typed, "Uno", 1), header(typed, "Uno", 2)) == ("Block", "Costo")
    two = book({"Dos": {"A1": ("=1", 1), "A2": "kWh", "A3": ("=2", 2), "A4": ("=2", 2)}})
    assert header(two, "Dos", 1) == "kWh"


def test_colours_are_those_of_the_page() -> None:
    css = dict(re.findall(r"--mark-([a-z]): (#[0-9A-Fa-f]{6})", CSS.read_text(encoding="utf-8")))
    for kind, letter in ((State.EQUAL, "e"), (State.DIFFERENT, "d"), (State.STALE, "s"), (State.NOT_UNDERSTOOD, "u")):
        assert workbook_charts.COLOURS[kind] == css[letter]


def test_a_workbook_is_named_from_the_project_s_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        checking.check, "opened", lambda path, **given: asked.append((path, given)) or (read_once(), None)
    )
    settings = Settings.load({}, home=tmp_path)
    checking.open_workbook("data/x.xlsx", settings=settings)
    checking.open_workbook(str(tmp_path / "y.xlsx"), "params/t.yaml", settings=settings)
    root = settings.root
    assert asked == [
        (root / "data/x.xlsx", {"tariff": None}),
        (tmp_path / "y.xlsx", {"tariff": root / "params/t.yaml"}),
    ]
