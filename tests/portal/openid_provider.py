"""A small OpenID Connect provider, a process of its own: discovery, code flow with PKCE, signed tokens.

``POST /control`` sets whom it vouches for and what it does wrong. It knows nothing of the portal.
"""

from __future__ import annotations

import base64
import http.server
import json
import secrets
import sys
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "portal", "provider-secret"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
OTHER = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
control: dict[str, Any] = {}
codes: dict[str, dict[str, str]] = {}


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers for one portal."""

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = dict(parse_qsl(parts.query))
        if parts.path == "/.well-known/openid-configuration":
            self._json(
                {
                    "issuer": control.get("calls_itself", self.issuer),
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                }
            )
        elif parts.path == "/keys":
            self._json(KeySet([KEY]).as_dict(private=False))
        elif parts.path == "/authorize":
            assert asked["response_type"] == "code"
            assert asked["client_id"] == CLIENT
            assert asked["code_challenge_method"] == "S256"
            assert set(asked["scope"].split()) >= {"openid", "email"}
            code = secrets.token_urlsafe(16)
            codes[code] = asked
            answer = {"code": code, "state": asked["state"], "iss": control.get("answers_as", self.issuer)}
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(answer)}")
            self.end_headers()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/control":
            control.clear()
            control.update(json.loads(body))
            self._json({})
            return
        sent = dict(parse_qsl(body))
        scheme, _, proof = self.headers.get("Authorization", "").partition(" ")
        known = scheme == "Basic" and base64.b64decode(proof).decode() == f"{CLIENT}:{SECRET}"
        asked = codes.pop(sent.get("code", ""), None)  # a code works once
        proved = (
            asked is not None and create_s256_code_challenge(sent.get("code_verifier", "")) == asked["code_challenge"]
        )
        if not (known and proved and sent.get("redirect_uri") == asked["redirect_uri"]):
            self._json({"error": "invalid_grant"}, 400)
            return
        now = int(time.time()) if "now" not in control else int(control["now"])
        claims = {
            "iss": self.issuer,
            "sub": "subject-1",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked.get("nonce"),
            **control.get("claims", {}),
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        if control.get("unsigned"):
            parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
            token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."
        else:
            key = OTHER if control.get("other_key") else KEY
            token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)
        self._json({"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": token})

    def _json(self, what: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    print(server.server_address[1], flush=True)
    sys.stdout.close()
    server.serve_forever()
