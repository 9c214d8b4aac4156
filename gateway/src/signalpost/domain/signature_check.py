"""Says which signatures of a request fit, and why one that does not fit may be wrong.

The receiver kit answers whether a request is genuine, and tells a stranger nothing more. This is for the person who
has the secret and wonders why the signatures differ, so it tries the usual mistakes one after the other.
"""

import hashlib
import hmac
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from signalpost_receiver.sign import (
    PAGE_SIGNATURE,
    PAGE_SIGNATURE_ALTERNATE,
    STANDARD_ID,
    STANDARD_PREFIX,
    STANDARD_SIGNATURE,
    STANDARD_TIMESTAMP,
    Signer,
    standard_secret,
)

SIGNATURES = (PAGE_SIGNATURE, PAGE_SIGNATURE_ALTERNATE, STANDARD_SIGNATURE)
"""The headers that carry a signature."""
_PAGE = re.compile(r"[0-9a-f]{128}")
_STANDARD = re.compile(r"v1,[A-Za-z0-9+/]{43}=")
_OTHER_BYTES = "It fits the same JSON in other bytes. Pass the body as it arrived."
TOLERANCE_S = 5 * 60
"""How far a timestamp may be from now before a Standard Webhooks library refuses it."""


class _EventId(Struct):
    id: str


_decode_id = msgspec.json.Decoder(_EventId).decode


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
    detail = _why_not_standard(body, headers, signers, secrets)
    if detail is not None:
        return CheckedSignature(header=STANDARD_SIGNATURE, fits=False, detail=detail)
    away = int(headers[STANDARD_TIMESTAMP]) - now
    late = (
        f" But it was signed {abs(away):.0f} s {'ahead' if away > 0 else 'ago'}: libraries refuse more than 300 s."
        if abs(away) > TOLERANCE_S
        else ""
    )
    return CheckedSignature(header=STANDARD_SIGNATURE, fits=True, detail=_which(secrets) + late)


def _why_not_standard(
    body: bytes, headers: Mapping[str, str], signers: Sequence[Signer], secrets: Sequence[str]
) -> str | None:
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
    for signature, why in _standard_mistakes(body, headers[STANDARD_ID], int(seconds), secrets):
        if any(_equal(signature, each) for each in given):
            return why
    if all(each.startswith("v1a,") for each in given):
        return "It is of a key pair. Verify it with the public key; the secret fits what begins with v1, instead."
    if not any(_STANDARD.fullmatch(each) for each in given):
        return "It is not what this header holds: v1, and the base64 of 32 bytes, as 44 characters."
    return "No secret fits the body with this webhook-id and webhook-timestamp."


def _standard_mistakes(body: bytes, message_id: str, seconds: int, secrets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Values of `webhook-signature` that usual mistakes make, with a sentence for each."""
    for secret in secrets:
        signer = Signer(secret)
        right = signer.standard_signature(message_id, seconds, body)
        encoded = right.removeprefix("v1,")
        yield encoded, "v1, is missing before the base64."
        for given in (b64decode(encoded).hex(), f"v1,{b64decode(encoded).hex()}"):
            yield given, "It is hex; it must be v1, and base64."
        if (own := _id_in(body)) is not None and own != message_id:
            yield signer.standard_signature(own, seconds, body), "It fits another webhook-id: that of the event."
        covered = f"{message_id}.{seconds}.".encode()
        yield (
            _standard(secret.encode(), covered + body),
            ("The key was the whole secret; it must be what the base64 after whsec_ decodes to."),
        )
        key = b64decode(standard_secret(secret).removeprefix(STANDARD_PREFIX))
        yield (
            _standard(key, body),
            ("It covers the body alone; it must cover webhook-id.webhook-timestamp.body, with the full stops."),
        )
        for changed in _other_bytes(body):
            yield signer.standard_signature(message_id, seconds, changed), _OTHER_BYTES


def _standard(key: bytes, covered: bytes) -> str:
    return f"v1,{b64encode(hmac.new(key, covered, hashlib.sha256).digest()).decode()}"


def _id_in(body: bytes) -> str | None:
    """The id of the event in a body, which is the request's `webhook-id`; None if there is none to be read."""
    try:
        return _decode_id(body).id
    except msgspec.DecodeError:
        return None


def standard_headers(body: bytes, signature: str, timestamp: str) -> dict[str, str]:
    """The headers of Standard Webhooks with this signature, as far as a body says what they are."""
    headers = {STANDARD_SIGNATURE: signature, STANDARD_TIMESTAMP: timestamp}
    return headers if (own := _id_in(body)) is None else {**headers, STANDARD_ID: own}


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
            yield signer.page_signature(changed), _OTHER_BYTES


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
