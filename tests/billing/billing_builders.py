"""Plain builders of contracts, tariffs and usage; nothing here uses the kernel or the calendar of the library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from eisenergy.accounts import Contract, Customer, Meter, Site, Sourced
from eisenergy.period import Dated, Period
from eisenergy.tariffs.model import BillingRules, RateKind, ScalarKind, Tariff
from eisenergy.usage import Peak, SlotPrices, Usage, UsageCell

ZONE = "America/El_Salvador"
SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
WORKBOOK = SAMPLES / "Ejemplo de procesamiento de descargas de medidores.xlsx"
SEPTEMBER = Period(date(2021, 9, 1), date(2021, 10, 1))
ZERO = Decimal(0)
NO_PRICES = SlotPrices()


def sourced(value: object, origin: str = "test") -> Sourced:
    return Sourced(Decimal(str(value)), origin)


def make_contract(**changes: object) -> Contract:
    values: dict[str, object] = {
        "number": "EIS-0001",
        "customer": Customer(
            code="EIS-0001",
            name="Aceros de Ateos, S.A. de C.V.",
            nit="0614-150390-101-2",
            ncr="45871-3",
            address="Km 24 carretera a Sonsonate, Ateos",
            municipality="Sacacoyo",
            phone="2338-1010",
            email="facturas@acerosateos.example",
            activity="Fabricación de productos de acero",
        ),
        "meter": Meter(serial="5614086", site=Site(node="Ateos", municipality="Sacacoyo", address="Km 24")),
        "tariff": "EIS-TOU",
        "contracted_kw": sourced(650, "master, M5"),
        "loss_factor": sourced("0.0153", "master, N5"),
        "municipal_fee": sourced("12.5", "master, O5"),
        "retention_rate": sourced("0.01", "master, P5"),
        "discount_rate": sourced("0.02", "master, Q5"),
        "start": date(2020, 9, 1),
    }
    values.update(changes)
    return Contract(**values)  # type: ignore[arg-type]


def dated(name: str, values: Mapping[date, object] | Sequence[tuple[date, object]]) -> Dated[Sourced]:
    pairs = values.items() if isinstance(values, Mapping) else values
    return Dated.of(
        name,
        tuple((day, None if value is None else sourced(value, f"{name} of {day}")) for day, value in pairs),
    )


def make_tariff(
    rates: Mapping[RateKind, Mapping[str, Mapping[date, object]]],
    scalars: Mapping[ScalarKind, Mapping[date, object]],
    rules: BillingRules | None = None,
    name: str = "EIS-TOU",
) -> Tariff:
    return Tariff(
        name=name,
        currency="USD",
        calendar="EIS",
        rates={
            kind: {block: dated(f"{kind} {block}", values) for block, values in by_block.items()}
            for kind, by_block in rates.items()
        },
        scalars={kind: dated(str(kind), values) for kind, values in scalars.items()},
        rules=rules or BillingRules(),
        version="test",
    )


@dataclass(frozen=True)
class Slot:
    """One interval: its UTC start, block and figures, as exact numbers."""

    start: datetime
    block: str
    kwh: Decimal
    kw: Decimal
    forecast: Decimal | None = None
    export: Decimal = ZERO
    kvarh: Decimal = ZERO
    prices: SlotPrices = NO_PRICES
    estimated: bool = False


def local_starts(period: Period, zone: str = ZONE, minutes: int = 15) -> list[datetime]:
    """Return the UTC starts of a period's intervals."""
    tz = ZoneInfo(zone)
    start = datetime(period.start.year, period.start.month, period.start.day, tzinfo=tz).astimezone(UTC)
    end = datetime(period.end.year, period.end.month, period.end.day, tzinfo=tz).astimezone(UTC)
    return [start + timedelta(minutes=minutes * n) for n in range(int((end - start).total_seconds()) // 60 // minutes)]


def hour_block(hour: int) -> str:
    """Return EIS Power's block of a local hour, as the workbook's table gives it."""
    return "PUNTA" if 18 <= hour <= 22 else "RESTO" if 5 <= hour <= 17 else "VALLE"


def usage_of(
    slots: Iterable[Slot],
    period: Period,
    segments: tuple[Period, ...],
    *,
    meter: str = "5614086",
    zone: str = ZONE,
    blocks: tuple[str, ...] = ("VALLE", "RESTO", "PUNTA"),
    expected: dict[tuple[int, str], int] | None = None,
) -> Usage:
    """Aggregate intervals to usage with fractions, one interval after the other."""
    tz = ZoneInfo(zone)
    groups: dict[tuple[int, int, str, SlotPrices], list[Slot]] = {}
    order = {block: n for n, block in enumerate(blocks)}
    slots = list(slots)
    for slot in slots:
        day = slot.start.astimezone(tz).date()
        segment = next(n for n, s in enumerate(segments) if s.start <= day < s.end)
        groups.setdefault((segment, order[slot.block], slot.block, slot.prices), []).append(slot)
    cells = []
    for (segment, _, block, prices), members in sorted(groups.items(), key=lambda item: item[0][:2]):
        top = max(slot.kw for slot in members)
        short = [s for s in members if s.forecast is not None and s.forecast > s.kwh]
        over = [s for s in members if s.forecast is not None and s.forecast < s.kwh]
        cells.append(
            UsageCell(
                segment=segment,
                block=block,
                prices=prices,
                kwh=exact_sum(s.kwh for s in members),
                kwh_export=exact_sum(s.export for s in members),
                kvarh=exact_sum(s.kvarh for s in members),
                peak=Peak(
                    kw=top,
                    at=min(s.start for s in members if s.kw == top),
                    ties=sum(s.kw == top for s in members),
                ),
                forecast_short=exact_sum(s.forecast or ZERO for s in short),
                kwh_short=exact_sum(s.kwh for s in short),
                forecast_over=exact_sum(s.forecast or ZERO for s in over),
                kwh_over=exact_sum(s.kwh for s in over),
                slots=len(members),
                estimated=sum(s.estimated for s in members),
            )
        )
    counted: dict[tuple[int, str], int] = {}
    for cell in cells:
        counted[cell.segment, cell.block] = counted.get((cell.segment, cell.block), 0) + cell.slots
    return Usage(
        meter=meter,
        period=period,
        timezone=zone,
        segments=segments,
        blocks=blocks,
        cells=tuple(cells),
        expected=counted if expected is None else expected,
        has_forecast=any(s.forecast is not None for s in slots),
    )


def exact_sum(values: Iterable[Decimal]) -> Decimal:
    """Add decimals as whole numbers of a trillionth."""
    scaled = 0
    for value in values:
        over, under = value.as_integer_ratio()
        factor, rest = divmod(10**12, under)
        assert rest == 0
        scaled += over * factor
    return Decimal(scaled).scaleb(-12).normalize()
