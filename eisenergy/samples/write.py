"""Write the demonstration's files, and a manifest that says what is in them."""

from __future__ import annotations

import gc
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from eisenergy.period import BillingMonth
from eisenergy.samples.loads import PROFILES, QUARTER, Slot, series
from eisenergy.samples.plan import (
    BLEMISHES,
    MONTHS,
    REGISTER_AT,
    SEED,
    SHIPPED,
    Blemish,
    Prices,
    Supply,
    prices,
    supplies,
)
from eisenergy.samples.shapes import SHAPES, Content, Line, Shape

MANIFEST: Final = "manifest.json"
_MADE_OF: Final = ".made-of"


def write(out: Path, *, masters: Path, months: Sequence[str] = MONTHS, seed: int = SEED) -> tuple[Path, ...]:
    """Write the readings of the customers of the master, the same bytes every time.

    Beside the readings lies ``manifest.json``: every file with its hash, and per meter and month what was put where and the
    sums a reader must find. It is not among the returned paths, so these can be read as they are. Where the same files lie
    already, whole, nothing is written: ``.made-of`` says from what they were made.

    :param out: folder to write to; made where it is missing
    :param masters: folder of the shipped reference files
    :param months: billing months, ``2020-09`` to ``2021-09``; months that a shipped file holds are left out
    :param seed: another number makes other loads
    :returns: the files of readings, sorted
    :raises ValueError: for a month outside the demonstration
    :raises BadMasters: when a reference file cannot serve
    """
    unknown = [month for month in months if month not in MONTHS]
    if unknown:
        raise ValueError(f"no samples for {', '.join(unknown)}: expected months from {MONTHS[0]} to {MONTHS[-1]}")
    wanted = [BillingMonth.parse(month) for month in sorted(set(months))]
    made_of = _made_of(masters, wanted, seed)
    if there := _there(out, made_of):
        return there
    (out / _MADE_OF).unlink(missing_ok=True)
    with _no_garbage():
        written = _write(out, masters, wanted, seed)
    _put(out / _MADE_OF, made_of.encode())
    return written


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Let Python not look for garbage: a quarter of a million intervals hold none, and looking takes a fifth of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _write(out: Path, masters: Path, wanted: Sequence[BillingMonth], seed: int) -> tuple[Path, ...]:
    tariff = prices(masters)
    files: list[dict[str, Any]] = []
    readings: list[dict[str, Any]] = []
    written: list[Path] = []
    for supply in supplies(masters):
        lines = _months(supply, seed)
        mine = [month for month in wanted if month in lines and (supply.meter, str(month)) not in SHIPPED]
        shape = SHAPES[supply.shape]
        for _, group in groupby(mine, key=lambda month: (month.year, (month.month - 1) // shape.months)):
            together = list(group)
            path = out / _place(supply, shape, together)
            data = _render(supply, shape, tariff, together, lines)
            _put(path, data)
            written.append(path)
            name = path.relative_to(out).as_posix()
            files.append(
                {
                    "file": name,
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "meter": supply.meter,
                    "months": [str(month) for month in together],
                    "shape": supply.shape,
                }
            )
            readings += [_account(supply, month, lines[month], name) for month in together]
    manifest = {
        "seed": seed,
        "files": sorted(files, key=lambda entry: str(entry["file"])),
        "readings": readings,
        "shipped": [
            {"meter": meter, "month": month, "file": name}
            for (meter, month), name in SHIPPED.items()
            if month in {str(each) for each in wanted}
        ],
    }
    _put(out / MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())
    return tuple(sorted(written))


def _made_of(masters: Path, wanted: Sequence[BillingMonth], seed: int) -> str:
    """A hash of all that the files depend on: the reference files, what is asked for, and this package."""
    code = sorted(Path(__file__).parent.glob("*.py"))
    inputs = sorted(path for path in masters.iterdir() if path.is_file()) if masters.is_dir() else []
    digest = hashlib.sha256(f"{[str(month) for month in wanted]} {seed}".encode())
    for path in (*code, *inputs):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _there(out: Path, made_of: str) -> tuple[Path, ...]:
    """The files of readings, when they are whole and made of the same; else none."""
    try:
        if (out / _MADE_OF).read_text(encoding="utf-8") != made_of:
            return ()
        listed = {
            out / entry["file"]: entry["sha256"]
            for entry in json.loads((out / MANIFEST).read_text(encoding="utf-8"))["files"]
        }
        whole = all(hashlib.sha256(path.read_bytes()).hexdigest() == wanted for path, wanted in listed.items())
    except (OSError, ValueError, KeyError):
        return ()
    return tuple(sorted(listed)) if whole else ()


def _months(supply: Supply, seed: int) -> dict[BillingMonth, list[Line]]:
    """Every month of a supply, without blemishes; the register runs through."""
    end = BillingMonth.parse(MONTHS[-1]).period.end
    slots = list(series(PROFILES[supply.profile], supply.contracted_kw, supply.start, end, f"{seed}/{supply.meter}"))
    register, register_export = _opening(supply, slots), int(supply.meter) % 7919 * 1000
    months: dict[BillingMonth, list[Line]] = {}
    here, lines = 0, list[Line]()
    for slot in slots:
        start, wh, sent, _, _ = slot
        register += wh
        register_export += sent
        if start.month != here:
            here, lines = start.month, list[Line]()
            months[BillingMonth(start.year, here)] = lines
        lines.append(Line(slot, 0, register, register_export))
    return months


def _opening(supply: Supply, slots: list[Slot]) -> int:
    """Import register at the start of supply [Wh]: where a shipped file goes on, such that it does."""
    if supply.meter not in REGISTER_AT:
        return int(supply.meter) % 104_729 * 1000
    day, register = REGISTER_AT[supply.meter]
    return register - sum(slot.wh for slot in slots if slot.start.date() < day)


def _place(supply: Supply, shape: Shape, months: list[BillingMonth]) -> Path:
    folder = str(months[0]) if len(months) == 1 else f"{months[0]} a {months[-1]}"
    return Path(folder) / shape.name.format(meter=supply.meter)


def _render(
    supply: Supply,
    shape: Shape,
    tariff: Prices,
    months: list[BillingMonth],
    lines: dict[BillingMonth, list[Line]],
) -> bytes:
    rows: list[Line] = []
    for month in months:
        blemish = BLEMISHES.get((supply.meter, str(month)))
        rows += lines[month] if blemish is None else _spoil(lines[month], blemish)
    start: date = months[0].period.start
    return shape.render(Content(supply, tariff, start, months[-1].period.end, rows))


def _range(place: tuple[str, int] | None) -> set[datetime]:
    if place is None:
        return set()
    start = datetime.fromisoformat(place[0])
    return {start + n * QUARTER for n in range(place[1])}


def _spoil(lines: list[Line], blemish: Blemish) -> Iterator[Line]:
    """The lines as they are written."""
    gap, twice = _range(blemish.gap), _range(blemish.repeat)
    late = {datetime.fromisoformat(blemish.late[0]): blemish.late[1]} if blemish.late else {}
    for line in lines:
        start = line.slot.start
        if start in gap:
            continue
        row = line._replace(late=late[start]) if start in late else line
        yield row
        if start in twice:
            yield row


def _account(supply: Supply, month: BillingMonth, lines: list[Line], name: str) -> dict[str, Any]:
    """What a reader must find of one meter and month: exact decimals in text, ``None`` where the file does not say."""
    blemish = BLEMISHES.get((supply.meter, str(month)), Blemish())
    gap = _range(blemish.gap)
    kept = [line.slot for line in lines if line.slot.start not in gap]
    carried = {
        "kwh_export": sum(slot.wh_export for slot in kept),
        "kvarh": sum(slot.varh for slot in kept),
        "forecast_kwh": sum(slot.forecast_wh for slot in kept),
        "register_kwh": lines[-1].register,
    }
    carries = SHAPES[supply.shape].carries
    return {
        "contract": supply.contract,
        "meter": supply.meter,
        "month": str(month),
        "file": name,
        "slots": len(kept),
        "missing": [{"from": min(gap).isoformat(), "until": (max(gap) + QUARTER).isoformat(), "slots": len(gap)}]
        if gap
        else [],
        "repeated": sorted(start.isoformat() for start in _range(blemish.repeat)),
        "off_grid": [{"start": blemish.late[0], "seconds_late": blemish.late[1]}] if blemish.late else [],
        "kwh_import": _kwh(sum(slot.wh for slot in kept)),
        "kwh_import_in_gap": _kwh(sum(line.slot.wh for line in lines if line.slot.start in gap)),
        "max_kw": _kwh(4 * max(slot.wh for slot in kept)),
        **{name: _kwh(value) if name in carries else None for name, value in carried.items()},
    }


def _kwh(wh: int) -> str:
    return f"{wh // 1000}.{wh % 1000:03d}"


def _put(path: Path, data: bytes) -> None:
    """Write a file whole: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)
