"""Versions: the hash of what determines an amount, and of nothing else.

Where a number was read from, and in which order the rows stood, changes no bill; so it changes no version.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

from eisenergy.accounts import Sourced
from eisenergy.money import EXACT
from eisenergy.period import Dated
from eisenergy.tariffs.model import Tariff


def version(tariff: Tariff) -> str:
    """Return the sha256 of a tariff's name, currency, calendar, rules, rates and values with their dates, as 64 hex digits."""
    return digest(
        {
            "name": tariff.name,
            "currency": tariff.currency,
            "calendar": tariff.calendar,
            "rates": {
                kind.value: {block: _values(dated) for block, dated in by_block.items()}
                for kind, by_block in tariff.rates.items()
            },
            "scalars": {kind.value: _values(dated) for kind, dated in tariff.scalars.items()},
            "rules": {
                "demand_basis": tariff.rules.demand_basis.value,
                "demand_rate_block": tariff.rules.demand_rate_block,
                "loss_basis": tariff.rules.loss_basis.value,
                "ftpms_blocks": sorted(tariff.rules.ftpms_blocks),
                "deviation_mode": tariff.rules.deviation_mode.value,
            },
        }
    )


def digest(canonical: Any) -> str:
    """Return the sha256 of JSON types, keys sorted, as 64 hex digits."""
    text = json.dumps(canonical, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _values(dated: Dated[Sourced]) -> dict[str, str | None]:
    return {day.isoformat(): None if one is None else _plain(one.value) for day, one in dated.values}


def _plain(value: Decimal) -> str:
    """One spelling per number: 0.130 and 0.13 are the same rate."""
    return f"{value.normalize(EXACT):f}"
