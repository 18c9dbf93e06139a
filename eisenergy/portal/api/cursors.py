"""Where a page of a list ended, as an opaque text that is of use for the same list alone.

A cursor names the last thing that was told, not how many: what comes in between neither hides nor repeats anything. It is signed over
the list it belongs to, the token's scope included; and whoever could forge one would still be told nothing outside of that scope.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, Final

from eisenergy.accounts import Scope
from eisenergy.portal.api.problems import Problem

_BYTES: Final = 16


def sealed(key: bytes, binding: Sequence[Any], place: Sequence[Any]) -> str:
    """Return a cursor.

    :param binding: what the list is of, JSON types, see :func:`binding_of`
    :param place: what the last item is ordered by, JSON types
    """
    said = json.dumps(list(place), separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(_signature(key, binding, said) + said).rstrip(b"=").decode("ascii")


def opened(key: bytes, binding: Sequence[Any], cursor: str) -> list[Any]:
    """Return the place in a cursor. :raises Problem: for one of another list, or none of ours"""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError, UnicodeEncodeError):
        raw = b""
    signature, said = raw[:_BYTES], raw[_BYTES:]
    if not said or not hmac.compare_digest(signature, _signature(key, binding, said)):
        detail = "is none of this list: take it from the field next, and leave the other parameters as they were"
        raise Problem("invalid", f"cursor: {detail}.", errors=[{"parameter": "cursor", "detail": detail}])
    found: list[Any] = json.loads(said)
    return found


def binding_of(path: str, scope: Scope, asked: dict[str, Any]) -> list[Any]:
    """Return what a list is of: route, scope and parameters other than the place and the number of items."""
    customers = None if scope.customers is None else sorted(scope.customers)
    filters = sorted((name, value) for name, value in asked.items() if name not in ("cursor", "limit"))
    return [path, scope.client, scope.role.value, customers, filters]


def _signature(key: bytes, binding: Sequence[Any], said: bytes) -> bytes:
    about = json.dumps(list(binding), separators=(",", ":")).encode()
    own = hmac.new(key, b"eisenergy cursor", hashlib.sha256).digest()
    return hmac.new(own, len(about).to_bytes(8, "big") + about + said, hashlib.sha256).digest()[:_BYTES]
