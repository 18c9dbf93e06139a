"""Consumption, savings and files of the shipped September 2021: the figures are those of the files, read here by hand."""

from __future__ import annotations

import csv
import io
import random
import re
import time
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import polars as pl
import pytest
import xlsxwriter
from portal_cases import Clock, Running, person, serving
from store_cases import make_draft

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.billing.model import LineCode
from eisenergy.config import Settings
from eisenergy.desk import consumption
from eisenergy.desk import issued as issued_module
from eisenergy.desk.issued import Issued
from eisenergy.desk.workspace import Workspace
from eisenergy.ledger.invoices import Invoice
from eisenergy.masters import calendars, clients, customers
from eisenergy.period import BillingMonth
from eisenergy.portal import ranges
from eisenergy.portal.ranges import BadRange
from eisenergy.publish import usage_files
from eisenergy.run import intake, month
from eisenergy.store import books, masters, outlines
from eisenergy.store.database import Database
from eisenergy.store.grants import Grant
from eisenergy.store.lake import Lake
from eisenergy.store.remembered import Remembered
from eisenergy.tariffs import load as tariffs

HOME = "/c/EIS/clientes/EIS-0001"
SECOND = "/c/EIS/clientes/EIS-0002"
SEPTEMBER = BillingMonth(2021, 9)
NOW = datetime(2021, 10, 25, 12, tzinfo=UTC)
SCOPE = Scope.operator("EIS")
BOOK = "Ejemplo de procesamiento de descargas de medidores.xlsx"
RANGE = "desde=2021-09-01&hasta=2021-09-30"


@pytest.fixture(scope="module")
def shop(settings: Settings, database: Database, lake: Lake) -> Iterator[Running]:
    """The portal over the steel works' and the restaurant's September, billed and issued."""
    workspace = Workspace(settings=settings, database=database, lake=lake)
    masters.save_client(database, SCOPE, clients.load(settings.params / "clients" / "EIS.yaml"))
    blocks = calendars.read_spreadsheet(settings.samples / "Bloques horarios.xlsx", "eis-bloques")
    masters.save_calendar(database, SCOPE, blocks)
    rules = tariffs.read_yaml(settings.params / "tariffs" / "EIS-TOU.yaml")
    rates = tariffs.read_spreadsheet(settings.samples / "Tarifas EIS-TOU.xlsx")
    masters.save_tariff(database, SCOPE, tariffs.combine(rules, rates))
    listed = customers.read(settings.samples / "Datos de clientes para facturación.xlsx").contracts[:2]
    evil = replace(listed[1], customer=replace(listed[1].customer, name='=HYPERLINK("http://x.example")<b>'))
    masters.save_contracts(database, SCOPE, [listed[0], evil])
    intake.ingest(workspace, SCOPE, [settings.samples / name for name in (BOOK, "5741444.csv")])
    month.bill_month(workspace, SCOPE, SEPTEMBER)
    month.issue_month(workspace, SCOPE, SEPTEMBER, issued_on=date(2021, 10, 5), at=NOW)
    with serving(settings, database, Clock(NOW)) as running:
        for n in (1, 2):
            grant = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({f"EIS-000{n}"}))
            running.people[f"c{n}"] = person(database, f"c{n}@eis.example", grant)
        yield running


@pytest.fixture(scope="module")
def by_hand(settings: Settings) -> list[tuple[datetime, Decimal, Decimal, str]]:
    """The workbook's intervals: local start, kWh, kW, block."""
    sheet = openpyxl.load_workbook(settings.samples / BOOK, data_only=True).worksheets[0]
    return [
        (datetime.combine(row[0], row[1]), Decimal(str(row[2])), Decimal(str(row[3])), row[7])
        for row in sheet.iter_rows(min_row=31, max_row=2910, values_only=True)
    ]


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def shown(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))


def test_the_page_shows_the_sums_of_the_file(
    shop: Running, by_hand: list[tuple[datetime, Decimal, Decimal, str]]
) -> None:
    page = shop.signed_in("c1").get(f"{HOME}/consumo")
    assert page.status_code == 200
    text = shown(page.text)
    sums = {block: sum(k for _, k, _, b in by_hand if b == block) for block in ("VALLE", "RESTO", "PUNTA")}
    for block, kwh in sums.items():
        assert f"{block.capitalize()} {kwh:,.2f} kWh" in text
    assert f"{sum(sums.values()):,.2f} kWh del 01/09/2021 al 30/09/2021." in text
    at, _, kw, _ = max(by_hand, key=lambda row: row[2])
    assert f"La demanda máxima fue de {kw:,.2f} kW el {at:%d/%m/%Y}, {at:%H:%M}." in text
    day = sum(k for t, k, _, b in by_hand if b == "PUNTA" and t.day == 17)
    row = re.search(r"<tr><td>17/09/2021</td>(.*?)</tr>", page.text)
    assert row is not None
    assert f"<td class=n>{day:,.2f}</td>" in row[1]
    heat = [kw for t, _, kw, _ in by_hand if t.isoweekday() == 5 and t.hour == 16]
    assert f"{sum(heat) / len(heat):,.2f}" in re.findall(r"<tr><td>16:00</td>.*?</tr>", page.text)[0]


def test_drawings_have_words_and_no_style(shop: Running) -> None:
    page = shop.signed_in("c1").get(f"{HOME}/consumo?{RANGE}").text
    drawings = re.findall(r'<svg[^>]*role="img" aria-labelledby="(\S+) (\S+)"', page)
    assert len(drawings) == 8  # four charts, each for two widths
    for title, words in drawings:
        assert f'<title id="{title}">' in page
        assert f'<desc id="{words}">' in page
    assert page.count("<details>") == 4
    assert " style=" not in page
    assert "<script" not in page


def test_readings_as_csv(shop: Running, by_hand: list[tuple[datetime, Decimal, Decimal, str]]) -> None:
    answer = shop.signed_in("c1").get(f"{HOME}/consumo.csv?{RANGE}")
    assert 'filename="consumo-EIS-0001-2021-09-01-2021-09-30.csv"' in answer.headers["content-disposition"]
    rows = read_csv(answer.content.decode("utf-8"))
    found = [
        (datetime.fromisoformat(row["Hora local"]), Decimal(row["kWh"]), Decimal(row["kW"]), row["Bloque"])
        for row in rows
    ]
    assert found == by_hand
    assert [row["Hora UTC"] for row in rows] == [f"{at + timedelta(hours=6):%Y-%m-%dT%H:%MZ}" for at, *_ in by_hand]
    assert {row["Lectura"] for row in rows} == {"medida"}
    assert any(row.subject.startswith("readings of EIS-0001") for row in shop.audit("SEEN"))


def test_readings_as_a_workbook_with_estimates_and_a_name_like_a_formula(shop: Running, tmp_path: Path) -> None:
    answer = shop.signed_in("c2").get(f"{SECOND}/consumo.xlsx?{RANGE}")
    (tmp_path / "a.xlsx").write_bytes(answer.content)
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").worksheets[0]
    heads, *rows = sheet.iter_rows(values_only=True)
    assert heads[:6] == ("Hora local", "Hora UTC", "kWh", "kW", "Bloque", "Lectura")
    assert len(rows) == 2880
    assert sum(row[5] == "estimada" for row in rows) == 18  # what the log lacks
    assert {cell.data_type for line in sheet.iter_rows(min_row=2) for cell in line} == {"s", "n"}
    assert {row[8] for row in rows} == {'\'=HYPERLINK("http://x.example")<b>'}
    invoice = shop.signed_in("c2").get(f"{SECOND}/facturas").text
    assert f"{sum(row[2] for row in rows):,.0f} kWh" in invoice
    csv_rows = read_csv(shop.signed_in("c2").get(f"{SECOND}/consumo.csv?{RANGE}").text)
    assert [float(row["kWh"]) for row in csv_rows] == [row[2] for row in rows]
    assert csv_rows[0]["Cliente"].startswith("'=")
    page = shop.signed_in("c2").get(f"{SECOND}/consumo").text
    assert "18 intervalos estimados" in page
    assert "<b>" not in page


def test_an_issued_month_stays_as_billed_when_readings_change(shop: Running, lake: Lake) -> None:
    before = shop.signed_in("c1").get(f"{HOME}/consumo.csv?{RANGE}").content
    rows = lake.read(SCOPE, ["5614086"], *SEPTEMBER.period.utc("America/El_Salvador"))
    changed = rows.head(4).with_columns(pl.col("kwh_import") + 100.0, source=pl.lit("f" * 64))
    lake.append(SCOPE, changed)
    assert shop.signed_in("c1").get(f"{HOME}/consumo.csv?{RANGE}").content == before


def test_hours_for_few_days_and_nothing_where_nothing_is(shop: Running) -> None:
    browser = shop.signed_in("c1")
    page = browser.get(f"{HOME}/consumo?desde=2021-09-01&hasta=2021-09-02").text
    assert "<td>02/09/2021 23:00</td>" in page
    for query in ("rango=mes", "desde=2021-01-01&hasta=2021-01-05"):
        page = browser.get(f"{HOME}/consumo?{query}")
        assert page.status_code == 200
        assert "No hay lecturas en estos días" in page.text
    assert "57,883.07" in browser.get(f"{HOME}/consumo?rango=anterior").text
    assert browser.get(f"{HOME}/consumo?contrato=EIS-0002").status_code == 404


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("rango=todo", "Ese rango no existe"),
        ("desde=2021-09-01", "Faltó una fecha"),
        ("desde=2021-02-30&hasta=2021-03-01", "no existe"),
        ("desde=%00&hasta='--", "no existe"),
        ("desde=2021-09-30&hasta=2021-09-01", "anterior a la primera"),
        ("desde=2020-01-01&hasta=2021-09-01", "400 días"),
        ("desde=0001-01-01&hasta=0001-01-02", "tan lejos"),
        ("desde=9999-12-31&hasta=9999-12-31", "tan lejos"),
    ],
)
def test_what_is_no_range_is_told_in_a_sentence(shop: Running, query: str, said: str) -> None:
    browser = shop.signed_in("c1")
    for page in ("consumo", "consumo.csv", "consumo.xlsx"):
        answer = browser.get(f"{HOME}/{page}?{query}")
        assert answer.status_code == 422
        assert said in answer.text


def test_presets_count_from_today() -> None:
    today = date(2024, 1, 31)
    spans = {name: ranges.asked({"rango": name}, today) for name in ranges.PRESETS}
    assert {name: (str(span.first), str(span.last)) for name, span in spans.items()} == {
        "mes": ("2024-01-01", "2024-01-31"),
        "anterior": ("2023-12-01", "2023-12-31"),
        "3m": ("2023-11-01", "2024-01-31"),
        "12m": ("2023-02-01", "2024-01-31"),
    }
    longest = {"desde": "2023-01-01", "hasta": str(date(2023, 1, 1) + timedelta(days=ranges.MOST_DAYS - 1))}
    assert ranges.asked(longest, today).period.days == ranges.MOST_DAYS
    with pytest.raises(BadRange, match=r"range\.long"):
        ranges.asked({**longest, "hasta": "2024-02-05"}, today)


def test_savings_are_those_of_the_bills_by_hand() -> None:
    def entry(n: int, kwh: str, total: str | None) -> consumption.MonthTotals:
        return consumption.MonthTotals(
            month=BillingMonth(2021, 1).plus(n), kwh={"A": Decimal(kwh)}, max_kw=None,
            total=None if total is None else Decimal(total), issued=True, slots=1, estimated=0, missing=0,
        )  # fmt: skip

    found = consumption.saved(
        [entry(0, "100", "20"), entry(1, "100", "25"), entry(2, "50", None), entry(12, "50", "5")]
    )
    assert [(s.against_previous, s.against_last_year, s.cumulative) for s in found] == [
        (None, None, 0),
        (-5, None, -5),
        (None, 5, 0),
    ]


def test_the_savings_page_and_the_state_of_invoices(shop: Running) -> None:
    browser = shop.signed_in("c1")
    page = shown(browser.get(f"{HOME}/ahorro").text)
    assert "septiembre de 2021 frente al mes anterior — sin mes para comparar" in page
    assert "0.2244 USD por kWh" in page  # 12,989.48 / 57,883.07
    assert "Vencida" in shown(browser.get(f"{HOME}/facturas").text).split("Vencida quiere")[0]
    shop.clock.turn(timedelta(days=-10))
    try:
        assert "Emitida" in shown(shop.signed_in("c1").get(f"{HOME}/facturas").text)
    finally:
        shop.clock.turn(timedelta(days=10))
    for name in ("consumo", "facturas", "ahorro"):
        assert "¿Dudas sobre una factura?" in browser.get(f"{HOME}/{name}").text


@pytest.mark.long  # five seconds: the kernels are loaded
def test_an_invoice_as_a_live_workbook(shop: Running, tmp_path: Path) -> None:
    browser = shop.signed_in("c1")
    address, waited = f"{HOME}/facturas/FAC-000001.xlsx", 0
    while (answer := browser.get(address)).status_code == 202:
        assert "Su archivo se está preparando" in answer.text
        assert '<meta http-equiv="refresh" content="2">' in answer.text
        assert not any(row.subject == "invoice FAC-000001, workbook" for row in shop.audit("SEEN"))
        waited += 1
        assert waited < 600
        time.sleep(0.1)
    assert waited
    assert answer.headers["content-disposition"] == 'attachment; filename="FAC-000001.xlsx"'
    assert browser.get(address).content == answer.content  # kept
    (tmp_path / "a.xlsx").write_bytes(answer.content)
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx", data_only=True).worksheets[0]
    values = {cell for row in sheet.iter_rows(max_row=30, values_only=True) for cell in row}
    assert 12989.48 in values
    assert browser.get(f"{HOME}/facturas/FAC-000002.xlsx").status_code == 403
    assert any(row.subject == "invoice FAC-000001, workbook" for row in shop.audit("SEEN"))


@pytest.fixture(scope="module")
def odd_sheet() -> usage_files.Sheet:
    """Rows with everything that files have to write with care."""
    count = 5_001
    start = [datetime(2021, 9, 1, tzinfo=UTC) + n * timedelta(minutes=15) for n in range(count)]
    draw = random.Random(7)
    kwh = [round(draw.uniform(0, 500), draw.choice((0, 2, 6))) for _ in start]
    kw = [None if draw.random() < 0.1 else draw.choice((1e-07, 1e22, 0.1 + 0.2, 12.0)) for _ in start]
    blocks = [draw.choice(("PUNTA", '=RE"S,TO', "-P\nA")) for _ in start]
    slots = pl.DataFrame(
        {
            "start": start, "local": [at.replace(tzinfo=None) - timedelta(hours=6) for at in start], "kwh": kwh, "kw": kw,
            "block": blocks, "quality": [draw.choice(("measured", "odd,one")) for _ in start],
        }
    )  # fmt: skip
    names = {"contract": '=C"1', "meter": "+5", "customer": 'Ñandú, S.A. "X"'}
    return usage_files.Sheet(headings=tuple('a,bcde"fg'), slots=slots, qualities={"measured": "medida"}, **names)


@pytest.mark.long
def test_a_workbook_of_readings_is_what_xlsxwriter_writes_cell_by_cell(
    odd_sheet: usage_files.Sheet, tmp_path: Path
) -> None:
    names = ({}, {"customer": "", "meter": " <b>&\x01_x0041_ "}, {"slots": odd_sheet.slots.head(0)})
    for n, changed in enumerate(names):
        sheet = replace(odd_sheet, **changed)
        ours, slow = tmp_path / f"ours{n}.xlsx", tmp_path / f"slow{n}.xlsx"
        usage_files.write_xlsx(sheet, ours)
        options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        with xlsxwriter.Workbook(str(slow), {"constant_memory": True, **options}) as book:
            page = book.add_worksheet("Lecturas")
            bold = book.add_format({"bold": True})
            page.set_column(0, 1, 18)
            page.set_column(2, 8, 14)
            page.freeze_panes(1, 0)
            page.write_row(0, 0, sheet.headings, bold)
            for at, row in enumerate(sheet.rows(), 1):
                page.write_row(at, 0, row)
        with zipfile.ZipFile(ours) as a, zipfile.ZipFile(slow) as b:
            assert a.namelist() == b.namelist()
            for name in a.namelist():
                assert name.startswith("docProps/core") or a.read(name) == b.read(name), name
        assert openpyxl.load_workbook(ours).worksheets[0].max_row == sheet.slots.height + 1


def test_csv_pieces_are_what_the_csv_module_writes(odd_sheet: usage_files.Sheet) -> None:
    """Against the slow way, line by line."""
    sheet = odd_sheet
    out = io.StringIO(newline="")
    out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(sheet.headings)
    writer.writerows(sheet.rows())
    assert b"".join(usage_files.csv_pieces(sheet)).decode("utf-8") == out.getvalue()


def test_an_invoice_is_read_when_it_is_looked_at(shop: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    scope, read = Scope.customer("EIS", "EIS-0001"), []
    (whole,) = books.invoices(shop.database, scope, customer="EIS-0001")
    real = outlines.outlines

    def counted(database: Database, scope: Scope, numbers: Collection[str]) -> tuple[Invoice, ...]:
        read.append(sorted(numbers))
        return real(database, scope, numbers)

    monkeypatch.setattr(outlines, "outlines", counted)
    posted = outlines.posted(shop.database, scope, "EIS-0001", "EIS-0001")
    monkeypatch.setattr(issued_module, "_READ", Remembered[Invoice](4))
    issued = Issued(shop.database, scope, posted)
    assert (list(issued), len(issued), whole.month in issued, whole.month.plus(1) in issued) == (
        [whole.month],
        1,
        True,
        False,
    )
    assert issued.names == ((whole.number, whole.input_hash),)
    assert issued.get(whole.month.plus(1)) is None
    assert read == []
    outline = replace(whole, bill=replace(whole.bill, lines=(whole.bill.line(LineCode.TOTAL),)))
    assert issued[whole.month] == issued[whole.month] == outline
    assert Issued(shop.database, scope, posted)[whole.month] == outline
    assert read == [["FAC-000001"]]
    with pytest.raises(KeyError):
        outline.bill.kwh  # noqa: B018 - an outline has no line of energy, and says so
    other = Issued(shop.database, Scope.customer("EIS", "EIS-0002"), posted)
    with pytest.raises(KeyError):
        other[whole.month]
    with pytest.raises(OutOfScope):
        outlines.posted(shop.database, scope, "EIS-0002", "EIS-0002")
    assert outlines.posted(shop.database, scope, "EIS-0001", "EIS-0002") == ()


def test_nothing_is_remembered_across_scopes(shop: Running) -> None:
    assert shop.signed_in("c1").get(f"{HOME}/facturas/FAC-000002.xlsx").status_code == 403
    for path in ("consumo", "consumo.csv", "ahorro"):
        assert shop.signed_in("c1").get(f"{HOME}/{path}").status_code == 200
        assert shop.signed_in("c2").get(f"{HOME}/{path}").status_code == 403
    kept = [key for store in (consumption._INTERVALS, consumption._STATES) for key in store._kept]
    assert {len(scope.customers) for key in kept for scope in key if isinstance(scope, Scope)} <= {1}


def test_what_is_remembered_is_bounded() -> None:
    kept: Remembered[int] = Remembered(2)
    calls: list[int] = []

    def make(n: int) -> int:
        calls.append(n)
        return n

    assert [kept.get(n, lambda n=n: make(n)) for n in (1, 2, 1, 3, 2)] == [1, 2, 1, 3, 2]
    assert calls == [1, 2, 3, 2]
    assert len(kept) == 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\tx", "\rx", "\nx"])
def test_no_text_becomes_a_formula(text: str) -> None:
    assert usage_files.safe(text) == f"'{text}"
    assert usage_files.safe("Aceros = 1") == "Aceros = 1"


def test_an_invoice_says_what_it_corrects(shop: Running) -> None:
    """Last: it adds an invoice for October."""
    contract = masters.contract(shop.database, SCOPE, "EIS-0001")
    draft = make_draft(contract, SEPTEMBER.plus(1))
    energy, total = draft.bill.lines
    line = replace(energy, code=LineCode.CORRECTION, quantity=None, amount=Decimal("-3.21"), exact=Decimal("-3.21"))
    draft = replace(draft, bill=replace(draft.bill, lines=(energy, line, total)))
    books.save_drafts(shop.database, SCOPE, SEPTEMBER.plus(1), [draft])
    seller = masters.client(shop.database, SCOPE)
    books.issue(shop.database, SCOPE, SEPTEMBER.plus(1), client=seller, issued_on=date(2021, 11, 5), at=NOW)
    browser = shop.signed_in("c1")
    page = shown(browser.get(f"{HOME}/facturas").text).replace("\xa0", " ")
    assert page.count("corrige meses anteriores") == 1
    assert "corrige meses anteriores: USD −3.21" in page
    assert browser.get(f"{HOME}/consumo?rango=12m").status_code == 200
    assert browser.get(f"{HOME}/ahorro").status_code == 200
