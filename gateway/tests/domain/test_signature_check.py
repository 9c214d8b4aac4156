"""What `signalpost verify` says of a signature, and of the usual mistakes."""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode

import pytest

from signalpost.domain.signature_check import check_signatures, standard_headers
from signalpost_receiver import sign
from signalpost_receiver.sign import Signer

SECRET, OTHER = "a secret of mine", "another secret"
BODY = b'{"id":"1","contractValue":0.0,"title":"\xc3\xbc"}'
NOW = 1_800_000_000.0


def standard(secret: str, at: int) -> dict[str, str]:
    signature = Signer(secret).standard_signature("msg", at, BODY)
    return {sign.STANDARD_ID: "msg", sign.STANDARD_TIMESTAMP: str(at), sign.STANDARD_SIGNATURE: f"v1,AAAA {signature}"}


def test_both_signatures_fit_and_in_a_rotation_those_of_either_secret() -> None:
    """C19 to C21."""
    headers = {
        sign.PAGE_SIGNATURE: Signer(OTHER).page_signature(BODY),
        sign.PAGE_SIGNATURE_ALTERNATE: Signer(SECRET).page_signature(BODY),
        **standard(SECRET, int(NOW)),
    }
    assert [each.fits for each in check_signatures(BODY, headers, [SECRET], NOW)] == [False, True, True]
    assert [each.fits for each in check_signatures(BODY, headers, [SECRET, OTHER], NOW)] == [True, True, True]
    assert not any(each.fits for each in check_signatures(BODY + b" ", headers, [SECRET, OTHER], NOW))


def of_key(key: bytes, covered: bytes) -> str:
    return f"v1,{b64encode(hmac.new(key, covered, hashlib.sha256).digest()).decode()}"


EVENT = b'{"id":"an-id","type":"documentCreated"}'
MADE = f"whsec_{b64encode(bytes(range(32))).decode()}"
RIGHT = Signer(MADE).standard_signature("an-id", int(NOW), EVENT)


@pytest.mark.parametrize(
    ("signature", "hint"),
    [
        (RIGHT, "It fits the secret."),
        (RIGHT.removeprefix("v1,"), "v1, is missing"),
        (b64decode(RIGHT.removeprefix("v1,")).hex(), "It is hex"),
        (of_key(MADE.encode(), b"an-id.1800000000." + EVENT), "The key was the whole secret"),
        (of_key(bytes(range(32)), EVENT), "It covers the body alone"),
        (Signer(MADE).standard_signature("an-id", int(NOW), EVENT + b"\n"), "other bytes"),
        (f"v1a,{'A' * 86}==", "It is of a key pair"),
        (f"{RIGHT} v1a,{'A' * 86}==", "It fits the secret."),
        (Signer(MADE).standard_signature("an-id", int(NOW) - 1, EVENT), "No secret fits the body with this"),
        (Signer(OTHER).standard_signature("an-id", int(NOW), EVENT), "No secret fits the body with this"),
        ("v1,abc", "44 characters"),
    ],
)
def test_what_is_wrong_with_a_signature_of_standard_webhooks_is_named(signature: str, hint: str) -> None:
    """C20: its id is that of the event, so a body, a time and a signature say it all."""
    [checked] = check_signatures(EVENT, standard_headers(EVENT, signature, str(int(NOW))), [MADE], NOW)
    assert hint in checked.detail
    assert checked.fits is (RIGHT in signature.split(" "))
    for secret in (MADE, RIGHT, RIGHT.removeprefix("v1,")):
        assert secret not in checked.detail


def test_an_id_that_is_not_the_events_is_named_and_one_that_no_body_has_is_asked_for() -> None:
    """C20"""
    headers = {**standard_headers(EVENT, RIGHT, str(int(NOW))), sign.STANDARD_ID: "another"}
    [checked] = check_signatures(EVENT, headers, [MADE], NOW)
    assert "another webhook-id" in checked.detail
    for body in (b"", b"[1", b'{"id": 7}', b"\xff"):
        [checked] = check_signatures(body, standard_headers(body, RIGHT, str(int(NOW))), [MADE], NOW)
        assert "give that header too" in checked.detail


@pytest.mark.parametrize(
    ("signature", "hint"),
    [
        (Signer(SECRET).page_signature(BODY).upper(), "upper case"),
        (b64encode(hmac.new(SECRET.encode(), BODY, hashlib.sha512).digest()).decode(), "base64"),
        (hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest(), "SHA-256"),
        (Signer(f"{SECRET}\n").page_signature(BODY), "line breaks"),
        (Signer(SECRET).page_signature(BODY + b"\n"), "other bytes"),
        (Signer(SECRET).page_signature(json.dumps(json.loads(BODY)).encode()), "other bytes"),
        ("ä" * 128, "128 lower-case hex digits"),
        (Signer(SECRET).page_signature(BODY)[:64], "It has 64 characters"),
        ("a" * 128, "No secret fits"),
    ],
)
def test_a_usual_mistake_is_named(signature: str, hint: str) -> None:
    [checked] = check_signatures(BODY, {sign.PAGE_SIGNATURE: signature}, [SECRET], NOW)
    assert not checked.fits
    assert hint in checked.detail
    assert Signer(SECRET).page_signature(BODY) not in checked.detail


def test_a_signature_of_long_ago_fits_and_the_age_is_told() -> None:
    [checked] = check_signatures(BODY, standard(SECRET, int(NOW) - 400), [SECRET], NOW)
    assert checked.fits
    assert "400 s ago" in checked.detail


@pytest.mark.parametrize(
    ("header", "value", "hint"), [(sign.STANDARD_ID, None, "covers"), (sign.STANDARD_TIMESTAMP, "²", "whole number")]
)
def test_a_standard_signature_without_what_it_covers_does_not_fit(header: str, value: str | None, hint: str) -> None:
    headers = standard(SECRET, int(NOW))
    del headers[header]
    headers |= {} if value is None else {header: value}
    [checked] = check_signatures(BODY, headers, [SECRET], NOW)
    assert (checked.fits, hint in checked.detail) == (False, True)
