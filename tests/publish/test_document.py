from __future__ import annotations

import dataclasses
import json
import re
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import invoice_desks as desks
import polars as pl
import pytest

from eisenergy.publish import theme
from eisenergy.publish.document import fence, invoice_bundle, invoice_document, typst_json
from eisenergy.publish.invoice_figures import axis
from eisenergy.publish.texts import UnknownLocale
from eisenergy.tariffs.model import BillingRules, DemandBasis, DeviationMode, LossBasis

MINUS = "\N{MINUS SIGN}"
NBSP = "\N{NO-BREAK SPACE}"


def amounts(document: dict[str, Any]) -> list[str]:
    rows = [row for row in document["charges"]["rows"] + document["sums"] if row["kind"] == "line"]
    return [row["amount"] for row in rows] + [document["third_party"]["amount"], document["total"]["amount"]]


def rows(document: dict[str, Any], code: str) -> list[dict[str, str]]:
    """The line of a charge and what is printed under it."""
    found: list[dict[str, str]] = []
    for row in document["charges"]["rows"]:
        if row["kind"] == "line" and found:
            break
        if found or row["code"] == code:
            found.append(row)
    return found


def test_the_steel_works_document_prints_the_workbooks_eleven_amounts() -> None:
    document = invoice_document(desks.steel())
    assert amounts(document) == list(desks.AMOUNTS)
    # everything but the municipality's 12.50 is the seller's
    assert document["seller_total"]["amount"] == "12,976.98"
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_energy_is_shown_per_block_with_the_workbooks_figures() -> None:
    line, *parts = rows(invoice_document(desks.steel()), "energy")
    assert (line["quantity"], line["amount"]) == (f"57,883.07{NBSP}kWh", "6,441.33")
    # B11:C13 of the workbook
    assert [(p["concept"], p["quantity"], p["rate"], p["part"], p["colour"]) for p in parts] == [
        ("VALLE", f"2,084.14{NBSP}kWh", "0.098321", "204.9147", theme.BLOCK_COLOURS["VALLE"]),
        ("RESTO", f"46,684.23{NBSP}kWh", "0.109874", "5,129.3831", theme.BLOCK_COLOURS["RESTO"]),
        ("PUNTA", f"9,114.70{NBSP}kWh", "0.121456", "1,107.0350", theme.BLOCK_COLOURS["PUNTA"]),
    ]


def test_demand_names_its_local_time_and_the_contracted_power() -> None:
    line, note = rows(invoice_document(desks.steel()), "demand")
    assert (line["quantity"], line["rate"]) == (f"510.48{NBSP}kW", "7.4412")
    # D14, E14 and B6 of the workbook
    assert f"27/09/2021{NBSP}14:15" in note["concept"]
    assert f"potencia contratada 650{NBSP}kW (uso 78.5{NBSP}%)" in note["concept"]
    assert "veces" not in note["concept"]
    over = rows(invoice_document(desks.steel(contracted="500")), "demand")[1]["concept"]
    assert f"excede la potencia contratada de 500{NBSP}kW (102.1{NBSP}%)" in over
    assert "contratada" not in rows(invoice_document(desks.steel(contracted=None)), "demand")[1]["concept"]


def test_a_tie_is_counted_over_the_blocks_that_share_it() -> None:
    month = desks.steel()
    top = max(month.bill.blocks, key=lambda block: block.max_kw)
    blocks = tuple(
        dataclasses.replace(block, max_kw=top.max_kw, max_kw_ties=2) if block.block != "VALLE" else block
        for block in month.bill.blocks
    )
    month = dataclasses.replace(month, bill=dataclasses.replace(month.bill, blocks=blocks))
    note = rows(invoice_document(month), "demand")[1]["concept"]
    assert f"07/09/2021{NBSP}20:30" in note  # PUNTA's maximum is the earlier of the two
    assert "alcanzada 4 veces" in note


def test_a_rate_that_changed_inside_the_period_is_two_rows_and_demand_is_weighted() -> None:
    document = invoice_document(desks.steel(change=date(2021, 9, 15)))
    parts = [row for row in rows(document, "energy") if row["kind"] == "part"]
    assert [part["concept"].split(NBSP)[0] for part in parts] == ["VALLE", "VALLE", "RESTO", "RESTO", "PUNTA", "PUNTA"]
    assert "01/09/2021 \N{EN DASH} 14/09/2021" in parts[0]["concept"]
    assert "15/09/2021 \N{EN DASH} 30/09/2021" in parts[1]["concept"]
    assert [part["rate"] for part in parts[:2]] == ["0.098321", "0.103237"]
    # 510.48 kW * 7.4412 * 14/30 and 510.48 kW * 7.81326 * 16/30
    demand = [row["part"] for row in rows(document, "demand") if row["kind"] == "part"]
    assert demand == ["1,772.6724", "2,127.2069"]
    assert "(14 de 30 días)" in json.dumps(rows(document, "demand"), ensure_ascii=False)


def test_the_other_rules_print_their_own_rows_and_legends() -> None:
    rules = BillingRules(
        demand_basis=DemandBasis.BLOCK_MAX, loss_basis=LossBasis.ENERGY, deviation_mode=DeviationMode.BOTH
    )
    document = invoice_document(desks.steel(rules=rules))
    demand = [row for row in rows(document, "demand") if row["kind"] == "part"]
    assert [row["quantity"] for row in demand] == [f"19.16{NBSP}kW", f"510.48{NBSP}kW", f"459.92{NBSP}kW"]
    assert f"07/09/2021{NBSP}23:45" in demand[0]["concept"]
    assert len([row for row in rows(document, "losses") if row["kind"] == "part"]) == 3
    deviation = [row["concept"] for row in rows(document, "deviation") if row["kind"] == "part"]
    assert any("no consumida" in text for text in deviation)
    assert any("sobre el pronóstico" in text for text in deviation)
    assert len(deviation) == 2  # the blocks share their costs, so each sign is one row
    legend = dict(document["legend"]["items"])
    assert "de cada bloque" in legend["Cargo por demanda"]
    assert legend["Ajuste por pérdidas"].startswith("Costo de la energía")
    assert "de su signo" in legend["Cargo por desviación"]


def test_a_correction_names_the_period_and_the_invoice_it_corrects() -> None:
    line, part = rows(invoice_document(desks.steel(corrected=True)), "correction")
    assert line["amount"] == f"{MINUS}41.37"
    assert part["concept"] == "01/08/2021 \N{EN DASH} 31/08/2021, factura FAC-000321"
    assert "Corrección de períodos anteriores" in dict(invoice_document(desks.steel(corrected=True))["legend"]["items"])
    assert "Corrección de períodos anteriores" not in dict(invoice_document(desks.steel())["legend"]["items"])


def test_estimated_ranges_are_named_with_time_energy_and_method() -> None:
    estimates = invoice_document(desks.steel(estimated=3))["estimates"]
    assert estimates["rows"][0] == [f"01/09/2021{NBSP}22:15\N{EN DASH}24:00", "7", "41.13", "1"]
    assert len(estimates["rows"]) == 3
    assert "21 de 2,880" in estimates["text"]
    assert estimates["methods"][0].endswith("ajustado al totalizador del medidor")
    complete = invoice_document(desks.steel(estimated=0))["estimates"]
    assert complete["complete"]
    assert complete["rows"] == []
    gap = desks.steel(estimated=0)
    gap = dataclasses.replace(gap, bill=dataclasses.replace(gap.bill, slots_missing=18))
    assert "Faltan 18 de 2,880" in invoice_document(gap)["estimates"]["text"]


def test_a_draft_says_so_and_has_no_number() -> None:
    document = invoice_document(desks.steel(issued=False))
    assert document["draft"]["label"] == "BORRADOR"
    assert document["number"] == "sin número"
    assert "FAC-" not in json.dumps(document)
    assert invoice_document(desks.steel())["draft"] is None
    assert "BORRADOR" in invoice_bundle(desks.steel(issued=False))._repr_mimebundle_()["text/html"]


def test_the_issuer_is_the_one_of_the_day_of_issue() -> None:
    month = desks.steel()
    renamed = dataclasses.replace(month, client=dataclasses.replace(month.client, name="Otro nombre"))
    assert invoice_document(renamed)["issuer"]["name"] == "EIS POWER, S.A. DE C.V."
    draft = dataclasses.replace(renamed, invoice=None)
    assert invoice_document(draft)["issuer"]["name"] == "Otro nombre"


def test_english_by_the_clients_setting_or_by_override() -> None:
    for document in (invoice_document(desks.steel(locale="en-US")), invoice_document(desks.steel(), locale="en")):
        assert document["total"]["label"] == "Total to pay"
        assert amounts(document) == list(desks.AMOUNTS)
        printed = json.dumps(document, ensure_ascii=False)
        assert not re.search(r"Período|Pagar|Pérdidas|Tasa municipal", printed)
    with pytest.raises(UnknownLocale):
        invoice_document(desks.steel(), locale="de-DE")


def test_where_every_price_came_from_is_named() -> None:
    origins = dict(invoice_document(desks.steel())["origins"]["rows"])
    assert origins["Costo de energía"] == "Tarifas EIS-TOU.xlsx, EIS-TOU!C16, C17, C18"
    assert origins["Ajuste por pérdidas"] == "Datos de clientes para facturación.xlsx"
    assert origins["Cargo por desviación"] == "columna cost_neg de las lecturas del medidor 5614086"
    assert origins["IVA"] == "params/tariffs/EIS-TOU.yml, línea 12"
    assert "Ejemplo de procesamiento de descargas de medidores.xlsx" in origins["Lecturas"]
    assert len(origins["Huella de los datos"]) == 64


def test_drawings_carry_the_figures_they_show() -> None:
    month = desks.steel()
    document = invoice_document(month)
    history, daily, profile = document["history"], document["daily"], document["profile"]
    assert [column["label"] for column in history["columns"]][::12] == ["sep", "sep"]
    assert [column["year"] for column in history["columns"]] == ["2020", "", "", "", "2021"] + [""] * 8
    assert history["columns"][-1]["values"] == [2084.14, 46684.23, 9114.70]
    assert [n for n, column in enumerate(history["columns"]) if column["estimated"]] == [7, 12]
    assert history["axis"]["max"] >= 58861
    # plain Python over the workbook's rows
    first = [row for row in desks.rows() if row[0].date() == date(2021, 9, 1)]
    assert sum(daily["columns"][0]["values"]) == pytest.approx(float(sum(row[1] for row in first)), rel=1e-12)
    assert len(daily["columns"]) == 30
    ten = [float(row[1]) * 4 for row in desks.rows() if row[0].hour == 10 and row[0].isoweekday() < 6]
    assert profile["series"][0]["values"][10] == pytest.approx(sum(ten) / len(ten), abs=1e-6)  # six places are drawn
    assert profile["hours"][3] == theme.BLOCK_COLOURS["VALLE"]
    assert profile["hours"][20] == theme.BLOCK_COLOURS["PUNTA"]
    assert "jun 2021 45,820" in history["alt"]


def test_a_month_without_slots_or_history_still_has_a_document() -> None:
    month = dataclasses.replace(desks.steel(), slots=desks.steel().slots.clear(), history=())
    document = invoice_document(month)
    assert (document["history"], document["profile"], document["daily"]) == (None, None, None)
    nan = desks.steel().slots.with_columns(kwh=pl.lit(float("nan")))
    assert invoice_document(dataclasses.replace(month, slots=nan))["profile"] is None


@pytest.mark.parametrize(
    ("highest", "most", "end", "labels"),
    [
        (58861, 5, 60000, ["0", "20,000", "40,000", "60,000"]),
        (217, 5, 250, ["0", "50", "100", "150", "200", "250"]),
        (0.4, 5, 0.4, ["0.0", "0.1", "0.2", "0.3", "0.4"]),
        (0, 5, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (9, 4, 10, ["0.0", "2.5", "5.0", "7.5", "10.0"]),
    ],
)
def test_axes_have_round_steps_and_hold_the_highest_value(
    highest: float, most: int, end: float, labels: list[str]
) -> None:
    found = axis(highest, "es", most)
    assert found["max"] == pytest.approx(end)
    assert [tick["label"] for tick in found["ticks"]] == labels


def test_the_change_against_last_year_is_the_energys() -> None:
    month = desks.steel()
    change = month.bill.kwh / sum(month.history[0].kwh.values(), Decimal(0)) - 1
    note = invoice_document(month)["kpis"][0]["note"]
    assert note == f"{MINUS}{abs(change * 100):.1f}{NBSP}% frente a sep 2020"


NASTY = (
    "`` ``` `a`",
    'say "hi" \\ \\" \\n',
    "#pagebreak() #import",
    "] [ $ x $ _a_ *b* @ref ~ //",
    "<script>alert(1)</script> &amp; {{< include x >}} {{x}}",
    "line\n```\n#panic()\n```{=typst}",
)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", NASTY)
def test_no_name_leaves_the_raw_block_or_becomes_markup(name: str) -> None:
    bundle = invoice_bundle(desks.steel(name=name))._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/markdown", "text/plain"}
    block = bundle["text/markdown"].splitlines()
    assert block[0] == "```{=typst}"
    assert block[-1] == "```"
    assert len(block) == 3
    assert block[1].isascii()
    assert not re.search(r"[`<>&$@~]", block[1])
    assert block[1].count("#") == 1
    page = _Tags()
    page.feed(bundle["text/html"])
    assert "script" not in page.tags
    assert " ".join(name.split()) in " ".join(page.text.split())


def test_typst_reads_back_the_very_value() -> None:
    typst = pytest.importorskip("typst")
    for name in (*NASTY, "Ñandú \N{GRINNING FACE} \N{LINE SEPARATOR}\x00"):
        source = f"#let v = {typst_json({'n': name})}\n#metadata(v) <v>"
        found = json.loads(typst.Compiler(source.encode()).query("<v>", field="value", one=True))
        assert found == {"n": name}


def test_the_fence_and_the_plain_text_show_the_total() -> None:
    document = invoice_document(desks.steel())
    assert "12,989.48" in fence(document)
    plain = invoice_bundle(desks.steel())._repr_mimebundle_()["text/plain"]
    assert plain.splitlines()[-1].startswith("TOTAL A PAGAR (USD)")
    assert plain.splitlines()[-1].endswith("12,989.48")
    for amount in desks.AMOUNTS:
        assert amount in plain
