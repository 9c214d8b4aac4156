"""Says which signatures of a request fit, and why one that does not fit may be wrong.

The receiver kit answers whether a request is genuine, and tells a stranger nothing more. This is for the person who
has the secret and wonders why the signatures differ, so it tries the usual mistakes one after the other.
"""

import hashlib
import hmac
import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from signalpost_receiver.sign import (
    PAGE_SIGNATURE,
    PAGE_SIGNATURE_ALTERNATE,
    STANDARD_ID,
    STANDARD_SIGNATURE,
    STANDARD_TIMESTAMP,
    Signer,
    standard_secret,
)

SIGNATURES = (PAGE_SIGNATURE, PAGE_SIGNATURE_ALTERNATE, STANDARD_SIGNATURE)
"""The headers that carry a signature."""
_PAGE = re.compile(r"[0-9a-f]{128}")
TOLERANCE_S = 5 * 60
"""How far a timestamp may be from now before a Standard Webhooks library refuses it."""


class CheckedSignature(Struct, frozen=True, kw_only=True):
    """One signature header of a request, and whether it fits."""

    header: str
    fits: bool
    detail: str
    """A sentence for people. It never contains a secret or the correct signature."""


def check_signatures(
    body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float
) -> list[CheckedSignature]:
    """Check every signature that a request carries (C19 to C21). `headers` have lower-case names; `now` is in seconds.

    Raises ConfigError for a secret that nothing can be signed with.
    """
    signers = [Signer(secret) for secret in secrets]
    checked = []
    for name in (PAGE_SIGNATURE, PAGE_SIGNATURE_ALTERNATE):
        if name in headers:
            fits = any(_equal(signer.page_signature(body), headers[name]) for signer in signers)
            detail = _which(secrets) if fits else _why_page(body, headers[name], secrets)
            checked.append(CheckedSignature(header=name, fits=fits, detail=detail))
    if STANDARD_SIGNATURE in headers:
        checked.append(_check_standard(body, headers, signers, secrets, now))
    return checked


def _check_standard(
    body: bytes, headers: Mapping[str, str], signers: Sequence[Signer], secrets: Sequence[str], now: float
) -> CheckedSignature:
    detail = _why_not_standard(body, headers, signers)
    if detail is not None:
        return CheckedSignature(header=STANDARD_SIGNATURE, fits=False, detail=detail)
    away = int(headers[STANDARD_TIMESTAMP]) - now
    late = (
        f" But it was signed {abs(away):.0f} s {'ahead' if away > 0 else 'ago'}: libraries refuse more than 300 s."
        if abs(away) > TOLERANCE_S
        else ""
    )
    return CheckedSignature(header=STANDARD_SIGNATURE, fits=True, detail=_which(secrets) + late)


def _why_not_standard(body: bytes, headers: Mapping[str, str], signers: Sequence[Signer]) -> str | None:
    """A sentence if the Standard Webhooks signature does not fit."""
    missing = [name for name in (STANDARD_ID, STANDARD_TIMESTAMP) if name not in headers]
    if missing:
        return f"It covers {' and '.join(missing)}; give that header too."
    seconds = headers[STANDARD_TIMESTAMP]
    if not (seconds.isascii() and seconds.isdecimal() and len(seconds) <= 12):
        return f"{STANDARD_TIMESTAMP} is not a whole number of seconds."
    given = headers[STANDARD_SIGNATURE].split(" ")
    expected = [signer.standard_signature(headers[STANDARD_ID], int(seconds), body) for signer in signers]
    if any(_equal(one, other) for one in expected for other in given):
        return None
    return "No secret fits the body with this webhook-id and webhook-timestamp."


def _which(secrets: Sequence[str]) -> str:
    return "It fits the secret." if len(secrets) == 1 else "It fits one of the secrets."


def _why_page(body: bytes, given: str, secrets: Sequence[str]) -> str:
    for signature, why in _mistakes(body, secrets):
        if _equal(signature, given):
            return why
    if not _PAGE.fullmatch(given):
        return f"It is not what this header holds: 128 lower-case hex digits. It has {len(given)} characters."
    return "No secret fits the body."


def _mistakes(body: bytes, secrets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Signatures that usual mistakes make, with a sentence for each."""
    for secret in secrets:
        signer = Signer(secret)
        right = signer.page_signature(body)
        yield right.upper(), "It is in upper case; it must be lower-case hex."
        yield b64encode(bytes.fromhex(right)).decode(), "It is base64; it must be lower-case hex."
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        yield digest, "It was made with SHA-256; it must be HMAC-SHA512."
        for other in (secret.strip(), f"{secret}\n", standard_secret(secret)):
            if other and other != secret:
                why = "It fits the secret with other spaces or line breaks around it, or in its whsec_ form."
                yield Signer(other).page_signature(body), why
        for changed in _other_bytes(body):
            yield signer.page_signature(changed), "It fits the same JSON in other bytes. Pass the body as it arrived."


def _other_bytes(body: bytes) -> Iterator[bytes]:
    """The body as pipes, editors and JSON libraries change it."""
    yield body.rstrip()
    yield body + b"\n"
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return
    for separators in ((",", ":"), (", ", ": ")):
        for ascii_only in (False, True):
            yield json.dumps(read, separators=separators, ensure_ascii=ascii_only).encode(errors="replace")
    yield json.dumps(read, indent=2, ensure_ascii=False).encode(errors="replace")


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))
