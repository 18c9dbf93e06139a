"""Drafts as the binary arrays that PostgreSQL takes for columns; light, so that a process that only prices need not load the store.

An array is written once, where the bill is made, and goes to the server as it is: no line of text is escaped here to be parsed there.

Source: PostgreSQL's ``array_recv`` and ``jsonb_recv``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from eisenergy.billing.batch import Entry

TEXT: Final = 25
JSONB: Final = 3802
"""Numbers of PostgreSQL's types, the same in every database."""

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


def array(texts: Iterable[str | None], kind: int, before: bytes = b"") -> bytes:
    """Return texts as an array of one dimension.

    :param kind: number of the type of its elements
    :param before: what stands before each element's text
    """
    found = [None if one is None else before + one.encode() for one in texts]
    parts = [struct.pack("!iiIii", 1, None in found, kind, len(found), 1)]
    for one in found:
        parts += (_NULL,) if one is None else (len(one).to_bytes(4, "big"), one)
    return b"".join(parts)


_NULL: Final = struct.pack("!i", -1)


class Texts(bytes):
    """A ``text[]`` in its binary form, as :mod:`eisenergy.store.sending` has psycopg send it."""

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """Pack some texts; ten thousand take psycopg longer than the statement that they are for."""
        return cls(array(texts, TEXT))


class Documents(bytes):
    """A ``jsonb[]`` in its binary form."""


class Integers(bytes):
    """An ``integer[]`` in its binary form."""


class Numbers(bytes):
    """A ``numeric[]`` in its binary form."""
