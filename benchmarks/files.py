"""Meter files of the portfolio: workbooks of twelve columns, and logs in two shapes of CSV, one customer's month each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import xlsxwriter

from benchmarks.portfolio import MONTH, SEED
from benchmarks.synthetic import Grid, Loads, Member
from eisenergy.samples import plan

HEADERS: Final = (
    *("Fecha y hora", "Energía activa (kWh)", "Potencia (kW)", "Energía reactiva (kVArh)", "Pronóstico (kWh)"),
    *("Bloque", "FTPMS", "Costo Desv POS", "Costo Desv NEG", "Factor de perdidas", "Medidor", "Estado"),
)
"""The workbook's twelve columns."""

_EXCEL_DAY_ZERO: Final = np.datetime64("1899-12-30", "us").astype(np.int64)
_DAY: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Written:
    """What lies in a folder.

    :param wh: energy of all rows [Wh]
    """

    paths: tuple[Path, ...]
    rows: int
    wh: int


class Writer:
    """Writes months of members into files.

    :param samples: folder of the shipped reference files
    """

    def __init__(self, samples: Path, *, seed: int = SEED) -> None:
        prices, supplies = plan.prices(samples), plan.supplies(samples)
        self.grid = Grid.of(MONTH, prices)
        self.loads = Loads(self.grid, supplies, seed)
        self._days = np.array([np.datetime64(stamp, "us").astype(np.int64) for stamp in self.grid.local])

    def workbooks(self, folder: Path, members: Sequence[Member]) -> Written:
        """One workbook per member."""
        folder.mkdir(parents=True, exist_ok=True)
        return self._each(members, folder, ".xlsx", self._workbook)

    def tables(self, folder: Path, members: Sequence[Member]) -> Written:
        """One CSV per member: in turn a meter's log with decimal commas, and a plain table with ISO stamps."""
        folder.mkdir(parents=True, exist_ok=True)
        return self._each(members, folder, ".csv", lambda member, path: self._table(member, path, slice(None)))

    def late(self, path: Path, member: Member, first: int, rows: int) -> Written:
        """A small file: some intervals of one member."""
        path.parent.mkdir(parents=True, exist_ok=True)
        wh = self._table(member, path, slice(first, first + rows))
        return Written((path,), rows, wh)

    def _each(self, members: Sequence[Member], folder: Path, suffix: str, write: Any) -> Written:
        paths, total = [], 0
        for member in members:
            path = folder / f"{member.meter}{suffix}"
            total += write(member, path)
            paths.append(path)
        return Written(tuple(paths), len(members) * len(self.grid.start), total)

    def _workbook(self, member: Member, path: Path) -> int:
        energies = self.loads.energies(member)
        kwh = energies["taken"] / 1000
        book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False})
        sheet, stamp = book.add_worksheet("Lecturas"), book.add_format({"num_format": "dd/mm/yyyy hh:mm"})
        sheet.write_row(0, 0, HEADERS)
        days = (self._days - _EXCEL_DAY_ZERO) / _DAY
        columns = (days, kwh, kwh * 4, energies["reactive"] / 1000, energies["forecast"] / 1000)
        numbers = np.column_stack([*columns, self.grid.prices]).tolist()
        for row, (values, block) in enumerate(zip(numbers, self.grid.blocks, strict=True), start=1):
            sheet.write_number(row, 0, values[0], stamp)
            for column in range(1, 5):
                sheet.write_number(row, column, values[column])
            sheet.write_string(row, 5, block)
            for column in range(5, 8):
                sheet.write_number(row, column + 1, values[column])
            sheet.write_number(row, 9, 0.0153)
            sheet.write_string(row, 10, member.meter)
            sheet.write_string(row, 11, "OK")
        book.close()
        return int(energies["taken"].sum())

    def _table(self, member: Member, path: Path, which: slice) -> int:
        energies = self.loads.energies(member)
        names = ("taken", "sent", "reactive")
        taken, sent, reactive = (energies[name][which].astype(np.int64).tolist() for name in names)
        local = self.grid.local[which]
        if member.number % 2:
            rows = [f"Medidor;{member.meter};;;;", "Fecha;Hora;kWh del int;kWh rec int;kVARh del int;Estado"]
            rows += [
                f"{at:%d/%m/%Y};{at:%H:%M};{_comma(wh)};{_comma(back)};{_comma(varh)};OK"
                for at, wh, back, varh in zip(local, taken, sent, reactive, strict=True)
            ]
        else:
            rows = ["timestamp,kvarh,kwh,meter"]
            rows += [
                f"{at:%Y-%m-%dT%H:%M:%S}-06:00,{varh // 1000}.{varh % 1000:03d},{wh // 1000}.{wh % 1000:03d},{member.meter}"
                for at, wh, varh in zip(local, taken, reactive, strict=True)
            ]
        path.write_bytes(("\n".join(rows) + "\n").encode())
        return sum(taken)


def _comma(wh: int) -> str:
    return f"{wh // 1000},{wh % 1000:03d}"
