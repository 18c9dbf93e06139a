"""The distributor's report, and reports with something wrong in them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from eisenergy.contents import UnreadableFile
from eisenergy.period import Period
from eisenergy.readings import Format, identify, preview, read, read_report

HEAD = [
    ["CAESS - Reporte"],
    ["Período de facturación: 01/09/2021 - 30/09/2021"],
    [None, None, None, "Energía (kWh)"],
    ["NIC", "Cliente", "Medidor", "Punta", "Valle", "Total kWh", "IVA", "Total USD"],
]


def test_reference_report(files: Any) -> None:
    report = read_report(files.report)
    assert report.period == Period(dt.date(2021, 9, 1), dt.date(2021, 10, 1))
    assert [row.meter for row in report.rows] == ["5614086", "5741444"]
    steel = report.meter("5614086")
    assert steel is not None
    assert (steel.nic, steel.customer) == ("2003311", "Aceros de Ateos, S.A. de C.V.")
    assert steel.kwh == {"Punta": Decimal("9114.7"), "Resto": Decimal("46684.23"), "Valle": Decimal("2084.14")}
    assert (steel.previous, steel.current) == (Decimal("1204411.2"), Decimal("1262294.27"))
    assert (steel.total_kwh, steel.max_kw, steel.total_amount) == (
        Decimal("57883.07"),
        Decimal("510.48"),
        Decimal("3058.91"),
    )
    assert steel.amounts == {
        "Cargo distribución": Decimal("2695.94"),
        "Tasa municipal": Decimal("12.5"),
        "IVA": Decimal("350.47"),
    }
    restaurant = report.meter("5741444")
    assert restaurant is not None
    assert restaurant.total_kwh == Decimal("20973.19")
    (found,) = report.findings  # the restaurant's blocks sum to less than its total, as the file was made
    assert (found.code, found.subject, found.data["found"]) == ("report-blocks-disagree", "5741444", "20958.99")


def test_report_is_no_readings_file(files: Any) -> None:
    with pytest.raises(UnreadableFile, match="distributor's report, not a meter's readings"):
        read(files.report, client="EIS")
    shown = preview(files.report)
    assert shown.format is Format.DISTRIBUTOR
    assert shown.rows["meter"].to_list() == ["5614086", "5741444"]


def test_total_row_is_compared(files: Any) -> None:
    rows = [
        *HEAD,
        ["1", "A", "5614086", 10.0, 5.0, 15.0, 1.3, 11.3],
        ["2", "B", "5741444", 1.0, 2.0, 3.0, 0.13, 1.13],
    ]
    good = files.sheet([*rows, ["TOTAL", None, None, None, None, 18.0, None, 12.43]], name="good.xlsx", sheet="Reporte")
    assert identify(good) is Format.DISTRIBUTOR
    assert read_report(good).findings == ()
    bad = files.sheet([*rows, ["TOTAL", None, None, None, None, 19.0, None, 12.43]], name="bad.xlsx", sheet="Reporte")
    (found,) = read_report(bad).findings
    assert found.code == "report-total-disagrees"
    assert "cell F7" in found.message
    assert (found.data["said"], found.data["sum"]) == ("19", "18")


def test_row_without_meter_is_named(files: Any) -> None:
    path = files.sheet([*HEAD, ["1", "A", None, 10.0, 5.0, 15.0, 1.3, 11.3]], sheet="Reporte")
    report = read_report(path)
    assert report.rows == ()
    (found,) = report.findings
    assert found.code == "report-row-incomplete"
    assert "cell C5" in found.message


def test_report_without_period_is_refused(files: Any) -> None:
    path: Path = files.sheet([HEAD[0], [], *HEAD[2:], ["1", "A", "5614086", 10.0, 5.0, 15.0, 1.3, 11.3]])
    with pytest.raises(UnreadableFile, match="no period above the table"):
        read_report(path)
