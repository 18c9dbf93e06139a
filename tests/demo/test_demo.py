"""The demonstration: eight invoices, the workbook's total on paper, and nothing new when it runs again."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from pypdf import PdfReader

if TYPE_CHECKING:
    from conftest import Demo

CUSTOMERS = [f"EIS-000{n}" for n in range(1, 9)]


def test_eight_invoices_without_a_gap(demo: Demo) -> None:
    invoices = demo.report["invoices"]
    assert [invoice["number"] for invoice in invoices] == [f"FAC-00000{n}" for n in range(1, 9)]
    assert [invoice["contract"] for invoice in invoices] == CUSTOMERS
    assert demo.report["parked"] == []
    assert demo.report["refused"] == []


def test_the_steel_works_owe_what_the_workbook_says(demo: Demo) -> None:
    assert demo.report["invoices"][0]["total"] == "12989.48"


def test_the_kwh_are_those_of_the_files(demo: Demo) -> None:
    """The manifest of the samples says what was written, meter by meter; gaps are billed on top of it."""
    manifest = json.loads((demo.home / "demo-files" / "manifest.json").read_text(encoding="utf-8"))
    written = {entry["meter"]: Decimal(entry["kwh"]) for entry in manifest["readings"] if entry["month"] == "2021-09"}
    billed = {"574150" + str(n - 2): Decimal(demo.report["invoices"][n - 1]["kwh"]) for n in range(3, 9)}
    for meter, kwh in billed.items():
        assert written[meter] <= kwh <= written[meter] * Decimal("1.01")
    assert sum(billed[meter] == written[meter] for meter in billed) >= 4


def test_every_customer_has_a_site_with_pages_and_pdfs(demo: Demo) -> None:
    for customer in CUSTOMERS:
        site = demo.home / "sites" / "EIS" / customer
        names = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
        wanted = {
            "index.html",
            *(f"2021-09/{name}.{kind}" for name in ("invoice", "dashboard") for kind in ("html", "pdf")),
        }
        assert wanted <= names
    assert (demo.home / "sites" / "EIS" / "_operator" / "index.html").is_file()


def test_the_pdfs_say_the_totals_of_the_table(demo: Demo) -> None:
    for invoice in demo.report["invoices"]:
        path = demo.home / "sites" / "EIS" / invoice["contract"] / "2021-09" / "invoice.pdf"
        reader = PdfReader(path)
        text = "".join(page.extract_text() for page in reader.pages)
        assert f"{Decimal(invoice['total']):,.2f}" in text
        assert invoice["number"] in text
        assert len(reader.pages) <= 2


def test_no_site_holds_another_customers_name(demo: Demo) -> None:
    names = {invoice["contract"]: invoice["customer"] for invoice in demo.report["invoices"]}
    for customer in CUSTOMERS:
        pages = "".join(
            path.read_text(encoding="utf-8") for path in (demo.home / "sites" / "EIS" / customer).rglob("*.html")
        )
        assert names[customer] in pages
        assert [other for other in CUSTOMERS if other != customer and (names[other] in pages or other in pages)] == []


def test_again_nothing_changes(demo: Demo) -> None:
    ended = demo.run("demo", "--json")
    assert ended.returncode == 0, ended.stderr
    again = json.loads(ended.stdout)
    assert again["invoices"] == demo.report["invoices"]
    assert again["new"] == []
    assert [site["made"] for site in again["sites"]] == [False] * 9


def test_nothing_half_written_is_left(demo: Demo) -> None:
    left = [
        path
        for path in demo.home.rglob("*")
        if "pg" not in path.relative_to(demo.home).parts
        and (path.name.startswith(".part-") or path.suffix in (".part", ".tmp") or path.name.startswith(".~"))
    ]
    assert left == []


def test_piped_output_has_no_colours(demo: Demo) -> None:
    ended = demo.run("invoices", "list")
    assert "12,989.48" in ended.stdout
    assert "\x1b[" not in ended.stdout + ended.stderr
