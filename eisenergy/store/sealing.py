"""Secrets that must be read back, sealed for the database: a stolen copy of it gives none away.

Each is a JWE (RFC 7516) with AES-256-GCM and the key itself (``dir``). Whose it is stands in the protected header, so that what is
sealed for one is of no use in another's row. The key is a setting, or a file of the workspace that only its owner may read.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import uuid
from pathlib import Path
from typing import Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from eisenergy.config import Settings
from eisenergy.variables import BadSetting

FILE: Final = "secret.key"
BYTES: Final = 32
_WAY: Final = jwe.JWERegistry(algorithms=["dir", "A256GCM"], strict_check_header=False)
"""This one way alone; a claim as a header (RFC 7519, 5.3) is none that joserfc knows."""


def key_of(settings: Settings) -> OctKey:
    """Return the key: the setting's, or that of the workspace's file, which is made where there is none.

    :raises BadSetting: for what is no key, or a file that others may read
    """
    given = settings.portal.secret_key
    if given is not None:
        return _read(given, "EISENERGY_SECRET_KEY")
    path = settings.home / FILE
    if not path.exists():
        _make(path)
    if path.stat().st_mode & 0o077:
        raise BadSetting(f"{path}: others than its owner may read it, or write to it; run: chmod 600 {path}")
    return _read(path.read_text(encoding="ascii", errors="replace"), str(path))


def is_sealed(stored: str) -> bool:
    """Whether a text is a sealed one; older ones were kept as they are, in base32."""
    return "." in stored


def sealed(key: OctKey, owner: uuid.UUID, secret: str) -> str:
    """Return a secret sealed for an account, or for a subscription of events."""
    header = {"alg": "dir", "enc": "A256GCM", "sub": str(owner)}
    return jwe.encrypt_compact(header, secret.encode(), key, registry=_WAY)


def opened(key: OctKey, owner: uuid.UUID, stored: str) -> str | None:
    """Return a secret of an account or subscription; ``None`` for one of another, of another key, or changed."""
    if not is_sealed(stored):
        return stored
    try:
        found = jwe.decrypt_compact(stored, key, registry=_WAY)
    except (JoseError, ValueError):
        return None
    if found.headers().get("sub") != str(owner) or found.plaintext is None:
        return None
    return found.plaintext.decode()


def _make(path: Path) -> None:
    """Write a fresh key, whole or not at all; of two processes one does it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.urlsafe_b64encode(secrets.token_bytes(BYTES)) + b"\n")
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)


def _read(text: str, place: str) -> OctKey:
    try:
        found = base64.b64decode(text.strip(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != BYTES:
        raise BadSetting(
            f"{place}: expected {BYTES} random bytes in base64; "
            "make them with: python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
        )
    return OctKey.import_key(found)
