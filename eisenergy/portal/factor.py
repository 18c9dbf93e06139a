"""The second factor: codes by the clock (TOTP), and recovery codes for when the telephone is gone."""

from __future__ import annotations

import base64
import hmac
import secrets
import uuid
from datetime import datetime
from typing import Final

import pyotp

from eisenergy.portal.context import Context
from eisenergy.store import sealing, signins
from eisenergy.store.database import Database
from eisenergy.store.opaque import hashed
from eisenergy.store.signins import Login

STEP: Final = 30
"""Seconds. Source: RFC 6238, 5.2."""
RECOVERY_CODES: Final = 10


def new_secret() -> str:
    """Return a fresh secret, 160 bits in base32. Source: RFC 4226, 4."""
    return pyotp.random_base32()


def uri(secret: str, email: str) -> str:
    """Return the address that authenticator programs take a secret from."""
    return pyotp.TOTP(secret, interval=STEP).provisioning_uri(name=email, issuer_name="eisenergy")


def step_of(secret: str, code: str, at: datetime) -> int | None:
    """Return the time step that a code is of: this one or a neighbour; ``None`` for a wrong code."""
    totp, now = pyotp.TOTP(secret, interval=STEP), int(at.timestamp()) // STEP
    for step in (now, now - 1, now + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            return step
    return None


def new_recovery_codes() -> tuple[list[str], list[str]]:
    """Return recovery codes of 80 bits, and their hashes."""
    codes = []
    for _ in range(RECOVERY_CODES):
        plain = base64.b32encode(secrets.token_bytes(10)).decode().lower()
        codes.append("-".join(plain[n : n + 4] for n in range(0, 16, 4)))
    return codes, [_recovery_hash(code) for code in codes]


def use(context: Context, login: Login, code: str, at: datetime) -> bool:
    """Whether a code is right, and use it up: neither a step nor a recovery code works twice."""
    plain = "".join(code.split())
    if login.totp_secret is not None and plain.isdigit():
        secret = sealing.opened(context.key, login.user, login.totp_secret)
        step = None if secret is None else step_of(secret, plain, at)
        return step is not None and signins.take_step(context.database, login.user, step)
    return _use_recovery(context.database, login.user, plain)


def seal_old(context: Context) -> None:
    """Seal the secrets that were stored as they are, before secrets were sealed."""
    for user, stored in signins.factors(context.database).items():
        if not sealing.is_sealed(stored):
            signins.reseal(context.database, user, stored, sealing.sealed(context.key, user, stored))


def _use_recovery(database: Database, user: uuid.UUID, code: str) -> bool:
    return signins.take_recovery(database, user, _recovery_hash(code))


def _recovery_hash(code: str) -> str:
    return hashed(f"recovery {code.replace('-', '').casefold()}")
