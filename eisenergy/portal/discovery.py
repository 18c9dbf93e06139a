"""What an OpenID provider says of itself: where its pages are, and the keys it signs with. Asked for rarely, by one request at a time.

Anybody may press the button, so a provider that is slow or gone must not hold up a thread for each who does.
Source: OpenID Connect Discovery 1.0, 4; Core 1.0, 10.1.1.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx2
from joserfc.jwk import KeySet

from eisenergy.config import OpenId
from eisenergy.portal.context import is_loopback

PATIENCE: Final = 10.0
QUEUED: Final = 2.0
"""Seconds that others wait for the one who asks."""
KEPT: Final = 300.0
"""Seconds for which an answer holds."""
FAILED: Final = 15.0
"""Seconds for which nobody asks again after a failure; a fresh key is not asked for more often either."""
ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderFailed(RuntimeError):
    """The provider cannot be reached, or answered what it must not.

    :param remembered: whether it was so a moment ago, and nobody asked again
    """

    def __init__(self, message: str, *, remembered: bool = False) -> None:
        super().__init__(message)
        self.remembered = remembered


_now = time.monotonic


@dataclass(frozen=True, slots=True)
class _Answer:
    found: Any
    failure: str | None
    at: float


class _Asked:
    """One thing that is asked for over the network, kept for a while."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answer: _Answer | None = None

    def get(self, *, older_than: float = KEPT) -> Any:
        """Return what was found. :param older_than: seconds after which it is asked for again :raises ProviderFailed:"""
        if not self._lock.acquire(timeout=QUEUED):
            raise ProviderFailed("the provider has not answered yet", remembered=True)
        try:
            kept = self._answer
            age = float("inf") if kept is None else _now() - kept.at
            if kept is not None and age < (older_than if kept.failure is None else FAILED):
                if kept.failure is not None:
                    raise ProviderFailed(kept.failure, remembered=True)
                return kept.found
            try:
                self._answer = _Answer(self._ask(), None, _now())
            except ProviderFailed as problem:
                self._answer = _Answer(None, str(problem), _now())
                raise
            return self._answer.found
        finally:
            self._lock.release()


_providers: dict[str, tuple[_Asked, _Asked]] = {}
_opening: Final = threading.Lock()


def forget() -> None:
    """Ask afresh."""
    with _opening:
        _providers.clear()


def metadata(provider: OpenId) -> dict[str, Any]:
    """Return what the provider says of itself. :raises ProviderFailed: when it does not, or not what it must"""
    return cast(dict[str, Any], _of(provider)[0].get())


def keys(provider: OpenId, kid: str | None) -> KeySet:
    """Return the provider's keys; they are asked for once more where the wanted one is not among them.

    :param kid: the wanted one's name
    :raises ProviderFailed: when there are none to be had
    """
    asked = _of(provider)[1]
    found = cast(KeySet, asked.get())
    if kid is not None and all(key.kid != kid for key in found.keys):
        found = cast(KeySet, asked.get(older_than=FAILED))
    return found


def _of(provider: OpenId) -> tuple[_Asked, _Asked]:
    issuer = provider.issuer
    with _opening:
        if issuer not in _providers:
            described = _Asked(lambda: _metadata(issuer))
            _providers[issuer] = described, _Asked(lambda: _keys(described.get()["jwks_uri"]))
        return _providers[issuer]


def _metadata(issuer: str) -> dict[str, Any]:
    found = _get(f"{issuer}/.well-known/openid-configuration")
    if found.get("issuer") != issuer:
        raise ProviderFailed(f"{issuer} calls itself {found.get('issuer')!r}; check EISENERGY_OIDC_ISSUER")
    for name in ENDPOINTS:
        parts = urlsplit(str(found.get(name, "")))
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise ProviderFailed(f"{issuer} names {found.get(name)!r} as {name}: expected https")
    return found


def _keys(url: str) -> KeySet:
    try:
        return KeySet.import_key_set(cast(Any, _get(url)))
    except (ValueError, KeyError, TypeError) as problem:
        raise ProviderFailed(f"{url} holds no keys to use: {problem}") from problem


def _get(url: str) -> dict[str, Any]:
    try:
        answer = httpx2.get(url, timeout=PATIENCE)
        answer.raise_for_status()
        found = answer.json()
    except (httpx2.HTTPError, ValueError) as problem:
        raise ProviderFailed(f"{url} gave no answer to use: {problem}") from problem
    if not isinstance(found, dict):
        raise ProviderFailed(f"{url}: expected a JSON object")
    return found
