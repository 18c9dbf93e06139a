"""What each computed role reads: by this a formula is understood whose header says nothing, and an input by the formulas it feeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_RATE: Final = ("rates.block", "rates.from")
_KINDS: Final = ("kinds.day", "kinds.day_kind", "kinds.column")
_AMOUNTS: Final = ("kwh", "energy_cost", "ftpms_amount", "loss_amount", "deviation_amount")
_CHARGES: Final = ("line.energy", "line.demand", "line.losses", "line.ftpms", "line.deviation")


def _sets(*alternatives: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(one) for one in alternatives)


READS: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    "hour.block": _sets(
        ("hour.hour", "hours.first", "hours.last", "hours.block"),
        ("hour.hour", "hours.first", "hours.last", "hours.block", "hours.day_kind"),
    ),
    "kinds.column": _sets(("kinds.day_kind",)),
    "slot.day_kind": _sets(("slot.date", "kinds.day", "kinds.day_kind"), ("slot.date", *_KINDS)),
    "day.demand": _sets(("day.day", *_RATE, "rates.demand")),
    "slot.hour": _sets(("slot.time",), ("slot.stamp",)),
    "slot.block": _sets(
        ("slot.hour", "hour.hour", "hour.block"),
        ("slot.time", "hour.hour", "hour.block"),
        ("slot.hour", "hours.first", "hours.last", "hours.block"),
        *(
            (*when, "hour.hour", "hour.block")
            for when in (
                ("slot.hour", "slot.date", *_KINDS),
                ("slot.time", "slot.date", *_KINDS),
                ("slot.hour", "slot.day_kind"),
            )
        ),
        ("slot.hour", "slot.day_kind", "hours.first", "hours.last", "hours.block", "hours.day_kind"),
    ),
    "slot.energy_rate": _sets(
        ("slot.block", "slot.date", *_RATE, "rates.energy"), ("slot.block", "slot.stamp", *_RATE, "rates.energy")
    ),
    "slot.energy_cost": _sets(("slot.kwh", "slot.energy_rate")),
    "slot.loss_factor": _sets(("param.loss_factor",), ("slot.date", "losses.from", "losses.factor")),
    "slot.loss_amount": _sets(
        ("slot.kwh", "slot.loss_factor"),
        ("slot.kwh", "param.loss_factor"),
        ("slot.kwh", "slot.loss_factor", "slot.energy_rate"),
        ("slot.energy_cost", "slot.loss_factor"),
        ("slot.energy_cost", "param.loss_factor"),
        *(
            (base, "slot.loss_factor", *other)
            for base in ("slot.kwh", "slot.energy_cost")
            for other in (("param.loss_factor",), ("slot.date", "losses.from", "losses.factor"))
        ),
    ),
    "slot.ftpms": _sets(("slot.block", "param.ftpms"), ("slot.block", "slot.date", *_RATE, "rates.ftpms")),
    "slot.ftpms_amount": _sets(("slot.kwh", "slot.ftpms"), ("slot.kwh", "slot.block", "param.ftpms")),
    "slot.cost_pos": _sets(("slot.block", "slot.date", *_RATE, "rates.cost_pos")),
    "slot.cost_neg": _sets(("slot.block", "slot.date", *_RATE, "rates.cost_neg")),
    "slot.deviation_amount": _sets(
        ("slot.forecast", "slot.kwh", "slot.cost_neg"),
        ("slot.forecast", "slot.kwh", "slot.cost_neg", "slot.cost_pos"),
    ),
    **{f"block.{name}": _sets((f"slot.{name}", "slot.block", "block.label")) for name in _AMOUNTS},
    "block.max_kw": _sets(("slot.kw", "slot.block", "block.label")),
    "block.max_kw_at": _sets(
        ("slot.date", "slot.time", "slot.kw", "slot.block", "block.label", "block.max_kw"),
        ("slot.stamp", "slot.kw", "slot.block", "block.label", "block.max_kw"),
    ),
    **{f"total.{name}": _sets((f"block.{name}",), (f"slot.{name}",)) for name in (*_AMOUNTS, "max_kw")},
    "total.max_kw": _sets(("block.max_kw",), ("slot.kw",)),
    "total.max_kw_at": _sets(
        ("slot.date", "slot.time", "slot.kw", "total.max_kw"), ("slot.stamp", "slot.kw", "total.max_kw")
    ),
    "line.energy": _sets(("total.energy_cost",)),
    "line.demand": _sets(
        ("total.max_kw", "slot.block", "slot.date", "day.day", "day.demand"),
        ("block.max_kw", "slot.block", "slot.date", "day.day", "day.demand"),
    ),
    "line.losses": _sets(("total.loss_amount",)),
    "line.ftpms": _sets(("total.ftpms_amount",)),
    "line.deviation": _sets(("total.deviation_amount",)),
    "line.correction": _sets(("corrections.amount",)),
    # an invoice without a forecast has no line of deviation
    "line.discount": _sets((*_CHARGES, "param.discount"), (*_CHARGES[:-1], "param.discount")),
    "line.subtotal": _sets(
        (*_CHARGES, "line.discount"),
        (*_CHARGES, "line.discount", "line.correction"),
        (*_CHARGES[:-1], "line.discount"),
        (*_CHARGES[:-1], "line.discount", "line.correction"),
    ),
    "line.vat": _sets(("line.subtotal", "param.vat")),
    "line.retention": _sets(("line.subtotal", "param.retention")),
    "line.municipal_fee": _sets(("param.municipal_fee",)),
    "line.total": _sets(("line.subtotal", "line.vat", "line.retention", "line.municipal_fee")),
}
"""Role -> sets of roles it may be computed from."""

OPTIONAL: Final = frozenset(("block.label",))
"""Roles a formula may do without: the block may stand in it as a text."""
