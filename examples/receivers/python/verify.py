"""Verifies one Signalpost request: its body on standard input, its headers as HTTP_… variables, the secret in
SIGNALPOST_SECRET, and during a rotation the other one in SIGNALPOST_NEXT_SECRET. Exits 0 if the request is genuine.
"""

import base64
import hashlib
import hmac
import os
import sys
from collections.abc import Mapping, Sequence


def genuine(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed the request. `body` is as it arrived, names of headers are in lower case."""
    for secret in secrets:
        expected = hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()
        for name in ("plexus-webhook-signature", "plexus-webhook-signature-alternate"):
            if same(headers.get(name, ""), expected):
                return True
        signed = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}.".encode() + body
        mac = hmac.new(standard_key(secret), signed, hashlib.sha256).digest()
        expected = "v1," + base64.b64encode(mac).decode()
        if any(same(entry, expected) for entry in headers.get("webhook-signature", "").split(" ")):
            return True
    return False


def same(given: str, expected: str) -> bool:
    """In constant time; as bytes, because `compare_digest` refuses texts that are not ASCII."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def standard_key(secret: str) -> bytes:
    """The key of webhook-signature: the decoded bytes of a whsec_… secret, else the secret's own bytes."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return secret.encode()
    return key if secret.startswith("whsec_") and 24 <= len(key) <= 64 else secret.encode()


if __name__ == "__main__":
    sent = {
        name.removeprefix("HTTP_").lower().replace("_", "-"): value
        for name, value in os.environ.items()
        if name.startswith("HTTP_")
    }
    known = [os.environ.get("SIGNALPOST_SECRET", ""), os.environ.get("SIGNALPOST_NEXT_SECRET", "")]
    is_genuine = genuine(sys.stdin.buffer.read(), sent, [each for each in known if each])  # anybody has an empty one
    print("genuine" if is_genuine else "forged")
    sys.exit(not is_genuine)
