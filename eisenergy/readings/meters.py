"""Whose readings a table holds: the meter's serial, in the sheet's name, above the table, inside it, or in the file's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath
from typing import Final

from eisenergy.contents import UnreadableFile
from eisenergy.findings import Finding, blocking
from eisenergy.readings import columns

_SERIAL: Final = r"[A-Za-z]{0,4}\d{5,14}"
_SHEET: Final = re.compile(rf"(?:(?:nodo|node)\s+)?(?P<node>.*?)\s*\b(?P<serial>{_SERIAL})", re.IGNORECASE)
_FILE: Final = re.compile(rf"(?P<serial>{_SERIAL})(?:[ _(\-.].*)?")


@dataclass(frozen=True, slots=True)
class Identity:
    """A table's meter.

    :param origin: where the serial was found
    """

    meter: str
    origin: str
    node: str | None


def identify(
    *,
    file: str,
    sheet: str | None,
    above: Sequence[Sequence[object]],
    inside: Sequence[str],
    mapped: str | None,
    place: str,
) -> tuple[Identity, list[Finding]]:
    """Find the meter's serial and node, and report places that name another one.

    :param above: the cells above the header
    :param inside: the different values of a serial column in the table
    :raises UnreadableFile: when no place names a serial, or the table names two
    """
    if len(inside) > 1:
        raise UnreadableFile(
            f"{place}: two meters in one table: {', '.join(map(repr, inside[:5]))}. Expected one meter per sheet or file. "
            "Part them and load them again."
        )
    node: str | None = None
    claims: list[tuple[str, str]] = []
    if sheet is not None and (match := _SHEET.fullmatch(sheet.strip())):
        claims.append((match["serial"], f"the sheet's name {sheet!r}"))
        node = match["node"] or None
    written = _labelled(above, "meter")
    if len(set(written)) > 1:
        raise UnreadableFile(
            f"{place}: two meters above one table: {', '.join(map(repr, dict.fromkeys(written)))}. Expected one meter per sheet or "
            "file. Part them and load them again."
        )
    claims += [(serial, "the cell beside Medidor above the table") for serial in written[:1]]
    claims += [(serial, "the serial column of the table") for serial in inside]
    stem = PurePath(file).stem.strip()
    if (match := _FILE.fullmatch(stem)) and not _is_day(match["serial"]):
        claims.append((match["serial"], f"the file's name {file!r}"))
    if mapped is not None and not claims:
        claims.append((mapped, "the mapping"))
    if not claims:
        raise UnreadableFile(
            f"{place}: no meter serial found. Expected it in the sheet's name (Nodo Ateos 5614086), in a cell beside Medidor above "
            "the table, or as the file's name (5741444.csv). Rename the file to the serial, and load it again."
        )
    nodes = _labelled(above, "node")
    meter, origin = claims[0]
    findings = [
        blocking(
            "meter-disagrees",
            meter,
            f"{place}: {origin} says meter {meter}, and {other_origin} says {other}. Expected one serial. "
            "Correct the wrong one, and load the file again.",
            other=other,
        )
        for other, other_origin in claims[1:]
        if other != meter
    ]
    return Identity(meter, origin, node or (nodes[0] if nodes else None)), findings


def _labelled(above: Sequence[Sequence[object]], wanted: str) -> list[str]:
    """Values that stand beside (or in one cell with) a label such as ``Medidor``."""
    found: list[str] = []
    for row in above:
        cells = [("" if value is None else str(value)).strip() for value in row]
        for index, text in enumerate(cells):
            label, colon, rest = text.partition(":")
            role = columns.role(label) if label else None
            if role is None or role.field != wanted:
                continue
            value = rest.strip() if colon and rest.strip() else next((cell for cell in cells[index + 1 :] if cell), "")
            value = value.removesuffix(".0")
            if value and (wanted == "node" or re.fullmatch(_SERIAL, value) or re.fullmatch(r"[\w\-]*\d[\w\-]*", value)):
                found.append(value)
    return found


def _is_day(text: str) -> bool:
    """Whether a file's name is a day such as 20210930 rather than a serial."""
    if not re.fullmatch(r"20\d{6}", text):
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True
