"""Signs requests to AWS (Signature Version 4), without any I/O."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit


class Credentials(NamedTuple):
    """Who asks."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r}, …)"


def signed(
    url: str, headers: Mapping[str, str], body: bytes, region: str, credentials: Credentials, now: datetime
) -> dict[str, str]:
    """The headers of a POST to SQS at the root of a host, with its signature. `now` is in UTC."""
    host, stamp = urlsplit(url).netloc, now.strftime("%Y%m%dT%H%M%SZ")
    sent = {**headers, "host": host, "x-amz-date": stamp}
    if credentials.session_token is not None:
        sent["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(sent))
    lines = [f"{name}:{sent[name].strip()}\n" for name in sorted(sent)]
    request = "\n".join(["POST", "/", "", "".join(lines), names, hashlib.sha256(body).hexdigest()])
    scope = f"{stamp[:8]}/{region}/sqs/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    given = f"Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**sent, "authorization": f"AWS4-HMAC-SHA256 {given}"}
