"""Each check on a month that is sound but for the one thing it looks for."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenergy import frames
from eisenergy.blockruns import microseconds
from eisenergy.findings import Finding, Severity
from eisenergy.frames import stamps_of
from eisenergy.period import Period
from eisenergy.quality.checks import check
from eisenergy.quality.month import Limits
from eisenergy.quality.registers import absent
from eisenergy.quality.rows import instant
from eisenergy.timeofuse import BlockHours, DayCalendar

ZONE = "America/El_Salvador"
MONTH = Period(date(2021, 9, 1), date(2021, 10, 1))
FIRST, LAST = MONTH.utc(ZONE)
SLOT = timedelta(minutes=15)
Row = dict[str, object]


def sound(first: datetime = FIRST, slots: int = 2880, scale: float = 1.0) -> list[Row]:
    """A load that repeats no value for long, with a register that stands at the end of each interval."""
    rows: list[Row] = []
    register = 100_000.0
    for n in range(slots):
        kwh = round(scale * (5 + 4 * math.sin(n / 96 * 2 * math.pi) + 0.37 * (n * 7919 % 13) / 13), 3)
        register = round(register + kwh, 3)
        rows.append(
            {
                "client": "EIS", "meter": "m", "start": first + SLOT * n, "kwh_import": kwh, "kw": kwh * 4,
                "register_kwh": register, "quality": "measured", "source": "0123456789abcdef", "source_row": n + 4,
            }
        )  # fmt: skip
    return rows


def frame(rows: list[Row]) -> pl.DataFrame:
    names = {name: dtype for name, dtype in frames.READINGS.items() if any(name in row for row in rows)}
    return frames.conform(pl.DataFrame(rows, schema=names))


def findings(rows: list[Row], **options: object) -> dict[str, Finding]:
    found = check(frame(rows), meter="m", period=MONTH, timezone=ZONE, **options)  # type: ignore[arg-type]
    assert len({finding.code for finding in found}) == len(found)
    severities = [finding.severity is Severity.BLOCKING for finding in found]
    assert severities == sorted(severities, reverse=True)
    for finding in found:
        assert finding.subject == "m"
        assert finding.message.startswith("meter m: ")
        Finding.from_dict(finding.to_dict())
    return {finding.code: finding for finding in found}


def change(rows: list[Row], numbers: range, **columns: Callable[[float], object]) -> list[Row]:
    """Change rows, register and power left as they were."""
    for n in numbers:
        rows[n] |= {name: function(rows[n][name]) for name, function in columns.items()}  # type: ignore[arg-type]
    return rows


def without(rows: list[Row], *names: str) -> list[Row]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def test_a_sound_month_has_no_findings() -> None:
    history = frame(sound(FIRST - SLOT * 2000, 2000))
    assert findings(sound(), contracted_kw=45.0, history=history) == {}
    assert findings(without(sound(), "kw", "register_kwh")) == {}


def test_a_month_without_readings_is_blocking() -> None:
    found = check(frames.empty_readings(), meter="m", period=MONTH, timezone=ZONE)
    assert [(f.code, f.severity, f.data["expected"]) for f in found] == [("no-readings", Severity.BLOCKING, 2880)]
    other = check(frame(sound(LAST, 96)), meter="m", period=MONTH, timezone=ZONE)
    assert [f.code for f in other] == ["no-readings"]


def test_missing_intervals_are_listed_in_local_time() -> None:
    rows = sound()
    del rows[100:103], rows[0]
    finding = findings(rows)["missing-slots"]
    assert finding.severity is Severity.WARNING
    assert finding.data["count"] == 4
    assert [item["slots"] for item in finding.data["ranges"]] == [1, 3]
    assert "4 of 2880" in finding.message
    assert "2021-09-02 01:00 to 2021-09-02 01:45 (3)" in finding.message


def test_a_row_without_energy_is_missing_and_many_gaps_are_counted() -> None:
    rows = sound()
    for n in range(10, 80, 10):
        rows[n]["kwh_import"] = math.nan if n == 10 else None
    finding = findings(rows)["missing-slots"]
    assert finding.data["count"] == 7
    assert "and 2 more" in finding.message


def test_a_thousand_times_too_large_is_blocking_with_figures_against_contract_history_or_median() -> None:
    spike = range(700, 704)
    for options, reference in (
        ({"contracted_kw": 45.0}, "the contracted power"),
        ({"history": frame(sound(FIRST - SLOT * 500, 500))}, "the highest power of the months before"),
        ({}, "the month's median"),
    ):
        rows = change(sound(), spike, kwh_import=lambda kwh: kwh * 1000)
        finding = findings(without(rows, "kw", "register_kwh"), **options)["too-large"]
        assert finding.severity is Severity.BLOCKING
        assert finding.data["count"] == 4
        assert finding.data["reference"] == reference
        assert finding.data["source_row"] in range(704, 708)
        assert "row 70" in finding.message
        assert "correct the file or its mapping" in finding.message


def test_a_whole_month_in_another_unit_is_blocking_when_contract_or_history_is_known() -> None:
    rows = without(sound(scale=1000), "register_kwh")
    assert findings(rows, contracted_kw=45.0)["too-large"].data["count"] == 2880
    by_history = findings(rows, history=frame(sound(FIRST - SLOT * 500, 500)))
    assert by_history["too-large"].severity is Severity.BLOCKING
    assert by_history["level-changed"].severity is Severity.WARNING


def test_power_alone_a_thousand_times_too_large_is_blocking() -> None:
    rows = change(sound(), range(9, 10), kw=lambda kw: kw * 1000)
    assert findings(rows, contracted_kw=45.0)["too-large"].data["start"] == rows[9]["start"].isoformat()  # type: ignore[attr-defined]


def test_a_load_that_is_mostly_off_is_not_too_large_when_its_contract_is_known() -> None:
    rows = without(sound(scale=0.001), "kw", "register_kwh")
    change(rows, range(500, 560), kwh_import=lambda kwh: kwh * 1000)
    assert "too-large" not in findings(rows, contracted_kw=45.0)


def test_above_contracted_power_is_a_warning() -> None:
    finding = findings(sound(), contracted_kw=20.0)["above-contracted"]
    assert finding.severity is Severity.WARNING
    assert finding.data["highest_kw"] == max(row["kw"] for row in sound())  # type: ignore[type-var]
    assert findings(sound(), contracted_kw=37.0) == {}


def test_an_idle_meter_has_nothing_to_compare_with() -> None:
    rows = without(sound(scale=0), "kw", "register_kwh")
    assert list(findings(rows, history=frame(without(rows[:9], "kw")).with_columns(start=FIRST - SLOT))) == [
        "no-consumption"
    ]
    assert findings(rows)["no-consumption"].data["slots"] == 2880


def test_spikes_are_a_warning() -> None:
    rows = without(change(sound(), range(50, 52), kwh_import=lambda kwh: kwh * 10), "kw", "register_kwh")
    finding = findings(rows)["spikes"]
    assert finding.severity is Severity.WARNING
    assert (finding.data["count"], len(finding.data["rows"])) == (2, 2)


def test_stuck_values_are_a_warning_from_six_hours_on() -> None:
    for slots, expected in ((23, []), (24, ["stuck-values"])):
        rows = without(change(sound(), range(300, 300 + slots), kwh_import=lambda _: 6.0), "kw", "register_kwh")
        found = findings(rows)
        assert list(found) == expected
    assert found["stuck-values"].data["longest"] == 24
    rows = without(change(sound(), range(300, 330), kwh_import=lambda _: 6.0), "kw", "register_kwh")
    del rows[310]  # a gap ends a stretch
    assert list(findings(rows)) == ["missing-slots"]


@pytest.mark.parametrize("column", ["kwh_import", "kwh_export"])
def test_negative_energy_is_blocking(column: str) -> None:
    rows = [row | {"kwh_export": 0.0} for row in without(sound(), "kw", "register_kwh")]
    change(rows, range(40, 43), **{column: lambda _: -0.25})
    finding = findings(rows)["negative-kwh"]
    assert finding.severity is Severity.BLOCKING
    assert (finding.data["count"], finding.data["column"], finding.data["source_row"]) == (3, column, 44)
    assert (
        f"negative {column}, the first -0.25 kWh at 2021-09-01 10:00 (row 44 of file 0123456789ab)" in finding.message
    )


def test_an_infinite_figure_is_blocking() -> None:
    rows = without(change(sound(), range(40, 41), kwh_import=lambda _: math.inf), "kw", "register_kwh")
    finding = findings(rows)["not-finite"]
    assert (finding.severity, finding.data["column"]) == (Severity.BLOCKING, "kwh_import")


def test_a_reading_off_the_grid_is_blocking() -> None:
    rows = sound()
    rows[40]["start"] += timedelta(minutes=7)  # type: ignore[operator]
    finding = findings(rows)["off-grid"]
    assert (finding.severity, finding.data["source_row"]) == (Severity.BLOCKING, 44)


def test_power_of_another_unit_is_blocking_and_single_misfits_are_a_warning() -> None:
    wrong = findings(change(sound(), range(2880), kw=lambda kw: kw / 4))["kw-scale"]  # kWh in the column of kW
    assert wrong.severity is Severity.BLOCKING
    assert wrong.data["ratio"] == pytest.approx(0.25)
    assert "kw-scale" in findings(change(sound(), range(2880), kw=lambda kw: kw * 1000))
    few = findings(change(sound(), range(40), kw=lambda kw: kw * 1.5))["kw-inconsistent"]
    assert (few.severity, few.data["count"], few.data["of"]) == (Severity.WARNING, 40, 2880)
    assert findings(change(sound(), range(20), kw=lambda kw: kw * 1.5)) == {}
    assert findings(change(sound(), range(2880), kw=lambda kw: kw * 1.001)) == {}


def test_rounding_of_a_tiny_load_is_no_other_unit() -> None:
    """One watt-hour a quarter of an hour is 4 W, which a meter that gives whole hundredths of a kW may show as 10."""
    rows = [{**row, "kwh_import": 0.001 * (1 + n % 3), "kw": 0.01 * (1 + n % 3)} for n, row in enumerate(sound())]
    assert {"kw-scale", "kw-inconsistent"}.isdisjoint(findings(rows))


def test_a_register_that_disagrees_a_little_is_a_warning_and_much_is_blocking() -> None:
    little = findings(change(without(sound(), "kw"), range(40, 41), kwh_import=lambda kwh: kwh - 1))[
        "register-disagrees"
    ]
    assert little.severity is Severity.WARNING
    assert (little.data["count"], little.data["difference_kwh"]) == (1, pytest.approx(1))
    assert little.data["register_kwh"] - little.data["interval_kwh"] == pytest.approx(1)
    much = findings(change(without(sound(), "kw"), range(2880), kwh_import=lambda kwh: kwh / 2))["register-disagrees"]
    assert much.severity is Severity.BLOCKING


def test_differences_that_cancel_do_not_hide() -> None:
    rows = without(sound(), "kw")
    for n in range(100, 200):
        rows[n]["kwh_import"] += 3 if n % 2 else -3  # type: ignore[operator]
    finding = findings([row | {"kwh_import": max(row["kwh_import"], 0)} for row in rows])["register-disagrees"]  # type: ignore[type-var]
    assert finding.severity is Severity.BLOCKING


def test_a_register_that_goes_back_is_a_warning() -> None:
    rows = change(sound(), range(1500, 2880), register_kwh=lambda value: value - 100_000)
    finding = findings(rows)
    assert list(finding) == ["register-reset"]
    assert finding["register-reset"].severity is Severity.WARNING
    assert finding["register-reset"].data["count"] == 1


def test_a_clock_set_forward_is_blocking_where_the_register_proves_it() -> None:
    rows = sound(slots=2876)
    for row in rows[1000:]:
        row["start"] += SLOT * 4  # type: ignore[operator]
    finding = findings(rows)["clock-jump"]
    assert finding.severity is Severity.BLOCKING
    assert finding.data["slots"] == 4
    assert "no reading from 2021-09-11 10:00 to 2021-09-11 11:00" in finding.message
    assert "missing-slots" in findings(rows)


def test_a_gap_in_which_energy_flowed_is_no_jump() -> None:
    rows = sound()
    del rows[1000:1004]
    assert list(findings(rows)) == ["missing-slots"]
    bare = without(rows, "register_kwh")
    assert list(findings(bare)) == ["missing-slots"]


def test_a_file_that_goes_back_once_is_a_warning_but_one_without_order_is_not() -> None:
    rows = sound()
    late = rows[500:520]
    for number, row in enumerate(rows[:500] + rows[520:] + late):
        row["source_row"] = number + 4
    finding = findings(rows)["clock-back"]
    assert (finding.severity, finding.data["count"], finding.data["source_row"]) == (Severity.WARNING, 1, 2864)
    for number, row in enumerate(reversed(rows)):
        row["source_row"] = number
    assert findings(rows) == {}


def test_two_files_each_in_order_do_not_go_back() -> None:
    rows = sound()
    for row in rows[:1000]:
        row["source"] = "ffff"  # sorts after the other file
    assert findings(rows) == {}


def test_a_file_that_names_another_block_than_the_calendar_is_a_warning() -> None:
    calendar = DayCalendar(
        name="EIS",
        rows=(
            BlockHours(start_minute=1380, end_minute=300, block="VALLE"),
            BlockHours(start_minute=300, end_minute=1080, block="RESTO"),
            BlockHours(start_minute=1080, end_minute=1380, block="PUNTA"),
        ),
    )
    rows = sound()
    for row in rows[96:]:
        row["block_in_file"] = calendar.block_at(row["start"].astimezone(ZoneInfo(ZONE))).lower() + " "  # type: ignore[attr-defined]
    assert findings(rows, calendar=calendar) == {}
    for row in rows[200:203]:
        row["block_in_file"] = "PUNTA"
    finding = findings(rows, calendar=calendar)["block-differs"]
    assert (finding.severity, finding.data["count"], finding.data["of"]) == (Severity.WARNING, 3, 2784)
    assert (finding.data["in_file"], finding.data["in_calendar"], finding.data["source_row"]) == ("PUNTA", "VALLE", 204)


def test_limits_can_be_set() -> None:
    assert "above-contracted" in findings(sound(), contracted_kw=37.0, limits=Limits(contracted_warning=0.9))


def test_a_month_of_another_level_is_a_warning_either_way() -> None:
    history = frame(sound(FIRST - SLOT * 500, 500))
    rows = without(sound(scale=0.1), "register_kwh", "kw")
    finding = findings(rows, history=history)["level-changed"]
    assert finding.severity is Severity.WARNING
    assert "a factor of" in finding.message
    assert findings(sound(scale=0.5), history=history) == {}


def test_findings_name_days_of_the_meters_own_zone() -> None:
    rows = sound(datetime(2021, 8, 31, 22, tzinfo=UTC))
    del rows[4]
    found = check(frame(rows), meter="m", period=MONTH, timezone="Europe/Berlin")
    assert "2021-09-01 01:00 to 2021-09-01 01:15 (1)" in found[0].message


@given(st.lists(st.integers(-3, 12)), st.booleans())
@settings(deadline=None)
def test_absent_intervals_are_those_of_a_walk(numbers: list[int], off: bool) -> None:
    first = datetime(2021, 9, 1, 6, tzinfo=UTC)
    starts = [first + timedelta(minutes=15 * n) for n in numbers] + [first + timedelta(minutes=22)] * off
    column = pl.Series(starts, dtype=frames.READINGS["start"])
    expected = [slot for slot in (first + timedelta(minutes=15 * n) for n in range(10)) if slot not in starts]
    found = absent(stamps_of(column.to_frame("start")), microseconds(first), 10)
    assert [instant(at) for at in found.tolist()] == expected
