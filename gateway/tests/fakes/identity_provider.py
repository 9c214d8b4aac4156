"""An identity provider (OpenID Connect): people, the codes that it gave, keys that it signs with.

The person's side is `sign_in`: what happens between the browser that arrives with a request and the address to which
the provider sends it back. `tamper` changes the next token's claims, `sign_with` what it is signed with.
"""

import base64
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from gateway.tests.fakes.vendor import Answer, Vendor, VendorRequest

CLIENT, CLIENT_SECRET = "signalpost", "the client's secret"
Claims = dict[str, Any]


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _number(value: int) -> str:
    return _base64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Key:
    """An RSA key with an id, as the provider shows it and signs with it."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self._key = rsa.generate_private_key(65537, 2048)

    @property
    def shown(self) -> Claims:
        public = self._key.public_key().public_numbers()
        return {"kty": "RSA", "kid": self.kid, "use": "sig", "n": _number(public.n), "e": _number(public.e)}

    def sign(self, claims: Claims) -> str:
        signed = _signed_part({"alg": "RS256", "kid": self.kid}, claims)
        return f"{signed}.{_base64(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _signed_part(header: Claims, claims: Claims) -> str:
    return ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))


def unsigned(claims: Claims) -> str:
    return _signed_part({"alg": "none"}, claims) + "."


class IdentityProvider(Vendor):
    def __init__(self) -> None:
        super().__init__()
        self.keys = [Key("first")]
        self.people: dict[str, Claims] = {}
        self.auth_time: int | None = None
        """When the person who signs in has last typed a password; None to leave it out."""
        self.tamper: Callable[[Claims], Claims] = lambda claims: claims
        self.sign: Callable[[Claims], str] | None = None
        self._codes: dict[str, Claims] = {}

    def person(self, subject: str, email: str, **more: Any) -> None:
        self.people[subject] = {"sub": subject, "email": email, "email_verified": True, **more}

    def sign_in(self, arrived_at: str, subject: str) -> str:
        """Sign in a person who arrived at this address. Returns where their browser is sent."""
        parts = urlsplit(arrived_at)
        asked = dict(parse_qsl(parts.query))
        assert (f"{parts.scheme}://{parts.netloc}", parts.path) == (self.origin, "/authorize")
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code {len(self._codes)}"
        self._codes[code] = {**asked, "subject": subject}
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.origin})}"

    def act(self, asked: VendorRequest) -> Answer:
        if asked.path == "/.well-known/openid-configuration":
            ends = {name: f"{self.origin}/{path}" for name, path in _ENDPOINTS.items()}
            return Answer(200, {"issuer": self.origin, **ends})
        if asked.path == "/jwks":
            return Answer(200, {"keys": [key.shown for key in self.keys]})
        if (asked.method, asked.path) == ("POST", "/token"):
            return self._exchange(asked)
        return Answer(404)

    def _exchange(self, asked: VendorRequest) -> Answer:
        basic = base64.b64decode(asked.headers.get("authorization", "").removeprefix("Basic ")).decode()
        if basic not in (f"{CLIENT}:{CLIENT_SECRET}", "signalpost:the+client%27s+secret"):
            return Answer(401, {"error": "invalid_client"})
        given = self._codes.pop(asked.form["code"], None)
        verified = _base64(hashlib.sha256(asked.form["code_verifier"].encode()).digest())
        if given is None or verified != given["code_challenge"] or asked.form["redirect_uri"] != given["redirect_uri"]:
            return Answer(400, {"error": "invalid_grant"})
        now = int(time.time())
        claims = {"iss": self.origin, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": given["nonce"]}
        if self.auth_time is not None:
            claims["auth_time"] = self.auth_time
        said = self.tamper({**claims, **self.people[given["subject"]]})
        return Answer(
            200, {"access_token": "a", "token_type": "Bearer", "id_token": (self.sign or self.keys[0].sign)(said)}
        )


_ENDPOINTS = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
