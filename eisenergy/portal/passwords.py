"""Passwords: argon2id hashes, and which passwords are refused."""

from __future__ import annotations

import threading
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
"""Source: OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes, one lane."""
_AT_ONCE: Final = threading.BoundedSemaphore(4)
"""Each hash takes its memory; a flood of sign-ins waits for its turn."""
SHORTEST: Final = 12
LONGEST: Final = 128
_KINDS: Final = 5


def hash_of(password: str) -> str:
    """Return what is stored of a password."""
    with _AT_ONCE:
        return _HASHER.hash(password)


_NOBODYS: Final = hash_of("of no account: looked at when there is none, so that both take as long")


def is_right(stored: str | None, password: str) -> bool:
    """Whether a password is the one of a hash. It takes as long where there is none.

    :param stored: ``None``: no such account, or no password set
    """
    if len(password) > LONGEST:
        return False
    with _AT_ONCE:
        try:
            return _HASHER.verify(stored or _NOBODYS, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def problem(password: str, again: str, email: str) -> str | None:
    """Return the key of the text that says why a new password is refused, ``None`` where it is not.

    Length counts, kinds of characters do not. Source: NIST SP 800-63B, 5.1.1.2.
    """
    if password != again:
        return "password.differ"
    if not SHORTEST <= len(password) <= LONGEST:
        return "password.length"
    plain = password.casefold()
    known = {email.partition("@")[0], "eispower", "eisenergy", "contraseña", "password"}
    if len(set(plain)) < _KINDS or plain.isdigit() or any(len(word) > 3 and word in plain for word in known):
        return "password.weak"
    return None
