"""The page that draws a checked workbook: complete, safe with any text, and what a real browser makes of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import checked
import pytest
from small import METER, book
from small import reference as read_once

from eisenergy.sheets import cell
from eisenergy.workbook import grid_html
from eisenergy.workbook.book import Book
from eisenergy.workbook.grid_data import LETTERS, pack, relative
from eisenergy.workbook.model import CellCheck, CheckResult, Place, Verdict
from eisenergy.workbook.overview import SYMBOLS, State

FRAME = """<!doctype html><meta charset="utf-8"><title>frame</title><body style="margin:0">
<iframe id="page" src="{page}" style="width:{width}px;height:900px;border:0"></iframe>
<script>
addEventListener("load", function () {{ setTimeout(async function () {{
  var inside = document.getElementById("page").contentWindow, d = inside.document, told = {{}};
  function at(id) {{ return d.getElementById(id); }}
  function rest() {{ return new Promise(function (done) {{ setTimeout(done, 60); }}); }}
  function key(name) {{ at("grid").dispatchEvent(new inside.KeyboardEvent("keydown", {{ key: name, bubbles: true, cancelable: true }})); }}
  try {{ {script} }} catch (problem) {{ told.problem = String(problem); }}
  told.sideways = d.documentElement.scrollWidth - d.documentElement.clientWidth;
  told.alive = d.body.classList.contains("alive");
  document.body.textContent = "TOLD" + JSON.stringify(told) + "END";
}}, 400); }});
</script>"""


@pytest.fixture(scope="module")
def small() -> tuple[Book, CheckResult]:
    return checked.all_states()


@pytest.fixture(scope="module")
def large() -> tuple[Book, CheckResult]:
    reference = read_once()
    changes: dict[str, dict[str, Any]] = {
        f"{METER}!K{row}": {"verdict": Verdict.DIFFERENT, "ours": 1.5} for row in (700, 701, 2910)
    }
    return reference, checked.result(reference, changes, total=f"{METER}!B26")


@pytest.fixture(scope="module")
def large_page(large: tuple[Book, CheckResult]) -> str:
    return grid_html.page(large[1], large[0])


def asked(page: str, folder: Path, script: str, *, width: int = 1280) -> dict[str, Any]:
    """Open a page in a browser, run a script on it, and return what the script put into ``told``."""
    (folder / "page.html").write_text(page, encoding="utf-8")
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(page="page.html", width=width, script=script), encoding="utf-8")
    done = subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
            f"--user-data-dir={folder / 'browser'}",
            "--window-size=1400,1000",
            "--virtual-time-budget=15000",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r"TOLD(.*)END", done.stdout, re.DOTALL)
    assert found is not None, done.stdout[:500]
    plain = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("&nbsp;", "\u00a0")
    told: dict[str, Any] = json.loads(plain)
    assert "problem" not in told, told
    assert told["alive"]
    return told


def written_out(coded: str, row: int, column: int) -> str:
    """A formula in the cell it stands in: what the page's script does."""

    def one(match: re.Match[str]) -> str:
        across, c, down, r = match.groups()
        left = "$" + cell(0, int(c) - 1)[:-1] if across == "a" else cell(0, column + int(c) - 1)[:-1]
        return left + (f"${r}" if down == "a" else str(row + int(r)))

    return re.sub(r"\x01([ar])(-?\d+)\x02([ar])(-?\d+)\x03", one, coded)


def test_every_formula_can_be_written_out_again(large: tuple[Book, CheckResult]) -> None:
    for one in large[1].cells:
        assert written_out(relative(one), one.place.row, one.place.column) == one.formula


@pytest.mark.parametrize(
    "formula",
    [
        "=A1+$A1*A$1-$A$1",
        "='Tasa''s'!B2:C$9",
        '="A1 "&B2',
        "=SUM(A:A)+SUM(3:3)",
        "=Tasa*2",
        "=TABLE(A1:B2)",
        "=LOG10(A1)",
    ],
)
def test_formulas_of_other_shapes(formula: str) -> None:
    one = CellCheck(place=Place("Hoja", 7, 30), formula=formula, verdict=Verdict.EQUAL)
    assert written_out(relative(one), 7, 30) == formula


def test_a_formula_that_was_filled_down_stands_once(large: tuple[Book, CheckResult]) -> None:
    packed = pack(large[1], large[0])
    assert len(packed["formulas"]) < 150
    assert len(packed["templates"]) < 3_000


def test_the_page_is_one_file_that_loads_nothing(large: tuple[Book, CheckResult], large_page: str) -> None:
    page = large_page
    assert len(page.encode()) < 5_000_000
    assert re.findall(r"(?:src|href)=\"?(?![#\"])[^\s>]+", page) == []
    assert "default-src 'none'" in page
    assert re.findall(r"https?://(?!www\.w3\.org)", page) == []
    assert grid_html.page(large[1], large[0]) == page


def test_all_six_counts_are_shown_also_those_that_are_zero(small: tuple[Book, CheckResult]) -> None:
    one = book({"Hoja": {"A1": 1, "B1": ("=A1", 1)}})
    chips = re.findall(r"</i><b>([\d,]+)</b> ([^<]+)<", grid_html.page(checked.result(one), one))
    assert {name: count for count, name in chips} == {
        "equal": "1",
        "different": "0",
        "no cached value": "0",
        "an Excel error value": "0",
        "not ours": "0",
        "not understood": "0",
        "stale": "0",
        "findings": "0",
    }
    chips = re.findall(r"</i><b>([\d,]+)</b> ([^<]+)<", grid_html.page(small[1], small[0]))
    assert {name: count for count, name in chips}["different"] == "2"


def test_without_scripts_counts_and_problems_are_there(small: tuple[Book, CheckResult]) -> None:
    page = grid_html.page(small[1], small[0])
    body = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    assert "Hoja 1!B3: different" in body
    assert "It holds 9; the library computes 7.5 (difference +1.5)." in body
    assert "Found the text &quot;12.5&quot; in Hoja 1!A9" in body
    assert "What to look at (7)" in body
    assert "Not passed: 2 different" in body
    assert re.search(r'<th scope="row">Hoja 1</th><td>8</td><td>2</td><td>2</td><td>1</td>', body)


def test_no_text_of_the_workbook_becomes_markup(tmp_path: Path) -> None:
    hostile = "</script><script>document.title='caught'</script><img src=x onerror=alert(1)>\u2028'\"&"
    one = book({hostile: {"A1": hostile, "B1": (f'="{hostile}"', hostile)}})
    found = checked.finding(hostile, "A1", hostile)
    result = checked.result(
        one, {f"{hostile}!B1": {"verdict": Verdict.DIFFERENT, "ours": hostile, "role": hostile}}, [found]
    )
    page = grid_html.page(result, one)
    assert page.count("<script") == 3
    assert page.count("</script") == 3
    assert "<img" not in page


def test_the_colours_are_legible_and_each_state_has_a_sign_of_its_own() -> None:
    css = (grid_html.ASSETS / "workbook-grid.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--((?:fill|ink)-[a-z]): (#[0-9A-Fa-f]{3,6})", css))

    def light(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for letter in LETTERS.values():
        one, other = sorted((light(colours[f"fill-{letter}"]), light(colours[f"ink-{letter}"])))
        assert (other + 0.05) / (one + 0.05) >= 7, letter
    assert set(SYMBOLS) == set(LETTERS) == set(State)
    assert len(set(SYMBOLS.values())) == len(State)


def test_a_browser_goes_from_problem_to_problem_and_tells_all_about_each(
    require: Callable[[str], None], small: tuple[Book, CheckResult], tmp_path: Path
) -> None:
    require("chromium")
    script = """
    told.cards = [];
    at("address").value = "A1"; at("find").dispatchEvent(new inside.Event("submit", { cancelable: true })); await rest();
    told.first = at("card").textContent;
    for (var n = 0; n < 8; n++) { at("next").click(); await rest(); told.cards.push(at("card").textContent + "|" + at("step").textContent); }
    at("previous").click(); await rest();
    told.back = at("card").textContent;
    d.querySelector("[data-state=n]").click(); await rest();
    told.notOurs = at("card").textContent;
    told.cells = [].map.call(d.querySelectorAll(".cell"), function (one) { return one.id + " " + one.className + " " + one.textContent; });
    d.querySelectorAll("[role=tab]")[1].click(); await rest();
    told.second = at("grid").getAttribute("aria-label") + " " + at("card").textContent;
    d.querySelectorAll("#problems [data-cell]")[0].click(); await rest();
    told.listed = at("card").textContent;
    told.outlined = d.querySelectorAll(".reads").length;
    """
    told = asked(grid_html.page(small[1], small[0]), tmp_path, script)
    where = [re.match(r"[A-Z]+\d", text)[0] for text in told["cards"]]  # type: ignore[index]
    assert where == ["B3", "B4", "B5", "B6", "B8", "A9", "B9", "B3"]
    assert told["cards"][0].endswith("1 of 7")
    assert "in the file9" in told["cards"][0]
    assert "ours7.5" in told["cards"][0]
    assert "difference+1.5" in told["cards"][0]
    assert "formula=A2*3" in told["cards"][0]
    assert "computed from 2.95 kWh of 2021-09-01 at 0.098321 USD/kWh" in told["cards"][0]
    assert "its formula gives10" in told["cards"][1]
    assert "never calculated" not in told["cards"][2]
    assert "in the filenothing" in told["cards"][2]
    assert "#DIV/0!" in told["cards"][3]
    assert "“12.5”" in told["cards"][5]
    assert "where a number is expected" in told["cards"][5]
    assert "may follow fromHoja 1!B3" in told["cards"][6]
    assert told["back"].startswith("B9")
    assert told["notOurs"].startswith("B7")
    assert "not computed by the library" in told["notOurs"]
    cells = {one.split()[0]: one for one in told["cells"]}
    assert cells["c3-2"].startswith("c3-2 cell d ≠9") or "≠9" in cells["c3-2"]
    assert cells["c2-2"].split(" ", 1)[1].startswith("cell e =5")
    assert "<script>alert(1)</script> & Cía" in cells["c1-2"]
    assert cells["c2-1"].split()[1:3] == ["cell", "2.5"]
    assert told["second"].startswith("Sheet Tasa's A1")
    assert "formula='Hoja 1'!B9" in told["second"]
    assert told["listed"].startswith("B3")
    assert told["outlined"] == 1


def test_a_browser_answers_to_keys_and_pointer(
    require: Callable[[str], None], small: tuple[Book, CheckResult], tmp_path: Path
) -> None:
    require("chromium")
    script = """
    var box = at("grid").getBoundingClientRect();
    key("Home"); key("ArrowUp"); key("ArrowUp"); key("ArrowUp"); key("ArrowRight"); key("ArrowDown"); await rest();
    told.keyed = at("card").textContent;
    told.active = at("grid").getAttribute("aria-activedescendant");
    told.focusable = at("grid").tabIndex;
    key("n"); await rest();
    told.next = at("card").textContent;
    function move(name, x, y) {
      at("grid").dispatchEvent(new inside.PointerEvent(name, { clientX: x, clientY: y, bubbles: true, pointerType: "mouse" }));
    }
    move("pointermove", box.left + 130, box.top + 26 + 25 * 2 + 10); await rest();
    told.tip = at("tip").hidden ? "hidden" : at("tip").textContent;
    told.unmoved = at("card").textContent;
    move("pointerleave", 0, 0);
    told.gone = at("tip").hidden;
    at("grid").dispatchEvent(new inside.MouseEvent("click", { clientX: box.left + 130, clientY: box.top + 26 + 25 * 3 + 10, bubbles: true })); await rest();
    told.clicked = at("card").textContent;
    """
    told = asked(grid_html.page(small[1], small[0]), tmp_path, script)
    assert told["keyed"].startswith("B2= equal")
    assert told["active"] == "c2-2"
    assert told["focusable"] == 0
    assert told["next"].startswith("B3")
    assert told["tip"].startswith("B3≠ different")
    assert "ours7.5" in told["tip"]
    assert told["unmoved"].startswith("B3")
    assert told["gone"]
    assert told["clicked"].startswith("B4")


@pytest.mark.parametrize("width", [pytest.param(1280, marks=pytest.mark.long), 390])
def test_a_browser_shows_thousands_of_rows_without_holding_them(
    require: Callable[[str], None], large_page: str, tmp_path: Path, width: int
) -> None:
    require("chromium")
    script = """
    told.start = at("card").textContent;
    for (var n = 0; n < 40; n++) { at("grid").scrollTop = n * 1800; at("grid").dispatchEvent(new inside.Event("scroll")); await rest(); }
    at("address").value = "r2910"; at("find").dispatchEvent(new inside.Event("submit", { cancelable: true })); await rest();
    told.end = at("card").textContent;
    told.rows = d.querySelectorAll(".row").length;
    told.last = at("c2910-11") ? at("c2910-11").className : "not drawn";
    told.known = at("grid").getAttribute("aria-rowcount") + " x " + at("grid").getAttribute("aria-colcount");
    var pen = at("map").getContext("2d"), red = 0, seen = pen.getImageData(0, 0, at("map").width, at("map").height).data;
    for (var i = 0; i < seen.length; i += 4) { if (seen[i] === 179 && seen[i + 1] === 38) { red++; } }
    told.red = red;
    """
    told = asked(large_page, tmp_path, script, width=width)
    assert told["sideways"] == 0
    assert told["start"].startswith("K700≠ different")
    assert told["end"].startswith("R2910= equal")
    assert "formula=MAX(0,I2910-C2910)*Q2910" in told["end"]
    assert 20 < told["rows"] < 100
    assert told["last"].startswith("cell d")
    assert told["known"] == "2910 x 18"
    assert told["red"] > 20
