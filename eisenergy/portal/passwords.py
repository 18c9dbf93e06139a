"""Passwords: argon2id hashes, and which passwords are refused."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from eisenergy.config import BadSetting

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
"""Source: OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes, one lane."""
_AT_ONCE: Final = threading.BoundedSemaphore(4)
"""Each hash takes its memory; a flood of sign-ins waits for its turn."""
SHORTEST: Final = 12
LONGEST: Final = 128
_KINDS: Final = 5
_WALKS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop[]",
    "asdfghjklñ;",
    "zxcvbnm,.",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p",
    "1q2w3e4r5t6y7u8i9o0p",
)
_WALKED: Final = frozenset(
    way[n : n + 2] for walk in _WALKS for way in (walk, walk[::-1]) for n in range(len(walk) - 1)
)
_MOST: Final = 0.7
"""Of the neighbouring characters, how many make a password a walk."""


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


def listed(path: Path) -> frozenset[str]:
    """Read a list of common passwords, one a line; those that are too short anyway are left out.

    :raises BadSetting: when it cannot be read
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as problem:
        raise BadSetting(f"EISENERGY_PASSWORDS={path} cannot be read: {problem.strerror}") from problem
    return frozenset(line.strip().casefold() for line in lines if SHORTEST <= len(line.strip()) <= LONGEST)


def problem(password: str, again: str, email: str, common: frozenset[str] = frozenset()) -> str | None:
    """Return the key of the text that says why a new password is refused, ``None`` where it is not.

    Length counts, kinds of characters do not. Source: NIST SP 800-63B, 5.1.1.2.

    :param common: passwords that many people use, in small letters
    """
    if password != again:
        return "password.differ"
    if not SHORTEST <= len(password) <= LONGEST:
        return "password.length"
    plain = password.casefold()
    known = {email.partition("@")[0], "eispower", "eisenergy", "contraseña", "password"}
    if len(set(plain)) < _KINDS or plain.isdigit() or any(len(word) > 3 and word in plain for word in known):
        return "password.weak"
    if plain in common or _is_pattern(plain):
        return "password.weak"
    return None


def _is_pattern(plain: str) -> bool:
    """Whether a text is one piece repeated, or mostly a walk over the keyboard, the alphabet or the digits."""
    if plain in (plain + plain)[1:-1]:
        return True
    pairs = [plain[n : n + 2] for n in range(len(plain) - 1)]
    walked = sum(pair in _WALKED for pair in pairs)
    return walked >= _MOST * len(pairs)
