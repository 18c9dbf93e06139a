"""Arrays in PostgreSQL's binary form, sent and received as they are: no value of theirs becomes an object here.

A connection knows what was registered before it was made, so whoever makes connections loads this first.
"""

from __future__ import annotations

from typing import Any, Final

from psycopg import Cursor, adapters
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format

from eisenergy.store.arrays import Documents, Integers, Numbers, Texts


class _Sent(Dumper):
    """Sends what is in its binary form already."""

    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        """Return it as it is."""
        return obj


class _Texts(_Sent):
    oid = 1009


class _Documents(_Sent):
    oid = 3807


class _Integers(_Sent):
    oid = 1007


class _Numbers(_Sent):
    oid = 1231


adapters.register_dumper(Texts, _Texts)
adapters.register_dumper(Documents, _Documents)
adapters.register_dumper(Integers, _Integers)
adapters.register_dumper(Numbers, _Numbers)


class _Received(Loader):
    format = Format.BINARY
    kind: type[bytes]

    def load(self, data: Buffer) -> bytes:
        """Return it as it is."""
        return self.kind(data)


class _TextsBack(_Received):
    kind = Texts


class _IntegersBack(_Received):
    kind = Integers


class _NumbersBack(_Received):
    kind = Numbers


_BACK: Final = {_Texts.oid: _TextsBack, _Integers.oid: _IntegersBack, _Numbers.oid: _NumbersBack}


def unread(cursor: Cursor[Any]) -> Cursor[Any]:
    """Have a binary cursor return arrays as :class:`Texts`, :class:`Integers` and :class:`Numbers`, which can be sent again."""
    for oid, loader in _BACK.items():
        cursor.adapters.register_loader(oid, loader)
    return cursor
