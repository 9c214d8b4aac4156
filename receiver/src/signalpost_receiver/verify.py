"""Decides whether a request comes from the gateway (C19 to C21). Pure.

The request carries two signatures, and a third one if its subscription signs with a key pair, too. `webhook-signature`
covers the attempt's time and the body, `plexus-webhook-signature` only the body. Of the first, `v1` is keyed with a
secret and `v1a` made with a private key. If the first is present, it decides, and the signed time is known. An attacker
who records a request can leave it out; then the only signed time is the event's own (`createdAt`), which is earlier, so
that nothing is won by that.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence

from .errors import ConfigError, MalformedSignature, Mismatch, MissingHeader
from .public_key import PublicKey, is_public_key
from .sign import (
    PAGE_SIGNATURE,
    PAGE_SIGNATURE_ALTERNATE,
    STANDARD_ID,
    STANDARD_SIGNATURE,
    STANDARD_TIMESTAMP,
    Signer,
)

MIN_SECRET_LENGTH = 8
"""The fewest characters that a secret has; the gateway takes no shorter one."""

_MISMATCH = "no signature fits the body: another secret or key, or not the bytes that were sent"
_PAGE = re.compile(r"[0-9a-f]{128}")
_STANDARD = re.compile(r"v1,[A-Za-z0-9+/]{43}=")
_KEY_PAIR = re.compile(r"v1a,[A-Za-z0-9+/]{86}==")
_MOST_OF_KEY_PAIRS = 4
"""How many signatures of key pairs are tried: the gateway sends two at most, and each that is tried takes a while."""
# What is signed is `id.timestamp.body`. An id without a full stop and a number with one spelling leave one
# way to cut it, so that no part of a body passes as an id or a time.
_ID = re.compile(r"[!-\-/-~]{1,256}")
_SECONDS = re.compile(r"0|[1-9][0-9]{0,11}")


class Verifier:
    """Checks signatures against one secret, or during a rotation against several (C21). A public key may stand in the
    place of a secret.

    Raises ConfigError for a secret that is not a string, is shorter than 8 characters or ends a line, and for none; and
    for a public key that is none, or that nothing here can verify with.
    """

    def __init__(self, secrets: str | Sequence[str]) -> None:
        try:
            given = [secrets] if isinstance(secrets, str) else list(secrets)
        except TypeError:  # None, say from a missing setting
            raise ConfigError("secrets must be strings") from None
        if not given:
            raise ConfigError("at least one secret is needed")
        self._keys = [PublicKey(each) for each in given if is_public_key(each)]
        self._signers = [_signer(each) for each in given if not is_public_key(each)]

    def check(self, body: bytes, headers: dict[str, str]) -> int | None:
        """The attempt's time in seconds since the epoch if it is signed, None if only the body is.

        `headers` have lower-case names. Raises MissingHeader, MalformedSignature or Mismatch.
        """
        if STANDARD_SIGNATURE in headers:
            return self._check_standard(body, headers)
        if not self._signers:
            raise MissingHeader(f"{STANDARD_SIGNATURE} is not there, and a public key verifies nothing else")
        self._check_page(body, headers)
        return None

    def _check_page(self, body: bytes, headers: dict[str, str]) -> None:
        """C19, and the alternate header of C21."""
        given = [headers[name] for name in (PAGE_SIGNATURE, PAGE_SIGNATURE_ALTERNATE) if name in headers]
        if not given:
            raise MissingHeader(f"neither {PAGE_SIGNATURE} nor {STANDARD_SIGNATURE} is present")
        if not all(map(_PAGE.fullmatch, given)):
            raise MalformedSignature(f"a {PAGE_SIGNATURE} is not 128 lower-case hex digits")
        for signer in self._signers:
            if _fits(signer.page_signature(body), given):
                return
        raise Mismatch(_MISMATCH)

    def _check_standard(self, body: bytes, headers: dict[str, str]) -> int:
        """C20: the attempt's time, once the signature that covers it fits."""
        message_id, seconds = headers.get(STANDARD_ID), headers.get(STANDARD_TIMESTAMP)
        if message_id is None:
            raise MissingHeader(f"{STANDARD_ID} is not there")
        if seconds is None:
            raise MissingHeader(f"{STANDARD_TIMESTAMP} is not there")
        if not _ID.fullmatch(message_id):
            raise MalformedSignature(f"{STANDARD_ID} is not an id")
        if not _SECONDS.fullmatch(seconds):
            raise MalformedSignature(f"{STANDARD_TIMESTAMP} is not a whole number of seconds")
        entries, timestamp = headers[STANDARD_SIGNATURE].split(" "), int(seconds)
        keyed = [entry for entry in entries if self._signers and _STANDARD.fullmatch(entry)]
        of_pairs = [entry for entry in entries if self._keys and _KEY_PAIR.fullmatch(entry)]
        if not (keyed or of_pairs):
            versions = " or ".join(["v1"] * bool(self._signers) + ["v1a"] * bool(self._keys))
            raise MalformedSignature(f"{STANDARD_SIGNATURE} has no signature of version {versions}")
        for signer in self._signers:
            if _fits(signer.standard_signature(message_id, timestamp, body), keyed):
                return timestamp
        signed = f"{message_id}.{timestamp}.".encode() + body if of_pairs else b""
        if any(key.fits(entry, signed) for key in self._keys for entry in of_pairs[:_MOST_OF_KEY_PAIRS]):
            return timestamp
        raise Mismatch(_MISMATCH)


def _signer(secret: str) -> Signer:
    signer = Signer(secret)
    if len(secret) < MIN_SECRET_LENGTH:
        raise ConfigError(f"a secret must have at least {MIN_SECRET_LENGTH} characters: a shorter one can be guessed")
    if secret.endswith(("\n", "\r")):
        raise ConfigError("a secret ends with a line end: strip what was read from a file")
    return signer


def _fits(expected: str, given: Sequence[str]) -> bool:
    """The one place where signatures are compared: in constant time. Which of several secrets fits is not secret.

    All are ASCII, as `compare_digest` wants texts to be. Nothing is raised here: a report of the error would show what
    was expected.
    """
    for each in given:  # noqa: SIM110  # twice as fast as any()
        if hmac.compare_digest(expected, each):
            return True
    return False
