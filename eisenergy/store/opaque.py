"""Opaque tokens: 256 random bits for whoever holds them, and their sha256 for the database."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> str:
    """Return a fresh token, safe in addresses and cookies. Only its hash is ever stored."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> str:
    """Return what the database keeps of a token. Its bits are random, so one round of sha256 cannot be guessed back."""
    return hashlib.sha256(token.encode()).hexdigest()
