"""The operator's page with thousands of customers: a list that can be used, the first of each kind in charts, and all of them in a file."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import executed_notebooks
import pytest
import sample_desks

from eisenergy.config import Settings
from eisenergy.desk import ClientMonth
from eisenergy.publish import customer_list, operator_charts, operator_pages, site

MANY = 2_000


@pytest.fixture(scope="module")
def crowd() -> ClientMonth:
    """The eight customers, repeated: every one with a number, kWh and total of its own; every eighth is parked."""
    desk = sample_desks.client_month()
    rows = []
    for n in range(MANY):
        row = desk.rows[n % 8]
        name = f"{row.contract.customer.name} {n}" if n else "=cmd|'/c calc'!A1"
        customer = dataclasses.replace(row.contract.customer, name=name)
        contract = dataclasses.replace(row.contract, number=f"EIS-{n + 1:05d}", customer=customer)
        some = row.kwh is not None
        rows.append(
            dataclasses.replace(
                row,
                contract=contract,
                number=f"FAC-{n + 1:06d}" if some else None,
                kwh=Decimal(1000 + n) if some else None,
                total=Decimal(n) + Decimal("0.25") if some else None,
                distributor_kwh=Decimal(1000) if some else None,
            )
        )
    return dataclasses.replace(desk, rows=tuple(rows))


def beside(text: str) -> dict[str, list[list[str]]]:
    found = re.search(r'class="rows">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    content: dict[str, list[list[str]]] = json.loads(found[1])
    return content


def test_a_few_are_a_plain_table_and_a_file(overview: ClientMonth) -> None:
    bundle = customer_list.customers(overview)._repr_mimebundle_()
    assert 'class="rows"' not in bundle["text/html"]
    assert bundle["text/html"].count("<tr>") == 9
    assert 'href="2021-09.csv" download' in bundle["text/html"]
    assert len(bundle["text/csv"].splitlines()) == 9


def test_of_many_the_parked_come_first_and_all_lie_beside(crowd: ClientMonth) -> None:
    panel = customer_list.customers(crowd)
    text = panel.html()
    assert text.count("<tr>") == 1 + customer_list.FIRST
    assert "100 de 2,000" in text
    rows = beside(text)["rows"]
    assert len(rows) == MANY
    assert {row[0] for row in rows} == {row.contract.number for row in crowd.rows}
    waiting = sum(row.parked is not None for row in crowd.rows)
    assert [row[6] for row in rows[:waiting]] == ["Retenida"] * waiting
    assert "Retenida" not in {row[6] for row in rows[waiting:]}
    assert len(panel.data.rows) == customer_list.FIRST  # what a document prints
    assert "100 de 2,000" in panel.typst()


def test_the_file_has_every_figure_and_no_formula(crowd: ClientMonth) -> None:
    heading, *lines = csv.reader(io.StringIO(customer_list.customers(crowd).file))
    assert len(lines) == MANY
    assert [line[0] for line in lines] == [row.contract.number for row in crowd.rows]
    assert sum((Decimal(line[5] or 0) for line in lines), Decimal(0)) == sum(
        (row.total or Decimal(0) for row in crowd.rows), Decimal(0)
    )
    assert lines[0][1] == "'=cmd|'/c calc'!A1"
    assert not [cell for line in lines for cell in line if cell.startswith(("=", "+", "-", "@"))]
    assert {len(line) for line in lines} == {len(heading)}
    assert next(line for line in lines if line[11])[11].startswith("Faltan 312")


def test_charts_show_the_first_and_say_what_the_others_come_to(crowd: ClientMonth) -> None:
    money = operator_charts.money_by_customer(crowd)
    spec = dict(money.spec)
    assert len(spec["data"]["values"]) == operator_charts.SHOWN
    amounts = sorted((row.total for row in crowd.rows if row.total is not None), reverse=True)
    assert [value["value"] for value in spec["data"]["values"]] == [float(one) for one in amounts[:25]]
    others = f"{sum(amounts[25:]):,.2f}"
    assert money.data.rows[-1] == ("los otros 1,725", f"USD\N{NO-BREAK SPACE}{others}")
    assert others in money.notes[0]
    names = [value["customer"] for value in spec["data"]["values"]]
    assert len(set(names)) == len(names)
    health = operator_charts.health(crowd)
    assert len(dict(health.spec)["data"]["values"]) == 2 * operator_charts.SHOWN
    assert "78,000 faltantes" in health.summary  # 250 times 312
    assert len(health.data.rows) == operator_charts.SHOWN + 1


def test_no_drawing_needs_a_browser_engine(crowd: ClientMonth, overview: ClientMonth) -> None:
    for desk in (crowd, overview):
        for make in (
            operator_charts.energy_by_customer,
            operator_charts.money_by_customer,
            operator_charts.energy_history,
            operator_charts.health,
        ):
            assert make(desk).drawing is not None


def test_customers_of_one_name_keep_their_bars_apart(overview: ClientMonth) -> None:
    first, second, *_ = overview.rows
    same = dataclasses.replace(second, contract=dataclasses.replace(first.contract, number="EIS-0002"))
    assert operator_charts.labels([first, same]) == ["Aceros de Ateos EIS-0001", "Aceros de Ateos EIS-0002"]
    assert operator_charts.labels([first, second])[0] == "Aceros de Ateos"


def test_long_tables_say_how_many_there_are(crowd: ClientMonth) -> None:
    for panel in (operator_pages.parked(crowd), operator_pages.findings(crowd), operator_pages.distributor(crowd)):
        assert len(panel.data.rows) == operator_pages.FIRST
        assert re.search(r"Se muestran 25 de [\d,]+", panel.html())
    more = [row[3] for row in operator_pages.distributor(crowd).data.rows]
    assert more[0] == "+1,999.00"


@pytest.fixture
def published(crowd: ClientMonth, settings: Settings, tmp_path: Path) -> Path:
    executed = {"operator": executed_notebooks.execute("operator", crowd, tmp_path / "operator.ipynb")}
    for number in ("EIS-00001", "EIS-00008"):
        there = settings.sites / "EIS" / number
        there.mkdir(parents=True)
        (there / "index.html").write_text("there", encoding="utf-8")
    made = site.publish_operator(settings, executed, "EIS", sample_desks.MONTH, "embedded")
    assert made.folder / "2021-09.csv" in made.paths
    return made.folder


def test_the_page_is_small_and_links_nobody_without_a_site(published: Path, crowd: ClientMonth) -> None:
    text = (published / "2021-09.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 500_000  # a quarter of what ten thousand may take
    content = beside(text)
    assert len(content["without"]) == MANY - 2
    assert not {"EIS-00001", "EIS-00008"} & {str(one) for one in content["without"]}
    assert len(content["rows"]) == MANY
    file = (published / "2021-09.csv").read_bytes()
    assert file.startswith("\ufeff".encode())
    assert file.decode("utf-8-sig") == customer_list.customers(crowd).file
    assert (published / "2021-09.pdf").is_file()


FRAME = """<!doctype html><title>frame</title><body>
<iframe id="page" src="{page}" style="width:{width}px;height:30000px;border:0"></iframe>
<script>
addEventListener("load", function () {{
  var inside = document.getElementById("page").contentDocument;
  var said = [];
  function first() {{ return [].map.call(inside.querySelectorAll("#customers tbody tr:first-child td"), function (td) {{ return td.textContent; }}); }}
  function count() {{ return inside.querySelector("#customers .pager span").textContent + " " + inside.querySelectorAll("#customers tbody tr").length; }}
  function note(what) {{ said.push(what + ": " + first()[0] + " " + first()[5] + " " + count()); }}
  note("at first");
  inside.querySelectorAll("#customers th button")[5].click(); note("dearest");
  inside.querySelectorAll("#customers th button")[5].click(); note("cheapest");
  inside.querySelectorAll("#customers .pager button")[1].click(); note("next");
  var search = inside.querySelector("#customers input");
  search.value = "panaderia eis-00013"; search.dispatchEvent(new Event("input")); note("search");
  search.value = "eis-00008"; search.dispatchEvent(new Event("input"));
  said.push("link " + inside.querySelector("#customers tbody a").getAttribute("href"));
  search.value = "eis-00009"; search.dispatchEvent(new Event("input"));
  said.push("links " + inside.querySelectorAll("#customers tbody a").length);
  search.value = "no such"; search.dispatchEvent(new Event("input")); said.push(inside.querySelector("#customers tbody").textContent);
  said.push("width " + inside.documentElement.scrollWidth);
  document.title = said.join(" | ");
}});
</script>"""


@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser_the_list_can_be_searched_ordered_and_turned(
    require: Callable[[str], None], published: Path, tmp_path: Path, width: int
) -> None:
    require("chromium")
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(page=(published / "2021-09.html").as_uri(), width=width), encoding="utf-8")
    done = subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
            f"--window-size={width + 60},2000",
            f"--user-data-dir={tmp_path / 'browser'}",
            "--virtual-time-budget=20000",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r"<title>(at first.*?)</title>", done.stdout, re.DOTALL)
    assert found is not None, done.stdout[:500]
    said = found[1].replace("&nbsp;", " ").replace("\N{NO-BREAK SPACE}", " ").split(" | ")
    assert said == [
        "at first: EIS-00007 — 1–50 de 2,000 50",
        "dearest: EIS-02000 USD 1,999.25 1–50 de 2,000 50",
        "cheapest: EIS-00001 USD 0.25 1–50 de 2,000 50",
        "next: EIS-00058 USD 57.25 51–100 de 2,000 50",
        "search: EIS-00013 USD 12.25 1–1 de 1 1",
        "link ../EIS-00008/index.html",
        "links 0",
        "Nada coincide con la búsqueda.",
        f"width {width}",
    ]
