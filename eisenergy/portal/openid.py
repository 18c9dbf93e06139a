"""Signing in through an OpenID Connect provider: code flow with PKCE, state and nonce.

It finds an account, it never makes one: by the provider's subject, or once by an address the provider has verified, which binds the two.
Source: OpenID Connect Core 1.0, 3.1; RFC 7636; RFC 9207.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError

from eisenergy.config import OpenId
from eisenergy.portal import discovery
from eisenergy.portal.discovery import ProviderFailed
from eisenergy.store import signins
from eisenergy.store.database import Database
from eisenergy.store.grants import BadAccount
from eisenergy.store.people import address_of
from eisenergy.store.signins import Login

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
LEEWAY: Final = 60
"""Seconds that the provider's clock may be off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the answer must fit to; it waits in the browser's own cookie.

    :param wanted: where to go afterwards
    """

    state: str
    nonce: str
    verifier: str
    wanted: str

    def to_cookie(self) -> str:
        """Return it as a cookie's value."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def from_cookie(cls, value: str | None) -> Asked | None:
        """Read it back, ``None`` for what is none."""
        try:
            found = json.loads(base64.urlsafe_b64decode((value or "").encode()))
            return cls(**{name: str(found[name]) for name in ("state", "nonce", "verifier", "wanted")})
        except (ValueError, KeyError, TypeError):
            return None


def begin(provider: OpenId, redirect: str, wanted: str) -> tuple[str, Asked]:
    """Return the provider's page to send the browser to, and what its answer must fit to.

    :param redirect: our address for the answer
    :raises ProviderFailed: when the provider cannot be used
    """
    asked = Asked(
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        wanted=wanted,
    )
    found = discovery.metadata(provider)
    with _client(provider, redirect) as client:
        url, _ = client.create_authorization_url(
            found["authorization_endpoint"], state=asked.state, nonce=asked.nonce, code_verifier=asked.verifier
        )
    return str(url), asked


def identity(provider: OpenId, redirect: str, asked: Asked, answer: dict[str, str], at: datetime) -> dict[str, Any]:
    """Return the claims of the identity that the provider vouches for.

    :param answer: the parameters of the address the browser came back to
    :raises ProviderFailed: when anything does not fit: state, issuer, code, signature, audience, nonce, time
    """
    if not secrets.compare_digest(answer.get("state", "").encode(), asked.state.encode()):
        raise ProviderFailed("the answer is not to our question: its state differs")
    if "iss" in answer and answer["iss"] != provider.issuer:
        raise ProviderFailed(f"the answer is from {answer['iss']!r}, expected {provider.issuer}")
    if "code" not in answer:
        raise ProviderFailed(f"the provider refused: {answer.get('error', 'no code')}")
    found = discovery.metadata(provider)
    try:
        with _client(provider, redirect) as client:
            token = client.fetch_token(
                found["token_endpoint"],
                code=answer["code"],
                code_verifier=asked.verifier,
                grant_type="authorization_code",
            )
        signed = str(token["id_token"])
        kid = jws.extract_compact(signed.encode()).headers().get("kid")
        decoded = jwt.decode(signed, discovery.keys(provider, kid), algorithms=list(ALGORITHMS))
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": provider.client_id},
                "sub": {"essential": True},
                "nonce": {"essential": True, "value": asked.nonce},
            },
            params={"nonce": asked.nonce, "client_id": provider.client_id, "access_token": token.get("access_token")},
        )
        claims.validate(now=int(at.timestamp()), leeway=LEEWAY)
    except (OAuthError, JoseError, httpx2.HTTPError, KeyError, ValueError) as problem:
        raise ProviderFailed(f"the provider's answer does not hold: {type(problem).__name__}: {problem}") from problem
    return dict(claims)


def account(database: Database, provider: OpenId, claims: dict[str, Any]) -> Login | None:
    """Return the account of an identity, ``None`` where there is none; see the module."""
    subject = str(claims["sub"])
    login = signins.by_subject(database, provider.issuer, subject)
    if login is None and claims.get("email_verified") is True:
        try:
            login = signins.by_email(database, address_of(str(claims.get("email", ""))))
        except BadAccount:
            login = None
        if login is not None and not signins.bind(database, login.user, provider.issuer, subject):
            return None
    return None if login is None or login.disabled else login


def _client(provider: OpenId, redirect: str) -> Any:
    return OAuth2Client(
        provider.client_id,
        provider.client_secret,
        scope="openid email",
        redirect_uri=redirect,
        code_challenge_method="S256",
        timeout=discovery.PATIENCE,
    )
