"""The bill as an analyst would write it with pandas: a frame per customer, merges, group sums, ``round``.

Independent of the library's rules: it knows the customers' sheet, the price sheet and the calendar's sheet, and what the reference workbook does
with them. It bills whole months without estimates, and keeps no derivation, no parts and no history.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Final

import pandas as pd

ZONE: Final = "America/El_Salvador"
VAT: Final = 0.13
LINES: Final = (
    *("energy", "demand", "losses", "ftpms", "deviation", "discount"),
    *("subtotal", "vat", "retention", "municipal_fee", "total"),
)


@dataclass(frozen=True, slots=True)
class Sheets:
    """The three sheets an analyst has beside the readings.

    :param rates: a row per block and first day: energy, demand, ftpms, cost_neg
    :param blocks: hour -> block
    """

    rates: pd.DataFrame
    blocks: dict[int, str]

    @classmethod
    def read(cls, folder: Path) -> Sheets:
        """Read price sheet and calendar."""
        rates = pd.read_excel(folder / "Tarifas EIS-TOU.xlsx", header=2)
        rates.columns = ["block", "since", "energy", "demand", "ftpms", "cost_pos", "cost_neg"]
        rates["since"] = pd.to_datetime(rates["since"])
        hours = pd.read_excel(folder / "Bloques horarios.xlsx")
        blocks = {}
        for row in hours.itertuples():
            for step in range((row.HoraFinal - row.HoraInicial) % 24 + 1):
                blocks[(row.HoraInicial + step) % 24] = row.Bloque
        return cls(rates.sort_values("since"), blocks)


def customers(folder: Path) -> pd.DataFrame:
    """The customers' sheet."""
    return pd.read_excel(folder / "Datos de clientes para facturación.xlsx", header=3)


def bill(readings: pd.DataFrame, customer: Any, sheets: Sheets) -> dict[str, Decimal]:
    """Bill a month.

    :param readings: ``start`` [UTC], ``kwh``, ``kw``, ``forecast`` [kWh], and, where the file carried them, ``loss_factor``, ``ftpms`` and
        ``cost_neg`` per interval; NaN: the file carries none
    :param customer: the customer's row of the sheet
    :returns: line -> amount
    """
    df = readings.copy()
    local = df["start"].dt.tz_convert(ZONE).dt.tz_localize(None)
    df["day"] = local.dt.normalize().astype(sheets.rates["since"].dtype)
    df["block"] = local.dt.hour.map(sheets.blocks)
    df = pd.merge_asof(
        df.sort_values("day", kind="stable"),
        sheets.rates,
        left_on="day",
        right_on="since",
        by="block",
        suffixes=("_file", ""),
    )
    loss = df["loss_factor"].fillna(float(customer["FactorPerdidas"]))
    ftpms = df["ftpms_file"].fillna(df["ftpms"]).where(df["block"] == "PUNTA", 0.0)
    less = df["cost_neg_file"].fillna(df["cost_neg"])
    energy = (df["kwh"] * df["energy"]).groupby([df["block"], df["since"]]).sum().sum()
    days = df.loc[df["block"] == "VALLE"].groupby("day")["demand"].first()
    year, month = days.index[0].year, days.index[0].month
    demand = df["kw"].max() * days.sum() / calendar.monthrange(year, month)[1]
    amounts = {
        "energy": energy,
        "demand": demand,
        "losses": (df["kwh"] * loss).sum(),
        "ftpms": (df["kwh"] * ftpms).sum(),
        "deviation": ((df["forecast"] - df["kwh"]).clip(lower=0) * less).sum(),
    }
    result = {name: cents(amount) for name, amount in amounts.items()}
    result["discount"] = cents(-sum(result.values()) * Decimal(str(customer["Descuento %"])) / 100)
    result["subtotal"] = sum(result.values(), Decimal(0))
    result["vat"] = cents(result["subtotal"] * Decimal(str(VAT)))
    result["retention"] = cents(-result["subtotal"] * Decimal(str(customer["Retención %"])) / 100)
    result["municipal_fee"] = cents(Decimal(str(customer["Tasa municipal (USD)"])))
    result["total"] = result["subtotal"] + result["vat"] + result["retention"] + result["municipal_fee"]
    return result


def cents(amount: float | Decimal) -> Decimal:
    """Round as a spreadsheet does: 15 digits, then half away from zero."""
    shown = amount if isinstance(amount, Decimal) else Decimal(f"{amount:.15g}")
    rounded = shown.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return abs(rounded) if rounded == 0 else rounded
