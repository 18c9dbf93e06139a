"""Arrays in PostgreSQL's binary form; light, since every process that opens the database loads it.

Source: PostgreSQL's ``array_recv`` and ``array_send``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

TEXT: Final = 25
JSONB: Final = 3802
"""Numbers of PostgreSQL's types, the same in every database."""


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
