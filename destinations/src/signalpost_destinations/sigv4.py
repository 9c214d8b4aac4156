"""AWS Signature Version 4: proves that the sender of a request has the key, and when it was made.

What goes out is written down in one agreed form, hashed, and signed with a key that is made of the secret, the day, the
region and the service. A signature is good for some minutes, so every attempt has its own.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from typing import Final
from urllib.parse import quote

from signalpost.destinations import RequestToSign, Signer

ALGORITHM: Final = "AWS4-HMAC-SHA256"
S3: Final = "s3"


class AwsSigner(Signer, frozen=True, kw_only=True):
    """Signs with an access key, for one service in one region."""

    key_id: str
    secret: str
    region: str
    service: str

    def sign(self, request: RequestToSign, now: int) -> Mapping[str, str]:
        """The time, the signature and, for S3, the hash of the body."""
        time = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        added = {"x-amz-date": time}
        if self.service == S3:
            added["x-amz-content-sha256"] = sha256(request.body).hexdigest()
        headers = {name: " ".join(value.split()) for name, value in sorted({**request.headers, **added}.items())}
        names = ";".join(headers)
        scope = f"{time[:8]}/{self.region}/{self.service}/aws4_request"
        canonical = sha256(self._canonical(request, headers, names).encode()).hexdigest()
        key = f"AWS4{self.secret}".encode()
        for part in (*scope.split("/"), f"{ALGORITHM}\n{time}\n{scope}\n{canonical}"):
            key = digest(key, part.encode(), "sha256")
        credential = f"Credential={self.key_id}/{scope}"
        authorization = f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={key.hex()}"
        return {**added, "authorization": authorization}

    def _canonical(self, request: RequestToSign, headers: Mapping[str, str], names: str) -> str:
        path, _, query = request.target.partition("?")
        # A path is encoded already. All services but S3 encode it once more.
        path = path if self.service == S3 else quote(path, safe="/")
        lines = (f"{name}:{value}" for name, value in headers.items())
        parameters = "&".join(sorted(query.split("&")))
        body = sha256(request.body).hexdigest()
        return "\n".join((request.method, path, parameters, *lines, "", names, body))
