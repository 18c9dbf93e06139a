"""A log whose register was disturbed is refused for what is wrong in it, and a header alone for having no rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from eisenergy.contents import UnreadableFile
from eisenergy.readings import read

SAMPLE = Path(__file__).parents[2] / "data" / "samples" / "5741444.csv"


def test_a_register_that_was_set_back_does_not_become_a_second_energy(tmp_path: Path) -> None:
    lines = SAMPLE.read_text(encoding="utf-8-sig").splitlines()
    for number in range(1500, 1510):  # the register falls by 3 kWh for ten rows
        cells = lines[number].split(";")
        cells[5] = f"{float(cells[5].replace(',', '.')) - 3:.3f}".replace(".", ",")
        lines[number] = ";".join(cells)
    path = tmp_path / "5741444.csv"
    path.write_text("\r\n".join(lines), encoding="utf-8")
    result = read(path, client="EIS")
    codes = {finding.code for finding in result.findings}
    assert "two-energy-columns" not in codes
    assert codes & {"register-went-back", "register-disagrees"}
    assert result.meta.tables[0].columns["register_kwh"] == "kWh del"


def test_a_header_without_rows_says_so(tmp_path: Path) -> None:
    path = tmp_path / "5741444.csv"
    path.write_text("Fecha;Hora;kWh del int;Estado\n", encoding="utf-8")
    with pytest.raises(UnreadableFile, match="no rows below the header"):
        read(path, client="EIS")
