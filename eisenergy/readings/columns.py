"""What the headers of meter downloads mean, in Spanish and English.

A header is taken for a field only when **every** word of it is understood: ``kWh del int`` is energy taken in the interval,
``Tarifa kWh`` is none of it, and ``kWh fase A`` is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from eisenergy.sheets import fold


@dataclass(frozen=True, slots=True)
class Role:
    """What a column is taken for.

    :param field: ``date``, ``time``, ``timestamp``, ``meter``, ``node``, ``status``, ``block`` or a column of ``frames.READINGS``
    :param why: what decided it
    :param stamp: ``start`` or ``end``, where the header itself says which end of the interval it names
    :param nature: ``interval`` or ``cumulative``, where the header says so
    """

    field: str
    why: str
    stamp: str | None = None
    nature: str | None = None


TIMES: Final = frozenset({"date", "time", "timestamp"})
MEASURED: Final = frozenset({"kwh_import", "kwh_export", "register_kwh", "kw"})
NUMBERS: Final = (
    "kwh_import",
    "kwh_export",
    "kw",
    "kva",
    "kvar",
    "kvarh",
    "register_kwh",
    "forecast_kwh",
    "loss_factor",
    "ftpms",
    "cost_pos",
    "cost_neg",
)

_EXACT: Final[dict[str, tuple[str, ...]]] = {
    "date": ("date", "fecha", "dia", "day", "fecha lectura", "fecha de lectura", "reading date", "local date"),
    "time": ("time", "hora", "hour", "hora lectura", "hora de lectura", "local hour", "time of day"),
    "timestamp": (
        "timestamp",
        "time stamp",
        "datetime",
        "date time",
        "fecha hora",
        "fecha y hora",
        "fechahora",
        "fecha hora local",
        "local time",
        "local timestamp",
        "marca de tiempo",
        "estampa de tiempo",
        "hora local",
    ),
    "loss_factor": ("factor de perdidas", "factor perdidas", "factorperdidas", "loss factor", "losses factor"),
    "ftpms": ("ftpms", "ftpms usd kwh", "factor ftpms"),
    "cost_pos": (
        "costo desv pos",
        "costo des pos",
        "cost desv pos",
        "cost des pos",
        "cost dev pos",
        "costo desviacion positiva",
        "costo de desviacion positiva",
        "deviation cost pos",
        "deviation cost positive",
        "positive deviation cost",
    ),
    "cost_neg": (
        "costo desv neg",
        "costo des neg",
        "cost desv neg",
        "cost des neg",
        "cost dev neg",
        "costo desviacion negativa",
        "costo de desviacion negativa",
        "deviation cost neg",
        "deviation cost negative",
        "negative deviation cost",
    ),
    "forecast_kwh": ("pronostico", "forecast"),
    "block": ("block", "bloque", "bloque horario", "time block", "franja", "franja horaria", "tou block"),
    "status": ("estado", "status", "alarma", "alarm", "flag", "bandera", "alarmas", "alarms", "evento", "event"),
    "meter": (
        "medidor",
        "meter",
        "serial",
        "serie",
        "numero de serie",
        "serial number",
        "medidor no",
        "no medidor",
        "no de medidor",
        "numero de medidor",
        "meter id",
        "meter no",
        "meter number",
        "meter serial",
    ),
    "node": ("nodo", "node"),
}
_FIELD_OF: Final = {name: canonical for canonical, names in _EXACT.items() for name in names}

_UNITS: Final = {"kwh", "kw", "kva", "kvar", "kvarh"}
_IMPORT: Final = frozenset(
    [
        "del",
        "delivered",
        "import",
        "imported",
        "importada",
        "importado",
        "consumo",
        "consumption",
        "consumida",
        "consumido",
        "entregado",
        "entregada",
        "entregados",
        "delivery",
        "retirada",
        "forward",
        "fwd",
        "demanda",
        "demand",
    ]
)
_EXPORT: Final = frozenset(
    [
        "rec",
        "received",
        "recibido",
        "recibida",
        "recibidos",
        "export",
        "exported",
        "exportada",
        "exportado",
        "inyectada",
        "inyectado",
        "reverse",
    ]
)
_INTERVAL: Final = frozenset(["int", "intervalo", "interval", "periodo", "15", "15min", "min", "minutos"])
_CUMULATIVE: Final = frozenset(
    [
        "acumulado",
        "acumulada",
        "acum",
        "cumulative",
        "register",
        "registro",
        "lectura",
        "reading",
        "totalizador",
        "indice",
    ]
)
_FORECAST: Final = frozenset(
    ["pronostico", "forecast", "pronosticada", "pronosticado", "prevision", "previsto", "prevista"]
)
_FILLERS: Final = frozenset(
    [
        "energia",
        "energy",
        "activa",
        "active",
        "reactiva",
        "reactive",
        "aparente",
        "apparent",
        "potencia",
        "power",
        "de",
        "la",
        "el",
        "of",
        "media",
        "mean",
        "promedio",
        "average",
        "avg",
        "medida",
        "measured",
        "total",
    ]
)
_EDGES: Final = {
    "start": frozenset(["inicio", "inicial", "start", "desde", "from", "begin", "beginning"]),
    "end": frozenset(["fin", "final", "end", "hasta", "to", "ending"]),
}
_TIME_WORDS: Final = frozenset(
    [
        "fecha",
        "date",
        "hora",
        "time",
        "y",
        "and",
        "de",
        "del",
        "la",
        "the",
        "intervalo",
        "interval",
        "periodo",
        "period",
        "local",
        "stamp",
        "timestamp",
        "datetime",
    ]
)


def role(header: str, mapped: Mapping[str, str] | None = None) -> Role | None:
    """Say what a header means, ``None`` when it is not understood.

    :param mapped: folded header -> field, from a mapping; it comes before the vocabulary
    """
    if not mapped:
        return _understood(header)
    folded = fold(header)
    if folded in mapped:
        canonical = mapped[folded]
        if canonical == "ignore":
            return None
        if canonical == "register_kwh":
            return Role("kwh_import", "the mapping says so", nature="cumulative")
        nature = "interval" if canonical in ("kwh_import", "kwh_export", "kvarh") else None
        return Role(canonical, "the mapping says so", nature=nature)
    return _understood(header)


@lru_cache(maxsize=4096)
def _understood(header: str) -> Role | None:
    folded = fold(header)
    if folded in _FIELD_OF:
        return Role(_FIELD_OF[folded], f"known header {header.strip()!r}")
    words = set(folded.split())
    return _edge(words, header) or _quantity(words, header)


def _edge(words: set[str], header: str) -> Role | None:
    for stamp, names in _EDGES.items():
        if not words & names or words - names - _TIME_WORDS:
            continue
        dated, timed = words & {"fecha", "date"}, words & {"hora", "time"}
        if dated and timed:
            canonical = "timestamp"
        elif dated:
            canonical = "date"
        elif timed:
            canonical = "time"
        else:
            canonical = "timestamp"
        return Role(canonical, f"{header.strip()!r} names the {stamp} of the interval", stamp=stamp)
    return None


def _quantity(words: set[str], header: str) -> Role | None:
    units = words & _UNITS
    if len(units) != 1:
        return None
    unit = next(iter(units))
    rest = words - units
    directions = rest & _IMPORT, rest & _EXPORT
    natures = rest & _INTERVAL, rest & _CUMULATIVE
    forecast = rest & _FORECAST
    if rest - _IMPORT - _EXPORT - _INTERVAL - _CUMULATIVE - _FORECAST - _FILLERS or all(directions) or all(natures):
        return None
    nature = "interval" if natures[0] else "cumulative" if natures[1] else None
    why = f"every word of {header.strip()!r} is known"
    if forecast:
        return Role("forecast_kwh", why) if unit == "kwh" and not directions[1] and not natures[1] else None
    if unit == "kwh":
        return Role("kwh_export" if directions[1] else "kwh_import", why, nature=nature)
    if directions[1] or natures[1]:
        return None
    return Role(unit, why, nature=nature)


def roles(headers: Sequence[object], mapped: Mapping[str, str] | None = None) -> list[Role | None]:
    """Say what each cell of a row means as a header."""
    return [role(text, mapped) if isinstance(text, str) and text.strip() else None for text in headers]


def is_header(found: Sequence[Role | None]) -> bool:
    """Say whether a row of roles is the header of a table of readings: a time and something measured."""
    fields = {one.field for one in found if one is not None}
    return bool(fields & {"date", "timestamp"}) and bool(fields & MEASURED)


def find_header(rows: Sequence[Sequence[object]], mapped: Mapping[str, str] | None = None) -> int | None:
    """Return the first row that is a header of readings, ``None`` when none is."""
    for index, row in enumerate(rows):
        if is_header(roles(row, mapped)):
            return index
    return None


def blocks(found: Sequence[Role | None]) -> list[list[int]]:
    """Cut a header into the tables that stand side by side: a new one starts where the date comes again.

    :returns: the columns of each table, from left to right
    """
    result: list[list[int]] = [[]]
    seen: set[tuple[str, str | None]] = set()
    measured = False
    for index, one in enumerate(found):
        if one is not None:
            if one.field in ("date", "timestamp") and (one.field, one.stamp) in seen and measured:
                result.append([])
                seen, measured = set(), False
            seen.add((one.field, one.stamp))
            measured = measured or one.field in MEASURED
        result[-1].append(index)
    return [block for block in result if is_header([found[index] for index in block])] or result[:1]
