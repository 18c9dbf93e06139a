from __future__ import annotations

import decimal
import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisenergy.billing.model import LineCode
from eisenergy.period import BillingMonth, Period
from eisenergy.publish import captions, texts
from eisenergy.publish.words import WORDS
from eisenergy.quality.estimate import Method
from eisenergy.tariffs.model import DemandBasis, DeviationMode, LossBasis

ZONE = "America/El_Salvador"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12989.48", "12,989.48"),
        ("-236.461", "\N{MINUS SIGN}236.46"),
        ("0", "0.00"),
        ("-0.001", "0.00"),
        ("1.005", "1.01"),
        ("1234567.891", "1,234,567.89"),
    ],
)
def test_money_has_comma_thousands_a_point_and_a_true_minus(value: str, expected: str) -> None:
    assert texts.format_money(Decimal(value)) == expected
    assert texts.format_money(Decimal(value), "en-US") == expected


def test_a_callers_decimal_context_changes_no_text() -> None:
    with decimal.localcontext(prec=2):
        assert texts.format_money(Decimal("12989.48")) == "12,989.48"
        assert texts.format_rate(Decimal("0.098321")) == "0.098321"
        assert texts.format_percent(Decimal("0.78535")) == "78.54\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.098321", "0.098321"),
        ("7.4412", "7.4412"),
        ("0.034", "0.0340"),
        ("12", "12.0000"),
        ("0.12345678", "0.123457"),
    ],
)
def test_rates_show_the_decimals_they_have(value: str, expected: str) -> None:
    assert texts.format_rate(Decimal(value)) == expected


@pytest.mark.parametrize(
    ("share", "expected"), [("0.01", "1"), ("0.015", "1.5"), ("0.13", "13"), ("0", "0"), ("1", "100")]
)
def test_percent_shows_the_decimals_it_has(share: str, expected: str) -> None:
    assert texts.format_percent(Decimal(share)) == f"{expected}\N{NO-BREAK SPACE}%"


def test_units_stay_with_their_number() -> None:
    assert texts.format_kwh(Decimal("57883.07")) == "57,883.07\N{NO-BREAK SPACE}kWh"
    assert texts.format_kw(Decimal("510.48")) == "510.48\N{NO-BREAK SPACE}kW"
    assert texts.format_contracted(Decimal("650.0")) == "650\N{NO-BREAK SPACE}kW"
    assert texts.format_contracted(None) == "no indicado"


def test_dates_are_local_and_written_as_in_the_country() -> None:
    instant = datetime(2021, 9, 28, 2, 45, tzinfo=UTC)  # 20:45 of the day before in El Salvador (UTC-6)
    assert texts.format_instant(instant, ZONE) == "27/09/2021\N{NO-BREAK SPACE}20:45"
    assert texts.format_instant(instant, ZONE, "en") == "27 Sep 2021 20:45".replace(" ", "\N{NO-BREAK SPACE}")
    assert texts.format_day(date(2021, 10, 5)) == "05/10/2021"
    assert texts.format_period(Period(date(2021, 9, 1), date(2021, 10, 1))) == "01/09/2021 \N{EN DASH} 30/09/2021"
    assert texts.month_name(BillingMonth(2021, 9)) == "septiembre de 2021"
    assert texts.month_name(BillingMonth(2021, 1), "en-GB") == "January 2021"
    with pytest.raises(ValueError, match="no time zone"):
        texts.format_instant(datetime(2021, 9, 28), ZONE)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((18, 10, 0), (18, 14, 30), "18/09/2021_04:00\u201308:30"),
        ((18, 10, 0), (19, 6, 0), "18/09/2021_04:00\u201324:00"),
        ((18, 10, 0), (19, 7, 15), "18/09/2021_04:00 \u2013 19/09/2021_01:15"),
    ],
)
def test_a_range_ends_where_its_last_interval_ends(
    start: tuple[int, int, int], end: tuple[int, int, int], expected: str
) -> None:
    first, last = (datetime(2021, 9, day, hour, minute, tzinfo=UTC) for day, hour, minute in (start, end))
    assert texts.format_range(first, last, ZONE) == expected.replace("_", "\N{NO-BREAK SPACE}")


def test_an_unknown_language_is_refused_and_none_means_spanish() -> None:
    assert texts.language(None) == "es"
    assert texts.language("es_GT") == "es"
    with pytest.raises(texts.UnknownLocale, match="fr-FR"):
        texts.word("total", "fr-FR")


def test_cells_bring_no_control_signs() -> None:
    assert texts.clean("A\x00B\r\n C\u202e\u200b\ud800 \t D") == "AB C D"
    assert texts.clean("650\N{NO-BREAK SPACE}kW") == "650\N{NO-BREAK SPACE}kW"


@given(st.text(st.sampled_from("a1 \N{NO-BREAK SPACE}\t\n\x00\u2003\u202e\u00ad\ud800é"), max_size=8))
def test_a_text_is_cleaned_sign_by_sign_whatever_way_it_takes(text: str) -> None:
    spaced = (" " if sign.isspace() and sign != "\N{NO-BREAK SPACE}" else sign for sign in text)
    kept = "".join(sign for sign in spaced if not unicodedata.category(sign).startswith("C"))
    assert texts.clean(text) == re.sub(" +", " ", kept).strip(" ")


def test_both_languages_have_every_text_with_the_same_places() -> None:
    for key, by_language in WORDS.items():
        assert set(by_language) == {"es", "en"}, key
        places = [set(re.findall(r"\{(\w+)\}", text)) for text in by_language.values()]
        assert places[0] == places[1], key


def test_everything_the_bill_can_say_has_a_text() -> None:
    wanted = [f"line.{code}" for code in LineCode] + [f"method.{method}" for method in Method]
    wanted += [f"legend.demand.{basis}" for basis in DemandBasis] + [f"legend.losses.{basis}" for basis in LossBasis]
    wanted += [f"legend.deviation.{mode}" for mode in DeviationMode]
    assert [key for key in wanted if key not in WORDS] == []
    assert texts.method_name("a-new-method") == "a new method"


@given(
    st.floats(-1e9, 1e9)
    | st.integers(-(10**9), 10**9).map(lambda n: n / 1000)
    | st.integers(0, 10**6).map(lambda n: n / 200),
    st.integers(0, 4),
)
def test_a_number_is_rounded_as_excel_does_however_it_is_written(value: float, places: int) -> None:
    assert captions.number(value, places) == texts.format_number(Decimal(value), places)
