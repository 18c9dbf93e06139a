"""The shapes files arrive in: the same readings as a meter's log, an analyst's workbook, a plain table, in several encodings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from eisenergy.samples import workbook
from eisenergy.samples.loads import QUARTER, Slot
from eisenergy.samples.plan import Prices, Supply
from eisenergy.samples.workbook import Cell, Formula, Text


class Line(NamedTuple):
    """One row of a file: an interval as it is written, ``late`` seconds beside the grid.

    :param register: import register at the end of the interval [Wh]; ``register_export`` likewise
    """

    slot: Slot
    late: int
    register: int
    register_export: int

    @property
    def stamp(self) -> datetime:
        """The interval's start as written."""
        return self.slot.start + timedelta(seconds=self.late) if self.late else self.slot.start


@dataclass(frozen=True, slots=True)
class Content:
    """What one file is to hold.

    :param start: first local day
    :param end: first local day after
    """

    supply: Supply
    prices: Prices
    start: date
    end: date
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Shape:
    """How a customer's files look.

    :param name: file name; ``{meter}`` stands for the serial
    :param render: makes the bytes
    :param carries: quantities the file holds beside the energy taken
    :param months: months one file covers, counted from January
    """

    name: str
    render: Callable[[Content], bytes]
    carries: frozenset[str]
    months: int = 1


def _point(wh: int) -> str:
    """Kilowatt-hours with a decimal point and three decimals."""
    return f"{wh // 1000}.{wh % 1000:03d}"


def _comma(wh: int) -> str:
    return f"{wh // 1000},{wh % 1000:03d}"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment.hour:02d}:{moment.minute:02d}"


def _end(line: Line) -> str:
    """Date and time of an end stamp as loggers write it: midnight is 24:00 of the day that ends."""
    end = line.stamp + QUARTER
    if not line.late and (end.hour, end.minute) == (0, 0):
        return f"{line.slot.start:%d/%m/%Y};24:00"
    return f"{end:%d/%m/%Y};{_clock(end)}"


def _log(content: Content, register_first: bool) -> bytes:
    """A meter's raw log: BOM, CRLF, semicolons, decimal comma, end stamps, interval columns beside the register."""
    register = "kWh del;" if register_first else ""
    after = "" if register_first else "kWh del;"
    rows = [
        f"Medidor;{content.supply.meter};;;;;",
        f"Descarga;{content.end:%Y-%m-%d} 08:12;;;;;",
        f"Fecha;Hora;{register}kWh del int;kWh rec int;kVARh del int;{after}Estado",
    ]
    for line in content.lines:
        energy = f"{_comma(line.slot.wh)};{_comma(line.slot.wh_export)};{_comma(line.slot.varh)}"
        total = _comma(line.register)
        figures = f"{total};{energy}" if register_first else f"{energy};{total}"
        rows.append(f"{_end(line)};{figures};{'RELOJ' if line.late else 'OK'}")
    return ("\ufeff" + "\r\n".join(rows) + "\r\n").encode()


def _cp1252(content: Content) -> bytes:
    """A table of an older program: Windows-1252 with accents, day first, start stamps."""
    rows = [
        f"Cliente: {content.supply.name}",
        "",
        "Fecha y hora;Energía activa (kWh);Energía reactiva (kVArh);Potencia (kW);Observación",
    ]
    rows += [
        f"{line.stamp:%d/%m/%Y} {_clock(line.stamp)};{_comma(line.slot.wh)};{_comma(line.slot.varh)};"
        f"{_comma(4 * line.slot.wh)};{'Revisión' if line.late else ''}"
        for line in content.lines
    ]
    return ("\r\n".join(rows) + "\r\n").encode("cp1252")


def _iso(content: Content) -> bytes:
    """A table of a modern program: UTF-8, commas, ISO stamps with their offset."""
    rows = ["timestamp,kvarh,kwh,temperature_c"]
    for line in content.lines:
        # noon and the small hours differ by some degrees; no bill depends on it, so it is an unknown column
        tenths = 215 + 9 * min(line.slot.start.hour, 28 - line.slot.start.hour) % 130
        stamp = f"{line.stamp:%Y-%m-%dT%H:%M:%S}-06:00"
        rows.append(f"{stamp},{_point(line.slot.varh)},{_point(line.slot.wh)},{tenths // 10}.{tenths % 10}")
    return ("\n".join(rows) + "\n").encode()


def _two_way(content: Content) -> bytes:
    """Several months of a meter that counts both ways, with a register for each."""
    rows = [
        f"# Meter {content.supply.meter}, {content.supply.node}",
        "Date,Time,kWh rec int,kWh rec,kWh del int,kWh del,kVARh del int",
    ]
    for line in content.lines:
        slot = line.slot
        rows.append(
            f"{line.stamp:%Y-%m-%d},{_clock(line.stamp)},{_point(slot.wh_export)},{_point(line.register_export)},"
            f"{_point(slot.wh)},{_point(line.register)},{_point(slot.varh)}"
        )
    return ("\n".join(rows) + "\n").encode()


def _english(content: Content) -> bytes:
    """A plain sheet with English headers and one combined timestamp."""
    rows: list[list[Cell]] = [
        ["Timestamp", "Active energy (kWh)", "Reactive energy (kVArh)", "Demand (kW)", "Apparent power (kVA)"]
    ]
    for line in content.lines:
        slot = line.slot
        kva = math.sqrt(slot.wh * slot.wh + slot.varh * slot.varh) / 250
        rows.append(
            [line.stamp, Text(_point(slot.wh)), Text(_point(slot.varh)), Text(_point(4 * slot.wh)), round(kva, 2)]
        )
    return workbook.workbook([(f"Meter {content.supply.meter}", rows)])


def _headed(content: Content) -> list[list[Cell]]:
    """The head of an analyst's sheet: what it is about, and the totals of the blocks as formulas."""
    supply = content.supply
    rows: list[list[Cell]] = [
        ["EIS POWER - Procesamiento de descargas de medidores"],
        ["Cliente", supply.name],
        ["Medidor", supply.meter],
        ["Nodo", supply.node],
        ["Periodo", content.start],
        ["Potencia contratada (kW)", supply.contracted_kw],
        ["Factor de perdidas", supply.loss_factor],
        [],
        [],
        ["Bloque", "Energia kWh", "Costo energia", "Maximo kW"],
    ]
    return rows


def _analyst(content: Content) -> bytes:
    """The analyst's own sheet, as the shipped September: readings from row 31, a formula in every derived column."""
    rows = _headed(content)
    last = 30 + len(content.lines)
    names = list(dict.fromkeys(content.prices.blocks))
    priced = [(line, *content.prices.at(line.slot.start)) for line in content.lines]
    for number, name in enumerate(names, start=11):
        mine = [(line.slot.wh, rate) for line, block, rate, *_ in priced if block == name]
        cost = math.fsum(wh / 1000 * rate for wh, rate in mine)
        rows.append(
            [
                name,
                Formula(f"SUMIFS($C$31:$C${last},$H$31:$H${last},A{number})", Text(_point(sum(wh for wh, _ in mine)))),
                Formula(f"SUMIFS($K$31:$K${last},$H$31:$H${last},A{number})", cost),
                Formula(
                    f"SUMPRODUCT(MAX(($H$31:$H${last}=A{number})*$D$31:$D${last}))",
                    Text(_point(4 * max((wh for wh, _ in mine), default=0))),
                ),
            ]
        )
    peak = max(line.slot.wh for line in content.lines)
    rows.append(["Maximo de la matriz", None, None, Formula(f"MAX(D31:D{last})", Text(_point(4 * peak)))])
    rows += [[] for _ in range(29 - len(rows))]
    rows.append(
        [
            "Date", "Time", "kWh", "kW", "kVA", "kVAR", "Hora", "Block", "Pronostico kWh", "Tarifa kWh", "Costo energia",
            "Factor de perdidas", "Ajuste perdidas", "FTPMS", "Recargo FTPMS", "Costo Desv POS", "Cost Des Neg",
            "Cargo desviacion",
        ]
    )  # fmt: skip
    for row, (line, block, rate, ftpms, more, less) in enumerate(priced, start=31):
        slot = line.slot
        kwh = slot.wh / 1000
        kva = math.sqrt(slot.wh * slot.wh + slot.varh * slot.varh) / 250
        loss = content.supply.loss_factor
        short = max(0, slot.forecast_wh - slot.wh) / 1000
        rows.append(
            [
                line.stamp.date(),
                line.stamp.time(),
                Text(_point(slot.wh)),
                Text(_point(4 * slot.wh)),
                round(kva, 3),
                Text(_point(4 * slot.varh)),
                slot.start.hour,
                block,
                Text(_point(slot.forecast_wh)),
                rate,
                Formula(f"C{row}*J{row}", kwh * rate),
                Formula("$B$7", loss),
                Formula(f"C{row}*L{row}", kwh * loss),
                ftpms,
                Formula(f"C{row}*N{row}", kwh * ftpms),
                more,
                less,
                Formula(f"MAX(0,I{row}-C{row})*Q{row}", short * less),
            ]
        )
    return workbook.workbook([(f"Nodo {content.supply.node} {content.supply.meter}", rows)])


def _workbook(content: Content) -> bytes:
    """A leaner sheet by another hand: Spanish headers in another order, an unnamed column, values alone."""
    rows = [*_headed(content)[:6], []]
    rows.append(
        [
            "Hora", "Fecha", "Bloque", None, "Pronóstico (kWh)", "Energía activa (kWh)", "Potencia (kW)",
            "Energía reactiva (kVArh)", "Costo Desv POS", "Costo Desv NEG",
        ]
    )  # fmt: skip
    for line in content.lines:
        slot = line.slot
        block, _, _, more, less = content.prices.at(slot.start)
        rows.append(
            [
                line.stamp.time(),
                line.stamp.date(),
                block,
                None,
                Text(_point(slot.forecast_wh)),
                Text(_point(slot.wh)),
                Text(_point(4 * slot.wh)),
                Text(_point(slot.varh)),
                more,
                less,
            ]
        )
    return workbook.workbook([(f"Nodo {content.supply.node} {content.supply.meter}", rows)])


_METERED: Final = frozenset({"kwh_export", "kvarh", "register_kwh"})

SHAPES: Final = {
    "analyst": Shape("Procesamiento {meter}.xlsx", _analyst, frozenset({"forecast_kwh"})),
    "log": Shape("{meter}.csv", lambda content: _log(content, register_first=False), _METERED),
    "workbook": Shape("Nodo {meter}.xlsx", _workbook, frozenset({"kvarh", "forecast_kwh"})),
    "register-first log": Shape("{meter}.csv", lambda content: _log(content, register_first=True), _METERED),
    "cp1252": Shape("{meter}.csv", _cp1252, frozenset({"kvarh"})),
    "iso": Shape("{meter}.csv", _iso, frozenset({"kvarh"})),
    "english": Shape("{meter}.xlsx", _english, frozenset({"kvarh"})),
    "several months": Shape("{meter}.csv", _two_way, _METERED, months=4),
}
"""Name of a shape -> how its files look."""
