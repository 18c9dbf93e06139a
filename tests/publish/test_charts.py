"""Charts show the desk's own data; each is one valid drawing with a title, a sentence, a table and a specification."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from decimal import Decimal
from typing import Any

import altair as alt
import openpyxl
import polars as pl
import pytest
import sample_desks

from eisenergy.desk import ClientMonth, CustomerMonth
from eisenergy.publish import charts, customer_list, money_charts, operator_charts, power_charts, theme
from eisenergy.publish.figure import Figure

CUSTOMER = (
    charts.daily_energy,
    charts.monthly_energy,
    power_charts.peak_gauge,
    power_charts.load_heat_map,
    power_charts.load_duration,
    charts.readings_quality,
    money_charts.cost_breakdown,
    money_charts.savings,
)
OPERATOR = (
    operator_charts.energy_by_customer,
    operator_charts.money_by_customer,
    operator_charts.energy_history,
    operator_charts.health,
)


def values(figure: Figure) -> list[dict[str, Any]]:
    """All inline data of a specification, layers included."""
    spec = figure.spec
    found = list(spec.get("data", {}).get("values", ()))
    for layer in spec.get("layer", ()):
        found += layer.get("data", {}).get("values", ())
    return found


@pytest.fixture(scope="module")
def figures(desk: CustomerMonth, overview: ClientMonth) -> list[Figure]:
    return [make(desk) for make in CUSTOMER] + [make(overview) for make in OPERATOR]


def test_every_figure_is_one_output_for_every_reader(figures: list[Figure]) -> None:
    assert len({figure.name for figure in figures}) == len(figures)
    for figure in figures:
        bundle = figure._repr_mimebundle_()
        assert set(bundle) == {"text/html", "image/svg+xml", "text/plain"}
        svg = ET.fromstring(bundle["image/svg+xml"])
        assert svg.tag.endswith("svg")
        assert figure.title in bundle["image/svg+xml"].replace("&amp;", "&")
        page = bundle["text/html"]
        assert page.count("<figure") == page.count("</figure>") == page.count("<details") == 1
        assert f'aria-label="{figure.title}' in page
        assert "<table>" in page
        assert figure.summary in bundle["text/plain"]
        assert figure.data.rows
        assert all(len(row) == len(figure.data.columns) for row in figure.data.rows)


def test_specifications_are_valid_and_carry_no_address(figures: list[Figure]) -> None:
    for figure in figures:
        spec = dict(figure.spec)
        alt.Chart.from_dict(spec) if "layer" not in spec else alt.LayerChart.from_dict(spec)
        assert spec["width"] == "container"
        text = json.dumps({key: value for key, value in spec.items() if key != "$schema"})
        assert "http" not in text
        assert values(figure)


def test_the_specification_in_the_page_is_the_figure_s_own(figures: list[Figure]) -> None:
    for figure in figures:
        found = re.search(r'<script type="application/json" class="vega-lite">(.*?)</script>', figure.html(), re.DOTALL)
        assert found is not None
        assert json.loads(found[1]) == json.loads(json.dumps(figure.spec))


def test_drawings_on_one_page_do_not_share_ids(figures: list[Figure]) -> None:
    ids = [name for figure in figures for name in set(re.findall(r'\bid="([^"]+)"', figure.html()))]
    assert len(ids) == len(set(ids))
    for figure in figures:
        page = figure.html()
        used = set(re.findall(r"url\(#([^)]+)\)", page))
        assert used <= set(re.findall(r'\bid="([^"]+)"', page))


def test_a_drawing_does_not_count_those_before_it(desk: CustomerMonth) -> None:
    """Another customer's drawing in the same process would show in this one's bytes."""
    figure = dataclasses.replace(power_charts.load_heat_map(desk), drawing=None)
    drawn = [dataclasses.replace(figure, spec={**figure.spec, "description": name}).svg() for name in "ab"]
    assert "url(#gradient_0)" in drawn[0]
    assert drawn[0] == drawn[1]


def test_daily_energy_adds_up_to_the_workbook_s_blocks(desk: CustomerMonth) -> None:
    sums: dict[str, float] = defaultdict(float)
    for value in values(charts.daily_energy(desk)):
        sums[value["block"]] += value["kwh"]
    assert sums == pytest.approx({"Valle": 2084.14, "Resto": 46684.23, "Punta": 9114.70}, rel=1e-9)


def test_daily_energy_of_one_day_is_the_sheet_s(desk: CustomerMonth) -> None:
    book = openpyxl.load_workbook(sample_desks.WORKBOOK, data_only=True, read_only=True)
    sheet = book["Nodo Ateos 5614086"]
    ours = {value["block"]: value["kwh"] for value in values(charts.daily_energy(desk)) if value["day"] == 7}
    theirs: dict[str, float] = defaultdict(float)
    for row in sheet.iter_rows(min_row=31, max_row=2910, max_col=8, values_only=True):
        if row[0].day == 7:
            theirs[row[7].capitalize()] += row[2]
    book.close()
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_monthly_columns_are_the_history_and_mark_estimates_and_drafts(desk: CustomerMonth) -> None:
    figure = charts.monthly_energy(desk)
    shown = [value for value in values(figure) if "block" in value]
    assert len(shown) == 13 * 3
    assert [value["kwh"] for value in shown] == [
        float(row.kwh[block]) for row in desk.history for block in ("VALLE", "RESTO", "PUNTA")
    ]
    assert [value["month"] for value in values(figure) if "mark" in value] == ["abr 21", "sep 21"]
    assert {value["month"] for value in shown if not value["issued"]} == {"sep 20"}
    assert len(figure.notes) == 2


def test_the_year_s_change_is_right_by_hand(desk: CustomerMonth) -> None:
    last = sum(desk.history[0].kwh.values())
    by_hand = round(float((Decimal("57883.07") - last) / last * 100), 1)
    shown = re.search(r"([+\N{MINUS SIGN}])([\d.]+) % frente", charts.monthly_energy(desk).summary)
    assert shown is not None
    assert float(shown[2]) * (-1 if shown[1] == "\N{MINUS SIGN}" else 1) == by_hand


def test_gauge_shows_the_peak_and_the_contracted_power(desk: CustomerMonth) -> None:
    figure = power_charts.peak_gauge(desk)
    arcs = values(figure)
    assert arcs[1] == {"from": 0, "to": 510.48}
    assert arcs[2]["kw"] == 650
    assert arcs[0]["to"] == pytest.approx(650 * 8 / 7)
    assert "510.48 kW el 27/09/2021, 14:15" in figure.summary
    assert "79 % de 650 kW" in json.dumps(figure.spec, ensure_ascii=False)


def test_gauge_without_contracted_power_and_with_an_excess() -> None:
    none = power_charts.peak_gauge(sample_desks.customer_month(kw=None))
    assert "Sin potencia contratada" in json.dumps(none.spec, ensure_ascii=False)
    over = power_charts.peak_gauge(sample_desks.customer_month(kw="400"))
    assert "#D55E00" in json.dumps(over.spec)
    assert "#D55E00" not in json.dumps(power_charts.peak_gauge(sample_desks.customer_month()).spec)
    assert values(over)[0]["to"] == pytest.approx(510.48 * 8 / 7)


def test_heat_map_is_the_mean_power_of_each_weekday_and_hour(desk: CustomerMonth) -> None:
    shown = {(value["weekday"], value["hour"]): value["kw"] for value in values(power_charts.load_heat_map(desk))}
    assert len(shown) == 7 * 24
    fridays = desk.slots.filter((pl.col("weekday") == 5) & (pl.col("hour") == 16))["kw"].to_list()
    assert shown["vie", 16] == pytest.approx(sum(fridays) / len(fridays), abs=1e-6)


def test_duration_curve_starts_at_the_maximum_and_falls(desk: CustomerMonth) -> None:
    curve = [value["kw"] for value in values(power_charts.load_duration(desk))]
    assert curve[0] == 510.48
    assert curve == sorted(curve, reverse=True)


def test_breakdown_shows_every_line_but_the_sums(desk: CustomerMonth) -> None:
    figure = money_charts.cost_breakdown(desk)
    shown = {value["line"]: value["amount"] for value in values(figure)}
    assert sorted(shown.values()) == [-236.46, -115.87, 12.5, 38.28, 659.25, 885.61, 1506.26, 3798.58, 6441.33]
    assert "USD\N{NO-BREAK SPACE}12,989.48" in figure.summary
    assert round(sum(shown.values()), 2) == 12989.48


def test_savings_are_the_desk_s(desk: CustomerMonth) -> None:
    figure = money_charts.savings(desk)
    running = [value["amount"] for value in values(figure) if value.get("kind") == "Acumulado"]
    assert running == [float(saving.cumulative) for saving in desk.savings]
    year = [value for value in values(figure) if value.get("kind") == "Frente al mismo mes del año anterior"]
    assert [(value["month"], value["amount"]) for value in year] == [("sep 21", 412.5)]


def test_savings_without_any_month_say_so(desk: CustomerMonth) -> None:
    figure = money_charts.savings(dataclasses.replace(desk, savings=()))
    assert "Aún no hay meses anteriores" in figure.summary
    ET.fromstring(figure.svg())


def test_quality_strip_counts_estimates_and_gaps(desk: CustomerMonth) -> None:
    gap = dataclasses.replace(desk, slots=desk.slots.filter(pl.col("day").dt.day() != 20))
    figure = charts.readings_quality(gap)
    shown = {(value["day"], value["kind"]): value["slots"] for value in values(figure)}
    assert shown[18, "Estimado"] == 18
    assert shown[18, "Medido"] == 78
    assert shown[20, "Faltante"] == 96
    assert (20, "Medido") not in shown
    assert "2,766 intervalos medidos, 18 estimados, 96 faltantes" in figure.summary


def test_english_speaks_english() -> None:
    desk = sample_desks.customer_month(locale="en-US")
    for make in CUSTOMER:
        text = json.dumps(make(desk).spec, ensure_ascii=False) + make(desk).summary + make(desk).title
        assert not re.search(r"[áéíóúñ]|Energía|Potencia|Bloque", text), make.__name__
    assert "Energy by day and block" in charts.daily_energy(desk).html()


def test_a_name_cannot_break_out_of_its_figure(overview: ClientMonth) -> None:
    evil = "</script><script>alert(1)</script>"
    first = overview.rows[0]
    customer = dataclasses.replace(first.contract.customer, name=evil)
    row = dataclasses.replace(first, contract=dataclasses.replace(first.contract, customer=customer))
    named = dataclasses.replace(overview, rows=(row, *overview.rows[1:]))
    for make in (*OPERATOR, customer_list.customers):
        assert "<script>alert" not in make(named)._repr_mimebundle_()["text/html"]


def test_block_colours_come_from_the_house(desk: CustomerMonth) -> None:
    scale = charts.daily_energy(desk).spec["encoding"]["color"]["scale"]
    assert dict(zip(scale["domain"], scale["range"], strict=True)) == {
        "Valle": theme.BLOCK_COLOURS["VALLE"],
        "Resto": theme.BLOCK_COLOURS["RESTO"],
        "Punta": theme.BLOCK_COLOURS["PUNTA"],
    }


def test_operator_s_bars_are_ordered_and_leave_out_whom_nothing_was_billed(overview: ClientMonth) -> None:
    shown = values(operator_charts.money_by_customer(overview))
    assert [value["value"] for value in shown] == sorted((value["value"] for value in shown), reverse=True)
    assert len(shown) == 7
    assert shown[0]["value"] == 12989.48
    assert shown[0]["label"] == "12,989.48"


def test_operator_s_health_counts_all(overview: ClientMonth) -> None:
    figure = operator_charts.health(overview)
    assert "18 intervalos estimados y 312 faltantes" in figure.summary
    assert sum(value["slots"] for value in values(figure)) == 330
