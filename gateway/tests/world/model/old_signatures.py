"""What a request has in the headers of another system, as `docs/guides/sign-also.md` says it."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from typing import NamedTuple

HEADERS = ("x-old", "x-convoy-signature", "x-hub-signature-256")
"""The headers that these worlds use for nothing else."""


class OldSigning(NamedTuple):
    """One entry of `signAlso`."""

    header: str
    secret: str
    algorithm: str = "sha256"
    encoding: str = "hex"
    over: str = "{body}"
    prefix: str = ""

    def value(self, headers: Mapping[str, str], body: bytes) -> str:
        """What its header has in a request with these headers of the gateway."""
        before, after = (_filled(each, headers).encode() for each in self.over.split("{body}"))
        mac = hmac.new(self.secret.encode(), before + body + after, self.algorithm).digest()
        encoded = mac.hex() if self.encoding == "hex" else base64.b64encode(mac).decode()
        return _filled(self.prefix, headers) + encoded


def _filled(template: str, headers: Mapping[str, str]) -> str:
    return template.replace("{timestamp}", headers["webhook-timestamp"]).replace("{id}", headers["webhook-id"])


def is_signed_so(headers: Mapping[str, str], body: bytes, wanted: Sequence[OldSigning]) -> bool:
    """Whether a request has these signatures and no other."""
    found = {name: value for name, value in headers.items() if name in HEADERS}
    return found == {each.header: each.value(headers, body) for each in wanted}
