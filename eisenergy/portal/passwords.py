"""Passwords: argon2id hashes, and which passwords are refused."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from eisenergy.variables import BadSetting

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
"""Source: OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes, one lane."""
_AT_ONCE: Final = threading.BoundedSemaphore(4)
"""Each hash takes its memory; a flood of sign-ins waits for its turn."""
SHORTEST: Final = 12
LONGEST: Final = 128
_READ: Final = 72
"""Of a password, what its strength is judged by: reading more takes long, and more characters make nothing weaker."""
_STRONG: Final = 10**8
"""Guesses that must be needed. Source: the third of zxcvbn's four steps, against guessing from hashes that are slow to try."""


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

    Length counts, kinds of characters do not. Source: NIST SP 800-63B, 5.1.1.2. Refused is what zxcvbn would guess early: the 30,000
    commonest passwords, names and words, also with digits or signs for letters; dates, repetitions, walks over the keyboard.

    :param common: passwords that many people use, in small letters
    """
    if password != again:
        return "password.differ"
    if not SHORTEST <= len(password) <= LONGEST:
        return "password.length"
    plain = password.casefold()
    name = email.partition("@")[0].casefold()
    known = [name, "eispower", "eisenergy", "contraseña", "password"]
    if plain in common or any(len(word) > 3 and word in plain for word in known):
        return "password.weak"
    # read when a password is set, and not before: its lists take a tenth of a second and some megabytes
    from zxcvbn import zxcvbn

    return "password.weak" if zxcvbn(password[:_READ], user_inputs=known)["guesses"] < _STRONG else None
