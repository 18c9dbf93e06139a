"""Pages of the embedded renderer: complete, of the house, and without anything from elsewhere."""

from __future__ import annotations

import dataclasses
import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
import sample_desks

from eisenergy.desk import ClientMonth, CustomerMonth
from eisenergy.publish import customer_list, embedded, operator_pages, pages
from eisenergy.publish.folders import QUARTO
from eisenergy.publish.navigation import BadSite, for_month, read_site

FIGURES = {
    "home": {"monthly-energy", "savings"},
    "dashboard": {
        "daily-energy",
        "peak-gauge",
        "monthly-energy",
        "load-heat-map",
        "cost-breakdown",
        "savings",
        "load-duration",
        "readings-quality",
    },
    "invoice": set(),
    "operator": {"customers-energy", "customers-money", "energy-history", "health"},
}
VOID = {"meta", "link", "br", "img", "hr", "input", "path", "rect", "line", "circle"}


class Outline(HTMLParser):
    """Reads a page: what it loads, what it links, its figures, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.figures: list[str] = []
        self.inline_scripts = 0
        self.handlers: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.handlers += [name for name in named if name.startswith("on")]
        if tag == "a":
            self.links.append(named.get("href", ""))
        elif tag in ("script", "link", "img", "iframe", "source", "embed", "object"):
            self.loads += [named[name] for name in ("src", "href", "data") if name in named]
            if tag == "script" and "src" not in named and named.get("type") != "application/json":
                self.inline_scripts += 1
        if "data-vega" in named:
            self.figures.append(named["data-vega"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def outlines(executed: dict[str, Path]) -> dict[str, tuple[str, Outline]]:
    site = read_site(QUARTO)
    links = for_month(site, "2021-09")
    made = {}
    for name, notebook in executed.items():
        where = "index.html" if name == "home" else f"2021-09/{name}.html"
        text = embedded.page(notebook, site=site, links=links, here=where)
        made[name] = (text, Outline(text))
    return made


def test_every_figure_of_the_notebook_is_on_its_page(outlines: dict[str, tuple[str, Outline]]) -> None:
    for name, (_, outline) in outlines.items():
        assert set(outline.figures) == FIGURES[name], name
        assert len(outline.figures) == len(FIGURES[name])


def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline(outlines: dict[str, tuple[str, Outline]]) -> None:
    for name, (text, outline) in outlines.items():
        assert outline.loads, name
        for address in outline.loads:
            assert not re.match(r"(?:[a-z]+:)?//|data:", address), f"{name} loads {address}"
        assert outline.inline_scripts == 0
        assert "<style" not in text
        assert not outline.handlers
        assert not re.search(r"@import|url\(\s*['\"]?http", text)


def test_every_element_is_closed(outlines: dict[str, tuple[str, Outline]]) -> None:
    for name, (_, outline) in outlines.items():
        assert outline.open == [], name


def test_style_and_script_name_no_other_host() -> None:
    assets = Path(embedded.TEMPLATES).parent / "assets"
    css = (assets / "house.css").read_text(encoding="utf-8")
    assert not re.search(r"http|@import", css)
    for font in re.findall(r"url\(([^)]+)\)", css):
        assert (assets / font).is_file(), font
    assert "http" not in (assets / "charts.js").read_text(encoding="utf-8")


def test_pages_carry_the_site_s_name_and_navigation_from_quarto_s_file(
    outlines: dict[str, tuple[str, Outline]],
) -> None:
    site = read_site(QUARTO)
    text, outline = outlines["dashboard"]
    assert site.title in text
    for link in site.links:
        assert f">{link.text}</a>" in text
    assert {"../index.html", "../2021-09/dashboard.html", "../2021-09/invoice.html"} <= set(outline.links)
    assert text.count('aria-current="page"') == 1
    assert '<html lang="es">' in text


def test_no_code_and_no_parameters_are_shown(outlines: dict[str, tuple[str, Outline]]) -> None:
    for text, _ in outlines.values():
        assert "open_customer" not in text
        assert "open_client" not in text
        assert 'month = "2021-09"' not in text


def test_key_figures_are_the_bill_s(desk: CustomerMonth) -> None:
    text = pages.key_figures(desk)._repr_mimebundle_()["text/html"]
    for figure in ("12,989.48", "57,883", "510.5", "0.2244", "412.50", "Pagar antes del 16/10/2021"):
        assert figure in text
    assert "provisional" not in text


def test_energy_fed_in_is_named_where_there_is_any(desk: CustomerMonth) -> None:
    assert "entregados a la red" not in pages.key_figures(desk)._repr_mimebundle_()["text/html"]
    first, *others = desk.bill.blocks
    solar = dataclasses.replace(
        desk,
        bill=dataclasses.replace(desk.bill, blocks=(dataclasses.replace(first, kwh_export=Decimal(1234)), *others)),
    )
    assert "1,234 kWh entregados a la red" in pages.key_figures(solar)._repr_mimebundle_()["text/html"]


def test_a_draft_says_that_it_is_one() -> None:
    draft = sample_desks.customer_month(issued=False)
    assert "Sin emitir" in pages.key_figures(draft)._repr_mimebundle_()["text/html"]
    assert "provisionales" in pages.last_invoice(draft)._repr_mimebundle_()["text/html"]
    assert "Aún no hay facturas emitidas" in pages.invoice_list(draft)._repr_mimebundle_()["text/html"]


def test_invoice_list_is_newest_first_with_page_and_pdf(desk: CustomerMonth) -> None:
    text = pages.invoice_list(desk)._repr_mimebundle_()["text/html"]
    assert re.findall(r"FAC-\d{6}", text) == ["FAC-000001", "FAC-000002", "FAC-000003"]
    assert 'href="2021-09/invoice.html"' in text
    assert 'href="2021-09/invoice.pdf" download' in text


def test_a_panel_prints_what_it_shows(desk: CustomerMonth) -> None:
    printed = pages.estimates(desk)._repr_mimebundle_()["text/markdown"]
    assert printed.startswith("```{=typst}\n")
    assert "44.10 kWh" in printed


def test_names_are_escaped_in_page_and_print(desk: CustomerMonth) -> None:
    name = 'Pan & "Vino" <b> #eval(1) ```'
    customer = dataclasses.replace(desk.contract.customer, name=name)
    named = dataclasses.replace(desk, contract=dataclasses.replace(desk.contract, customer=customer))
    bundle = pages.greeting(named)._repr_mimebundle_()
    assert "<b>" not in bundle["text/html"]
    assert "#eval" not in bundle["text/markdown"]
    assert bundle["text/markdown"].count("```") == 2


def test_operator_s_panels_show_all_customers_the_parked_and_the_distributor(overview: ClientMonth) -> None:
    customers = customer_list.customers(overview)._repr_mimebundle_()["text/html"]
    for row in overview.rows:
        assert row.contract.customer.name in customers
        assert f'href="../{row.contract.number}/index.html"' in customers
    parked = operator_pages.parked(overview)._repr_mimebundle_()["text/html"]
    assert "Textiles del Norte" in parked
    assert "Cargue la descarga completa" in parked
    findings = operator_pages.findings(overview)
    assert [row[0] for row in findings.data.rows] == ["Bloqueante", "Atención"]
    difference = operator_pages.distributor(overview).data.rows
    assert difference[0] == ("Aceros de Ateos, S.A. de C.V.", "57,883.07", "57,924.57", "−41.50", "−0.07")
    assert len(difference) == 3


def test_operator_s_totals_are_the_sums(overview: ClientMonth) -> None:
    shown = dict(operator_pages.totals(overview).data.rows)
    assert shown["Clientes activos"] == "8"
    assert shown["Facturas emitidas"] == "7"
    # 12,989.48 * (1 + 1/2 + 1/3 + 1/4 + 1/5 + 1/6 + 1/8)
    assert shown["Total facturado"] == "33,447.91 USD"
    assert shown["Retenidos"] == "1"


def test_a_notebook_that_failed_or_never_ran_is_refused(executed: dict[str, Path], tmp_path: Path) -> None:
    notebook = nbformat.read(executed["home"], as_version=4)
    notebook.cells[3].outputs = [nbformat.v4.new_output("error", ename="NotInForce", evalue="no rate", traceback=[])]
    broken = tmp_path / "broken.ipynb"
    nbformat.write(notebook, broken)
    with pytest.raises(embedded.NotRendered, match=r"cell 3 ended with NotInForce: no rate"):
        embedded.check_executed(broken)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbformat.write(notebook, broken)
    with pytest.raises(embedded.NotRendered, match="run the notebook"):
        embedded.check_executed(broken)
    broken.write_text("{half", encoding="utf-8")
    with pytest.raises(BadSite, match="not a notebook"):
        embedded.check_executed(broken)
