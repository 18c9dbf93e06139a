"""What crosses a package's border is looked at without pandera, which is loaded only to say what is wrong."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from pandera.errors import SchemaError

from eisenergy.frames import READINGS, conform, readings_schema

ROW: dict[str, Any] = {
    "client": "EIS",
    "meter": "M1",
    "start": datetime(2021, 9, 1, tzinfo=UTC),
    "kwh_import": 1.5,
    "quality": "measured",
    "source": "a",
    "source_row": 2,
}
LATER = {**ROW, "start": datetime(2021, 9, 2, tzinfo=UTC), "quality": "estimated", "kwh_import": None}


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: READINGS[name] for name in ROW})


@pytest.mark.parametrize(
    "rows", [(), (ROW,), (ROW, LATER), (ROW, {**ROW, "meter": "M2"}), (ROW, {**ROW, "client": "X"})]
)
def test_what_fits_is_what_pandera_lets_through(rows: tuple[dict[str, Any], ...]) -> None:
    found = conform(frame(*rows))
    assert list(found.schema.items()) == list(READINGS.items())
    assert found.equals(readings_schema().validate(found))
    assert found.select(list(ROW)).equals(frame(*rows))


FAULTS = [
    *((ROW, {**LATER, name: None}) for name in ("client", "meter", "start", "quality", "source", "source_row")),
    (ROW, {**LATER, "quality": "guessed"}),
    (ROW, {**ROW, "source_row": 3}),
]


@pytest.mark.parametrize("rows", FAULTS)
def test_what_pandera_refuses_is_refused_in_its_words(rows: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(SchemaError) as said:
        conform(frame(*rows))
    full = frame(*rows).select(
        pl.col(name) if name in ROW else pl.lit(None, dtype=dtype).alias(name) for name, dtype in READINGS.items()
    )
    with pytest.raises(SchemaError) as expected:
        readings_schema().validate(full)
    assert str(said.value) == str(expected.value)


def test_who_has_nothing_to_object_to_does_not_load_it() -> None:
    code = (
        "import sys, eisenergy.frames as f\n"
        "f.conform(f.empty_readings())\n"
        "print(sorted({'pandera', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
