"""Drafts as the binary arrays that PostgreSQL takes for columns; light, so that a process that only prices need not load the store.

An array is written once, where the bill is made, and goes to the server as it is: no line of text is escaped here to be parsed there.

Source: PostgreSQL's ``jsonb_recv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eisenergy.billing.batch import Entry
from eisenergy.store.arrays import JSONB, TEXT, array

COLUMNS: Final = (
    "contract", "customer", "kwh", "total", "input_hash", "document", "basis", "made", "lake_version",
)  # fmt: skip
"""Columns of drafts, in their order; ``document`` and ``made`` are arrays of ``jsonb``, the others of ``text``."""

DOCUMENTS: Final = ("document", "made")

_VERSION: Final = b"\1"  # of the form in which jsonb is sent: its text


@dataclass(frozen=True, slots=True)
class Rows:
    """Drafts as one array per column of :data:`COLUMNS`.

    :param arrays: the arrays' binary forms
    """

    arrays: tuple[bytes, ...]


def rows(entries: Sequence[Entry]) -> Rows:
    """Return drafts in order of their contracts, as an issue locks them."""
    ordered = sorted(entries, key=lambda one: one.contract)
    texts: dict[str, Sequence[str | None]] = {
        "contract": [one.contract for one in ordered],
        "customer": [one.customer for one in ordered],
        "kwh": [str(one.kwh) for one in ordered],
        "total": [str(one.total) for one in ordered],
        "input_hash": [one.input_hash for one in ordered],
        "document": [one.document for one in ordered],
        "basis": [one.basis for one in ordered],
        "made": [one.made for one in ordered],
        "lake_version": [None if one.lake_version is None else str(one.lake_version) for one in ordered],
    }
    return Rows(
        tuple(
            array(texts[name], JSONB, _VERSION) if name in DOCUMENTS else array(texts[name], TEXT) for name in COLUMNS
        )
    )
